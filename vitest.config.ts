// Tests run against the compiled package in dist (import '#room/file.js'), natively: what is tested is what ships.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    // CI counts what has run.
    reporters:
      process.env['CI'] === 'true' ? ['default', ['json', { outputFile: 'coverage/tests.json' }]] : ['default'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
