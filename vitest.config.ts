// Tests run against the compiled package in dist (import '#room/file.js'), natively: what is tested is what ships.

import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    // Many tests wait for another process: two at a time also on two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    tags: [{ name: 'attack', description: 'comes in two sizes: test/support/size.ts', timeout: 900_000 }],
    // CI counts what has run.
    reporters:
      process.env['CI'] === 'true' ? ['default', ['json', { outputFile: 'coverage/tests.json' }]] : ['default'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
