// Worlds in which requests are planned, kept for the next request of the same shape: making one takes longer than answering.

import { VectorDispatchEnv, adapt } from '../engine/index.js';
import type { CompiledScenario, World } from '../engine/index.js';
import { BatchedHungarian } from '../policy/index.js';
import type { Decider } from './decider.js';
import type { ServedPolicy } from './policies.js';
import { LOOKAHEAD } from './lookahead-policy.js';
import type { PlanningInput } from './planning-input.js';
import { MOST_WINDOWS } from './request.js';

/** Environments of a pooled world: the state as it is, and what each way of deciding makes of it. */
export const Env = { start: 0, hungarian: 1, nearest: 2, policy: 3 } as const;

const ONES = new Float64Array(1440).fill(1);

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A world of four environments, which holds planning inputs of one shape, one after the other. */
export class PooledWorld {
  /** Environments as in `Env`. */
  readonly world: World;
  /** Matches all at once, for comparison. */
  readonly hungarian: BatchedHungarian = new BatchedHungarian();
  /** Made once for this world: a network keeps memory for its size. */
  readonly #deciders = new Map<string, Decider>();
  readonly #compiled: Writable<CompiledScenario>;

  readonly #base: CompiledScenario;

  constructor({ base, observation }: ServedPolicy, planning: PlanningInput, drivers: number, slots: number) {
    const { rules } = planning;
    this.#base = base;
    this.#compiled = adapt(base, {
      drivers,
      slots,
      queue: rules.queue,
      decisionsPerTick: Infinity,
      assignmentsPerDriverPerTick: rules.assignmentsPerVehicle,
      openUntil: 'windowEnd',
      lateToleranceSeconds: rules.lateTolerance,
      startSecondOfDay: planning.startSecondOfDay,
      horizonSeconds: planning.horizonSeconds,
      horizonEnd: 'truncate',
      travel: planning.travel,
    });
    // Made before the world, as it needs room for the lists.
    if (planning.several) this.#compiled.windows = MOST_WINDOWS;
    if (!planning.demand) {
      this.#compiled.dataset = null;
      this.#compiled.arrivalByTick = new Float64Array(this.#compiled.ticks + 1);
    }
    this.world = new VectorDispatchEnv({
      scenario: this.#compiled,
      numEnvs: Object.keys(Env).length,
      observation,
    }).world;
  }

  /** Puts a planning input into every environment. @param seed of simulated futures */
  set(planning: PlanningInput, seed: number): void {
    const { driverSkills, emergency } = this.#compiled;
    driverSkills.fill(0);
    driverSkills.set(planning.driverSkills);
    emergency.fill(0);
    emergency.set(planning.emergency);
    this.#compiled.matrix = planning.matrix;
    const { changed } = planning;
    const { factorByMinute } = this.#base;
    // A table's durations hold as they are.
    this.#compiled.factorByMinute =
      planning.matrix !== null
        ? ONES
        : changed === null
          ? factorByMinute
          : Float64Array.from(changed, (minute) => factorByMinute[minute]);
    this.world.restore(Env.start, seed, 0, planning.snapshot);
    for (const e of [Env.hungarian, Env.nearest, Env.policy]) this.world.copy(e, this.world, Env.start);
  }

  /** The decider of a policy on this world, made once. */
  decider(policy: ServedPolicy): Decider {
    let decider = this.#deciders.get(policy.name);
    if (decider === undefined) this.#deciders.set(policy.name, (decider = policy.decider(this.world)));
    return decider;
  }
}

/** Numbers of slots of a pooled world: few sizes, so that few worlds serve many requests. */
const SIZES = [20, 50, 100, 200, 500];

/** Worlds by the shape of their planning inputs; the one that was not used for the longest time is dropped first. */
export class WorldPool {
  readonly #kept = new Map<string, PooledWorld>();
  readonly #most: number;

  constructor(most = 24) {
    this.#most = most;
  }

  /** A world that fits a planning input, taken from the pool or made; valid until the next call. */
  for(policy: ServedPolicy, planning: PlanningInput): PooledWorld {
    const { base, kind } = policy;
    const vehicles = Math.max(1, planning.snapshot.drivers.length);
    const shipments = planning.considered.length;
    // A network sees what it was trained on: its size, the rest of it off duty.
    const padded = kind === 'network';
    const drivers = padded ? base.scenario.drivers : vehicles;
    // Where futures are played, what comes up in them needs room.
    const samples = planning.request.explain === true || policy.name === LOOKAHEAD;
    const room = shipments + (planning.demand && samples ? 20 : 0);
    const slots = padded ? base.scenario.slots : (SIZES.find((size) => size >= room) ?? room);
    const { rules, travel } = planning;
    const key = JSON.stringify([
      padded ? policy.name : `rules ${policy.observation}`,
      drivers,
      slots,
      rules.queue,
      rules.assignmentsPerVehicle,
      rules.lateTolerance,
      travel.speedKmh,
      planning.startSecondOfDay,
      planning.horizonSeconds,
      planning.demand,
      planning.matrix !== null,
      planning.several,
    ]);
    const found = this.#kept.get(key);
    const pooled = found ?? new PooledWorld(policy, planning, drivers, slots);
    // The last in the map is the one used last.
    this.#kept.delete(key);
    this.#kept.set(key, pooled);
    if (this.#kept.size > this.#most) this.#kept.delete(this.#kept.keys().next().value!);
    return pooled;
  }
}
