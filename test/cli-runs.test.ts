// The list of runs, and what it says of runs that ended, run, or were interrupted.

import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadBackend, ppoDefaults, runTraining } from '#train/index.js';
import type { PpoConfig } from '#train/index.js';
import { RunFolder } from '#train/run-folder.js';
import { compileScenario, preset } from '#engine/index.js';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-runs-'));
afterAll(() => rmSync(root, { recursive: true }));

function runs(...args: string[]): Promise<Ended> {
  return runInProcess(['runs', ...args], { cwd: root });
}

interface Listed {
  readonly runs: readonly { path: string; state: string; steps: number; seed: number; meanReturn: number | null }[];
  readonly differences?: Readonly<Record<string, readonly unknown[]>>;
}

beforeAll(async () => {
  const backend = await loadBackend('cpu');
  const compiled = compileScenario(preset('geneva'));
  for (const [name, seed, gamma, evaluationEpisodes] of [
    ['one', 1, 0.99, 2],
    ['two', 2, 0.9, 0],
  ] as const) {
    const abort = new AbortController();
    const config: PpoConfig = {
      ...{ ...ppoDefaults, seed, gamma, totalSteps: 256 },
      ...{ numEnvs: 2, rolloutSteps: 32, minibatchSize: 32 },
    };
    await runTraining({
      ...{ compiled, backend, workers: 1, out: join(root, 'runs', name), resume: null, checkpointSeconds: 1000 },
      evaluationEpisodes,
      config,
      signal: abort.signal,
      // The second one is interrupted.
      onMetrics: () => name === 'two' && abort.abort(),
      onEvaluation: () => undefined,
    });
  }
});

it('tells runs that are finished, interrupted and running apart', async () => {
  const folder = RunFolder.open(join(root, 'runs', 'two'));
  const states = async (): Promise<(readonly [string, string, number, number])[]> => {
    const { status, stdout, stderr } = await runs('--json');
    expect([status, stderr]).toEqual([0, '']);
    const listed = (JSON.parse(stdout) as Listed).runs;
    return [...listed]
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map(({ path, state, steps, seed }) => [path, state, steps, seed] as const);
  };
  const expected = (state: string): unknown => [
    [join('runs', 'one'), 'finished', 256, 1],
    [join('runs', 'two'), state, 64, 2],
  ];
  try {
    // A line that is being written is left out.
    appendFileSync(join(root, 'runs', 'two', 'metrics.jsonl'), '{"iteration": 2, "glob');
    expect(await states()).toEqual(expected('running'));
  } finally {
    folder.close();
  }
  expect(await states()).toEqual(expected('interrupted'));
  const { stdout } = await runs('--sort', 'return');
  expect(stdout).toMatch(/runs\/one .* finished/);
  expect(stdout.indexOf('runs/one')).toBeLessThan(stdout.indexOf('runs/two'));
});

it('compares runs by the settings that differ', async () => {
  const { runs: listed, differences } = JSON.parse((await runs('runs/one', 'runs/two', '--json')).stdout) as Listed;
  const first = listed[0].path.endsWith('one') ? 0 : 1;
  expect(differences!['config.gamma'][first]).toBe(0.99);
  expect(differences!['config.seed'][1 - first]).toBe(2);
  expect(Object.keys(differences!).sort()).toEqual(['config.gamma', 'config.seed', 'settings.evaluationEpisodes']);
  expect((await runs('runs/one', 'runs/two')).stdout).toMatch(/config\.gamma/);
});

it('names a folder that is not there, and a run that is damaged', async () => {
  expect(await runs('nowhere')).toMatchObject({
    status: 2,
    stderr: 'fleetstep: nowhere is no folder: give a run, or a folder that holds runs (see --help)\n',
  });
  mkdirSync(join(root, 'broken'));
  writeFileSync(join(root, 'broken', 'config.json'), '{"a": ');
  const { status, stderr } = await runs('broken');
  expect([status, stderr]).toEqual([2, expect.stringMatching(/^fleetstep: broken\/config\.json is damaged: /)]);
  mkdirSync(join(root, 'none'));
  expect(await runs('none')).toMatchObject({ status: 0, stdout: 'no runs in none\n' });
});
