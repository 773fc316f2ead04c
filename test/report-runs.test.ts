// What a report gathers from runs and studies, and what the command says of wrong inputs. The page in a browser: report-page.test.ts.

import { spawnSync } from 'node:child_process';
import type { SpawnSyncReturns } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StudyFolder, rankedRows, tableSoFar } from '#jobs/index.js';
import { curvesOf, replicates } from '#report/curves.js';
import { runsPage, studyPage } from '#report/index.js';
import { evaluated, timeSplit } from '#report/run-tables.js';
import { frontsOf, trialViews } from '#report/study-view.js';
import { readRun } from '#train/index.js';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';
import { kpisOf, metricsLine, writeRun, writeStudy } from './support/written-runs.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-report-'));
afterAll(() => rmSync(root, { recursive: true }));
const at = (name: string): string => join(root, name);

function report(...args: string[]): Promise<Ended> {
  return runInProcess(['report', ...args], { cwd: root });
}

/** Lines of metrics whose return rises by `rise` an iteration. */
const rising = (rise: number, count = 10): object[] =>
  Array.from({ length: count }, (_, k) => metricsLine(k + 1, rise * (k + 1)));

beforeAll(() => {
  writeRun(at('a-s1'), { seed: 1, metrics: rising(10), returns: { ppo: [100, 120], edf: [90, 70], idle: [0, 0] } });
  writeRun(at('a-s2'), { seed: 2, metrics: rising(20), returns: { ppo: [130, 150], edf: [90, 70], idle: [0, 0] } });
  writeRun(at('other'), { config: { gamma: 0.9 }, metrics: rising(5), returns: { ppo: [10, 10], edf: [90, 70] } });
});

describe('learning curves', () => {
  it('are the mean of seeds with their range, and other runs beside', () => {
    const groups = replicates(['a-s1', 'other', 'a-s2'].map((name) => readRun(at(name))));
    expect(groups.map(({ name }) => name)).toEqual(['a, seeds 1, 2', 'other']);
    const { charts, isThinned } = curvesOf(groups);
    expect(isThinned).toBe(false);
    const [returns] = charts;
    expect(returns).toMatchObject({ key: 'charts/episodic_return', section: 'learning' });
    expect(returns.steps).toEqual(rising(1).map((_, k) => 1000 * (k + 1)));
    expect(returns.curves[0].mean).toEqual(rising(1).map((_, k) => 15 * (k + 1)));
    expect(returns.curves[0].range!.low).toEqual(rising(1).map((_, k) => 10 * (k + 1)));
    expect(returns.curves[0].range!.high).toEqual(rising(1).map((_, k) => 20 * (k + 1)));
    expect(returns.curves[1]).toMatchObject({ group: 1, range: null });
    expect(charts.map(({ key }) => key)).not.toContain('iteration');
    expect(charts.find(({ key }) => key === 'losses/entropy')!.section).toBe('losses');
  });

  it('take runs of one name apart whose settings differ in more than the seed', () => {
    writeRun(at('b-s1'), { seed: 1, metrics: rising(1) });
    writeRun(at('b-s2'), { seed: 2, config: { gamma: 0.5 }, metrics: rising(1) });
    const groups = replicates(['b-s1', 'b-s2'].map((name) => readRun(at(name))));
    expect(groups.map(({ name }) => name)).toEqual(['b-s1', 'b-s2']);
  });

  it('go straight over what a run does not tell, and end where it ends', () => {
    const line = (step: number, value: number | null): object => ({
      global_step: step,
      'charts/episodic_return': value,
    });
    writeRun(at('gaps'), { metrics: [line(1, null), line(2, 4), line(3, null), line(4, null), line(6, 12)] });
    writeRun(at('longer'), { metrics: [1, 2, 3, 4, 5, 6, 7].map((step) => line(step, step)) });
    const [chart] = curvesOf(replicates(['gaps', 'longer'].map((name) => readRun(at(name))))).charts;
    expect(chart.steps).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(chart.curves[0].mean).toEqual([null, 4, 6, 8, 10, 12, null]);
  });

  it('are thinned to the means of what lies about each point', () => {
    const count = 100_000;
    writeRun(at('long'), { metrics: rising(1, count) });
    const run = readRun(at('long'));
    const view = curvesOf(replicates([run]));
    expect(view.isThinned).toBe(true);
    const [{ steps, curves }] = view.charts;
    expect(steps).toHaveLength(400);
    const { mean } = curves[0];
    for (const [k, step] of steps.entries()) expect(Math.abs(mean[k]! - step / 1000)).toBeLessThan(1);
    expect(Buffer.byteLength(runsPage([run]))).toBeLessThan(400_000);
  });

  it('of a hundred runs stay below the size of a page', () => {
    writeRun(at('many'), { metrics: rising(1, 2000) });
    const run = readRun(at('many'));
    const runs = Array.from({ length: 100 }, (_, k) => ({ ...run, path: at(`run-${k}`) }));
    expect(Buffer.byteLength(runsPage(runs))).toBeLessThan(3e6);
  });
});

describe('tables', () => {
  it('have every policy once, best first, with intervals over episodes, and over seeds', () => {
    const [set, ...rest] = evaluated(replicates(['a-s1', 'a-s2', 'other'].map((name) => readRun(at(name)))));
    expect(rest).toEqual([]);
    expect(set.name).toBe('geneva, 2 validation episodes, seed 1');
    expect(set.rows.map(({ name, isRun }) => [name, isRun])).toEqual([
      ['a-s2 (ppo)', true],
      ['a, seeds 1, 2: mean', true],
      ['a-s1 (ppo)', true],
      ['edf', false],
      ['other (ppo)', true],
      ['idle', false],
    ]);
    // Two values d apart: half of d times Student's t at one degree of freedom, 12.7062.
    expect(set.rows[2].return.half).toBeCloseTo(12.7062 * 10, 1);
    expect(set.rows[1].return).toMatchObject({ mean: 125, half: expect.closeTo(12.7062 * 15, 1) as number });
    expect(set.rows[3].kpis['serviceRate'].mean).toBeCloseTo(0.8, 9);
  });

  it('have the verdict against the strongest rule but random, and the way to hindsight', () => {
    writeRun(at('judged'), {
      metrics: rising(1),
      returns: { ppo: [100, 120, 130], edf: [90, 70, 80], greedy: [50, 50, 50], random: [999, 999, 999] },
    });
    const run = readRun(at('judged'));
    const [set] = evaluated(replicates([run]));
    expect(set.verdicts).toMatchObject([
      { verdict: 'pass', policy: 'judged', against: 'edf', mean: expect.closeTo(36.667, 2) as number },
    ]);
    expect(set.verdicts[0].low).toBeGreaterThan(0);
    const html = runsPage([run], { bounds: new Map([[set.name, 150]]) });
    // From greedy's 50 to 150: ppo has gone 66.67 of 100.
    expect(html).toMatch(/judged \(ppo\)<\/th><td class="number">116.67 ± [\d.]+<\/td><td class="number">66.7%/);
    expect(html).toMatch(/hindsight<\/th><td class="number">150.00<\/td><td class="number">100.0%/);
    expect(runsPage([run])).not.toContain('Way to hindsight');
    // Without rules beside it there is none.
    writeRun(at('alone'), { metrics: rising(1), returns: { ppo: [1, 2] } });
    expect(evaluated(replicates([readRun(at('alone'))]))[0].verdicts).toEqual([]);
  });

  it('split the time of a run, and tell nothing where its metrics do not', () => {
    const split = timeSplit(readRun(at('a-s1')))!;
    expect([split.environment, split.policy, split.learner]).toEqual([2.5, 2.5, 5]);
    expect(timeSplit(readRun(at('gaps')))).toBeNull();
  });

  it('are on the page: settings that differ, starts, values', () => {
    const html = runsPage(['a-s1', 'other'].map((name) => readRun(at(name))));
    for (const text of ['config.gamma', '0.9', 'a processor', '2026-01-01', 'edf', '110.00 ± 127.06'])
      expect(html).toContain(text);
    expect(html).toContain('Permission is hereby granted');
  });
});

describe('a study', () => {
  const objective = { episodes: 4, constraints: [{ metric: 'serviceRate', min: 0.5 }] };
  const result = (trial: number): ReturnType<Parameters<typeof writeStudy>[2]> =>
    trial === 1
      ? { failure: 'diverged' }
      : { steps: 128, meanReturn: 100 * trial, kpis: kpisOf(trial === 3 ? 0.1 : 0.9), weightsSha256: 'a' };

  it('is told as far as it has come', () => {
    const study = writeStudy(at('half'), { objective }, result, 5);
    const { folder, saved } = StudyFolder.open(at('half'));
    const table = tableSoFar(saved, folder);
    // Five results are those of two trials with both seeds.
    const ranked = rankedRows(study, table.trials);
    expect(ranked.map(({ trial }) => trial)).toEqual([0, 1]);
    const html = studyPage({ saved, table, ranked, isFinished: false, runs: [] });
    expect(html).toContain('not finished: 2 of at most 4 trials');
    expect(html).toContain('Nothing can be said');
  });

  it('has its trials from the best on, with what they break', async () => {
    const study = writeStudy(at('whole'), { objective }, result);
    const { folder, saved } = StudyFolder.open(at('whole'));
    const table = tableSoFar(saved, folder);
    const trials = trialViews(study, rankedRows(study, table.trials));
    expect(trials.map(({ trial }) => trial)).toEqual([2, 0, 3, 1]);
    expect(trials.map(({ broken }) => broken)).toEqual([[], [], [0], []]);
    expect(trials[0]).toMatchObject({ isWhole: true, value: 200, values: [200, 200] });
    expect(trials[3]).toMatchObject({ isWhole: false, value: null });
    const { status, stdout } = await report('whole', '--json', '--out', 'whole.html');
    expect([status, JSON.parse(stdout)]).toEqual([
      0,
      { out: 'whole.html', study: 'tiny', bytes: readFileSync(at('whole.html')).length },
    ]);
    expect(readFileSync(at('whole.html'), 'utf8')).toContain('serviceRate at least 0.5');
  });

  it('has the trials that none beats in both figures on its front', () => {
    // Return and share served of each trial: 4 is beaten by 2, 3 by all.
    const figures = [
      [100, 0.9],
      [200, 0.8],
      [300, 0.7],
      [50, 0.6],
      [250, 0.7],
      [300, 0.7],
    ];
    const value = (trial: number): ReturnType<typeof result> => ({
      ...{ steps: 128, meanReturn: figures[trial][0], weightsSha256: 'a' },
      kpis: kpisOf(figures[trial][1]),
    });
    const frontOf = (name: string, changes: object): { metric: string; direction: string; trials: number[] }[] => {
      const study = writeStudy(at(name), { trials: 6, pruner: undefined, ...changes }, value);
      const { folder, saved } = StudyFolder.open(at(name));
      return frontsOf(study, rankedRows(study, tableSoFar(saved, folder).trials)).map(
        ({ metric, direction, points }) => ({
          ...{ metric, direction },
          trials: points.flatMap(({ trial, isFront }) => (isFront ? [trial] : [])).sort((a, b) => a - b),
        }),
      );
    };
    expect(frontOf('front', {})).toEqual([{ metric: 'serviceRate', direction: 'maximize', trials: [0, 1, 2, 5] }]);
    // Less lateness is better, and so is a bound from above on anything.
    const constraints = [{ metric: 'meanLatenessMinutes', max: 1 }];
    expect(frontOf('front-late', { objective: { episodes: 4, constraints } })).toEqual([
      { metric: 'meanLatenessMinutes', direction: 'minimize', trials: [2, 3, 5] },
    ]);
    const service = { metric: 'serviceRate', episodes: 4 };
    expect(frontOf('front-service', { objective: service })).toEqual([
      { metric: 'return', direction: 'maximize', trials: [0, 1, 2, 5] },
    ]);
  });

  it('with a damaged result, or without any, is refused', async () => {
    writeStudy(at('spoilt'), {}, result);
    writeFileSync(join(at('spoilt'), 'results', 't0000-s1-r0.json'), '{"steps": 1}');
    expect(await report('spoilt', '--out', 'spoilt.html')).toMatchObject({
      status: 2,
      stderr: `fleetstep: ${join('spoilt', 'results', 't0000-s1-r0.json')} is damaged (it has neither "meanReturn" and "kpis" nor "failure"): delete it, and it is made again\n`,
    });
    writeStudy(at('fresh'), {}, result, 0);
    expect((await report('fresh')).stderr).toMatch(
      /^fleetstep: the study at fresh has no result yet: go on with "fleetstep sweep --resume fresh"/,
    );
    mkdirSync(at('asked'));
    writeFileSync(join(at('asked'), 'study.json'), '{"space": {}}');
    expect((await report('asked')).stderr).toMatch(
      /^fleetstep: no study at asked: asked\/study.json is not what a sweep writes/,
    );
    expect((await report('a-s1', 'fresh')).stderr).toMatch(/^fleetstep: fresh is a study: report it alone/);
    expect(existsSync(at('spoilt.html')) || existsSync(at('report.html'))).toBe(false);
  });
});

describe('fleetstep report', () => {
  it('writes one file, over one that is there, and says how large it is', async () => {
    writeFileSync(at('page.html'), 'before');
    const { status, stdout, stderr } = await report('a-s1', 'a-s2/', '--out', 'page.html', '--json');
    const html = readFileSync(at('page.html'));
    expect([status, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual({ out: 'page.html', runs: ['a-s1', 'a-s2/'], bytes: html.length });
    expect(html.toString()).toContain('a, seeds 1, 2');
    expect(readdirSync(root).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect((await report('a-s1', '--out', 'words.html')).stdout).toMatch(
      /^words.html: 1 run, \d+ KB; open it in a browser\n$/,
    );
  });

  it('says why there is no episode, and fails for want of one that was asked for', async () => {
    const { status } = await report('a-s1', '--out', 'without.html');
    const html = readFileSync(at('without.html'), 'utf8');
    expect([status, /There is no episode on this page: ([^<]+)/.exec(html)?.[1]]).toEqual([
      0,
      expect.stringContaining('checkpoint.msgpack'),
    ]);
    expect((await report('a-s1', '--episode', '0')).status).toBe(2);
    expect((await report('a-s1', '--no-episode', '--out', 'none.html')).status).toBe(0);
    expect(readFileSync(at('none.html'), 'utf8')).not.toContain('There is no episode');
  });

  it('leaves out the line that a run is writing, and refuses any other that is damaged', async () => {
    writeRun(at('broken'), { metrics: rising(1) });
    const file = join(at('broken'), 'metrics.jsonl');
    appendFileSync(file, '{"iteration": 11, "glob');
    expect(readRun(at('broken')).metrics).toHaveLength(10);
    appendFileSync(file, '\n{"iteration": 12}\n');
    const refused = async (text: RegExp): Promise<void> => {
      const { status, stdout, stderr } = await report('a-s1', 'broken', '--out', 'broken.html');
      expect([status, stdout, stderr, existsSync(at('broken.html'))]).toEqual([
        2,
        '',
        expect.stringMatching(text),
        false,
      ]);
      expect(stderr.split('\n')).toHaveLength(2);
    };
    await refused(/^fleetstep: broken\/metrics.jsonl:11 is damaged: .*: delete the line, or leave the run out\n$/);
    writeFileSync(file, '{"global_step": 1}\n{"global_step": "x"}\n');
    await refused(
      /^fleetstep: broken\/metrics.jsonl:2 is damaged: "global_step" is "x", expected a number or null: delete the line/,
    );
    writeFileSync(file, '[1]\n{}\n');
    await refused(/^fleetstep: broken\/metrics.jsonl:1 is damaged: it holds \[1\], expected an object/);
    writeFileSync(file, '');
    await refused(
      /^fleetstep: broken has no metrics yet .*: train it with "fleetstep train --resume broken", or leave it out/,
    );
    writeRun(at('broken'), { metrics: rising(1) });
    writeFileSync(join(at('broken'), 'evaluation.json'), '[{ "policy": "ppo" }]');
    await refused(
      /^fleetstep: broken\/evaluation.json is damaged: member 0 is no evaluation of a policy: delete the file/,
    );
    writeFileSync(join(at('broken'), 'evaluation.json'), '{}');
    await refused(/^fleetstep: broken\/evaluation.json is damaged: it must be a list/);
    writeFileSync(join(at('broken'), 'config.json'), '[1]');
    await refused(/^fleetstep: broken\/config.json is damaged: it must be one object in \{ \}: leave the run out/);
  });

  it('names what is neither a run nor a study, and a file that cannot be', async () => {
    mkdirSync(at('empty'));
    const stderr = async (...args: string[]): Promise<string> => {
      const result = await report(...args);
      expect(result.status).toBe(2);
      return result.stderr;
    };
    expect(await stderr('nowhere')).toMatch(/^fleetstep: nowhere is no folder: give folders of runs/);
    expect(await stderr('empty')).toMatch(/^fleetstep: empty is neither a run \(it has no config.json\) nor a study/);
    expect(await stderr('.')).toMatch(/: name the runs in it, such as a-s1 /);
    expect(await stderr('a-s1', './a-s1')).toMatch(/^fleetstep: \.\/a-s1 is given twice/);
    expect(await stderr('a-s1', '--out', 'empty')).toMatch(/^fleetstep: --out empty is a folder: give a file/);
    expect(await stderr()).toMatch(/missing required argument/);
    expect((await report('--help')).stdout).toContain('Examples:\n  fleetstep report ');
  });
});

describeWithTrips('perfect foresight in a report', { tags: ['long'], timeout: 240_000 }, () => {
  it('stands in the table once it is known, and is computed on demand', () => {
    const data = resolve(nycAmod);
    const quick = ['--steps', '64', '--envs', '2', '--rollout-steps', '16', '--hidden', '8', '--eval-episodes', '1'];
    const train = ['train', '--scenario', 'nyc-small', '--data', data, ...quick, '--out', 'nyc', '--json'];
    // Processes, as one remembers the bounds that it has read.
    const main = new URL('../dist/cli/main.js', import.meta.url).pathname;
    const run = (folder: string, args: readonly string[]): SpawnSyncReturns<string> =>
      spawnSync(process.execPath, [main, ...args], {
        ...{ cwd: root, encoding: 'utf8', env: { ...process.env, FLEETSTEP_DATA: at(folder) } },
      });
    const { hindsight } = JSON.parse(run('data', train).stdout) as { hindsight: { mean: number } };
    const reported = (folder: string, ...more: string[]): string => {
      expect(run(folder, ['report', 'nyc', '--out', 'nyc.html', ...more]).status).toBe(0);
      return readFileSync(at('nyc.html'), 'utf8');
    };
    const row = `hindsight</th><td class="number">${hindsight.mean.toFixed(2)}</td><td class="number">100.0%</td>`;
    // The training has computed the bound already, and keeps it; elsewhere it is not known.
    const known = reported('data');
    expect(known).toContain(row);
    expect(known).toContain('played by nyc');
    expect(reported('nothing')).not.toContain('Way to hindsight');
    expect(reported('nothing', '--hindsight', '--no-episode')).toContain(row);
  });
});
