// From a request to its answer. The state is held in four environments of a world: as it is, and as the Hungarian method, the
// nearest rule and the deciding policy continue it.

import { Lookahead, Planner } from '../policy/index.js';
import type { AnalyzedPair, PlannedPair } from './analysis.js';
import { round } from './answer.js';
import type { Answer, Assignment, Constraint, Locked, Provenance, Waiting } from './answer.js';
import { decide, driverOf, matchAll, play } from './decide.js';
import type { Decided, Replay } from './decision.js';
import { explain } from './explain.js';
import { LOOKAHEAD, LookaheadDecider } from './lookahead-policy.js';
import { Policies } from './policies.js';
import type { ServedPolicy } from './policies.js';
import { readPlanningInput } from './planning-input.js';
import type { PlanningInput, Rules } from './planning-input.js';
import { alternativesOf, failingOf, latestSafe, plannedWords, reasonsOf, unassignedOf } from './reasons.js';
import { NO_GEOMETRY } from './request.js';
import type { RecommendRequest } from './request.js';
import type { Id } from './rules.js';
import { carries, has } from './skill-bits.js';
import { Env, WorldPool } from './world-pool.js';
import type { PooledWorld } from './world-pool.js';
import { latenessOf, windowOf } from './windows.js';

/** What an answer is called, and what the clock is measured from. */
export interface Context {
  /** Id of the decision, for the provenance. */
  readonly decisionId: string;
  /** SHA-256 of the request as it is stored. */
  readonly stateHash: string;
  /** What the clock decided before, to compute the same answer again. */
  readonly replay?: Replay;
  /** When it was asked, in milliseconds of the epoch, from which the deadline counts; default now. */
  readonly askedAt?: number;
  /** The asked policy has been tried elsewhere and did not return: the planner decides. */
  readonly failed?: boolean;
}

const DEADLINE_MS = 250;
/** With explanations, or look-ahead. */
const LONG_DEADLINE_MS = 1000;

/** Answers requests, one at a time; it keeps worlds of the sizes that were asked for. */
export class Recommender {
  /** All that can be asked. */
  readonly policies: Policies;
  /** Of the package, for the provenance. */
  readonly version: string;
  readonly #worlds = new WorldPool();
  /** One for all sizes: its worlds are many times as large as a pooled one. */
  readonly #lookahead = new Lookahead();
  readonly #planner = new Planner();

  /** @param version of the package, for the provenance */
  constructor(policies: Policies, version: string) {
    this.policies = policies;
    this.version = version;
  }

  /**
   * @param request as `checkRequest` gave it
   * @throws AdviseError `ERR_REQUEST`
   */
  recommend(request: RecommendRequest, { decisionId, stateHash, replay, askedAt, failed = false }: Context): Answer {
    // Threads have clocks of their own, with one beginning.
    const started = askedAt === undefined ? performance.now() : askedAt - performance.timeOrigin;
    const asked = this.policies.named(request.policy);
    const isLong = request.explain === true || asked.name === LOOKAHEAD;
    const deadline = started + (request.deadline_ms ?? (isLong ? LONG_DEADLINE_MS : DEADLINE_MS));
    const rules = rulesOf(request, asked);
    let playing = asked;
    let planning = readPlanningInput(request, rules, asked.base);
    let fallback: Provenance['fallback'] = null;
    const unlike = asked.kind === 'network' ? planning.unlike : [];
    if (unlike.length > 0) {
      playing = this.policies.fallback;
      fallback = { policy: playing.name, reason: 'out_of_distribution' };
      planning = readPlanningInput(request, rules, playing.base);
    }

    const pooled = this.#worlds.for(playing, planning);
    pooled.set(planning, request.seed ?? 1);
    const search = playing.name === LOOKAHEAD ? pooled.decider(playing) : null;
    if (search instanceof LookaheadDecider) {
      search.begin({ deadline, replay: replay && (replay.decision_futures ?? []), demand: planning.demand });
    }
    const hungarian = matchAll(pooled, Env.hungarian);
    const nearest = play(pooled, this.policies.named('nearest'), Env.nearest);
    const decided = decide(this.policies, this.#planner, playing, planning, pooled, started, deadline, replay, failed);
    if (decided.gaveWay !== null) fallback = { policy: this.policies.fallback.name, reason: decided.gaveWay };

    const answer = new Answering(planning, pooled, decided);
    const futures: number[] = [];
    const assignments = answer.assignments(driverOf(pooled, hungarian), driverOf(pooled, nearest));
    const explained =
      request.explain === true
        ? explain(planning, pooled, this.#lookahead, decided.decisions, assignments, deadline, replay, futures)
        : assignments;
    return {
      as_of: request.as_of,
      mode: request.mode ?? 'recommend',
      assignments: explained,
      waiting: answer.waiting(),
      unassigned: answer.unassigned(),
      locked: answer.locked(),
      violations: planning.violations,
      ...(request.options?.g !== true ? {} : { notices: [NO_GEOMETRY] }),
      provenance: {
        decision_id: decisionId,
        version: this.version,
        policy: asked.name,
        policy_hash: asked.hash,
        world_hash: playing.worldHash,
        state_hash: stateHash,
        fallback,
        out_of_distribution: unlike,
        futures,
        // An unfinished search is none.
        decision_futures: search instanceof LookaheadDecider && fallback?.reason !== 'deadline' ? search.futures : [],
        turns: decided.turns,
        recorded: true,
      },
    };
  }

  /**
   * Drives somebody's plan, pair by pair, in the world of the rules; a pair that breaks it is left out.
   * @throws AdviseError `ERR_REQUEST`
   */
  drive(request: RecommendRequest, plan: readonly PlannedPair[]): AnalyzedPair[] {
    const { planning, pooled } = this.#pooled(request);
    const { world } = pooled;
    return plan.map((planned): AnalyzedPair => {
      const pair = pairOf(planning, pooled, planned);
      if (pair.breaks.length === 0) world.step(Env.policy, world.actionOf(...indicesOf(planning, planned)));
      return pair;
    });
  }

  /**
   * What each vehicle would make of a shipment, were it the only one that is assigned.
   * @throws AdviseError `ERR_REQUEST`
   */
  candidates(request: RecommendRequest, shipment: Id): AnalyzedPair[] {
    const { planning, pooled } = this.#pooled(request);
    return request.vehicles.map(({ id }) => pairOf(planning, pooled, { vehicle: id, shipment }));
  }

  /** The state in the world of the rules, where plans are driven. */
  #pooled(request: RecommendRequest): { readonly planning: PlanningInput; readonly pooled: PooledWorld } {
    const rules = { ...rulesOf(request, this.policies.named(request.policy)), assignmentsPerVehicle: 16 };
    const policy = this.policies.fallback;
    const planning = readPlanningInput(request, rules, policy.base);
    const pooled = this.#worlds.for(policy, planning);
    pooled.set(planning, request.seed ?? 1);
    return { planning, pooled };
  }
}

/** Driver and slot; -1 for what is not known. */
function indicesOf({ request, considered }: PlanningInput, { vehicle, shipment }: PlannedPair): [number, number] {
  return [request.vehicles.findIndex(({ id }) => id === vehicle), considered.findIndex(({ id }) => id === shipment)];
}

function pairOf(planning: PlanningInput, { world }: PooledWorld, pair: PlannedPair): AnalyzedPair {
  const [i, j] = indicesOf(planning, pair);
  const e = Env.policy;
  const nothing = { ...pair, pickup_eta: null, lateness: null, approach_distance: null, score: null };
  // What is known but no longer open was in the plan before.
  if (i < 0 || j < 0 || !world.isOpen(e, j)) return { ...nothing, breaks: ['unknown'] };
  const breaks = failingOf(planning, world, e, i, j);
  // Without a way there are no times.
  if (breaks.includes('route')) return { ...nothing, breaks };
  const pickup = world.pickupSecond(e, i, j) + planning.offset;
  return {
    ...pair,
    breaks,
    pickup_eta: pickup,
    lateness: latenessOf(planning.considered[j].windows, pickup),
    approach_distance: Math.round(world.approachMetres(e, i, j)),
    score: round(world.assignmentReward(e, i, j)),
  };
}

function rulesOf({ options = {} }: RecommendRequest, { base }: ServedPolicy): Rules {
  const { scenario } = base;
  return {
    lateTolerance: options.late_tolerance ?? Math.min(scenario.lateToleranceSeconds, 86_400),
    queue: options.queue ?? scenario.queue,
    assignmentsPerVehicle: options.assignments_per_vehicle ?? Math.min(16, scenario.assignmentsPerDriverPerTick),
    speedKmh: options.speed_kmh ?? (scenario.travel.kind === 'plane' ? scenario.travel.speedKmh : 30),
    horizon: options.horizon ?? 7200,
    revisitAfter: options.revisit_after ?? 300,
    alternatives: options.alternatives ?? 3,
  };
}

/** Writes the parts of the answer down, step by step as they were decided. */
class Answering {
  readonly #planning: PlanningInput;
  readonly #pooled: PooledWorld;
  readonly #decided: Decided;
  /** Environment in which the decisions have been played to their end. */
  readonly #end: number;
  /** By slot: until when it can be left open; null if no vehicle can take it any more. */
  readonly #safe: readonly (number | null)[];

  constructor(planning: PlanningInput, pooled: PooledWorld, decided: Decided) {
    const end = decided.env;
    this.#planning = planning;
    this.#pooled = pooled;
    this.#end = end;
    this.#decided = decided;
    this.#safe = planning.considered.map((_, j) =>
      pooled.world.isOpen(end, j) ? latestSafe(planning, pooled.world, end, j) : null,
    );
  }

  #vehicle(i: number): Id | null {
    return i < 0 ? null : this.#planning.request.vehicles[i].id;
  }

  /** Plays the plan once more, in the first environment's copy, to see what each decision was chosen from. */
  assignments(hungarian: Int32Array, nearest: Int32Array): Assignment[] {
    const { considered, offset, rules, request } = this.#planning;
    const { world } = this.#pooled;
    const e = Env.nearest;
    world.copy(e, world, Env.start);
    const { decisions } = this.#decided;
    const given = new Map(decisions.map(({ i, j }) => [request.vehicles[i].id, considered[j].id]));
    return decisions.map(({ i, j, confidence }, k): Assignment => {
      const { id, windows } = considered[j];
      const pickup = world.pickupSecond(e, i, j) + offset;
      const metres = Math.round(world.approachMetres(e, i, j));
      const depart = Math.max(world.state.now[e], world.state.freeAt[e * world.drivers + i]) + offset;
      const alternatives = alternativesOf(this.#planning, world, e, i, j);
      const assignment: Assignment = {
        rank: k + 1,
        shipment: id,
        vehicle: request.vehicles[i].id,
        pickup_eta: pickup,
        delivery_eta: world.dropoffSecond(e, i, j) + offset,
        lateness: latenessOf(windows, pickup),
        approach_distance: metres,
        approach_duration: world.approachSeconds(e, i, j),
        score: round(world.assignmentReward(e, i, j)),
        confidence: confidence === null ? null : round(confidence),
        reasons: reasonsOf(
          this.#planning,
          pickup,
          depart,
          request.vehicles[i].time_window?.[0],
          windowOf(windows, pickup)[1],
          metres,
          alternatives,
          given,
        ),
        alternatives: alternatives.slice(0, rules.alternatives),
        nearest: this.#vehicle(nearest[j]),
        hungarian: this.#vehicle(hungarian[j]),
      };
      world.step(e, world.actionOf(i, j));
      return assignment;
    });
  }

  /** Those left open that a vehicle could still take, and those whose time has not come. */
  waiting(): Waiting[] {
    const { considered, later, rules, request } = this.#planning;
    const again = request.as_of + rules.revisitAfter;
    const list: Waiting[] = [];
    for (let j = 0; j < considered.length; j++) {
      const safe = this.#safe[j];
      if (safe === null) continue;
      list.push({
        shipment: considered[j].id,
        reason: this.#whyWaiting(j),
        revisit_at: Math.min(again, safe),
        latest_safe: safe,
      });
    }
    for (const { id, windowStart } of later) {
      list.push({
        shipment: id,
        reason: `its window begins more than ${Math.round(rules.horizon / 60)} min from now; it is planned when its window is nearer`,
        revisit_at: Math.max(again, windowStart - rules.horizon),
        latest_safe: null,
      });
    }
    return list;
  }

  #whyWaiting(j: number): string {
    const { world } = this.#pooled;
    const { plan } = this.#decided;
    const stop = plan?.[j];
    if (stop !== undefined) return plannedWords(this.#planning, world, Env.start, j, stop);
    const acceptedIn = (e: number): boolean => this.#planning.request.vehicles.some((_, i) => world.accepts(e, i, j));
    if (acceptedIn(this.#end)) {
      return plan === null
        ? 'a vehicle could take it now, but the policy chose to wait'
        : 'not in the plan, because it would displace other shipments; a vehicle could still take it instead of a waiting one';
    }
    // Only where there are several windows can a vehicle be in time and yet not be sent.
    if (!acceptedIn(Env.start)) {
      const soon = Math.round(this.#planning.rules.horizon / 60);
      return `no vehicle can keep a window that begins within ${soon} min; later windows are planned when they are nearer`;
    }
    return 'every vehicle that could take it is assigned another shipment in this answer';
  }

  unassigned(): Answer['unassigned'] {
    const { considered } = this.#planning;
    const { world } = this.#pooled;
    const list: Answer['unassigned'][number][] = [];
    for (let j = 0; j < considered.length; j++) {
      if (!world.isOpen(this.#end, j) || this.#safe[j] !== null) continue;
      list.push({ shipment: considered[j].id, reasons: unassignedOf(this.#planning, world, Env.start, j) });
    }
    return list;
  }

  locked(): Locked[] {
    const { promised, offset, request, snapshot } = this.#planning;
    const { state: st, compiled } = this.#pooled.world;
    const { queue } = compiled.scenario;
    return promised.flatMap((list, i) => {
      // What is promised follows the ride under way.
      const first = snapshot.drivers[i].plan.length;
      return (list ?? []).map(({ id, windows }, k): Locked => {
        const p = i * queue + first + k;
        const [pickupAt, dropoffAt] = [st.planPickupAt[p], st.planDropoffAt[p]];
        return {
          shipment: id,
          vehicle: request.vehicles[i].id,
          pickup_eta: pickupAt + offset,
          delivery_eta: dropoffAt + offset,
          lateness: latenessOf(windows, pickupAt + offset),
          breaks: this.#brokenBy(i, k, pickupAt, dropoffAt),
        };
      });
    });
  }

  /** What promise k of vehicle i does not keep to. */
  #brokenBy(i: number, k: number, pickupAt: number, dropoffAt: number): Constraint[] {
    const { promised, request, rules, snapshot, offset } = this.#planning;
    const vehicle = request.vehicles[i];
    const { windows, input } = promised[i]![k];
    const { skills = [], amount = [] } = input;
    const { shiftEnd = Infinity, promised: bookings } = snapshot.drivers[i];
    const { latestDropoff = Infinity } = bookings![k];
    const kept: readonly (readonly [Constraint, boolean])[] = [
      ['skills', skills.every((skill) => has(vehicle, String(skill)))],
      ['capacity', carries(vehicle, amount)],
      ['window', latenessOf(windows, pickupAt + offset) <= rules.lateTolerance],
      ['delivery_window', dropoffAt <= latestDropoff],
      ['shift', dropoffAt <= shiftEnd],
    ];
    return kept.filter(([, keeps]) => !keeps).map(([constraint]) => constraint);
  }
}
