import { afterAll, describe, expect, it } from 'vitest';
import { compileScenario, preset } from '../dist/engine/index.js';
import { Linear, linearColumns, linearDefaults } from '../dist/train/linear.js';
import { evaluatePolicies } from '../dist/workers/index.js';

const compiled = compileScenario(preset('geneva'));
const config = { ...linearDefaults, seed: 3, totalSteps: 1, numEnvs: 8, population: 6 };
const open: Linear[] = [];

function tuning(workers: number, changes: Partial<typeof config> = {}): Linear {
  const linear = new Linear(compiled, { ...config, ...changes }, workers);
  open.push(linear);
  return linear;
}

afterAll(async () => {
  for (const linear of open) await linear.close();
});

describe('the linear rule', () => {
  it('begins as the rule that takes the highest immediate reward', async () => {
    const linear = tuning(1);
    const { shape, weights } = linear;
    const [ours, myopic] = await evaluatePolicies({
      compiled,
      policies: [
        { kind: 'network', name: 'linear', shape, observation: 'classic', weights },
        { kind: 'heuristic', name: 'myopic' },
      ],
      split: 'validation',
      episodes: 5,
      seed: 1,
      workers: 1,
    });
    expect(ours.episodes.map((episode) => episode.return)).toEqual(myopic.episodes.map((episode) => episode.return));
    expect(linearColumns).toHaveLength(26);
  });

  it('is tuned to the same bytes by any number of workers, and after an interruption', async () => {
    const alone = tuning(1);
    for (let g = 0; g < 3; g++) await alone.step();
    const together = tuning(3);
    await together.step();
    const resumed = tuning(2);
    resumed.restore(together.snapshot());
    await resumed.step();
    await resumed.step();
    expect(resumed.snapshot()).toEqual(alone.snapshot());
    expect(resumed.globalStep).toBe(3 * config.population * config.numEnvs * compiled.ticks);
  });

  it('learns: after five short generations it serves its training demand better than at the start', async () => {
    const linear = tuning(2, { numEnvs: 16, population: 12 });
    const first = await linear.step();
    let last = first;
    for (let g = 1; g < 5; g++) last = await linear.step();
    expect(last['charts/episodic_return']!).toBeGreaterThan(first['charts/episodic_return']! + 300);
  });

  it('is done when its steps are', () => {
    const each = config.population * config.numEnvs * compiled.ticks;
    expect(tuning(1, { totalSteps: 1 }).iterations).toBe(1);
    expect(tuning(1, { totalSteps: 3 * each + 1 }).iterations).toBe(4);
  });

  it('names what is out of range', () => {
    expect(() => new Linear(compiled, { ...config, population: 3 })).toThrow('population is 3');
    expect(() => new Linear(compiled, { ...config, sigma: 0 })).toThrow('sigma is 0');
    expect(() => new Linear(compiled, { ...config, network: 'flat' })).toThrow('a linear rule is of kind "pairs"');
    expect(() => new Linear(compiled, { ...config, rolloutSteps: 5 })).toThrow('rolloutSteps is 5: it must be 0');
  });
});
