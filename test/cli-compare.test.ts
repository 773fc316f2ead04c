import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';

const main = join(import.meta.dirname, '../dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'fleetstep-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function compare(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [main, 'compare', ...args], (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

describe('fleetstep compare', () => {
  it('prints one object, writes a picture and a table, and says by its exit code what came of it', async () => {
    const [svg, md] = [join(folder, 'c.svg'), join(folder, 'c.md')];
    const { code, out } = await compare('random', 'edf', '--episodes', '8', '--json', '--svg', svg, '--markdown', md);
    expect(code).toBe(3);
    const result = JSON.parse(out) as {
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
    const { code, out } = await compare('linear', 'linear', '--episodes', '4');
    expect(code).toBe(4);
    expect(out).toContain('undecided: linear is not told apart from linear');
  }, 60_000);

  it('counts in the run’s folder how often it has met the test split', async () => {
    const run = join(folder, 'run');
    const train = ['train', '--algorithm', 'linear', '--steps', '1', '--eval-episodes', '0', '--out', run, '--json'];
    await promisify(execFile)(process.execPath, [main, ...train]);
    const uses = async (...args: string[]): Promise<unknown> => {
      const { out } = await compare(run, 'edf', '--episodes', '2', '--json', ...args);
      return (JSON.parse(out) as { testUses: unknown }).testUses;
    };
    expect(await uses()).toEqual({});
    expect(await uses('--split', 'test')).toEqual({ [run]: 1 });
    await promisify(execFile)(process.execPath, [main, 'eval', '--policy', run, '--split', 'test', '--episodes', '2']);
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
    expect(unknown).toMatchObject({ code: 2, out: '' });
    expect(unknown.err).toBe('fleetstep: runs/nobody-* matches no run in runs\n');
    expect((await compare('nobody')).err).toContain('no run at nobody');
  }, 60_000);
});
