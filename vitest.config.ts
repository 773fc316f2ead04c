// Tests run against the compiled package in dist (import '#room/file.js'), natively: what is tested is what ships.

import { availableParallelism } from 'node:os';
import type { ViteUserConfig } from 'vitest/config';

const ci = process.env['CI'] === 'true';

const jsonReporter: ['json', { outputFile: string }] = [
  'json',
  { outputFile: process.env['FLEETSTEP_TEST_COUNTS'] ?? 'coverage/tests.json' },
];

const config: ViteUserConfig = {
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/count-lines.ts'],
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    // What a file loads stays loaded for the next one: a process each would take a minute longer in all.
    isolate: false,
    // Many tests wait for another process: three at a time also on two cores.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    tags: [
      { name: 'attack', description: 'comes in two sizes: test/support/size.ts', timeout: 1_800_000 },
      {
        name: 'long',
        description: 'many processes, many seconds: npm run test:long alone runs it',
        timeout: 1_800_000,
      },
    ],
    // CI counts what has run.
    reporters: ['default', ...(ci ? [jsonReporter] : [])],
    // Against hanging alone: a machine may be twenty times as busy as it has cores.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
};

export default config;
