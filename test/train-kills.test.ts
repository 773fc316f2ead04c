// Runs of every algorithm that are killed at random moments, in training, saving or starting, and resumed: the weights at the end are
// those of a run that nothing happened to.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { Purpose, RandomStream } from '#engine/index.js';
import { stateOf } from '#train/checkpoint.js';
import { algorithmNames, readCheckpoint, weightsSha256 } from '#train/index.js';
import { told } from './support/size.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-kills-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const kills = 20;

/** Runs of some seconds. */
const runs: Readonly<Record<string, readonly string[]>> = {
  ppo: ['--steps', String(150_000)],
  dqn: ['--steps', String(80_000), '--learning-starts', '500', '--replay-capacity', '4000'],
  linear: ['--steps', String(3_000_000)],
  rollout: [
    ...['--scenario', 'geneva-live', '--steps', String(1500), '--envs', '30', '--rollout-steps', '4'],
    ...['--tries', '4', '--linear-rounds', '2', '--members', '1'],
  ],
};

/** Runs a training, and kills it after some milliseconds; gives what it has printed and whether it was killed. */
async function train(options: readonly string[], killAfter: number | null): Promise<{ text: string; killed: boolean }> {
  const main = new URL('../dist/cli/main.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, 'train', ...options, '--json'], { cwd: root });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>;
  const timer = killAfter === null ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter);
  const [, signal] = await exit;
  clearTimeout(timer);
  return { text, killed: signal === 'SIGKILL' };
}

const sha = (text: string): string => (JSON.parse(text) as { weightsSha256: string }).weightsSha256;

describe('a run', () => {
  it.each(algorithmNames)(
    `of %s that is killed ${told(kills)} times at random moments ends in the same weights`,
    { tags: ['long'] },
    async (algorithm) => {
      const stream = new RandomStream(17, Purpose.demand, algorithmNames.indexOf(algorithm));
      const started = performance.now();
      const options = ['--algorithm', algorithm, '--eval-episodes', '0', ...runs[algorithm]];
      const whole = await train([...options, '--out', `${algorithm}-whole`], null);
      const lasts = performance.now() - started;
      const out = `${algorithm}-killed`;
      const here = join(root, out);
      // A killed run may have come to nothing yet: then its folder is free, and it begins again.
      const next = (): string[] =>
        existsSync(join(here, 'checkpoint.msgpack'))
          ? ['--resume', out, '--checkpoint-seconds', '1']
          : [...options, '--out', out, '--checkpoint-seconds', '1'];
      /** A run that was killed after its last checkpoint has nothing left to do. */
      const isOver = (): boolean => {
        if (!existsSync(join(here, 'checkpoint.msgpack'))) return false;
        const { steps, state } = readCheckpoint(here);
        if (steps < (JSON.parse(whole.text) as { steps: number }).steps) return false;
        expect(weightsSha256(state.weights)).toBe(sha(whole.text));
        rmSync(here, { recursive: true });
        return true;
      };
      let killed = 0;
      let resumed = 0;
      for (let tries = 0; killed < kills && tries < 10 * kills; tries++) {
        const attempt = next();
        // Most lives are long enough for a checkpoint, some end while the process starts.
        const life = 100 + stream.float() * Math.max(1500, Math.min(0.6 * lasts, 2500));
        const { text, killed: wasKilled } = await train(attempt, life);
        if (wasKilled) {
          killed++;
          resumed += Number(attempt[0] === '--resume');
          isOver();
        } else {
          // It came to its end first: another one is killed.
          expect(sha(text)).toBe(sha(whole.text));
          rmSync(here, { recursive: true });
        }
      }
      expect(killed).toBe(kills);
      expect(resumed).toBeGreaterThan(kills / 4);
      const { text } = await train(next(), null);
      expect(sha(text)).toBe(sha(whole.text));
      // What kills have left is gone; a memory of the past is kept by those that have one.
      const memory = ['dqn', 'rollout'].includes(algorithm) ? [expect.stringMatching(/^replay-\d+\.msgpack$/)] : [];
      const left = readdirSync(here).filter((name) => name.startsWith('.') || name.startsWith('replay-'));
      expect(left).toEqual(memory);
    },
  );
});

const writes = 200;

it(
  `a checkpoint and its replay memory are whole after each of ${told(writes)} kills while they are written`,
  { tags: ['long'] },
  async () => {
    const options = ['--steps', '3000', '--hidden', '8', '--learning-starts', '500', '--replay-capacity', '4000'];
    const { text } = await train(
      ['--algorithm', 'dqn', ...options, '--eval-episodes', '0', '--out', 'written', '--json'],
      null,
    );
    const run = join(root, 'written');
    const stream = new RandomStream(18, Purpose.demand);
    const script = new URL('./support/write-checkpoints.js', import.meta.url).pathname;
    let last = readCheckpoint(run).steps;
    let halfWritten = 0;
    for (let k = 0; k < writes; k++) {
      const child = spawn(process.execPath, [script, run]);
      const exit = once(child, 'exit');
      await once(child.stdout, 'data');
      await wait(150 * stream.float());
      child.kill('SIGKILL');
      expect((await exit)[1]).toBe('SIGKILL');
      const checkpoint = readCheckpoint(run);
      expect(weightsSha256(stateOf(run, checkpoint).weights)).toBe(sha(text));
      expect(checkpoint.steps).toBeGreaterThan(last);
      last = checkpoint.steps;
      const left = readdirSync(run).filter((name) => name.endsWith('.tmp') || /^replay-\d+/.test(name));
      halfWritten += left.length > 1 ? 1 : 0;
    }
    // Else no kill has met a write.
    expect(halfWritten).toBeGreaterThan(writes / 10);
  },
);
