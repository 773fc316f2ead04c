// A simulated company: a scenario that runs, shown to the service as a live state, and driven by its answers.

import { VectorDispatchEnv, adapt, episodeSource, kpisOf, toDegrees } from '../engine/index.js';
import type { CompiledScenario, Kpis, PlaneTravelSpec, World } from '../engine/index.js';
import type { Answer } from './answer.js';
import { AdviseError } from './errors.js';
import type { Place } from './places.js';
import type { RecommendRequest, ShipmentInput, VehicleInput } from './request.js';

/** What a vehicle was given to do, in seconds of the simulation. */
interface Ride {
  readonly shipment: ShipmentInput;
  readonly from: Place;
  readonly departAt: number;
  /** At the pickup, where it may have to wait. */
  readonly arriveAt: number;
  readonly pickupAt: number;
  readonly dropoffAt: number;
}

/** A Monday at midnight, UTC: the day that is simulated. */
const DAY = 1_767_571_200;

/** A day of a scenario, asked for as requests and driven by their answers. */
export class SimulatedFleet {
  readonly #world: World;
  readonly #travel: PlaneTravelSpec;
  readonly #offset: number;
  /** By vehicle, the one that it is on first; those that are over go when time goes on. */
  readonly #rides: Ride[][];

  /**
   * @param seed of the day's demand
   * @throws AdviseError `ERR_SERVICE` for a scenario of zones
   */
  constructor(base: CompiledScenario, seed: number) {
    const { travel, startSecondOfDay } = base.scenario;
    if (travel.kind !== 'plane') {
      throw new AdviseError(
        'ERR_SERVICE',
        `scenario "${base.scenario.name}" has zones without coordinates: expected a scenario with coordinates, such as geneva`,
      );
    }
    this.#travel = travel;
    this.#offset = DAY + startSecondOfDay;
    // A dispatcher assigns as many as he likes before time goes on.
    const compiled = adapt(base, { decisionsPerTick: Infinity, openUntil: 'windowEnd' });
    const source = episodeSource(compiled.dataset, 'training', 'sampled');
    const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1, source });
    env.reset({ seed });
    this.#world = env.world;
    this.#rides = Array.from({ length: env.world.drivers }, () => []);
  }

  /** Seconds on the request's clock. */
  get now(): number {
    return this.#world.state.now[0] + this.#offset;
  }

  /** Length of the day in seconds. */
  get length(): number {
    return this.#world.compiled.scenario.horizonSeconds;
  }

  /** Whether the day has ended. */
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
      vehicles: this.#rides.map((_, i) => this.#vehicle(i)),
      shipments: [
        ...this.#rides.flatMap(([, ...promised]) => promised.map(({ shipment }) => shipment)),
        ...this.#open().map((j) => this.#shipment(j)),
      ],
    };
  }

  #vehicle(i: number): VehicleInput {
    const { state: st, compiled } = this.#world;
    const { skills } = compiled.scenario;
    const [ride, ...promised] = this.#rides[i];
    const own = skills.filter((_, k) => (compiled.driverSkills[i] & (1 << k)) !== 0).map(({ name }) => name);
    return {
      id: i + 1,
      start: ride === undefined ? this.#place(st.endX[i], st.endY[i]) : whereabouts(ride, st.now[0]),
      load: st.load[i] - promised.length,
      ...(compiled.emergency[i] === 1 ? { kind: 'EMERGENCY' as const } : {}),
      ...(own.length > 0 ? { skills: own } : {}),
      ...(ride === undefined
        ? {}
        : {
            status: 'busy' as const,
            free_at: ride.dropoffAt + this.#offset,
            free_location: ride.shipment.delivery.location!,
          }),
      ...(promised.length > 0 ? { locked: promised.map(({ shipment }) => shipment.id!) } : {}),
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

  #place(x: number, y: number): Place {
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
      this.#rides[i].push(this.#ride(i, j));
      this.#world.step(0, this.#world.actionOf(i, j));
      taken++;
    }
    return taken;
  }

  #ride(i: number, j: number): Ride {
    const { state: st } = this.#world;
    const departAt = Math.max(st.now[0], st.freeAt[i]);
    return {
      shipment: this.#shipment(j),
      from: this.#place(st.endX[i], st.endY[i]),
      departAt,
      arriveAt: departAt + this.#world.approachSeconds(0, i, j),
      pickupAt: this.#world.pickupSecond(0, i, j),
      dropoffAt: this.#world.dropoffSecond(0, i, j),
    };
  }

  /** Lets a tick pass. */
  advance(): void {
    this.#world.step(0, 0);
    const now = this.#world.state.now[0];
    for (const rides of this.#rides) while (rides.length > 0 && rides[0].dropoffAt <= now) rides.shift();
  }

  /** Of the day so far. */
  figures(): { readonly return: number; readonly kpis: Kpis } {
    this.#world.writeEpisode(0);
    return { return: this.#world.out.episodeReturns[0], kpis: kpisOf(this.#world.out.episodeKpis, 0) };
  }
}

/** Where a vehicle on a ride is at a second: on the straight way to the pickup, waiting there, or on that to the drop-off. */
function whereabouts({ from, departAt, arriveAt, pickupAt, dropoffAt, shipment }: Ride, second: number): Place {
  const pickup = shipment.pickup.location!;
  return second < pickupAt
    ? between(from, pickup, (second - departAt) / Math.max(1, arriveAt - departAt))
    : between(pickup, shipment.delivery.location!, (second - pickupAt) / Math.max(1, dropoffAt - pickupAt));
}

function between(a: Place, b: Place, share: number): Place {
  const part = Math.min(1, Math.max(0, share));
  return [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part];
}
