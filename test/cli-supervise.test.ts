// A supervised run goes on whatever happens to its process, ends in the same weights, and is given up where nothing helps.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const main = new URL('../dist/cli/main.js', import.meta.url).pathname;
const root = mkdtempSync(join(tmpdir(), 'fleetstep-supervise-'));
afterAll(() => rmSync(root, { recursive: true }));

const quick = [
  ...['--steps', '2048', '--envs', '8', '--rollout-steps', '32', '--minibatch', '128', '--workers', '1'],
  ...['--eval-episodes', '0', '--json'],
];

/** Runs a training whose processes each do `act` after their line `line` of metrics, up to `times` processes. */
function train(
  args: readonly string[],
  act = '',
  times = 0,
): { status: number | null; stdout: string; stderr: string } {
  const file = join(root, 'act.cjs');
  const count = join(root, `count-${Math.random()}`);
  writeFileSync(count, '');
  writeFileSync(
    file,
    `const fs = require('node:fs');
    const { appendFileSync } = fs;
    let lines = 0;
    fs.appendFileSync = (...args) => {
      appendFileSync(...args);
      if (!String(args[0]).endsWith('metrics.jsonl')) return;
      if (++lines === 3) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100);
      if (lines !== 5 || fs.readFileSync(${JSON.stringify(count)}, 'utf8').length >= ${times}) return;
      appendFileSync(${JSON.stringify(count)}, 'x');
      ${act}
    };
    require('node:module').syncBuiltinESMExports();`,
  );
  const env = { ...process.env, NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --require ${file}` };
  return spawnSync(process.execPath, [main, 'train', ...args], { cwd: root, encoding: 'utf8', env });
}

const sha = (text: string): string => (JSON.parse(text) as { weightsSha256: string }).weightsSha256;

it('is started again after a kill and after a failure, and ends in the same weights', { tags: ['long'] }, () => {
  const whole = sha(train([...quick, '--out', 'whole']).stdout);
  for (const [name, act, told] of [
    ['killed', `process.kill(process.pid, 'SIGKILL');`, 'ended with SIGKILL'],
    ['failed', `process.exit(1);`, 'ended with exit code 1'],
  ]) {
    const args = [...quick, '--checkpoint-seconds', '1', '--out', name, '--supervise'];
    const { status, stdout, stderr } = train(args, act, 1);
    expect(stderr).toMatch(
      new RegExp(`^fleetstep: the run ${told}; it is started again from its checkpoint of step \\d+\n$`),
    );
    expect(status).toBe(0);
    expect(sha(stdout)).toBe(whole);
  }
});

it('is given up where it makes no step more, and is not tried again after a mistake of the user’s', () => {
  const args = [...quick, '--checkpoint-seconds', '1000', '--out', 'hopeless', '--supervise', '1'];
  const { status, stderr } = train(args, `process.kill(process.pid, 'SIGKILL');`, 99);
  expect(status).toBe(1);
  expect(stderr).toMatch(/given up at step 0 after 2 starts without a step more\n$/);
  const mistaken = train([...quick, '--scenario', 'nowhere', '--out', 'mistaken', '--supervise']);
  expect(mistaken.status).toBe(2);
  expect(mistaken.stderr.trim().split('\n')).toHaveLength(1);
});

it('is started again once it takes more memory than it may, and needs a folder', { tags: ['long'] }, () => {
  // Far more than the run itself, and for longer than between two looks.
  const hold = `globalThis.held = Buffer.alloc(900 * 2 ** 20, 1);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000);`;
  const args = [...quick, '--out', 'large', '--supervise=3', '--memory-limit', '700'];
  const { status, stdout, stderr } = train(args, hold, 1);
  expect(stderr).toMatch(/^fleetstep: the run held more than 700 MiB in memory; it is started again from .*\n$/);
  expect([status, (JSON.parse(stdout.trim().split('\n').at(-1)!) as { finished: boolean }).finished]).toEqual([
    0,
    true,
  ]);
  for (const wrong of [['--supervise'], ['--memory-limit', '5'], ['--supervise', '--seeds', '1,2', '--out', 'x']]) {
    expect(train(wrong)).toMatchObject({ status: 2, stderr: expect.stringMatching(/--supervise/) as string });
  }
});
