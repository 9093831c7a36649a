// The process's environment: the one place that reads it.

export function environment(): NodeJS.ProcessEnv {
  return process.env;
}
