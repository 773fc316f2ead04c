import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    };
    expect(result).toMatchObject({ verdict: 'fail', baseline: 'edf' });
    expect(result.entries.map(({ policy }) => policy)).toEqual(['random', 'edf']);
    const picture = readFileSync(svg, 'utf8');
    for (const { mean } of result.entries) expect(picture).toContain(`>${mean.toFixed(1)}</text>`);
    expect(readFileSync(md, 'utf8')).toMatch(/^fail: random is worse than edf, [^]*\| random \| 1 \|/);
  }, 60_000);

  it('does not decide between a policy and itself', async () => {
    const { code, out } = await compare('edf', 'edf', '--episodes', '4');
    expect(code).toBe(4);
    expect(out).toContain('undecided: edf is not told apart from edf');
  }, 60_000);

  it('names what does not exist', async () => {
    const unknown = await compare('runs/nobody-*');
    expect(unknown).toMatchObject({ code: 2, out: '' });
    expect(unknown.err).toBe('fleetstep: runs/nobody-* matches no run in runs\n');
    expect((await compare('nobody')).err).toContain('no run at nobody');
  }, 60_000);
});
