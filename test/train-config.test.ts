// How a run is told what to do: settings as tables, config files, options, and which of them wins.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { algorithm, algorithmNames, checkRunConfig, defaultsOf, dqnFields, ppoDefaults } from '#train/index.js';
import type { DqnConfig, Field } from '#train/index.js';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-config-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function train(...args: string[]): Promise<Ended> {
  return runInProcess(['train', ...args], { cwd: root });
}
const printed = async (...args: string[]): Promise<Record<string, unknown>> => {
  const { stdout, stderr } = await train(...args, '--print-config');
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<string, unknown>;
};

describe('the settings of an algorithm', () => {
  it('of PPO are by default what reference runs were trained with', () => {
    expect(ppoDefaults).toEqual({
      observation: 'full',
      network: 'pairs',
      numEnvs: 64,
      rolloutSteps: 128,
      epochs: 4,
      minibatchSize: 1024,
      learningRate: 3e-3,
      learningRateFinal: 0.1,
      gamma: 0.99,
      lambda: 0.95,
      clip: 0.2,
      clipFinal: 1,
      valueCoefficient: 0.5,
      entropyCoefficient: 0.01,
      entropyFinal: 1,
      maxGradientNorm: 0.5,
      targetKl: 0.03,
      normaliseRewards: true,
      normaliseAdvantages: true,
      hidden: [32, 32],
      criticHidden: [64, 64],
      shards: 8,
    });
  });

  it('have defaults that their own checks accept, and mean the same under the same name', () => {
    const seen = new Map<string, { doc: string; kind: string; range: unknown[] }>();
    for (const name of algorithmNames) {
      const definition = algorithm(name);
      definition.check({ ...definition.defaults, seed: 1, totalSteps: 1000 });
      for (const [setting, field] of Object.entries<Field>(definition.fields)) {
        const { doc, kind, flag, ...rest } = field;
        const range = Object.entries(rest).filter(([key]) => key !== 'default' && key !== 'min');
        const same = { doc, kind, flag, range };
        if (seen.has(setting)) expect(same, setting).toEqual(seen.get(setting));
        seen.set(setting, same);
        expect(doc.length, setting).toBeGreaterThan(10);
      }
    }
    expect(defaultsOf<DqnConfig>(dqnFields)).toEqual(algorithm('dqn').defaults);
  });
});

describe('a config file', () => {
  it.each([
    [[], 'holds an Array: it must be one object in { }'],
    [{ gama: 0.9 }, 'there is no field "gama": did you mean "gamma"? (there are scenario, data, algorithm, seed'],
    [{ constructor: 1 }, 'there is no field "constructor"'],
    [{ nSteps: 3 }, '"nSteps" is a setting of dqn, this run trains ppo: leave it out, or choose the algorithm'],
    [{ algorithm: 'dqn', clip: 0.1 }, '"clip" is a setting of ppo, this run trains dqn'],
    [{ algorithm: 'ppoo' }, 'algorithm is "ppoo": did you mean "ppo"?'],
    [{ gamma: 0 }, 'gamma is 0: it must be above 0 and at most 1'],
    [{ gamma: '0.9' }, 'gamma is "0.9": it must be above 0 and at most 1'],
    [{ gamma: null }, 'gamma is null'],
    [{ numEnvs: 1.5 }, 'numEnvs is 1.5: it must be a whole number from 1 to 65536'],
    [{ steps: 0 }, 'steps is 0: it must be a whole number of at least 1'],
    [{ network: 'pair' }, 'network is "pair": did you mean "pairs"?'],
    [{ normaliseRewards: 1 }, 'normaliseRewards is 1: it must be true or false'],
    [{ hidden: 64 }, 'hidden is 64: it must be a list of widths such as [64, 64]'],
    [{ hidden: [64, 12] }, 'hidden: a hidden layer is 12 wide: it must be a multiple of 8 from 8 to 4096'],
    [{ scenario: 7 }, 'scenario is 7: it must be a name or a path'],
    [{ backend: 'cuda' }, 'backend is "cuda": choose one of auto, '],
  ])('%j is refused by name', (value, message) => {
    expect(() => checkRunConfig(value, 'run.json')).toThrow(message);
    expect(() => checkRunConfig(value, 'run.json')).toThrow(/^config file run\.json/);
  });

  it('may leave everything out, and hold any setting of its algorithm', () => {
    expect(checkRunConfig({}, 'run.json')).toEqual({});
    for (const name of algorithmNames) {
      const all = { algorithm: name, seed: 3, steps: 10, scenario: 'geneva', ...algorithm(name).defaults };
      expect(checkRunConfig(all, 'run.json')).toEqual(all);
    }
  });
});

describe('fleetstep train --print-config', () => {
  it.each(algorithmNames)('prints all of %s, and takes it back', async (name) => {
    const config = await printed('--algorithm', name, '--seed', '5');
    expect(config).toMatchObject({ algorithm: name, seed: 5, scenario: 'geneva', ...algorithm(name).defaults });
    writeFileSync(join(root, 'back.json'), JSON.stringify(config));
    expect(await printed('--config', 'back.json')).toEqual(config);
  });

  it('an option wins over the file, the file over the default', async () => {
    const file = {
      ...{ algorithm: 'dqn', gamma: 0.9, dueling: false, hidden: [16], numEnvs: 32, evalEvery: 1000, earlyStop: 2 },
      ...{ steps: 7000, workers: 3, scenario: 'geneva-live' },
    };
    writeFileSync(join(root, 'run.json'), JSON.stringify(file));
    expect(await printed('--config', 'run.json')).toMatchObject(file);
    const options = [
      '--gamma',
      '0.8',
      '--dueling',
      '--hidden',
      '8,24',
      '--envs',
      '4',
      '--eval-every',
      '0',
      '--no-double',
    ];
    expect(
      await printed('--config', 'run.json', ...options, '--early-stop', '0', '--scenario', 'geneva'),
    ).toMatchObject({
      ...file,
      ...{ gamma: 0.8, dueling: true, hidden: [8, 24], numEnvs: 4, evalEvery: 0, double: false, earlyStop: 0 },
      scenario: 'geneva',
    });
  });

  it('settings of another algorithm, unreadable files and impossible values end with 2 and one line', async () => {
    writeFileSync(join(root, 'broken.json'), '{');
    for (const [args, message] of [
      [['--n-steps', '3'], '--n-steps is a setting of dqn, this run trains ppo: leave it out, or give --algorithm dqn'],
      [['--config', 'nowhere.json'], 'cannot read config file nowhere.json'],
      [['--config', 'broken.json'], 'cannot read config file broken.json'],
      [['--hidden', '33'], 'It must be widths such as 64,32, each a multiple of 8 from 8 to 4096, or none.'],
      [['--epsilon-final', '2'], 'It must be a number from 0 to 1.'],
      [['--resume', 'x', '--config', 'run.json'], "cannot be used with option '--config"],
      [['--resume', 'x', '--no-double'], "cannot be used with option '--no-double'"],
      [['--early-stop', '3', '--eval-episodes', '0', '--backend', 'cpu'], 'earlyStop is 3, but evaluateEvery is 0'],
    ] as const) {
      const { stderr, status } = await train(...args);
      expect([status, stderr.trim().split('\n').at(-1)]).toEqual([2, expect.stringContaining(message)]);
    }
  });
});
