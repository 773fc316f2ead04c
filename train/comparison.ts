// An honest comparison: policies play the same episodes, several training seeds count as one policy, and the first is held against
// the strongest simple rule. Which rule that is, is decided on validation episodes, whatever split is compared.

import { actionCount, meanKpis, observationSize } from '../engine/index.js';
import type { CompiledScenario, Kpis, Split } from '../engine/index.js';
import { heuristicNames } from '../policy/index.js';
import { evaluatePolicies, guardNames } from '../workers/index.js';
import type { Evaluation, GuardName, Guards, PolicySpec } from '../workers/index.js';
import { variantNames, variantOf } from './robustness.js';
import type { VariantName } from './robustness.js';
import { bootstrap, interquartileMean, probabilityOfImprovement } from './statistics.js';
import type { Interval } from './statistics.js';
import { check } from './fields.js';

/** One policy of a comparison. */
export interface Contender {
  /** Its name in tables. */
  readonly policy: string;
  /** One for each training seed; at least one. */
  readonly members: readonly PolicySpec[];
}

/** What to compare. */
export interface ComparisonRequest {
  /** The scenario, with its data. */
  readonly compiled: CompiledScenario;
  /** At least one; the verdict is about the first. */
  readonly contenders: readonly Contender[];
  /** Rules of which the strongest on validation is the baseline; default all heuristics but `random`. */
  readonly baselines?: readonly PolicySpec[] | undefined;
  /** Which held-out episodes. */
  readonly split: Split;
  /** Episodes per policy; default 200, or all days of the split. */
  readonly episodes?: number | undefined;
  /** Whether the first policy and the baseline also play the scenario's variants, as `variantOf` makes them; default false. */
  readonly robustness?: boolean | undefined;
  /** Whether a guardrail that is broken makes the verdict `fail`; default false. */
  readonly strict?: boolean | undefined;
  /** Base seed. */
  readonly seed: number;
  /** Threads, 1 to 256; results do not depend on their number. */
  readonly workers: number;
  /** Ends the comparison early: the result is then null. */
  readonly signal?: AbortSignal | undefined;
  /** Called as episodes end. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/** One policy's results. */
export interface ComparedEntry extends Interval {
  /** Its name. */
  readonly policy: string;
  /** Training seeds, 1 for a rule. */
  readonly seeds: number;
  /** Mean of the middle half of the returns. */
  readonly interquartileMean: number;
  /** Means over seeds and episodes. */
  readonly kpis: Kpis;
  /** Figures of the guardrails, means over seeds and episodes. */
  readonly guards: Guards;
}

/** `held`: not worse than the baseline by more than is tolerated; `broken`: worse, with all of the interval; else `undecided`. */
export type GuardState = 'held' | 'broken' | 'undecided';

/** One guardrail: a figure of the first policy less the baseline's, episode by episode; the less, the better. */
export interface Guardrail extends Interval {
  /** Name of the figure. */
  readonly name: GuardName;
  /** What the difference may be. */
  readonly tolerance: number;
  readonly state: GuardState;
}

/** The first policy against the baseline in a variant of the scenario. */
export type RobustnessEntry =
  | ({ readonly variant: VariantName; readonly verdict: Verdict; readonly baselineMean: number } & Difference)
  /** Of a policy that does not fit the variant, and why. */
  | { readonly variant: VariantName; readonly reason: string };

/** Returns of one policy less another's, episode by episode. */
export interface Difference extends Interval {
  /** Whose returns. */
  readonly policy: string;
  /** Less whose. */
  readonly against: string;
  /** Share of episodes in which the first returns more; ties count half. */
  readonly probabilityOfImprovement: number;
}

/** `pass`: better than the baseline, with all of the interval; `fail`: worse likewise; else `undecided`. */
export type Verdict = 'pass' | 'fail' | 'undecided';

/** What a comparison has come to. */
export interface ComparisonResult {
  /** On the first policy, against the baseline. */
  readonly verdict: Verdict;
  /** The strongest rule on validation. */
  readonly baseline: string;
  /** Name of the scenario. */
  readonly scenario: string;
  /** Which episodes. */
  readonly split: Split;
  /** Episodes per policy and training seed. */
  readonly episodes: number;
  /** The policies in the order they were given, then the baseline if it is none of them. */
  readonly entries: readonly ComparedEntry[];
  /** The first policy against the baseline, then against each other policy; then each other one against the baseline. */
  readonly differences: readonly Difference[];
  /** Of the first policy against the baseline; empty where it is the baseline. */
  readonly guardrails: readonly Guardrail[];
  /** In the order of `variantNames`; empty where it was not asked for, or the first policy is the baseline. */
  readonly robustness: readonly RobustnessEntry[];
}

/** By how much more than the baseline's a figure may be. */
const tolerances: Guards = { topLateMinutes: 1, waitP90Minutes: 5, expiredShare: 0.01, emptyKm: 0.5, worstLoad: 1 };

/**
 * Plays and compares.
 * @returns null if the signal aborted
 * @throws WorkerError, EngineError, PolicyError as `evaluatePolicies`; TrainError `ERR_TRAIN_OPTION` for a policy without members
 */
export async function comparePolicies(request: ComparisonRequest): Promise<ComparisonResult | null> {
  const { compiled, split, seed, workers, signal } = request;
  const contenders = named(request.contenders);
  const baselines = request.baselines ?? simpleRules();
  check.whole('the number of policies', contenders.length, 1);
  for (const { policy, members } of contenders) check.whole(`members of ${policy}`, members.length, 1);
  const members = contenders.flatMap((contender) => contender.members);
  const shared = { compiled, seed, workers, signal };

  let before = 0;
  const total = { rules: 0, policies: 0 };
  const progress = (part: 'rules' | 'policies') => (done: number, all: number) => {
    total[part] = all;
    const other = part === 'rules' ? Math.round((all / baselines.length) * (members.length + 1)) : total.rules;
    request.progress?.(before + done, all + other);
  };
  const rules = await evaluatePolicies({
    ...shared,
    policies: baselines,
    split: 'validation',
    episodes: split === 'validation' ? request.episodes : undefined,
    progress: progress('rules'),
  });
  if (rules.length === 0) return null;
  before = total.rules;
  const strongest = rules.reduce(strongerOf);
  const baseline = baselines[rules.indexOf(strongest)];
  const isContender = contenders.some(({ members: [one] }) => isSameRule(one, baseline));
  const evaluations = await evaluatePolicies({
    ...shared,
    policies: isContender ? members : [...members, baseline],
    split,
    episodes: request.episodes,
    guards: true,
    progress: progress('policies'),
  });
  if (evaluations.length === 0) return null;

  let at = 0;
  const all = [...contenders, ...(isContender ? [] : [{ policy: baseline.name, members: [baseline] }])];
  const played = all.map(({ policy, members: own }) => ({
    policy,
    own: evaluations.slice(at, (at += own.length)),
    isBaseline: isSameRule(own[0], baseline),
  }));
  const base = played.findIndex(({ isBaseline }) => isBaseline);
  const result = figures(played, base);
  const isBroken = request.strict === true && result.guardrails.some(({ state }) => state === 'broken');
  const robustness =
    request.robustness === true && base !== 0 ? await underVariants(request, contenders[0], baseline) : [];
  if (robustness === null) return null;
  return {
    ...result,
    verdict: isBroken ? 'fail' : result.verdict,
    scenario: compiled.scenario.name,
    split,
    robustness,
  };
}

/** The first policy against the baseline in each variant; null if the signal aborted. */
async function underVariants(
  { compiled, split, episodes, seed, workers, signal }: ComparisonRequest,
  first: Contender,
  baseline: PolicySpec,
): Promise<RobustnessEntry[] | null> {
  const entries: RobustnessEntry[] = [];
  for (const variant of variantNames) {
    const varied = variantOf(compiled, variant);
    const [reason] = first.members.flatMap((member) => misfit(member, varied) ?? []);
    if (reason !== undefined) {
      entries.push({ variant, reason });
      continue;
    }
    const evaluations = await evaluatePolicies({
      ...{ split, episodes, seed, workers, signal },
      compiled: varied,
      policies: [...first.members, baseline],
    });
    if (evaluations.length === 0) return null;
    const against = evaluations.at(-1)!;
    entries.push({
      variant,
      baselineMean: against.meanReturn,
      ...judged(first.policy, evaluations.slice(0, -1), against),
    });
  }
  return entries;
}

/**
 * The verdict on a policy from what has been played already.
 * @param own   validation episodes of the policy, one evaluation for each training seed; at least one
 * @param rules the simple rules on the same episodes; the one with the highest mean return is the baseline
 * @returns null without a rule
 */
export function verdictOn(
  policy: string,
  own: readonly Evaluation[],
  rules: readonly Evaluation[],
): (Difference & { readonly verdict: Verdict }) | null {
  const simple = rules.filter((rule) => simpleRules().some(({ name }) => name === rule.policy));
  return simple.length === 0 ? null : judged(policy, own, simple.reduce(strongerOf));
}

function judged(
  policy: string,
  own: readonly Evaluation[],
  against: Evaluation,
): Difference & { readonly verdict: Verdict } {
  const [ours, theirs] = [own.map(returnsOf), [returnsOf(against)]];
  const [difference] = bootstrap([ours, theirs], [[1, -1]]);
  return {
    verdict: verdictOf(difference),
    ...{ policy, against: against.policy, ...difference },
    probabilityOfImprovement: probabilityOfImprovement(ours, theirs),
  };
}

function strongerOf(a: Evaluation, b: Evaluation): Evaluation {
  return b.meanReturn > a.meanReturn ? b : a;
}

/** Why a policy cannot play a scenario: a flat network plays its own number of drivers only; null if it can. */
function misfit(spec: PolicySpec, { scenario }: Pick<CompiledScenario, 'scenario'>): string | null {
  if (spec.kind === 'lookahead') return spec.base === undefined ? null : misfit(spec.base, { scenario });
  if (spec.kind !== 'network' || spec.shape.kind !== 'flat') return null;
  const inputs = observationSize(scenario, spec.observation);
  const actions = actionCount(scenario);
  if (spec.shape.inputs === inputs && spec.shape.actions === actions) return null;
  return `the network of ${spec.name} takes ${spec.shape.inputs} numbers and ${spec.shape.actions} actions, the variant has ${inputs} and ${actions}`;
}

function returnsOf({ episodes }: Evaluation): number[] {
  return episodes.map((episode) => episode.return);
}

/** The first policy's figures less the baseline's. */
function guardrailsOf(first: Played, baseline: Played): Guardrail[] {
  return guardNames.map((name): Guardrail => {
    const table = ({ own }: Played): number[][] =>
      own.map(({ episodes }) => episodes.map(({ guards }) => guards![name]));
    const [difference] = bootstrap([table(first), table(baseline)], [[1, -1]]);
    const tolerance = tolerances[name];
    const { low, high } = difference;
    const state =
      low !== null && low > tolerance ? 'broken' : high !== null && high <= tolerance ? 'held' : 'undecided';
    return { name, tolerance, state, ...difference };
  });
}

/** Means over the episodes of several evaluations. */
function meanGuards(own: readonly Evaluation[]): Guards {
  const all = own.flatMap(({ episodes }) => episodes.map(({ guards }) => guards!));
  const mean = (name: GuardName): number => all.reduce((sum, guards) => sum + guards[name], 0) / all.length;
  return Object.fromEntries(guardNames.map((name) => [name, mean(name)])) as unknown as Guards;
}

interface Played {
  readonly policy: string;
  readonly own: readonly Evaluation[];
}

function figures(played: readonly Played[], base: number): Omit<ComparisonResult, 'scenario' | 'split' | 'robustness'> {
  const tables = played.map(({ own }) => own.map(returnsOf));
  const unit = (k: number): number[] => played.map((_, other) => (other === k ? 1 : 0));
  const pairs: [number, number][] = [];
  if (base !== 0) pairs.push([0, base]);
  played.forEach((_, k) => k !== 0 && k !== base && pairs.push([0, k]));
  played.forEach((_, k) => k !== 0 && k !== base && base !== 0 && pairs.push([k, base]));
  const bounds = bootstrap(tables, [
    ...played.map((_, k) => unit(k)),
    ...pairs.map(([a, b]) => unit(a).map((weight, k) => weight - (k === b ? 1 : 0))),
  ]);
  const entries = played.map(({ policy, own }, k): ComparedEntry => ({
    policy,
    ...bounds[k],
    seeds: own.length,
    interquartileMean: interquartileMean(tables[k]),
    kpis: meanKpis(own.map(({ kpis }) => kpis)),
    guards: meanGuards(own),
  }));
  const differences = pairs.map(([a, b], k): Difference => ({
    policy: played[a].policy,
    against: played[b].policy,
    ...bounds[played.length + k],
    probabilityOfImprovement: probabilityOfImprovement(tables[a], tables[b]),
  }));
  return {
    verdict: base === 0 ? 'undecided' : verdictOf(differences[0]),
    baseline: played[base].policy,
    episodes: tables[0][0].length,
    entries,
    differences,
    guardrails: base === 0 ? [] : guardrailsOf(played[0], played[base]),
  };
}

/** A difference without an interval decides nothing. */
function verdictOf({ low, high }: Interval): Verdict {
  if (low !== null && low > 0) return 'pass';
  return high !== null && high < 0 ? 'fail' : 'undecided';
}

/** All rules but the one that nobody would use. */
function simpleRules(): PolicySpec[] {
  return heuristicNames.filter((name) => name !== 'random').map((name) => ({ kind: 'heuristic', name }));
}

function isSameRule(a: PolicySpec, b: PolicySpec): boolean {
  return a.kind === 'heuristic' && b.kind === 'heuristic' && a.name === b.name;
}

/** Names that tell policies of the same name apart. */
function named(contenders: readonly Contender[]): Contender[] {
  const seen = new Map<string, number>();
  return contenders.map((contender) => {
    const times = (seen.get(contender.policy) ?? 0) + 1;
    seen.set(contender.policy, times);
    return times === 1 ? contender : { ...contender, policy: `${contender.policy} (${times})` };
  });
}
