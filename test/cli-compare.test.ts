import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';

const folder = mkdtempSync(join(tmpdir(), 'fleetstep-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

const compare = (...args: string[]): Promise<Ended> => runInProcess(['compare', ...args], { cwd: folder });

describe('fleetstep compare', () => {
  it('prints one object, writes a picture and a table, and says by its exit code what came of it', async () => {
    const [svg, md] = [join(folder, 'c.svg'), join(folder, 'c.md')];
    const { status, stdout } = await compare(
      'random',
      'edf',
      '--episodes',
      '8',
      '--json',
      '--svg',
      svg,
      '--markdown',
      md,
    );
    expect(status).toBe(3);
    const result = JSON.parse(stdout) as {
      verdict: string;
      baseline: string;
      entries: { policy: string; mean: number }[];
      guardrails: { name: string }[];
    };
    expect(result).toMatchObject({
      verdict: 'fail',
      baseline: 'linear',
      hindsight: null,
      testUses: {},
      robustness: [],
    });
    expect(result.entries.map(({ policy }) => policy)).toEqual(['random', 'edf', 'linear']);
    expect(result.guardrails.map(({ name }) => name)).toContain('topLateMinutes');
    const picture = readFileSync(svg, 'utf8');
    for (const { mean } of result.entries) expect(picture).toContain(`>${mean.toFixed(1)}</text>`);
    expect(readFileSync(md, 'utf8')).toMatch(
      /^fail: random is worse than linear, [^]*\| random \| 1 \|[^]*\| bookings of the busiest driver \|/,
    );
  }, 60_000);

  it('does not decide between a policy and itself', async () => {
    const { status, stdout } = await compare('linear', 'linear', '--episodes', '4');
    expect(status).toBe(4);
    expect(stdout).toContain('undecided: linear is not told apart from linear');
  }, 60_000);

  it('counts in the run’s folder how often it has met the test split', async () => {
    const run = join(folder, 'run');
    const train = ['train', '--algorithm', 'linear', '--steps', '1', '--eval-episodes', '0', '--out', run, '--json'];
    await runInProcess(train, { cwd: folder });
    const uses = async (...args: string[]): Promise<unknown> => {
      const { stdout } = await compare(run, 'edf', '--episodes', '2', '--json', ...args);
      return (JSON.parse(stdout) as { testUses: unknown }).testUses;
    };
    expect(await uses()).toEqual({});
    expect(await uses('--split', 'test')).toEqual({ [run]: 1 });
    await runInProcess(['eval', '--policy', run, '--split', 'test', '--episodes', '2'], { cwd: folder });
    expect(await uses('--split', 'test')).toEqual({ [run]: 3 });
    const lines = readFileSync(join(run, 'test-uses.jsonl'), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { command: string }).command)).toEqual([
      'compare',
      'eval',
      'compare',
    ]);
  }, 120_000);

  it('names what does not exist', async () => {
    const unknown = await compare('runs/nobody-*');
    expect(unknown).toMatchObject({ status: 2, stdout: '' });
    expect(unknown.stderr).toBe('fleetstep: runs/nobody-* matches no run in runs\n');
    expect((await compare('nobody')).stderr).toContain('no run at nobody');
  }, 60_000);
});
