// Distillation on the command line: a round, what it leaves behind, and what resumes to the same weights.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';

let root: string;

function fleetstep(...args: string[]): Promise<Ended> {
  return runInProcess(args, { cwd: root });
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fleetstep-distill-'));
  expect((await fleetstep('train', '--steps', '40000', '--eval-episodes', '0', '--out', 'run', '--json')).status).toBe(
    0,
  );
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('a round gives a policy that is played like a run, the same again with another number of workers', async () => {
  const few = ['--rounds', '1', '--episodes', '2', '--futures', '4', '--eval-episodes', '4', '--json'];
  const results: { weightsSha256: string; rounds: unknown[] }[] = [];
  for (const workers of ['1', '2']) {
    const out = `by-${workers}`;
    const { status, stdout, stderr } = await fleetstep('distill', 'run', '--out', out, '--workers', workers, ...few);
    expect([status, stderr]).toEqual([0, '']);
    results.push(JSON.parse(stdout) as (typeof results)[number]);
  }
  expect(results[0].rounds).toHaveLength(1);
  expect(results[1].weightsSha256).toBe(results[0].weightsSha256);
  expect(results[0].weightsSha256).toMatch(/^[0-9a-f]{64}$/);
  const played = await fleetstep('eval', '--policy', 'by-1', '--episodes', '2', '--json');
  expect(JSON.parse(played.stdout)).toMatchObject({ policy: 'by-1', scenario: 'geneva' });
});

it('what is no run, and a folder that is taken, are refused by name; nothing is left behind', async () => {
  const none = await fleetstep('distill', 'nowhere', '--out', 'none');
  expect(none.status).toBe(2);
  expect(none.stderr).toContain('no run at nowhere');
  expect(existsSync(join(root, 'none'))).toBe(false);
  const taken = await fleetstep('distill', 'run', '--out', 'run');
  expect(taken.status).toBe(2);
  expect(taken.stderr).toContain('run is not empty');
});
