// The attacks in full size (test/support/size.ts), and nothing else.

import { mergeConfig } from 'vitest/config';
import short from './vitest.config.js';

export default mergeConfig(short, {
  test: {
    tagsFilter: ['attack'],
    env: { FLEETSTEP_TEST_SIZE: 'full' },
  },
});
