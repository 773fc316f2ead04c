// Learning curves from the metrics of runs: replicates put together, and long runs thinned to what a picture can show.

import { basename, dirname, resolve } from 'node:path';
import type { RunRecord } from '../train/index.js';
import type { ChartView, CurveView, CurvesView } from './curves-view.js';

/** Points of a curve, at most: about one for every second pixel. */
const MOST_POINTS = 400;
const LEAST_POINTS = 20;
/** Numbers in all curves of a page, at most: about a megabyte. */
const MOST_NUMBERS = 120_000;
/** After eight colours lines are broken. */
const dashes: CurvesView['dashes'] = [[], [7, 4], [2, 3]];
/** Digits that a curve is drawn with. */
const DIGITS = 5;

/** Figures that have a title, in the order of the page; others follow under their own names. */
const titles: Readonly<Record<string, string>> = {
  'charts/episodic_return': 'Return of training episodes',
  'eval/episodic_return': 'Return of validation episodes',
  'charts/validation_return': 'Return of validation episodes, this iteration',
  'charts/best_return': 'Best return so far',
  'charts/episodic_length': 'Decisions per episode',
  'losses/policy_loss': 'Policy loss',
  'losses/value_loss': 'Value loss',
  'losses/td_loss': 'Temporal-difference loss',
  'losses/q_values': 'Mean Q value',
  'losses/entropy': 'Entropy',
  'losses/approx_kl': 'Approximate KL divergence',
  'losses/clipfrac': 'Clipped share',
  'losses/grad_norm': 'Gradient norm',
  'losses/explained_variance': 'Explained variance',
  'charts/learning_rate': 'Learning rate',
  'charts/updates': 'Updates of the networks',
  'charts/epsilon': 'Epsilon',
  'charts/beta': 'Exponent of importance weights',
  'charts/replay': 'Transitions in the replay',
  'charts/sigma': 'Step size of the search',
  'charts/labels': 'Labelled assignments',
  'charts/accepted': 'Whether the iteration was accepted',
  'charts/SPS': 'Steps per second, all in',
  'charts/SPS_env_policy': 'Steps per second, environment and policy',
  'charts/SPS_env': 'Steps per second, environment alone',
};
const learning: readonly string[] = Object.keys(titles).slice(0, 5);
/** What counts, and is no figure. */
const counters: readonly string[] = ['iteration', 'global_step', 'seconds'];

/** Runs that are drawn as one. */
export interface RunGroup {
  /** Name of its only run, or what the names of all begin with and their seeds. */
  readonly name: string;
  readonly runs: readonly RunRecord[];
}

/** Names of runs as a page shows them: that of the folder, or where two are the same the path. */
export function runNames(runs: readonly RunRecord[]): string[] {
  const names = runs.map(({ path }) => basename(resolve(path)));
  return names.map((name, k) => (names.indexOf(name) === names.lastIndexOf(name) ? name : runs[k].path));
}

/** Runs in one folder whose names differ in `-s1`, `-s2` alone, and whose settings in the seed alone, as one group each. */
export function replicates(runs: readonly RunRecord[]): RunGroup[] {
  const names = runNames(runs);
  const groups = new Map<string, number[]>();
  for (const [k, { path, config }] of runs.entries()) {
    const match = /^(.+)-s\d+$/.exec(basename(resolve(path)));
    const settings = { ...config, config: { ...(config['config'] as object | undefined), seed: null } };
    const key =
      match === null ? `run ${k}` : JSON.stringify([dirname(resolve(path)), match[1], JSON.stringify(settings)]);
    groups.set(key, [...(groups.get(key) ?? []), k]);
  }
  return [...groups.values()].map((members) => {
    const [first] = members;
    if (members.length === 1) return { name: names[first], runs: [runs[first]] };
    const seeds = members.map((k) => names[k].slice(names[k].lastIndexOf('-s') + 2));
    return {
      name: `${names[first].replace(/-s\d+$/, '')}, seeds ${seeds.join(', ')}`,
      runs: members.map((k) => runs[k]),
    };
  });
}

/** All figures of the runs' metrics as charts over environment steps. */
export function curvesOf(groups: readonly RunGroup[]): CurvesView {
  const runs = groups.flatMap((group) => group.runs);
  const found = new Set<string>();
  for (const { metrics } of runs) for (const line of metrics) for (const key of Object.keys(line)) found.add(key);
  const own = [...found].filter((key) => !counters.includes(key) && !Object.hasOwn(titles, key)).sort();
  const keys = [...Object.keys(titles).filter((key) => found.has(key)), ...own];
  const rows = groups.reduce((sum, group) => sum + (group.runs.length > 1 ? 3 : 1), 0);
  const most = Math.floor(MOST_NUMBERS / Math.max(1, rows * keys.length));
  const points = Math.min(MOST_POINTS, Math.max(LEAST_POINTS, most));
  return {
    groups: groups.map(({ name }) => name),
    dashes,
    isThinned: runs.some(({ metrics }) => metrics.length > points),
    charts: keys.flatMap((key) => chartOf(key, groups, points) ?? []),
  };
}

interface Points {
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/** Null where no run has a number of this name. */
function chartOf(key: string, groups: readonly RunGroup[], most: number): ChartView | null {
  const points = groups.map(({ runs }) => runs.map((run) => pointsOf(run, key)));
  const steps = gridOf(points.flat(), most);
  if (steps.length === 0) return null;
  const curves = points.flatMap((members, group) => {
    const drawn = members.filter((member) => member.steps.length > 0);
    return drawn.length === 0
      ? []
      : [
          curveOf(
            group,
            drawn.map((member) => onGrid(member, steps)),
          ),
        ];
  });
  const section = learning.includes(key) ? 'learning' : key.startsWith('losses/') ? 'losses' : 'other';
  return { key, title: titles[key] ?? key, section, steps, curves };
}

function pointsOf({ metrics }: RunRecord, key: string): Points {
  const lines = metrics.filter((line) => Number.isFinite(line[key]) && Number.isFinite(line['global_step']));
  return { steps: lines.map((line) => line['global_step']!), values: lines.map((line) => line[key]!) };
}

/** Where curves have points: at every step that some run tells of, or at the middles of equal cells where these are too many. */
function gridOf(all: readonly Points[], most: number): number[] {
  const steps = new Set<number>();
  for (const points of all) for (const step of points.steps) steps.add(step);
  const sorted = [...steps].sort((a, b) => a - b);
  if (sorted.length <= most) return sorted;
  const [first, last] = [sorted[0], sorted.at(-1)!];
  return Array.from({ length: most }, (_, k) => Math.round(first + ((k + 0.5) * (last - first)) / most));
}

/** The mean of what lies nearest to each point of the grid; between them a straight line; null before the first and after the last. */
function onGrid({ steps, values }: Points, grid: readonly number[]): (number | null)[] {
  const sums = new Float64Array(grid.length);
  const counts = new Int32Array(grid.length);
  let at = 0;
  for (const [k, step] of steps.entries()) {
    if (k > 0 && step < steps[k - 1]) at = 0;
    while (at + 1 < grid.length && Math.abs(grid[at + 1] - step) <= Math.abs(grid[at] - step)) at++;
    sums[at] += values[k];
    counts[at]++;
  }
  const drawn = Array.from(sums, (sum, k) => (counts[k] === 0 ? null : sum / counts[k]));
  let before = -1;
  for (let k = 0; k < drawn.length; k++) {
    if (counts[k] === 0) continue;
    for (let j = before + 1; before >= 0 && j < k; j++) {
      const share = (grid[j] - grid[before]) / (grid[k] - grid[before]);
      drawn[j] = drawn[before]! + share * (drawn[k]! - drawn[before]!);
    }
    before = k;
  }
  return drawn;
}

function curveOf(group: number, members: readonly (readonly (number | null)[])[]): CurveView {
  const there = members[0].map((_, k) => members.flatMap((member) => member[k] ?? []));
  const each = (what: (values: readonly number[]) => number): (number | null)[] =>
    there.map((values) => (values.length === 0 ? null : Number(what(values).toPrecision(DIGITS))));
  return {
    group,
    mean: each((values) => values.reduce((sum, value) => sum + value, 0) / values.length),
    range:
      members.length < 2
        ? null
        : { low: each((values) => Math.min(...values)), high: each((values) => Math.max(...values)) },
  };
}
