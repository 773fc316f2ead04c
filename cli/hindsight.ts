// Perfect foresight beside a table of policies: what none of them could pass, and how far each of them gets.

import { join } from 'node:path';
import type { CompiledScenario, Split } from '../engine/index.js';
import { hindsightBounds, shareOfGap, whyNoHindsight } from '../train/index.js';
import { evaluatePolicies } from '../workers/index.js';
import type { Evaluation } from '../workers/index.js';
import { percent, progress } from './print.js';

/** Name under which the bound is asked for, as if it were a policy. */
export const HINDSIGHT = 'hindsight';

/** Where bounds are kept from one command to the next. */
export const HINDSIGHT_CACHE: string = join(process.env['FLEETSTEP_DATA'] ?? 'data', 'hindsight');

/** The bound, and the share of the way to it from greedy's mean return that each policy goes. */
export interface Foresight {
  /** Mean over the episodes. */
  readonly mean: number;
  /** Greedy's mean return on the same episodes. */
  readonly greedy: number;
  /** By policy; null where there is no way to go. */
  readonly shareOfGap: Readonly<Record<string, number | null>>;
}

/** The bounds of a split's first days, with progress on stderr. @throws as `hindsightBounds` */
export async function boundsOf(
  compiled: CompiledScenario,
  split: Split,
  episodes: number | undefined,
  workers: number,
  silent: boolean,
): Promise<Float64Array> {
  const bar = progress('hindsight', silent);
  const bounds = await hindsightBounds({
    ...{ compiled, split, episodes, workers, cache: HINDSIGHT_CACHE },
    progress: (done, total) => bar.update(done, total, `${done}/${total} days`),
  }).finally(() => bar.stop());
  return bounds!;
}

/** What stands beside a table of evaluations on the same episodes, at least one; null for a scenario that has no such bound. */
export async function foresightOf(
  compiled: CompiledScenario,
  evaluations: readonly Evaluation[],
  workers: number,
  silent: boolean,
): Promise<Foresight | null> {
  const [{ split, seed, episodes }] = evaluations;
  const means = Object.fromEntries(evaluations.map(({ policy, meanReturn }) => [policy, meanReturn]));
  return foresightOfMeans(compiled, { split, seed, episodes: episodes.length, workers }, means, silent);
}

/** Which episodes were played. */
interface PlayedEpisodes {
  readonly split: Split;
  readonly seed: number;
  readonly episodes: number;
  readonly workers: number;
}

/**
 * The same for mean returns.
 * @param means by policy; greedy is played if it is none of them
 */
export async function foresightOfMeans(
  compiled: CompiledScenario,
  { split, seed, episodes, workers }: PlayedEpisodes,
  means: Readonly<Record<string, number>>,
  silent: boolean,
): Promise<Foresight | null> {
  if (whyNoHindsight(compiled) !== null) return null;
  const bounds = await boundsOf(compiled, split, episodes, workers, silent);
  const mean = bounds.reduce((sum, bound) => sum + bound, 0) / bounds.length;
  const greedy =
    means['greedy'] ??
    (
      await evaluatePolicies({
        ...{ compiled, split, seed, workers, episodes },
        policies: [{ kind: 'heuristic', name: 'greedy' }],
      })
    )[0].meanReturn;
  return {
    mean,
    greedy,
    shareOfGap: Object.fromEntries(
      Object.entries(means).map(([policy, value]) => [policy, shareOfGap(value, greedy, mean)]),
    ),
  };
}

/** For people, one line. */
export function foresightLine({ mean, greedy, shareOfGap: shares }: Foresight): string {
  const far = Object.entries(shares)
    .filter(([policy]) => policy !== 'greedy')
    .map(([policy, share]) => `${policy} ${share === null ? '-' : percent(share)}`);
  return `hindsight ${mean.toFixed(2)}, which no policy can pass; of the way there from greedy (${greedy.toFixed(2)}): ${far.join(', ')}`;
}
