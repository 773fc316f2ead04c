// The linter holds which room may import which: imports that are planted here must be refused.

import { Linter } from 'eslint';
import { parser } from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import { boundaries, rooms } from '../eslint.boundaries.js';

const linter = new Linter({ configType: 'flat' });

function faults(file: string, code: string): (string | null)[] {
  const config = [{ files: ['**/*.ts'], languageOptions: { parser } }, ...boundaries] as unknown as Linter.Config[];
  return linter.verify(code, config, file).map(({ ruleId }) => ruleId);
}

describe('a planted import', () => {
  it.each([
    ['engine/world.ts', "import { heuristic } from '../policy/index.js';"],
    ['policy/planner.ts', "import type { Service } from '../serve/index.js';"],
    ['files/json.ts', "export { preset } from '../engine/index.js';"],
    ['workers/evaluate.ts', "import { Recorder } from '../audit/index.js';"],
    ['train/backends/simd.ts', "import { Recommender } from '../../advise/index.js';"],
    ['audit/recorder.ts', "import { preset } from '../engine/index.js';"],
    ['advise/recommend.ts', "import { ServeError } from '../serve/errors.js';"],
    ['advise/recommend.ts', "import { connect } from '#audit/index.js';"],
    ['advise/recommend.ts', "import { connect } from 'fleetstep/audit';"],
    ['serve/service.ts', "import { trainPolicy } from '../train/index.js';"],
  ])('of %s is refused: %s', (file, code) => {
    expect(faults(file, code)).toEqual(['no-restricted-imports']);
  });

  it('is refused where it is written as an expression, too', () => {
    expect(faults('advise/recommend.ts', "await import('../serve/server.js');")).toEqual(['no-restricted-syntax']);
  });
});

it('what the table of rooms allows is let through', () => {
  for (const [room, allowed] of Object.entries(rooms)) {
    for (const other of allowed) {
      expect(faults(`${room}/a.ts`, `import { a } from '../${other}/index.js'; await import('./b.js');`)).toEqual([]);
    }
  }
  expect(faults('cli/main.ts', "await import('../serve/server.js');")).toEqual([]);
});
