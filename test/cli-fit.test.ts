import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#train/index.js';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';

const folder = mkdtempSync(join(tmpdir(), 'fleetstep-fit-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]): Promise<Ended> => runInProcess(args, { cwd: folder });

describe('fleetstep fit', () => {
  it('fits the linear rule and leaves a run that plays, with the last line of a training', async () => {
    const out = join(folder, 'linear');
    const fit = await run('fit', '--policy', 'linear', '--steps', '1', '--eval-episodes', '2', '--out', out, '--json');
    expect(fit).toMatchObject({ status: 0, stderr: '' });
    const result = JSON.parse(fit.stdout) as { heuristics: Record<string, number> };
    expect(result).toMatchObject({ run: out, scenario: 'geneva', finished: true });
    expect(Object.keys(result.heuristics)).toContain('linear');
    expect(readCheckpoint(out)).toMatchObject({ algorithm: 'linear', config: { seed: 1, totalSteps: 1 } });
    const played = await run('eval', '--policy', out, '--episodes', '2', '--json');
    expect(JSON.parse(played.stdout)).toMatchObject({ scenario: 'geneva', policy: out });
  }, 120_000);

  it('is told apart in a table from the rule that comes with the package', async () => {
    const { stdout } = await run('fit', '--steps', '1', '--eval-episodes', '2', '--out', join(folder, 'two'));
    expect(stdout).toContain('│ linear (fitted) │');
    expect(stdout).toContain('│ linear          │');
  }, 120_000);

  it('names what cannot be fitted, and why', async () => {
    const prices = await run('fit', '--policy', 'lp-value', '--scenario', 'geneva');
    expect(prices).toMatchObject({ status: 2, stdout: '' });
    expect(prices.stderr).toContain('--policy is "lp-value", which is left out');
    expect((await run('fit', '--policy', 'edf')).stderr).toBe(
      'fleetstep: --policy is "edf": what can be fitted is linear\n',
    );
  }, 60_000);
});
