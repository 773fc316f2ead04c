// Python and the engine when either dies: a clear error, no orphan, no file (python/tests/test_faults.py).

import { expect, it } from 'vitest';
import { describeWithPython, unittest } from './support/python.js';
import { told } from './support/size.js';

const kills = 50;

describeWithPython('Python and the engine', () => {
  it(
    `survive ${told(kills)} kills of either side at random moments, and refuse each other's other versions`,
    { tags: ['long'] },
    async () => {
      expect(await unittest('test_faults.py')).toBeGreaterThanOrEqual(10);
    },
  );
});
