// Distillation on the command line: a round, what it leaves behind, and what resumes to the same weights.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
let root: string;

function fleetstep(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { cwd: root, encoding: 'utf8', timeout: 300_000 });
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'fleetstep-distill-'));
  expect(fleetstep('train', '--steps', '40000', '--eval-episodes', '0', '--out', 'run', '--json').status).toBe(0);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('a round gives a policy that is played like a run, the same again with another number of workers', () => {
  const few = ['--rounds', '1', '--episodes', '2', '--futures', '4', '--eval-episodes', '4', '--json'];
  const results = ['1', '2'].map((workers) => {
    const { status, stdout, stderr } = fleetstep(
      'distill',
      'run',
      '--out',
      `by-${workers}`,
      '--workers',
      workers,
      ...few,
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return JSON.parse(stdout) as { weightsSha256: string; rounds: unknown[] };
  });
  expect(results[0].rounds).toHaveLength(1);
  expect(results[1].weightsSha256).toBe(results[0].weightsSha256);
  expect(results[0].weightsSha256).toMatch(/^[0-9a-f]{64}$/);
  const played = fleetstep('eval', '--policy', 'by-1', '--episodes', '2', '--json');
  expect(JSON.parse(played.stdout)).toMatchObject({ policy: 'by-1', scenario: 'geneva' });
});

it('what is no run, and a folder that is taken, are refused by name; nothing is left behind', () => {
  const none = fleetstep('distill', 'nowhere', '--out', 'none');
  expect(none.status).toBe(2);
  expect(none.stderr).toContain('no run at nowhere');
  expect(existsSync(join(root, 'none'))).toBe(false);
  const taken = fleetstep('distill', 'run', '--out', 'run');
  expect(taken.status).toBe(2);
  expect(taken.stderr).toContain('run is not empty');
});
