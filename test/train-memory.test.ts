// Memory of a long training stays flat: what the process holds late is not more than what it held early on.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { residentMiB } from '#cli/supervise.js';
import { told } from './support/size.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-memory-'));
afterAll(() => rmSync(root, { recursive: true }));

const steps: Readonly<Record<string, number>> = { ppo: 1_500_000, dqn: 300_000 };
const main = new URL('../dist/cli/main.js', import.meta.url).pathname;

it.each(Object.keys(steps))(
  `%s holds no more at its end than early on, over up to ${told(steps['ppo'])} steps`,
  { tags: ['long'] },
  async (algorithm) => {
    const args = ['--algorithm', algorithm, '--steps', String(steps[algorithm]), '--eval-episodes', '0'];
    if (algorithm === 'dqn') args.push('--replay-capacity', '5000');
    const child = spawn(process.execPath, [main, 'train', ...args, '--checkpoint-seconds', '1', '--out', algorithm], {
      cwd: root,
      stdio: 'ignore',
    });
    const exit = once(child, 'exit') as Promise<[number | null]>;
    const samples: number[] = [];
    const timer = setInterval(() => samples.push(...[residentMiB(child.pid!)].filter((one) => one > 0)), 50);
    const [code] = await exit;
    clearInterval(timer);
    expect(code).toBe(0);
    expect(samples.length).toBeGreaterThan(10);
    // The first part fills caches, buffers and the replay memory.
    const part = (from: number, to: number): number =>
      Math.max(...samples.slice(Math.floor(from * samples.length), Math.ceil(to * samples.length)));
    const [early, late] = [part(0.3, 0.6), part(0.6, 1)];
    expect(late, `MiB at the end, ${early} before`).toBeLessThan(1.1 * early + 32);
  },
);
