import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#train/index.js';

const main = join(import.meta.dirname, '../dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'fleetstep-fit-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [main, ...args], { cwd: folder }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

describe('fleetstep fit', () => {
  it('fits the linear rule and leaves a run that plays, with the last line of a training', async () => {
    const out = join(folder, 'linear');
    const fit = await run('fit', '--policy', 'linear', '--steps', '1', '--eval-episodes', '2', '--out', out, '--json');
    expect(fit).toMatchObject({ code: 0, err: '' });
    const result = JSON.parse(fit.out) as { heuristics: Record<string, number> };
    expect(result).toMatchObject({ run: out, scenario: 'geneva', finished: true });
    expect(Object.keys(result.heuristics)).toContain('linear');
    expect(readCheckpoint(out)).toMatchObject({ algorithm: 'linear', config: { seed: 1, totalSteps: 1 } });
    const played = await run('eval', '--policy', out, '--episodes', '2', '--json');
    expect(JSON.parse(played.out)).toMatchObject({ scenario: 'geneva', policy: out });
  }, 120_000);

  it('is told apart in a table from the rule that comes with the package', async () => {
    const { out } = await run('fit', '--steps', '1', '--eval-episodes', '2', '--out', join(folder, 'two'));
    expect(out).toContain('│ linear (fitted) │');
    expect(out).toContain('│ linear          │');
  }, 120_000);

  it('names what cannot be fitted, and why', async () => {
    const prices = await run('fit', '--policy', 'lp-value', '--scenario', 'geneva');
    expect(prices).toMatchObject({ code: 2, out: '' });
    expect(prices.err).toContain('--policy is "lp-value", which is left out');
    expect((await run('fit', '--policy', 'edf')).err).toBe(
      'fleetstep: --policy is "edf": what can be fitted is linear\n',
    );
  }, 60_000);
});
