// Tests run against the compiled package in dist (import '#room/file.js'), natively: what is tested is what ships.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    server: { deps: { external: [/\/dist\//] } },
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
