// Reasons: which alternatives a shipment has, how long it can wait, and which constraints prevent it. Each is asked of the engine's
// own predicates, so that a reason is a fact about this state.

import { NEVER } from '../engine/index.js';
import type { World } from '../engine/index.js';
import { round } from './answer.js';
import type { Alternative, Constraint, UnassignedReason } from './answer.js';
import type { PlannedStop } from './decision.js';
import { NO_WAY } from './tables.js';
import type { PlanningInput } from './planning-input.js';
import { latenessOf, secondWithin, windowOf } from './windows.js';
import type { Id } from './rules.js';

/** The other vehicles that could take slot j now, the earliest first. */
export function alternativesOf(
  planning: PlanningInput,
  world: World,
  e: number,
  chosen: number,
  j: number,
): Alternative[] {
  const { request, offset, considered } = planning;
  const { windows } = considered[j];
  const pickup = world.pickupSecond(e, chosen, j) + offset;
  const late = latenessOf(windows, pickup);
  const metres = Math.round(world.approachMetres(e, chosen, j));
  const list: Alternative[] = [];
  for (let i = 0; i < request.vehicles.length; i++) {
    if (i === chosen || !world.accepts(e, i, j)) continue;
    const eta = world.pickupSecond(e, i, j) + offset;
    const lateness = latenessOf(windows, eta);
    const distance = Math.round(world.approachMetres(e, i, j));
    list.push({
      vehicle: request.vehicles[i].id,
      pickup_eta: eta,
      lateness,
      approach_distance: distance,
      score: round(world.assignmentReward(e, i, j)),
      extra_wait: eta - pickup,
      extra_lateness: lateness - late,
      extra_distance: distance - metres,
    });
  }
  return list.sort((a, b) => a.pickup_eta - b.pickup_eta || a.approach_distance - b.approach_distance);
}

/**
 * The reasons of an assignment as sentences for a dispatcher. Times are seconds on the request's clock.
 * @param depart     when the vehicle leaves for the pickup
 * @param shiftStart when its shift starts, if it has one
 * @param windowEnd  end of the window that the pickup belongs to
 * @param metres     of empty driving
 * @param others     from `alternativesOf`
 * @param given      the last shipment that this answer assigns to each vehicle
 */
export function reasonsOf(
  planning: PlanningInput,
  pickup: number,
  depart: number,
  shiftStart: number | undefined,
  windowEnd: number,
  metres: number,
  others: readonly Alternative[],
  given: ReadonlyMap<Id, Id>,
): string[] {
  const spare = windowEnd - pickup;
  const reasons = [
    spare >= 0
      ? `pickup ${minutes(spare)} before its window ends`
      : `pickup ${Math.ceil(-spare / 60)} min after its window ends, within the tolerance of ${minutes(planning.rules.lateTolerance)}`,
  ];
  if (depart > planning.request.as_of) {
    const first = depart === shiftStart ? 'after its shift starts' : 'after its current work';
    reasons.push(`${first} (${minutes(depart - planning.request.as_of)})`);
  }
  if (others.length === 0) {
    reasons.push('no other vehicle can take it');
    return reasons;
  }
  const [next] = others;
  if (next.extra_wait > 0) {
    reasons.push(`earliest pickup: vehicle ${next.vehicle} would be ${minutes(next.extra_wait)} later`);
  } else if (next.extra_wait === 0) {
    reasons.push(`vehicle ${next.vehicle} could be there at the same time`);
  } else {
    const taken = given.get(next.vehicle);
    const why = taken === undefined ? 'the policy keeps it free' : `it is assigned shipment ${taken} in this answer`;
    reasons.push(`vehicle ${next.vehicle} could be there ${minutes(-next.extra_wait)} earlier, but ${why}`);
  }
  const nearer = others.filter(({ approach_distance: distance }) => distance < metres).length;
  if (nearer === 0) reasons.push(`nearest vehicle: ${kilometres(metres)} of empty driving`);
  else
    reasons.push(
      `${kilometres(metres)} of empty driving; ${nearer === 1 ? 'one vehicle is' : `${nearer} vehicles are`} nearer`,
    );
  return reasons;
}

/** Which vehicle a waiting shipment is planned for, and when, as a sentence for a dispatcher. */
export function plannedWords(
  { request, considered, offset }: PlanningInput,
  world: World,
  e: number,
  j: number,
  { i, after, pickupAt }: PlannedStop,
): string {
  const pickup = pickupAt + offset;
  const spare = windowOf(considered[j].windows, pickup)[1] - pickup;
  const before = after < 0 ? '' : ` after shipment ${considered[after].id}`;
  const margin = spare >= 0 ? `${minutes(spare)} before its window ends` : `${minutes(-spare)} after its window ends`;
  return `planned for vehicle ${request.vehicles[i].id}${before}: pickup in ${minutes(pickupAt - world.state.now[e])}, ${margin}`;
}

function minutes(seconds: number): string {
  return seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function kilometres(metres: number): string {
  return metres < 1000 ? `${metres} m` : `${(metres / 1000).toFixed(1)} km`;
}

/**
 * Until when slot j can be left open and still be picked up in time by a vehicle as planned now; null if by none. Never too
 * late: on the way, the slowest traffic from now until then is assumed.
 */
export function latestSafe(planning: PlanningInput, world: World, e: number, j: number): number | null {
  const { state: st, compiled } = world;
  const { queue } = compiled.scenario;
  const s = e * world.slots + j;
  const now = st.now[e];
  let best: number | null = null;
  for (let i = 0; i < world.drivers; i++) {
    const d = e * world.drivers + i;
    if (st.planLength[d] >= queue) continue;
    if (!world.hasSkills(e, i, j)) continue;
    const depart = Math.max(now, st.freeAt[d]);
    const keeps = keeping(planning, world, e, i, j, depart);
    // One that begins later than is planned now can still be kept.
    const planned = world.isInTime(e, i, j) && world.isDroppedInTime(e, i, j) && world.isWithinShift(e, i, j);
    if (!planned && !(planning.several && keeps(depart))) continue;
    let latest = st.latestPickup[s] - slowest(world, e, i, j, depart);
    if (Math.min(st.latestDropoff[s], st.shiftEnd[d]) !== NEVER) latest = lastKept(depart, latest, keeps);
    // Before the vehicle is free nothing is lost; at the end of its window an open shipment is, tolerance or not.
    const safe = Math.max(now, Math.min(Math.max(depart, latest), st.windowEnd[s] - 1));
    if (best === null || safe > best) best = safe;
  }
  return best === null ? null : best + planning.offset;
}

/** Traffic factors by the hour of the day, highest and lowest: looked at by the hour, a day is 24 numbers and not 1,440. */
interface HourlyFactors {
  readonly most: Float64Array;
  readonly worst: number;
}
const hourly = new WeakMap<Float64Array, HourlyFactors>();

function hourlyFactors(byMinute: Float64Array): HourlyFactors {
  let found = hourly.get(byMinute);
  if (found === undefined) {
    const most = Float64Array.from({ length: 24 }, (_, h) => Math.max(...byMinute.subarray(60 * h, 60 * h + 60)));
    found = { most, worst: Math.max(...most) };
    hourly.set(byMinute, found);
  }
  return found;
}

/** Seconds from driver i to slot j in the worst hour from `depart` to the last pickup that is allowed. */
function slowest(world: World, e: number, i: number, j: number, depart: number): number {
  const { state: st, compiled } = world;
  const d = e * world.drivers + i;
  const s = e * world.slots + j;
  const { matrix, factorByMinute, scenario } = compiled;
  if (matrix?.periods !== undefined) {
    const leg = st.endZone[d] * matrix.zones + st.pickupZone[s];
    return matrix.periods.seconds.reduce((worst, table) => Math.max(worst, table[leg]), 0);
  }
  const { most } = hourlyFactors(factorByMinute);
  const from = Math.floor((scenario.startSecondOfDay + depart) / 3600);
  const last = Math.min(st.latestPickup[s], depart + 86_400);
  const to = Math.max(from, Math.floor((scenario.startSecondOfDay + last) / 3600));
  let factor = 0;
  for (let hour = from; hour <= to; hour++) factor = Math.max(factor, most[hour % 24]);
  return Math.ceil(st.approach[d * world.slots + j] * factor);
}

/** Seconds of the ride of slot j in the worst traffic of the day. */
function slowestRide(world: World, e: number, j: number): number {
  const { state: st, compiled } = world;
  const s = e * world.slots + j;
  const { matrix, factorByMinute } = compiled;
  if (matrix?.periods === undefined) return Math.ceil(st.rideSeconds[s] * hourlyFactors(factorByMinute).worst);
  const leg = st.pickupZone[s] * matrix.zones + st.dropoffZone[s];
  return matrix.periods.seconds.reduce((worst, table) => Math.max(worst, table[leg]), 0);
}

/** Whether driver i, leaving at a second, would keep all windows and its shift with slot j in the worst traffic. */
function keeping(
  { considered, rules, offset }: PlanningInput,
  world: World,
  e: number,
  i: number,
  j: number,
  depart: number,
): (leaving: number) => boolean {
  const { state: st, compiled } = world;
  const d = e * world.drivers + i;
  const s = e * world.slots + j;
  const { windows, deliveryWindows } = considered[j];
  const way = slowest(world, e, i, j, depart);
  const idle = st.planLength[d] === 0 && st.approach[d * world.slots + j] === 0;
  const served = slowestRide(world, e, j) + st.pickupService[s] + (idle ? compiled.scenario.idleBoardingSeconds : 0);
  const isDone = (pickup: number): boolean => {
    const there = pickup + served;
    const begun = deliveryWindows.length === 0 ? there : secondWithin(deliveryWindows, there + offset) - offset;
    return begun + st.dropoffService[s] <= st.shiftEnd[d];
  };
  return (leaving) => {
    const at = Math.max(leaving + way, windows[0][0] - offset);
    const inTime = secondWithin(windows, at + offset) - offset;
    return (
      (inTime !== Infinity && isDone(inTime)) || (latenessOf(windows, at + offset) <= rules.lateTolerance && isDone(at))
    );
  };
}

/** The last second up to `latest` at which leaving keeps all; before `depart` if there is none. Who leaves earlier keeps it, too. */
function lastKept(depart: number, latest: number, keeps: (leaving: number) => boolean): number {
  let [kept, lost] = [depart - 1, latest + 1];
  while (lost - kept > 1) {
    const middle = Math.floor((kept + lost) / 2);
    if (keeps(middle)) kept = middle;
    else lost = middle;
  }
  return kept;
}

/**
 * What stands in the way of slot j in environment e: each smallest set of constraints without which a vehicle could take it.
 * A slot that a vehicle can take there has lost to others. Vehicles are in the order in which they would be there.
 */
export function unassignedOf(planning: PlanningInput, world: World, e: number, j: number): UnassignedReason[] {
  const { request } = planning;
  const bySet = new Map<string, { relaxed: Constraint[]; vehicles: Id[]; first: number }>();
  const able: Id[] = [];
  // Where an excluded vehicle ends up is not known, so neither is what it could do.
  const judged = [...request.vehicles.keys()].filter((i) => planning.promised[i] !== null);
  const there = request.vehicles.map((_, i) => world.pickupSecond(e, i, j));
  for (const i of judged.sort((a, b) => there[a] - there[b] || a - b)) {
    const failing = failingOf(planning, world, e, i, j);
    if (failing.length === 0) {
      able.push(request.vehicles[i].id);
      continue;
    }
    const key = failing.join();
    const found = bySet.get(key);
    if (found === undefined) bySet.set(key, { relaxed: failing, vehicles: [request.vehicles[i].id], first: i });
    else found.vehicles.push(request.vehicles[i].id);
  }
  if (able.length > 0) {
    return [
      {
        relaxed: ['others'],
        vehicles: able,
        message: `${named(able)} could take it, but ${able.length === 1 ? 'is' : 'are'} needed for other shipments`,
      },
    ];
  }
  if (bySet.size === 0) {
    const message =
      request.vehicles.length === 0
        ? 'the request has no vehicles'
        : 'every vehicle is excluded from planning, see violations';
    return [{ relaxed: ['status'], vehicles: [], message }];
  }
  const sets = [...bySet.values()];
  const fewest = Math.min(...sets.map(({ relaxed }) => relaxed.length));
  return sets
    .filter(({ relaxed }) => relaxed.length === fewest)
    .map(({ relaxed, vehicles, first }) => ({
      relaxed,
      vehicles,
      message: obstacle(planning, world, e, first, j, vehicles, relaxed),
    }));
}

/** The constraints that driver i breaks with slot j. */
export function failingOf(planning: PlanningInput, world: World, e: number, i: number, j: number): Constraint[] {
  const failing: Constraint[] = [];
  const missing = world.state.skills[e * world.slots + j] & ~world.compiled.driverSkills[i];
  if ((missing & ~planning.capacityBits) !== 0) failing.push('skills');
  if ((missing & planning.capacityBits) !== 0) failing.push('capacity');
  if (world.state.approach[(e * world.drivers + i) * world.slots + j] >= NO_WAY) {
    // Without a way there are no times to judge.
    failing.push('route');
  } else {
    if (!world.isInTime(e, i, j)) failing.push('window');
    if (!world.isDroppedInTime(e, i, j)) failing.push('delivery_window');
    if (!world.isWithinShift(e, i, j)) failing.push('shift');
  }
  if (planning.snapshot.drivers[i].offDuty) failing.push('status');
  else if (!world.isAvailable(e, i)) failing.push('queue');
  return failing;
}

/** Constraints whose sentences hold the minutes of one vehicle. */
const timed: ReadonlySet<Constraint> = new Set(['window', 'delivery_window', 'shift']);

/**
 * Which constraints keep some vehicles from slot j, as a sentence for a dispatcher.
 * @param i the first of the vehicles, whose figures are given
 */
function obstacle(
  planning: PlanningInput,
  world: World,
  e: number,
  i: number,
  j: number,
  vehicles: readonly Id[],
  broken: readonly Constraint[],
): string {
  const several = vehicles.length > 1;
  const verbs = broken.map((constraint) => obstacleOf(planning, world, e, i, j, constraint, several));
  const whose = several && broken.some((one) => timed.has(one)) ? ` (figures of vehicle ${vehicles[0]})` : '';
  return `${named(vehicles)} ${verbs.join(' and ')}${whose}`;
}

/** The rest of a sentence that begins with the vehicle, or with several. */
function obstacleOf(
  { rules }: PlanningInput,
  world: World,
  e: number,
  i: number,
  j: number,
  constraint: Constraint,
  several: boolean,
): string {
  const { state: st } = world;
  switch (constraint) {
    case 'skills':
      return `${several ? 'lack' : 'lacks'} a required skill`;
    case 'capacity':
      return `${several ? 'lack' : 'lacks'} the required capacity`;
    case 'route':
      return `${several ? 'have' : 'has'} no route to it in the table`;
    case 'window': {
      const late = minutes(world.latenessAt(e, j, world.pickupSecond(e, i, j)));
      return `would be ${late} late at the pickup (${minutes(rules.lateTolerance)} allowed)`;
    }
    case 'delivery_window': {
      const after = world.dropoffSecond(e, i, j) - st.latestDropoff[e * world.slots + j];
      return `would finish ${minutes(after)} after the delivery window`;
    }
    case 'shift': {
      const after = world.dropoffSecond(e, i, j) - st.shiftEnd[e * world.drivers + i];
      return `would finish ${minutes(after)} after the end of the shift`;
    }
    case 'queue':
      return `${several ? 'have' : 'has'} a full plan (${rules.queue} shipment${rules.queue === 1 ? '' : 's'})`;
    case 'status':
      return `${several ? 'are' : 'is'} offline`;
  }
}

function named(vehicles: readonly Id[]): string {
  const shown = vehicles.slice(0, 3).join(', ');
  const more = vehicles.length > 3 ? ` and ${vehicles.length - 3} more` : '';
  return `vehicle${vehicles.length === 1 ? '' : 's'} ${shown}${more}`;
}
