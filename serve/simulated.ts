// A simulated company: a scenario that runs, shown to the service as a live state, and driven by its answers.

import { VectorDispatchEnv, adapt, episodeSource, kpisOf, toDegrees } from '../engine/index.js';
import type { CompiledScenario, Kpis, PlaneTravelSpec, World } from '../engine/index.js';
import type { Answer } from './answer.js';
import { ServeError } from './errors.js';
import type { RecommendRequest, ShipmentInput, VehicleInput } from './request.js';

/** A Monday at midnight, UTC: the day that is simulated. */
const DAY = 1_767_571_200;

export class SimulatedFleet {
  readonly #world: World;
  readonly #travel: PlaneTravelSpec;
  readonly #offset: number;

  /**
   * @param seed of the day's demand
   * @throws ServeError `ERR_SERVICE` for a scenario of zones
   */
  constructor(base: CompiledScenario, seed: number) {
    const { travel, startSecondOfDay } = base.scenario;
    if (travel.kind !== 'plane') {
      throw new ServeError('ERR_SERVICE', `scenario "${base.scenario.name}" has zones, not places: try geneva`);
    }
    this.#travel = travel;
    this.#offset = DAY + startSecondOfDay;
    // A dispatcher assigns as many as he likes before time goes on.
    const compiled = adapt(base, { decisionsPerTick: Infinity, openUntil: 'windowEnd' });
    const source = episodeSource(compiled.dataset, 'training', 'sampled');
    const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1, source });
    env.reset({ seed });
    this.#world = env.world;
  }

  /** Seconds on the request's clock. */
  get now(): number {
    return this.#world.state.now[0] + this.#offset;
  }

  /** Length of the day in seconds. */
  get length(): number {
    return this.#world.compiled.scenario.horizonSeconds;
  }

  get over(): boolean {
    return this.#world.state.tick[0] >= this.#world.compiled.ticks;
  }

  /** What a dispatcher sees. */
  state(): RecommendRequest {
    const { scenario } = this.#world.compiled;
    return {
      as_of: this.now,
      time_zone: 'UTC',
      options: {
        late_tolerance: Math.min(scenario.lateToleranceSeconds, 86_400),
        queue: Math.min(16, scenario.queue),
        assignments_per_vehicle: Math.min(16, scenario.assignmentsPerDriverPerTick),
        // Whatever is open in a simulation can be assigned.
        horizon: 86_400,
      },
      vehicles: Array.from({ length: this.#world.drivers }, (_, i) => this.#vehicle(i)),
      shipments: this.#open().map((j) => this.#shipment(j)),
    };
  }

  #vehicle(i: number): VehicleInput {
    const { state: st, compiled } = this.#world;
    const { queue, skills } = compiled.scenario;
    const place = this.#place(st.endX[i], st.endY[i]);
    const own = skills.filter((_, k) => (compiled.driverSkills[i] & (1 << k)) !== 0).map(({ name }) => name);
    return {
      id: i + 1,
      start: place,
      load: st.load[i],
      ...(compiled.emergency[i] === 1 ? { kind: 'EMERGENCY' as const } : {}),
      ...(own.length > 0 ? { skills: own } : {}),
      ...(st.planLength[i] === 0
        ? {}
        : st.planLength[i] >= queue
          ? { status: 'offline' as const }
          : { status: 'busy' as const, free_at: st.freeAt[i] + this.#offset, free_location: place }),
    };
  }

  #shipment(j: number): ShipmentInput {
    const { state: st, compiled } = this.#world;
    const needed = compiled.scenario.skills.filter((_, k) => (st.skills[j] & (1 << k)) !== 0).map(({ name }) => name);
    return {
      id: st.booking[j] + 1,
      pickup: {
        location: this.#place(st.pickupX[j], st.pickupY[j]),
        time_windows: [[st.windowStart[j] + this.#offset, st.windowEnd[j] + this.#offset]],
        service: st.pickupService[j],
      },
      delivery: { location: this.#place(st.dropoffX[j], st.dropoffY[j]), service: st.dropoffService[j] },
      priority: 20 * (st.priority[j] - 1) + 10,
      known_at: st.knownAt[j] + this.#offset,
      ...(needed.length > 0 ? { skills: needed } : {}),
      ...(st.leg[j] === 1 ? { leg: 'return' as const } : {}),
    };
  }

  #place(x: number, y: number): [number, number] {
    const { longitude, latitude } = toDegrees(x, y, this.#travel.centreLongitude, this.#travel.centreLatitude);
    return [longitude, latitude];
  }

  #open(): number[] {
    const slots = new Int32Array(this.#world.slots);
    return [...slots.subarray(0, this.#world.openSlots(0, slots))];
  }

  /** Does what was recommended; says how many assignments the world took. */
  apply({ assignments }: Pick<Answer, 'assignments'>): number {
    const { state: st } = this.#world;
    let taken = 0;
    for (const { vehicle, shipment } of assignments) {
      const i = Number(vehicle) - 1;
      const j = this.#open().find((slot) => st.booking[slot] + 1 === shipment);
      if (j === undefined || !this.#world.accepts(0, i, j)) continue;
      this.#world.step(0, this.#world.actionOf(i, j));
      taken++;
    }
    return taken;
  }

  /** Lets a tick pass. */
  advance(): void {
    this.#world.step(0, 0);
  }

  /** Of the day so far. */
  figures(): { readonly return: number; readonly kpis: Kpis } {
    this.#world.writeEpisode(0);
    return { return: this.#world.out.episodeReturns[0], kpis: kpisOf(this.#world.out.episodeKpis, 0) };
  }
}
