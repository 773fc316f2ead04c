// Tests run against the compiled package in dist (import '#room/file.js'), natively: what is tested is what ships.

import { availableParallelism } from 'node:os';
import type { ViteUserConfig } from 'vitest/config';

const ci = process.env['CI'] === 'true';

/**
 * Rooms whose coverage is held, each by itself, in percent of lines. The goal is 90 in each; these bounds are where they stand.
 * Why they are below it has not been looked into. Raise them, never lower them.
 */
const held = { engine: 86, policy: 89, train: 78, audit: 79, advise: 85 };
const covered = Object.keys(held);

const jsonReporter: ['json', { outputFile: string }] = [
  'json',
  { outputFile: process.env['FLEETSTEP_TEST_COUNTS'] ?? 'coverage/tests.json' },
];

const config: ViteUserConfig = {
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    // Many tests wait for another process: two at a time also on two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    tags: [{ name: 'attack', description: 'comes in two sizes: test/support/size.ts', timeout: 1_800_000 }],
    // CI counts what has run.
    reporters: ['default', './test/support/rooms-reporter.ts', ...(ci ? [jsonReporter] : [])],
    // Against hanging alone: a machine may be twenty times as busy as it has cores.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // With --coverage, as `npm test` runs it. Counted in the process of the tests alone: what runs in threads and in other
    // processes comes on top.
    coverage: {
      provider: 'v8',
      include: [`dist/{${covered.join()}}/**/*.js`],
      reporter: ['json-summary'],
      reportsDirectory: 'coverage/lines',
      thresholds: Object.fromEntries(Object.entries(held).map(([room, lines]) => [`${room}/**`, { lines }])),
    },
  },
};

export default config;
