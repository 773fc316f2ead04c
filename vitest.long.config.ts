// The attacks in full size (test/support/size.ts). `npm run test:long` picks the tests by their tag; this finds their files.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { mergeConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';
import short from './vitest.config.js';

const folder = join(import.meta.dirname, 'test');
const files = readdirSync(folder).filter(
  (name) => name.endsWith('.test.ts') && readFileSync(join(folder, name), 'utf8').includes("'./support/size.js'"),
);

const full: ViteUserConfig = {
  test: {
    env: { FLEETSTEP_TEST_SIZE: 'full' },
  },
};

const config: ViteUserConfig = mergeConfig(short, full);
config.test!.include = files.map((name) => `test/${name}`);

export default config;
