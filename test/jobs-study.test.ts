// Study files: what is accepted, and what each mistake is answered with.

import { describe, expect, test } from 'vitest';
import { checkStudy } from '#jobs/index.js';

const space = { learningRate: { float: [1e-4, 1e-2], log: true } };
const check = (file: object): unknown => checkStudy(file, 'study.json');

test('defaults are filled in', () => {
  expect(check({ space })).toEqual({
    name: 'study',
    scenario: 'geneva',
    config: {},
    space: { learningRate: { kind: 'float', low: 1e-4, high: 1e-2, log: true, when: undefined } },
    seeds: [1],
    trials: 20,
    slots: 4,
    samplerSeed: 1,
    sampler: 'tpe',
    rungs: [1_500_000],
    eta: 3,
    objective: { metric: 'return', direction: 'maximize', episodes: 100, constraints: [] },
    budgetSteps: null,
    budgetMinutes: null,
  });
});

test('less is better of lateness, more of service', () => {
  const directionOf = (metric: string): string => checkStudy({ space, objective: { metric } }, 's').objective.direction;
  expect(['meanLatenessMinutes', 'expired', 'serviceRate', 'return'].map(directionOf)).toEqual([
    'minimize',
    'minimize',
    'maximize',
    'maximize',
  ]);
});

test('a parameter counts only where its condition holds', () => {
  const study = checkStudy(
    {
      config: { steps: 1000 },
      space: {
        algorithm: { choice: ['ppo', 'dqn'] },
        clip: { float: [0.1, 0.3], when: { algorithm: ['ppo'] } },
        nSteps: { int: [1, 5], when: { algorithm: ['dqn'] } },
      },
    },
    's',
  );
  expect(Object.keys(study.space)).toEqual(['algorithm', 'clip', 'nSteps']);
});

describe('each mistake is named with its field, its value and what would be right', () => {
  test.each([
    [{}, 'study.json: space is missing: it is required'],
    [{ space: {} }, 'space is empty: give at least one parameter'],
    [{ space, trails: 3 }, 'there is no field "trails": did you mean "trials"?'],
    [{ space, trials: 0 }, 'trials is 0'],
    [{ space, trials: '5' }, 'trials is "5"'],
    [{ space, seeds: [1, 1] }, 'seeds is [1,1]: each must be there once'],
    [{ space, sampler: 'grid' }, 'sampler is "grid"'],
    [
      { space, pruner: { minSteps: 2_000_000 } },
      'pruner.minSteps is 2000000: it must be at most the 1500000 steps of a run',
    ],
    [{ space, pruner: { minSteps: 10, eta: 1 } }, 'pruner.eta is 1'],
    [{ space, objective: { metric: 'profit' } }, 'objective.metric is "profit": it must be one of return, created'],
    [
      { space, objective: { constraints: [{ metric: 'serviceRate' }] } },
      'objective.constraints[0] has neither min nor max',
    ],
    [{ space, config: { seed: 3 } }, 'config.seed is set: leave it out; the study has "seeds"'],
    [
      { space, config: { scenario: 'geneva' } },
      'config.scenario is set: leave it out; it is a field of the study itself',
    ],
    [{ space: { seed: { int: [1, 5] } } }, 'space.seed: a seed is no parameter'],
    [{ space: { gamma: 0.9 } }, 'space.gamma is 0.9: it must be { "choice"'],
    [{ space: { gamma: { float: [0.99, 0.9] } } }, 'space.gamma.float is [0.99, 0.9]: low must not be above high'],
    [
      { space: { gamma: { float: [0, 0.9], log: true } } },
      'space.gamma.float starts at 0: with "log" it must be above 0',
    ],
    [{ space: { gamma: { float: [0.5, 0.9], choice: [1] } } }, 'space.gamma has choice and float: it must be'],
    [{ space: { gamma: { choice: [0.9, 0.9] } } }, 'space.gamma.choice has 0.9 twice'],
    [
      { space: { numEnvs: { int: [1.5, 8] } } },
      'space.numEnvs.int is [1.5,8]: it must be [low, high], two whole numbers',
    ],
    [{ space: { gamma: { float: [0.5, 1.5] } } }, 'gamma is 1.5'],
    [{ space: { gama: { float: [0.5, 0.9] } } }, 'there is no field "gama": did you mean "gamma"?'],
    [
      { space: { clip: { float: [0.1, 0.2], when: { algorithm: ['ppo'] } } } },
      'space.clip.when names "algorithm": it must be a choice that is listed before',
    ],
  ])('%j', (file, message) => {
    expect(() => check(file)).toThrow(message);
  });
});
