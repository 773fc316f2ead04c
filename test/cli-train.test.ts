// What comes after a first training, by the command line alone: replicates, a start from another run, more steps, an export.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { algorithmNames, readCheckpoint } from '#train/index.js';
import { runInProcess } from './support/command.js';

const main = new URL('../dist/cli/main.js', import.meta.url).pathname;
const root = mkdtempSync(join(tmpdir(), 'fleetstep-cli-train-'));
afterAll(() => rmSync(root, { recursive: true }));

const quick = [
  ...['--envs', '8', '--rollout-steps', '32', '--minibatch', '128', '--workers', '1'],
  ...['--eval-episodes', '6', '--json'],
];

interface Summary {
  readonly seed: number;
  readonly run: string;
  readonly steps: number;
  readonly meanReturn: number;
  readonly weightsSha256: string;
}

async function fleetstep<T>(...args: string[]): Promise<T> {
  const { stdout, stderr, status } = await runInProcess(args, { cwd: root });
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as T;
}

interface Replicates {
  readonly seeds: readonly number[];
  readonly finished: boolean;
  readonly runs: readonly Summary[];
  readonly meanReturn: number;
  readonly halfWidth: number;
}

let replicates: Replicates;
beforeAll(async () => {
  replicates = await fleetstep('train', '--steps', '1024', ...quick, '--seeds', '1,3', '--out', 'r');
});

it('replicates are the runs that each seed gives alone, with the mean and Student’s interval of two', async () => {
  expect(replicates).toMatchObject({ seeds: [1, 3], finished: true, runs: [{ run: 'r-s1' }, { run: 'r-s3' }] });
  const [a, b] = replicates.runs;
  expect(a.weightsSha256).not.toBe(b.weightsSha256);
  expect(replicates.meanReturn).toBeCloseTo((a.meanReturn + b.meanReturn) / 2, 9);
  // The 97.5% quantile of Student's t with one degree of freedom, times half the difference.
  expect(replicates.halfWidth).toBeCloseTo((12.7062 * Math.abs(a.meanReturn - b.meanReturn)) / 2, 1);
  const alone = await fleetstep<Summary>('train', '--steps', '1024', ...quick, '--seed', '3', '--out', 'alone');
  expect([alone.weightsSha256, alone.meanReturn]).toEqual([b.weightsSha256, b.meanReturn]);
});

it('a run starts from the weights of another one, on another scenario', async () => {
  const from = replicates.runs[0];
  const args = ['--steps', '256', ...quick, '--scenario', 'geneva-live', '--init', from.run, '--out', 'started'];
  const started = await fleetstep<Summary>('train', ...args);
  expect(readCheckpoint(join(root, 'started')).origin).toMatchObject({
    run: from.run,
    scenario: 'geneva',
    steps: 1024,
    weightsSha256: from.weightsSha256,
  });
  const drawn = await fleetstep<Summary>('train', ...args.slice(0, -4), '--out', 'drawn');
  expect(started.weightsSha256).not.toBe(drawn.weightsSha256);
});

it('a finished run takes more steps, as one that was asked for them at once', async () => {
  // Where nothing falls towards the end of the steps.
  const flat = [...quick, '--learning-rate-final', '1'];
  await fleetstep('train', '--steps', '512', ...flat, '--out', 'short');
  const longer = await fleetstep<Summary>('train', '--resume', 'short', '--steps', '1024', '--json');
  const whole = await fleetstep<Summary>('train', '--steps', '1024', ...flat, '--out', 'long');
  expect([longer.steps, longer.weightsSha256]).toEqual([1024, whole.weightsSha256]);
});

it.each([
  ['tfjs', ['actor', 'critic', 'fleetstep.json']],
  ['onnx', ['actor.onnx', 'critic.onnx', 'fleetstep.json']],
])('a run is exported as %s', async (format, files) => {
  await fleetstep('export', 'r-s1', '--format', format, '--out', format, '--json');
  expect(readdirSync(join(root, format)).sort()).toEqual(files);
  expect(JSON.parse(readFileSync(join(root, format, 'fleetstep.json'), 'utf8'))).toMatchObject({ scenario: 'geneva' });
});

/** Runs that would take hours, and how many iterations they are given: DQN must have begun to learn longer than it plays. */
const endless: Readonly<Record<string, readonly [iterations: number, ...string[]]>> = {
  ppo: [2, '--steps', String(1e9)],
  dqn: [60, '--steps', String(1e9), '--learning-starts', '1000'],
  linear: [2, '--steps', String(1e9)],
  rollout: [2, '--scenario', 'geneva-live', '--steps', String(1e6), '--envs', '30', '--rollout-steps', '4'],
};

it.each(algorithmNames)('an interrupt ends a training by %s with a checkpoint', async (algorithm) => {
  const [iterations, ...args] = endless[algorithm];
  const out = `interrupted-${algorithm}`;
  const child = spawn(
    process.execPath,
    [main, 'train', '--algorithm', algorithm, ...args, '--eval-episodes', '0', '--out', out, '--json'],
    { cwd: root, stdio: 'ignore' },
  );
  const exited = once(child, 'exit');
  const metrics = join(root, out, 'metrics.jsonl');
  while (!existsSync(metrics) || readFileSync(metrics, 'utf8').split('\n').length <= iterations) await setTimeout(50);
  child.kill('SIGINT');
  // A run that does not heed it goes on until the test runs out of time.
  expect(await exited).toEqual([130, null]);
  expect(readCheckpoint(join(root, out)).steps).toBeGreaterThan(0);
});
