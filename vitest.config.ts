// Tests load every module as production does: by Node itself, with its own type stripping and resolution.
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** For more than a minute these wait nearly all the time: for replies, and for the leases of those that were killed. */
const WAITING = ['webhook-crash', 'delivery-scenarios'];
/** Twenty to seventy seconds each, with whole programs; at the end everybody would wait for them. */
const LONG = ['crash', 'inbound-crash', 'import-crash', 'tail', 'interop', 'log-exactness', 'inbound-webhook'];
/** Files that the third worker does beside those that wait, before the long ones need all of the machine. */
const BESIDE = 12;

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isOf = (names: readonly string[]) => (file: TestSpecification) =>
      names.some((name) => file.moduleId.endsWith(`/test/e2e/${name}.test.ts`));
    const sorted = await super.sort(files);
    const waiting = WAITING.flatMap((name) => sorted.filter(isOf([name])));
    const long = LONG.flatMap((name) => sorted.filter(isOf([name])));
    const rest = sorted.filter((file) => !isOf([...WAITING, ...LONG])(file));
    return [...waiting, ...rest.slice(0, BESIDE), ...long, ...rest.slice(BESIDE)];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    isolate: false,
    maxWorkers: 3,
    sequence: { sequencer: SlowFirst },
    // Far above what anything takes: a machine that is busy with other things fails no test.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000, interval: 20 } },
    // In CI one that minds how busy the machine was does not stop everybody; it is told by name (totals-reporter.ts), to be
    // mended. Here it fails.
    retry: process.env['CI'] === undefined ? 0 : 1,
    reporters: ['default', './test/support/totals-reporter.ts'],
    // Vite's resolver takes other entry points of graphql and @pothos/core than Node does for the packages that import
    // them, and two copies of either do not know each other's types.
    experimental: { viteModuleRunner: false },
  },
});
