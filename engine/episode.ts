// Episodes: which day each plays, and the figures of how it went.

import { dayRange, isDay } from './check-dataset.js';
import { kindOf, knownMembers, oneOf, shown } from './check-options.js';
import type { CompiledScenario } from './compile.js';
import { EngineError } from './errors.js';
import { kpiNames } from './kpis.js';
import type { Kpis } from './kpis.js';
import type { Scenario } from './scenario.js';
import { splits } from './trace.js';
import type { Dataset, Split } from './trace.js';
import { SUMS, Sum } from './world-layout.js';
import type { OutputViews, StateViews } from './world-layout.js';

/** Which recorded day an episode plays, and by which rule drivers start: drawn (training), or as listed (evaluation). */
export interface EpisodeSource {
  /** `sampled` draws a day of `days` for each episode; `listed` plays `days[env]`. */
  readonly mode: 'sampled' | 'listed';
  /** Indices into the trace's days; empty without a trace. */
  readonly days: Int32Array;
}

// V8 folds the module's own constants into optimised code; an imported one is loaded from its module at each use.
const ROW = SUMS;
const Total = Sum;

const sourceModes: readonly EpisodeSource['mode'][] = ['sampled', 'listed'];

/**
 * The days of a split: for training to draw from, or for an evaluation to list.
 * @throws EngineError `ERR_OPTION` for a split or a mode that does not exist
 */
export function episodeSource(dataset: Dataset | null, split: Split, mode: EpisodeSource['mode']): EpisodeSource {
  oneOf('split', split, splits);
  oneOf('mode', mode, sourceModes);
  return { mode, days: Int32Array.from(dataset === null ? [] : dataset.splits[split]) };
}

/**
 * Checks that `source` has days for `numEnvs` environments, all of them in the data.
 * @throws EngineError `ERR_OPTION`
 */
export function checkSource(source: EpisodeSource, { dataset }: CompiledScenario, numEnvs: number): void {
  knownMembers('source', source, ['mode', 'days'], '{ mode, days }');
  const { mode, days } = source;
  oneOf('source.mode', mode, sourceModes);
  if (kindOf(days) !== 'Int32Array') {
    throw new EngineError('ERR_OPTION', `source.days is ${shown(days)}: expected an Int32Array`);
  }
  if (dataset === null) return;
  if (days.length < (mode === 'listed' ? numEnvs : 1)) {
    throw new EngineError('ERR_OPTION', `source.days lists ${days.length} days for ${numEnvs} environments`);
  }
  const count = dataset.trace.days.length;
  const at = days.findIndex((day) => !isDay(day, count));
  if (at >= 0) throw new EngineError('ERR_OPTION', `source.days[${at}] is ${days[at]}: expected ${dayRange(count)}`);
}

/** Counts and sums of environment e start at zero. */
export function clearFigures(st: StateViews, e: number): void {
  st.created[e] = st.open[e] = st.assigned[e] = st.pickedUp[e] = st.completed[e] = 0;
  st.expired[e] = st.refused[e] = st.onTime[e] = st.invalid[e] = 0;
  st.loadSum[e] = st.loadSquares[e] = st.episodeReturn[e] = 0;
  for (let k = 0; k < ROW; k++) st.sums[e * ROW + k] = 0;
}

/**
 * Adds an assignment to the sums of environment e.
 * @param late seconds after the window; not above 0 if on time
 * @param wait seconds from known to pickup
 * @param busy seconds of driving and service within the horizon
 */
export function countAssignment(
  st: StateViews,
  e: number,
  late: number,
  wait: number,
  approachMetres: number,
  rideMetres: number,
  busy: number,
): void {
  const sum = e * ROW;
  if (late > 0) st.sums[sum + Total.latenessSeconds] += late;
  else st.onTime[e]++;
  st.sums[sum + Total.waitSeconds] += wait;
  st.sums[sum + Total.approachMetres] += approachMetres;
  st.sums[sum + Total.rideMetres] += rideMetres;
  st.sums[sum + Total.busySeconds] += busy;
}

/** Writes return, length and figures of environment e's episode as it stands into row e of the outputs. */
export function writeFigures(st: StateViews, e: number, scenario: Scenario, out: OutputViews): void {
  const { drivers } = scenario;
  const accepted = st.assigned[e] + st.pickedUp[e] + st.completed[e];
  const per = (value: number, by: number): number => (by === 0 ? 0 : value / by);
  const sum = e * ROW;
  const approach = st.sums[sum + Total.approachMetres];
  const ride = st.sums[sum + Total.rideMetres];
  const mean = st.loadSum[e] / drivers;
  const values: Kpis = {
    created: st.created[e],
    accepted,
    completed: st.completed[e],
    expired: st.expired[e],
    refused: st.refused[e],
    openAtEnd: st.open[e],
    serviceRate: per(accepted, st.created[e]),
    onTimeRate: per(st.onTime[e], accepted),
    meanWaitMinutes: per(st.sums[sum + Total.waitSeconds], accepted * 60),
    meanLatenessMinutes: per(st.sums[sum + Total.latenessSeconds], accepted * 60),
    meanApproachKm: per(approach, accepted * 1000),
    emptyShare: per(approach, approach + ride),
    utilisation: per(st.sums[sum + Total.busySeconds], drivers * scenario.horizonSeconds),
    loadStd: Math.sqrt(Math.max(0, st.loadSquares[e] / drivers - mean * mean)),
    invalidActions: st.invalid[e],
    decisions: st.steps[e],
  };
  for (let k = 0; k < kpiNames.length; k++) out.episodeKpis[e * kpiNames.length + k] = values[kpiNames[k]];
  out.episodeReturns[e] = st.episodeReturn[e]!;
  out.episodeLengths[e] = st.steps[e]!;
}
