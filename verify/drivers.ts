// The drivers of an episode: who they are, what each has promised to do, and that it is what happens.

import type { Findings } from './findings.js';
import type {
  AssignedLine,
  CreatedLine,
  DriverLine,
  Group,
  LegLine,
  Place,
  Rules,
  ServedLine,
  Tables,
} from './lines.js';
import { isRounded, placeAt, reachOf } from './travel.js';
import type { Travel } from './travel.js';

/** Something that a driver is to do. */
interface Step {
  readonly what: string;
  readonly second: number;
  readonly booking: number;
  readonly place: Place;
}

interface Driver {
  readonly line: DriverLine;
  /** What is still to be done, in order. */
  readonly steps: Step[];
  /** Where and when the plan ends. */
  end: Place;
  freeAt: number;
  /** Second of the episode by which the driver must be done. */
  readonly shiftEnd: number;
  load: number;
  takenThisTick: number;
}

/** Drivers by number. */
export class Drivers {
  /** Seconds under way within the horizon, over all. */
  busySeconds = 0;
  readonly #rules: Rules;
  readonly #travel: Travel;
  readonly #tables: Tables | null;
  readonly #findings: Findings;
  readonly #drivers: Driver[] = [];

  constructor(rules: Rules, travel: Travel, tables: Tables | null, findings: Findings) {
    this.#rules = rules;
    this.#travel = travel;
    this.#tables = tables;
    this.#findings = findings;
  }

  /** Bookings that each has taken. */
  get loads(): number[] {
    return this.#drivers.map(({ load }) => load);
  }

  /** REGULAR or EMERGENCY. */
  typeOf(driver: number): string {
    return this.#drivers[driver]?.line.type ?? '';
  }

  /** A driver at the start. */
  add(line: DriverLine): void {
    const f = this.#findings;
    const { drivers, regularShare, skills } = this.#rules;
    const { driver } = line;
    f.same('fleet', 'number of the driver', driver, this.#drivers.length);
    const group = this.#groupOf(driver);
    const regular = driver < Math.floor(drivers * regularShare) ? 'REGULAR' : 'EMERGENCY';
    f.same('fleet', `type of driver ${driver}`, line.type, group === undefined ? regular : group.type);
    const has = skills
      .filter(({ name, driverShare }) =>
        group === undefined
          ? Math.floor((driver + 1) * driverShare) > Math.floor(driver * driverShare)
          : group.skills.includes(name),
      )
      .map(({ name }) => name);
    f.same('fleet', `skills of driver ${driver}`, line.skills.join(', '), has.join(', '));
    this.#checkStart(line, group);
    const start = this.#rules.startSecondOfDay;
    const freeAt = Math.max(0, (group?.shiftFromSecondOfDay ?? 0) - start);
    const shiftEnd = (group?.shiftToSecondOfDay ?? Infinity) - start;
    this.#drivers.push({ line, steps: [], end: line.place, freeAt, shiftEnd, load: 0, takenThisTick: 0 });
  }

  #groupOf(driver: number): Group | undefined {
    let left = driver;
    return this.#rules.fleet?.find(({ drivers }) => (left -= drivers) < 0);
  }

  #checkStart({ driver, place }: DriverLine, group: Group | undefined): void {
    const f = this.#findings;
    if (group !== undefined) {
      const home = placeAt(this.#rules, group.homeLatitude, group.homeLongitude);
      f.place('fleet', `place of driver ${driver} at the start`, place, home);
      return;
    }
    const { evaluationStart } = this.#rules;
    const subject = `place of driver ${driver} at the start`;
    const tables = this.#tables;
    if (tables !== null) {
      const zone =
        evaluationStart === 'depot' ? 0 : evaluationStart === 'roundRobin' ? driver % tables.zones : (place.zone ?? -1);
      if (zone in tables.x) f.place('fleet', subject, place, { x: tables.x[zone], y: tables.y[zone], zone });
      else f.add('fleet', `zone of the ${subject}`, zone, `0 to ${tables.zones - 1}`);
    } else if (evaluationStart === 'random') {
      const reach = reachOf(this.#rules);
      f.atMost('fleet', `metres east or west, ${subject}`, Math.abs(place.x), reach.x + 0.01);
      f.atMost('fleet', `metres north or south, ${subject}`, Math.abs(place.y), reach.y + 0.01);
    } else f.place('fleet', subject, place, { x: 0, y: 0 });
  }

  /** All drivers are there. */
  checkFleet(): void {
    this.#findings.same('fleet', 'drivers', this.#drivers.length, this.#rules.drivers);
  }

  #of(driver: number): Driver | undefined {
    const found = this.#drivers[driver];
    if (found === undefined) this.#findings.add('fleet', 'driver', driver, `0 to ${this.#drivers.length - 1}`);
    return found;
  }

  /** A driver takes a booking: may it, and is what it promises possible? */
  assign(line: AssignedLine, booking: CreatedLine): void {
    const driver = this.#of(line.driver);
    if (driver === undefined) return;
    const f = this.#findings;
    const rules = this.#rules;
    const who = `driver ${line.driver}`;
    const of = (what: string): string => `${what} of booking ${line.booking} by ${who}`;
    driver.takenThisTick++;
    f.atMost(
      'decisions',
      `bookings that ${who} takes in this tick`,
      driver.takenThisTick,
      rules.assignmentsPerDriverPerTick,
    );
    const planned = new Set(driver.steps.map((step) => step.booking));
    f.atMost('queue', `bookings in the plan of ${who}`, planned.size + 1, rules.queue);
    for (const skill of booking.skills) {
      if (!driver.line.skills.includes(skill)) {
        f.add('skills', `skills of ${who} for booking ${line.booking}`, driver.line.skills.join(', ') || 'none', skill);
      }
    }

    const { pickup, dropoff } = booking;
    f.same('travel', of('departure to the pickup'), line.departAt, Math.max(line.second, driver.freeAt));
    const metres = this.#travel.metres(driver.end, pickup);
    f.metres('travel', of('metres to the pickup'), line.approachMetres, metres);
    this.#checkLeg(
      of('seconds to the pickup'),
      line.arriveAt - line.departAt,
      driver.end,
      pickup,
      metres,
      line.departAt,
    );
    f.same('window', of('pickup'), line.pickupAt, Math.max(line.arriveAt, booking.windowStart));
    f.atMost('lateness', of('pickup'), line.pickupAt, booking.windowEnd + rules.lateToleranceSeconds);
    const stands = planned.size === 0 && this.#travel.freeFlow(driver.end, pickup, metres, line.departAt) === 0;
    const boarding = rules.pickupServiceSeconds + (stands ? rules.idleBoardingSeconds : 0);
    f.same('service', of('departure with passengers'), line.leaveAt, line.pickupAt + boarding);
    const ride = line.reachAt - line.leaveAt;
    this.#checkLeg(of('seconds of the ride'), ride, pickup, dropoff, booking.rideMetres, line.leaveAt);
    f.same('service', of('drop-off'), line.dropoffAt, line.reachAt + rules.dropoffServiceSeconds);
    f.atMost('shift', of('drop-off'), line.dropoffAt, driver.shiftEnd);

    const step = (what: string, second: number, place: Place): Step => ({ what, second, booking: line.booking, place });
    driver.steps.push(
      step('departed (approach)', line.departAt, driver.end),
      step('arrived (approach)', line.arriveAt, pickup),
      step('pickedUp', line.pickupAt, pickup),
      step('departed (ride)', line.leaveAt, pickup),
      step('arrived (ride)', line.reachAt, dropoff),
      step('completed', line.dropoffAt, dropoff),
    );
    const end = rules.horizonSeconds;
    this.busySeconds += Math.min(line.dropoffAt, end) - Math.min(line.departAt, end);
    driver.end = dropoff;
    driver.freeAt = line.dropoffAt;
    driver.load++;
  }

  #checkLeg(subject: string, found: number, from: Place, to: Place, metres: number, departAt: number): void {
    const seconds = this.#travel.seconds(from, to, metres, departAt);
    if (!isRounded(found, seconds)) this.#findings.add('travel', subject, found, Math.round(seconds));
  }

  /** A driver departs, arrives, picks up or drops off: it is what comes next in its plan, then and there. */
  act(line: LegLine | ServedLine): void {
    const driver = this.#of(line.driver);
    if (driver === undefined) return;
    const f = this.#findings;
    const { steps } = driver;
    const what = 'leg' in line ? `${line.kind} (${line.leg})` : line.kind;
    const at = steps.findIndex((step) => step.what === what && step.booking === line.booking);
    const next = steps[0];
    if (at !== 0) {
      f.add(
        'driver',
        `what driver ${line.driver} does`,
        named(what, line.booking),
        next === undefined ? 'nothing' : named(next.what, next.booking),
      );
      if (at < 0) return;
      steps.splice(0, at);
    }
    const step = steps.shift()!;
    f.same('promise', `second of ${named(what, line.booking)}`, line.second, step.second);
    f.place('promise', `place of ${named(what, line.booking)}`, line.place, step.place);
  }

  /** A tick ends at `second`: everything that was to happen by then has. */
  endTick(second: number): void {
    for (const [k, driver] of this.#drivers.entries()) {
      driver.takenThisTick = 0;
      while (driver.steps.length > 0 && driver.steps[0].second <= second) {
        const step = driver.steps.shift()!;
        const subject = `${named(step.what, step.booking)} by driver ${k}`;
        this.#findings.add('promise', subject, 'it is not in the log', `at second ${step.second}`);
      }
    }
  }
}

function named(what: string, booking: number): string {
  return `${what}, booking ${booking}`;
}
