// The Python package: what Gymnasium asks of environments, beside its own vector environment, and the examples. The tests themselves are
// in python/tests.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import './support/uncounted.js';
import { canImport, describeWithPython, python, unittest } from './support/python.js';

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

it('the Python package has the version of the engine, and needs gymnasium and numpy alone', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const project = read('python/pyproject.toml');
  expect(/^version = "(.*)"$/m.exec(project)?.[1]).toBe(version);
  expect(/__version__ = "(.*)"/.exec(read('python/fleetstep/version.py'))?.[1]).toBe(version);
  const dependencies = JSON.parse(/^dependencies = (\[.*\])$/m.exec(project)![1]) as string[];
  expect(dependencies.map((one) => one.split(' ')[0])).toEqual(['gymnasium', 'numpy']);
});

describeWithPython('the Python package', () => {
  it('gives environments as Gymnasium wants them, and refuses by name', async () => {
    expect(await unittest('test_spaces.py')).toBeGreaterThanOrEqual(12);
  });

  it('equals SyncVectorEnv over its single environments, in each autoreset mode', { tags: ['long'] }, async () => {
    expect(await unittest('test_autoreset.py')).toBeGreaterThanOrEqual(8);
  });

  it('has a benchmark of rollouts that runs', { tags: ['long'] }, async () => {
    const { stdout } = await python('examples/rollout_benchmark.py', ['--quick']);
    for (const envs of ['64', '1024']) expect(stdout).toMatch(new RegExp(`^ *${envs} .*0\\.\\d\\d|1\\.\\d\\d`, 'm'));
    expect(stdout).toMatch(/^ *64 .*SyncVectorEnv over NumPy [\d,]+\/s, ratio \d+\.\d /m);
  });

  it('has a PPO example that learns', { tags: ['long'] }, async ({ skip }) => {
    if (process.env['FLEETSTEP_NEEDS_TORCH'] !== '1' && !(await canImport('torch'))) {
      console.warn('SKIPPED: the PPO example, as the Python has no torch; .ci/run installs it where pip has it');
      skip();
    }
    const { stdout } = await python('examples/ppo_torch.py', ['--total-timesteps', '61440', '--eval-episodes', '50']);
    const [, ppo, rule] = /ppo (-?\d+) \(standard error \d+\), edf (-?\d+)/.exec(stdout)!;
    // Waiting alone earns less than -5,000, edf about 4,700; in full, the example passes it.
    expect(Number(ppo)).toBeGreaterThan(Number(rule) - 2500);
  });
});
