// Prints `N passed, N failed, N skipped` alone on the last line: a form that other programs read. Before it, which tests
// passed at the second try only: each is a mistake of the test or of what it tests.
import type { SerializedError } from 'vitest';
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[], reason: TestRunEndReason): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 };
    const flaky: string[] = [];
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        count[test.result().state] += 1;
        if (test.diagnostic()?.flaky === true) flaky.push(`${module.relativeModuleId}: ${test.fullName}`);
      }
      // A file that does not load, or a hook that throws, has no test of its own to fail.
      count.failed += module.errors().length > 0 ? 1 : 0;
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length > 0 ? 1 : 0;
    }
    // Never started or never ended: the run was cut short, and that is no success.
    const failed = count.failed + count.pending;
    const cutShort = reason !== 'passed' && failed === 0 ? 1 : 0;
    // After the default reporter's summary, which other reporters of the same event may still be writing.
    process.once('exit', () => {
      for (const name of flaky) process.stdout.write(`\nAT THE SECOND TRY ONLY: ${name}`);
      process.stdout.write(`\n${count.passed} passed, ${failed + cutShort} failed, ${count.skipped} skipped\n`);
    });
  }
}
