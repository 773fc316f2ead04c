// Threads that die or hang are replaced, and what they leave half done is done again: the run ends in the same bytes. One that fails
// again and again ends the run, with its last checkpoint kept.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const main = new URL('../dist/cli/main.js', import.meta.url).pathname;
const root = mkdtempSync(join(tmpdir(), 'fleetstep-threads-'));
afterAll(() => rmSync(root, { recursive: true }));

/** What a thread does in the middle of its work. */
const acts = {
  exit: 'process.exit(1)',
  throw: `throw new Error('a fault of a thread')`,
  hang: 'for (;;);',
  memory: 'for (const all = []; ; ) all.push(new Array(1e5).fill(all.length))',
} as const;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Trains; `times` threads `act` as they count their step number `step`, each after `step` steps of its own. */
function train(name: string, args: readonly string[], act: keyof typeof acts = 'exit', step = 0, times = 0): Ended {
  const file = join(root, `${name}.cjs`);
  const count = join(root, `${name}.count`);
  writeFileSync(count, '');
  // Every task counts its steps by Atomics.add.
  writeFileSync(
    file,
    `const { isMainThread } = require('node:worker_threads');
    const fs = require('node:fs');
    if (!isMainThread) {
      const { add } = Atomics;
      let steps = 0;
      Atomics.add = (...given) => {
        if (++steps === ${step} && fs.readFileSync(${JSON.stringify(count)}, 'utf8').length < ${times}) {
          fs.appendFileSync(${JSON.stringify(count)}, 'x');
          ${acts[act]};
        }
        return add.apply(Atomics, given);
      };
    }`,
  );
  const limit = act === 'memory' ? '--max-old-space-size=192' : '';
  const env = { ...process.env, NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} ${limit} --require ${file}` };
  return spawnSync(process.execPath, [main, 'train', ...args, '--out', name, '--json'], {
    ...{ cwd: root, encoding: 'utf8', env },
  });
}

/** What a run has come to, whatever its time: weights, evaluation, and metrics but for speeds. */
function outcome({ status, stdout, stderr }: Ended, name: string): object {
  expect([status, stderr]).toEqual([0, '']);
  const { weightsSha256, meanReturn } = JSON.parse(stdout) as Record<string, unknown>;
  const lines = readFileSync(join(root, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  const metrics = lines.map((line) =>
    Object.entries(JSON.parse(line) as object).filter(([key]) => !/seconds|SPS/.test(key)),
  );
  return { weightsSha256, meanReturn, metrics };
}

function replacements(name: string): string[] {
  const log = readFileSync(join(root, name, 'log.txt'), 'utf8');
  return log.split('\n').filter((line) => line.includes('threads are replaced'));
}

const few = ['--workers', '2', '--eval-episodes', '4', '--hang-seconds', '2', '--checkpoint-seconds', '1'];
const ppo = ['--steps', '2048', '--envs', '8', '--rollout-steps', '32', '--minibatch', '64', '--hidden', '8', ...few];

describe('a run of which a thread', { tags: ['long'], timeout: 240_000 }, () => {
  let undisturbed: object;
  beforeAll(() => {
    undisturbed = outcome(train('ppo', ppo), 'ppo');
  });

  it('dies, ends as if it had not', () => {
    const ended = train('ppo-exit', ppo, 'exit', 150, 1);
    expect(outcome(ended, 'ppo-exit')).toEqual(undisturbed);
    expect(replacements('ppo-exit')).toHaveLength(1);
  });

  it('dies again and again, is given up, with its checkpoint kept', () => {
    const { status, stderr } = train('given-up', ppo, 'exit', 3, 1000);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^fleetstep: a worker failed at "rollout": .*; the checkpoint of step 0 is kept: resume with "fleetstep train --resume given-up"\n$/,
    );
    expect(replacements('given-up')).toHaveLength(3);
  });

  it.for(['throw', 'hang', 'memory'] as const)('comes to a %s, ends as if it had not', (act) => {
    const name = `ppo-${act}`;
    expect(outcome(train(name, ppo, act, 150, 1), name)).toEqual(undisturbed);
    expect(replacements(name)).toHaveLength(1);
  });

  it('dies in several places, ends as if it had not', () => {
    let places = 0;
    // Each replacement gets as far as this by itself: in rollouts, in updates, in the evaluation.
    for (const step of [1, 40, 77, 333, 700]) {
      const name = `ppo-at-${step}`;
      expect(outcome(train(name, ppo, 'exit', step, 2), name)).toEqual(undisturbed);
      places += replacements(name).length > 0 ? 1 : 0;
    }
    // Which thread does how many steps is chance: not each of them may come as far as the last ones.
    expect(places).toBeGreaterThan(2);
  });
});

describe('the other algorithms', { tags: ['long'], timeout: 240_000 }, () => {
  it.for([
    ['dqn', ['--steps', '4096', '--envs', '8', '--hidden', '8', '--learning-starts', '512']],
    ['linear', ['--steps', '40000', '--envs', '4', '--population', '6']],
    ['rollout', ['--scenario', 'geneva-live', '--envs', '40', '--steps', '2000', '--horizon-ticks', '6']],
  ] as const)('%s: ends in the same bytes after a death and after a hang', ([algorithm, own]) => {
    const args = ['--algorithm', algorithm, ...own, ...few];
    const undisturbed = outcome(train(algorithm, args), algorithm);
    for (const act of ['exit', 'hang'] as const) {
      const name = `${algorithm}-${act}`;
      expect(outcome(train(name, args, act, 20, 1), name)).toEqual(undisturbed);
      expect(replacements(name)).toHaveLength(1);
    }
  });
});
