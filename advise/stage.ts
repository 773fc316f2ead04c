// A world to put requests into, kept for the next one of its size: making one takes longer than answering.

import { VectorDispatchEnv, adapt } from '../engine/index.js';
import type { CompiledScenario, World } from '../engine/index.js';
import { BatchedHungarian } from '../policy/index.js';
import type { Decider } from './decider.js';
import type { ServedPolicy } from './policies.js';
import { LOOKAHEAD } from './lookahead-policy.js';
import type { Problem } from './problem.js';
import { MOST_WINDOWS } from './windows.js';

/** Environments of a stage: the state as it is, and what each way of deciding makes of it. */
export const Env = { start: 0, hungarian: 1, nearest: 2, policy: 3 } as const;

const ONES = new Float64Array(1440).fill(1);

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A world of four environments, into which problems of one shape are put one after the other. */
export class Stage {
  readonly world: World;
  readonly hungarian: BatchedHungarian = new BatchedHungarian();
  /** Made once for this world: a network keeps memory for its size. */
  readonly #deciders = new Map<string, Decider>();
  readonly #compiled: Writable<CompiledScenario>;

  readonly #base: CompiledScenario;

  constructor({ base, observation }: ServedPolicy, problem: Problem, drivers: number, slots: number) {
    const { rules } = problem;
    this.#base = base;
    this.#compiled = adapt(base, {
      drivers,
      slots,
      queue: rules.queue,
      decisionsPerTick: Infinity,
      assignmentsPerDriverPerTick: rules.assignmentsPerVehicle,
      openUntil: 'windowEnd',
      lateToleranceSeconds: rules.lateTolerance,
      startSecondOfDay: problem.startSecondOfDay,
      horizonSeconds: problem.horizonSeconds,
      horizonEnd: 'truncate',
      travel: problem.travel,
    });
    // Made before the world, as it needs room for the lists.
    if (problem.several) this.#compiled.windows = MOST_WINDOWS;
    if (!problem.demand) {
      this.#compiled.dataset = null;
      this.#compiled.arrivalByTick = new Float64Array(this.#compiled.ticks + 1);
    }
    this.world = new VectorDispatchEnv({
      scenario: this.#compiled,
      numEnvs: Object.keys(Env).length,
      observation,
    }).world;
  }

  /** Puts the problem into every environment. */
  set(problem: Problem, seed: number): void {
    const { driverSkills, emergency } = this.#compiled;
    driverSkills.fill(0);
    driverSkills.set(problem.driverSkills);
    emergency.fill(0);
    emergency.set(problem.emergency);
    this.#compiled.matrix = problem.matrix;
    const { changed } = problem;
    const { factorByMinute } = this.#base;
    // A table's durations hold as they are.
    this.#compiled.factorByMinute =
      problem.matrix !== null
        ? ONES
        : changed === null
          ? factorByMinute
          : Float64Array.from(changed, (minute) => factorByMinute[minute]);
    this.world.restore(Env.start, seed, 0, problem.snapshot);
    for (const e of [Env.hungarian, Env.nearest, Env.policy]) this.world.copy(e, this.world, Env.start);
  }

  decider(policy: ServedPolicy): Decider {
    let decider = this.#deciders.get(policy.name);
    if (decider === undefined) this.#deciders.set(policy.name, (decider = policy.decider(this.world)));
    return decider;
  }
}

/** Slots that a stage has room for, so that few stages serve many requests. */
const SIZES = [20, 50, 100, 200, 500];

/** Stages by the shape of their problems; those not used for the longest go first. */
export class Stages {
  readonly #kept = new Map<string, Stage>();
  readonly #most: number;

  constructor(most = 24) {
    this.#most = most;
  }

  for(policy: ServedPolicy, problem: Problem): Stage {
    const { base, kind } = policy;
    const vehicles = Math.max(1, problem.snapshot.drivers.length);
    const shipments = problem.considered.length;
    // A network sees what it was trained on: its size, the rest of it off duty.
    const padded = kind === 'network';
    const drivers = padded ? base.scenario.drivers : vehicles;
    // Where futures are played, what comes up in them needs room.
    const samples = problem.request.explain === true || policy.name === LOOKAHEAD;
    const room = shipments + (problem.demand && samples ? 20 : 0);
    const slots = padded ? base.scenario.slots : (SIZES.find((size) => size >= room) ?? room);
    const { rules, travel } = problem;
    const key = JSON.stringify([
      padded ? policy.name : `rules ${policy.observation}`,
      drivers,
      slots,
      rules.queue,
      rules.assignmentsPerVehicle,
      rules.lateTolerance,
      travel.speedKmh,
      problem.startSecondOfDay,
      problem.horizonSeconds,
      problem.demand,
      problem.matrix !== null,
      problem.several,
    ]);
    const found = this.#kept.get(key);
    const stage = found ?? new Stage(policy, problem, drivers, slots);
    // The last in the map is the one used last.
    this.#kept.delete(key);
    this.#kept.set(key, stage);
    if (this.#kept.size > this.#most) this.#kept.delete(this.#kept.keys().next().value!);
    return stage;
  }
}
