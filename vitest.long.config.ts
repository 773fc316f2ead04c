// The attacks in full size (test/support/size.ts), and what takes long. `npm run test:long` picks the tests by their tags; this finds
// their files.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { mergeConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';
import short from './vitest.config.js';

const folder = join(import.meta.dirname, 'test');
const files = readdirSync(folder).filter(
  (name) => name.endsWith('.test.ts') && /tags: \['(attack|long)'\]/.test(readFileSync(join(folder, name), 'utf8')),
);

const full: ViteUserConfig = {
  test: {
    env: { FLEETSTEP_TEST_SIZE: 'full' },
  },
};

const config: ViteUserConfig = mergeConfig(short, full);
config.test!.include = files.map((name) => `test/${name}`);

export default config;
