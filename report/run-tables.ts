// What a page says of runs in tables: what they are, their evaluations beside the rules', where time went, how settings differ,
// where they were started.

import { kpiMeaning } from '../engine/index.js';
import type { KpiName } from '../engine/index.js';
import { halfWidth } from '../policy/index.js';
import { flattened, settingDifferences } from '../train/differences.js';
import { shareOfGap, verdictOn } from '../train/index.js';
import type { Difference, RunRecord, Verdict } from '../train/index.js';
import type { EpisodeResult, Evaluation } from '../workers/index.js';
import { runNames } from './curves.js';
import { escaped } from './episode-view.js';
import type { RunGroup } from './curves.js';
import { figureText, settingText, tableHtml } from './html-table.js';
import type { Cell } from './html-table.js';
import { duration, percent, short } from './words.js';

/** What the runs are. */
export function runTable(runs: readonly RunRecord[]): string {
  const names = runNames(runs);
  return tableHtml({
    name: 'runs',
    head: ['Run', 'Scenario', 'Algorithm', 'Backend', ...['Seed', 'Steps', 'Time', 'Return'].map(right), 'State'],
    rows: runs.map((run, k) => [
      names[k],
      run.scenario ?? '-',
      run.algorithm ?? '-',
      run.backend ?? '-',
      right(String(run.seed ?? '-')),
      right(
        run.totalSteps === null || run.steps >= run.totalSteps
          ? short(run.steps)
          : `${short(run.steps)} of ${short(run.totalSteps)}`,
      ),
      right(duration(run.seconds)),
      right(run.meanReturn?.toFixed(2) ?? '-'),
      run.state,
    ]),
  });
}

function right(text: string): Cell {
  return { number: text };
}

/** Figures that the table of evaluations has, after the return. */
const figures: readonly KpiName[] = [
  'serviceRate',
  'onTimeRate',
  'meanWaitMinutes',
  'meanLatenessMinutes',
  'meanApproachKm',
  'emptyShare',
  'utilisation',
  'completed',
  'expired',
  'refused',
];
const shares: readonly KpiName[] = ['serviceRate', 'onTimeRate', 'emptyShare', 'utilisation'];
const headings: Partial<Record<KpiName, string>> = {
  serviceRate: 'Served',
  onTimeRate: 'On time',
  meanWaitMinutes: 'Wait, min',
  meanLatenessMinutes: 'Late, min',
  meanApproachKm: 'Approach, km',
  emptyShare: 'Empty',
  utilisation: 'Busy',
  completed: 'Completed',
  expired: 'Expired',
  refused: 'Refused',
};

/** A policy in the table of evaluations. Half widths are those of 95% intervals; null where one value gives none. */
export interface EvaluatedRow {
  readonly name: string;
  /** Whether it was trained, by one of the runs. */
  readonly isRun: boolean;
  readonly return: { readonly mean: number; readonly half: number | null };
  readonly kpis: Readonly<Record<string, { readonly mean: number; readonly half: number | null }>>;
}

/** A policy against the strongest rule. */
type Judged = Difference & { readonly verdict: Verdict };

/** Policies that have played the same episodes, best first. */
export interface EvaluatedSet {
  /** `geneva, 200 validation episodes, seed 1` */
  readonly name: string;
  readonly rows: readonly EvaluatedRow[];
  /** Of each run, or of replicates together: against the strongest rule. */
  readonly verdicts: readonly Judged[];
  /** One of the runs whose policies are in it. */
  readonly run: RunRecord;
}

/** The runs' policies beside the rules, by the episodes that they have played; replicates have a row of their mean, too. */
export function evaluated(groups: readonly RunGroup[]): EvaluatedSet[] {
  const all = groups.flatMap(({ runs }) => runs);
  const names = runNames(all);
  const sets = new Map<string, { name: string; rows: EvaluatedRow[]; verdicts: Judged[]; run: RunRecord }>();
  const setOf = (one: Evaluation, run: RunRecord): { rows: EvaluatedRow[]; verdicts: Judged[] } => {
    const { scenario, split, seed, episodes } = one;
    const name = `${scenario}, ${episodes.length} ${split} episodes, seed ${seed}`;
    const key = `${name} ${episodes.at(0)?.id} ${episodes.at(-1)?.id}`;
    if (!sets.has(key)) sets.set(key, { name, rows: [], verdicts: [], run });
    return sets.get(key)!;
  };
  for (const { name, runs } of groups) {
    for (const run of runs) {
      for (const [k, one] of run.evaluations.entries()) {
        const { rows } = setOf(one, run);
        const own = names[all.indexOf(run)];
        const row = rowOf(k === 0 ? `${own} (${one.policy})` : one.policy, k === 0, one.episodes);
        // A rule plays the same episodes alike; where it did not, code or data have changed between the runs.
        if (k > 0 && rows.some((other) => other.name === row.name && other.return.mean === row.return.mean)) continue;
        const isTaken = rows.some((other) => other.name === row.name);
        rows.push(isTaken ? { ...row, name: `${row.name}, as played for ${own}` } : row);
      }
    }
    const done = runs.filter(({ evaluations }) => evaluations.length > 0);
    const isOneSet = new Set(done.map((run) => setOf(run.evaluations[0], run))).size === 1;
    // Replicates that have played other episodes are judged one by one.
    for (const members of isOneSet ? [done] : done.map((run) => [run])) {
      const firsts = members.map(({ evaluations }) => evaluations[0]);
      const own = isOneSet ? name : names[all.indexOf(members[0])];
      const { rows, verdicts } = setOf(firsts[0], members[0]);
      const verdict = verdictOn(own, firsts, members[0].evaluations.slice(1));
      if (verdict !== null) verdicts.push(verdict);
      if (firsts.length < 2) continue;
      const means = firsts.map(({ meanReturn, kpis }) => ({ return: meanReturn, kpis }));
      rows.push(rowOf(`${name}: mean`, true, means));
    }
  }
  return [...sets.values()].map((set) => ({
    ...set,
    rows: [...set.rows].sort((a, b) => b.return.mean - a.return.mean),
  }));
}

/** Means with intervals over episodes, or over replicates. */
function rowOf(name: string, isRun: boolean, results: readonly Pick<EpisodeResult, 'return' | 'kpis'>[]): EvaluatedRow {
  const over = (values: readonly number[]): EvaluatedRow['return'] => ({
    mean: meanOf(values),
    half: halfWidth(values),
  });
  return {
    name,
    isRun,
    return: over(results.map((result) => result.return)),
    kpis: Object.fromEntries(figures.map((kpi) => [kpi, over(there(results.map(({ kpis }) => kpis[kpi])))])),
  };
}

/** A figure that an episode does not have is NaN, and null in a file. */
function there(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null && !Number.isNaN(value)) as number[];
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * A set as a table.
 * @param bound mean of what perfect foresight could earn at most on the same episodes; null where it is not known
 */
export function evaluationTable({ name, rows }: EvaluatedSet, bound: number | null): string {
  const greedy = rows.find((row) => row.name === 'greedy')?.return.mean;
  const shareOf = (mean: number): Cell[] => {
    if (bound === null) return [];
    const share = greedy === undefined ? null : shareOfGap(mean, greedy, bound);
    return [right(share === null ? '-' : percent(share))];
  };
  const foresight: Cell[][] =
    bound === null
      ? []
      : [['hindsight', right(hundredths(bound)), ...shareOf(bound), ...figures.map(() => right('-'))]];
  return tableHtml({
    name: `evaluation on ${name}`,
    head: [
      'Policy',
      right('Return'),
      ...(bound === null ? [] : [right('Way to hindsight')]),
      ...figures.map((kpi) => right(headings[kpi] ?? kpi)),
    ],
    rows: [
      ...foresight,
      ...rows.map((row) => [
        row.name,
        right(withHalf(row.return.mean, row.return.half, hundredths)),
        ...shareOf(row.return.mean),
        ...figures.map((kpi) => {
          const { mean, half } = row.kpis[kpi];
          return right(withHalf(mean, half, shares.includes(kpi) ? percent : hundredths));
        }),
      ]),
    ],
    marked: new Set(rows.flatMap(({ isRun }, k) => (isRun ? [k + foresight.length] : []))),
  });
}

/** The verdicts of a set as sentences, one for each policy. */
export function verdictList({ verdicts }: EvaluatedSet): string {
  const items = verdicts.map(({ verdict, policy, against, mean, low, high, probabilityOfImprovement }) => {
    const said = { pass: 'is better than', fail: 'is worse than', undecided: 'is not told apart from' }[verdict];
    const bounds = low === null || high === null ? 'no interval' : `${hundredths(low)} to ${hundredths(high)}`;
    const text = `${policy} ${said} ${against}: ${mean >= 0 ? '+' : ''}${hundredths(mean)} (${bounds}), better in ${percent(probabilityOfImprovement)} of episodes`;
    return `<li><b class="verdict ${verdict}">${verdict}</b> ${escaped(text)}</li>`;
  });
  return items.length === 0 ? '' : `<ul class="verdicts">${items.join('')}</ul>`;
}

/** What the figures of the table mean. */
export function figureMeanings(): string {
  const items = figures.map((kpi) => `<li><b>${headings[kpi] ?? kpi}</b>: ${kpiMeaning[kpi]}</li>`);
  return `<details><summary>What the figures mean</summary><ul>${items.join('')}</ul></details>`;
}

function hundredths(value: number): string {
  return value.toFixed(2);
}

function withHalf(mean: number, half: number | null, text: (value: number) => string): string {
  if (Number.isNaN(mean)) return '-';
  return half === null ? text(mean) : `${text(mean)} ± ${text(half)}`;
}

/** Seconds of a run by what they were spent on; null where its metrics do not tell. */
export interface TimeSplit {
  readonly environment: number;
  readonly policy: number;
  readonly learner: number;
}

/** Where a run's seconds went, from the three speeds of each iteration. */
export function timeSplit({ metrics }: RunRecord): TimeSplit | null {
  let [environment, rollouts, all, before] = [0, 0, 0, 0];
  for (const line of metrics) {
    const { global_step: step, seconds, 'charts/SPS_env': env, 'charts/SPS_env_policy': both } = line;
    if (step === undefined || step === null || !(seconds! > 0) || !(env! > 0) || !(both! > 0)) continue;
    const steps = Math.max(0, step - before);
    before = step;
    environment += Math.min(steps / env!, seconds!);
    rollouts += Math.min(Math.max(steps / both!, steps / env!), seconds!);
    all += seconds!;
  }
  return all === 0 ? null : { environment, policy: rollouts - environment, learner: all - rollouts };
}

/** Where time went, as a table with bars. */
export function timeTable(runs: readonly RunRecord[]): string {
  const names = runNames(runs);
  return tableHtml({
    name: 'split of time',
    head: ['Run', 'As a bar', ...['Environment', 'Policy', 'Learner', 'Time', 'Steps/s'].map(right)],
    rows: runs.map((run, k) => {
      const split = timeSplit(run);
      if (split === null) return [names[k], '-', ...['-', '-', '-', '-', '-'].map(right)];
      const { environment, policy, learner } = split;
      const all = environment + policy + learner;
      const cell = (seconds: number): Cell => right(`${secondsText(seconds)} (${percent(seconds / all)})`);
      return [
        names[k],
        { html: bars([environment / all, policy / all, learner / all]) },
        ...[environment, policy, learner].map(cell),
        right(secondsText(all)),
        right(figureText(Math.round(run.steps / run.seconds))),
      ];
    }),
  });
}

function secondsText(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(1)}s` : duration(seconds);
}

/** Shares of 1 side by side. The numbers stand beside it. */
function bars(parts: readonly number[]): string {
  let x = 0;
  const drawn = parts.map((part, k) => {
    const rect = `<rect class="part${k}" x="${(200 * x).toFixed(1)}" y="0" width="${(200 * part).toFixed(1)}" height="14"/>`;
    x += part;
    return rect;
  });
  return `<svg class="bar" viewBox="0 0 200 14" width="200" height="14" aria-hidden="true">${drawn.join('')}</svg>`;
}

/** Settings that differ between runs; of a single run its own. */
export function settingsTable(runs: readonly RunRecord[]): string {
  const names = runNames(runs);
  const entries =
    runs.length > 1
      ? Object.entries(settingDifferences(runs))
      : [...flattened(runs[0].config)]
          .filter(([name]) => /^(config|settings)\./.test(name))
          .map(([name, value]): [string, unknown[]] => [name, [value]]);
  if (entries.length === 0) return '<p>All settings are the same.</p>';
  return tableHtml({
    name: 'settings',
    head: ['Setting', ...names],
    rows: entries.map(([name, values]) => [name, ...values.map(settingText)]),
  });
}

/** When, where and with what the runs were started and resumed. */
export function startTable(runs: readonly RunRecord[]): string {
  const names = runNames(runs);
  const rows = runs.flatMap(({ starts }, k) =>
    starts.map((start): Cell[] => [
      names[k],
      settingText(start.at),
      right(settingText(start.step)),
      settingText(start.fleetstep),
      settingText(start.commit).slice(0, 12),
      settingText(start.backend),
      right(settingText(start.workers)),
      settingText(start.machine?.cpu),
      right(settingText(start.machine?.cores)),
      right(settingText(start.machine?.memoryGiB)),
      settingText(start.machine?.node),
      settingText(start.machine?.platform),
    ]),
  );
  if (rows.length === 0) return '<p>There is no record of starts.</p>';
  return tableHtml({
    name: 'starts',
    head: [
      ...['Run', 'Time (UTC)', right('At step'), 'Fleetstep', 'Commit', 'Backend', right('Workers'), 'Processor'],
      ...[right('Cores'), right('GiB'), 'Node', 'Platform'],
    ],
    rows,
  });
}
