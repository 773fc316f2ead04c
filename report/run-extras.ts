// What a report of runs has that their folders do not hold: an episode, played now, and the bounds of perfect foresight.

import type { CompiledScenario } from '../engine/index.js';
import { hindsightBounds, policyOf, readCheckpoint, whyNoHindsight, worldOf } from '../train/index.js';
import type { RunRecord } from '../train/index.js';
import { simulate } from '../workers/index.js';
import { replicates, runNames } from './curves.js';
import { episodeView } from './episode-view.js';
import { evaluated } from './run-tables.js';
import type { EpisodeView } from './view.js';

/** Bytes of an episode's data on a page, at most. */
const MOST_EPISODE_BYTES = 2_000_000;

/** The run whose episode is shown: that with the highest mean return on validation, or the first. */
export function shownRun(runs: readonly RunRecord[]): RunRecord {
  return runs.reduce((best, run) => ((run.meanReturn ?? -Infinity) > (best.meanReturn ?? -Infinity) ? run : best));
}

/**
 * A validation episode, played by the network of a run's last checkpoint.
 * @param data where recorded trips lie, if they have moved
 * @returns instead of one that is too large for a page what to do, in words
 * @throws TrainError `ERR_CHECKPOINT` without a checkpoint or its data; EngineError `ERR_OPTION` for an episode that is not there
 */
export function episodeOf(run: RunRecord, episode: number, data?: string): EpisodeView | string {
  const checkpoint = readCheckpoint(run.path);
  const [name] = runNames([run]);
  const compiled = worldOf(checkpoint, run.path, data);
  const request = { compiled, policy: policyOf(checkpoint, name), split: 'validation' as const, episode, seed: 1 };
  const view = episodeView({ request, simulation: simulate(request) });
  const bytes = JSON.stringify(view).length;
  if (bytes <= MOST_EPISODE_BYTES) return view;
  return `the episode takes ${(bytes / 1e6).toFixed(1)} MB: "fleetstep simulate --policy ${run.path} --html episode.html" gives it a page of its own`;
}

/** How bounds are come by. */
export interface BoundsRequest {
  /** Folder in which they are kept. */
  readonly cache: string;
  /** Whether those that are not kept are computed. */
  readonly compute: boolean;
  /** Threads. */
  readonly workers: number;
  /** Where recorded trips lie, if they have moved. */
  readonly data?: string | undefined;
  /** Called as days are done. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/**
 * The mean bound of perfect foresight for each set of evaluations whose scenario has one, by the set's name.
 * @throws as `hindsightBounds`; TrainError `ERR_CHECKPOINT` where the trips of a run are not there, if bounds are to be computed
 */
export async function boundsOf(runs: readonly RunRecord[], request: BoundsRequest): Promise<Map<string, number>> {
  const { cache, compute, workers, data, progress } = request;
  const found = new Map<string, number>();
  for (const { name, run } of evaluated(replicates(runs))) {
    const [{ split, episodes }] = run.evaluations;
    const compiled = worldFor(run, data, compute);
    if (compiled === null || whyNoHindsight(compiled) !== null) continue;
    const asked = { compiled, split, episodes: episodes.length, workers, cache, keptOnly: !compute };
    const bounds = await hindsightBounds({ ...asked, progress: compute ? progress : undefined });
    if (bounds !== null) found.set(name, bounds.reduce((sum, bound) => sum + bound, 0) / bounds.length);
  }
  return found;
}

/** The run's world with its data; null where it cannot be had and need not be, and for demand that is drawn. */
function worldFor(run: RunRecord, data: string | undefined, isNeeded: boolean): CompiledScenario | null {
  try {
    const checkpoint = readCheckpoint(run.path);
    return checkpoint.identity.data === null ? null : worldOf(checkpoint, run.path, data);
  } catch (error) {
    if (isNeeded) throw error;
    return null;
  }
}
