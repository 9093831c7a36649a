// Tests load every module as production does: by Node itself, with its own type stripping and resolution.
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What waits for most of its time, and would otherwise be waited for in the end. */
const SLOW = 'test/e2e/delivery-scenarios.test.ts';

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => Number(b.moduleId.endsWith(SLOW)) - Number(a.moduleId.endsWith(SLOW)));
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
    reporters: ['default', './test/support/totals-reporter.ts'],
    // Vite's resolver takes other entry points of graphql and @pothos/core than Node does for the packages that import
    // them, and two copies of either do not know each other's types.
    experimental: { viteModuleRunner: false },
  },
});
