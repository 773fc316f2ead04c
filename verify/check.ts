// Goes through a log line by line and holds it to the rules. Nothing here is the simulator's: what is checked is computed from the
// lines and the formulas of the documentation alone.

import { Bookings } from './bookings.js';
import { Drivers } from './drivers.js';
import { Findings } from './findings.js';
import type { Finding } from './findings.js';
import type { AssignedLine, EndLine, EpisodeLogFile, Header, Line, TickLine } from './lines.js';
import { readLog } from './read-log.js';
import { assignmentReward, spread } from './rewards.js';
import { Travel } from './travel.js';

/** What a check of a log found. */
export interface VerifiedLog {
  /** Nothing was found. */
  readonly ok: boolean;
  readonly scenario: string;
  readonly id: string;
  readonly policy: string;
  /** As the log says. */
  readonly return: number | null;
  readonly lines: number;
  readonly ticks: number;
  readonly bookings: number;
  readonly assignments: number;
  readonly findings: readonly Finding[];
}

/**
 * Checks the text of a log.
 * @throws VerifyError `ERR_LOG` for a text that is no log, or has a line that cannot be read
 */
export function verifyLog(text: string): VerifiedLog {
  return new Check(readLog(text)).run();
}

/** Sums of an episode. */
interface Sums {
  assignments: number;
  onTime: number;
  lateSeconds: number;
  waitSeconds: number;
  approachMetres: number;
  rideMetres: number;
  invalid: number;
  waits: number;
}

class Check {
  readonly #header: Header;
  readonly #lines: readonly Line[];
  readonly #findings = new Findings();
  readonly #bookings: Bookings;
  readonly #drivers: Drivers;
  readonly #sums: Sums = {
    assignments: 0,
    onTime: 0,
    lateSeconds: 0,
    waitSeconds: 0,
    approachMetres: 0,
    rideMetres: 0,
    invalid: 0,
    waits: 0,
  };
  /** How wrong each count was at the end of the last tick. */
  readonly #wrong = new Map<string, number>();
  /** Second of the last line, and of the start of the tick in hand. */
  #second = -Infinity;
  #from = 0;
  #ticks = 0;
  #return = 0;
  #end: EndLine | null = null;
  // Of the tick in hand.
  #decisions = 0;
  #invalid = 0;
  #earned = 0;
  #lost = 0;
  /** Bookings open when the tick's decisions are made; what has been assigned is no longer. */
  #openNow = 0;
  /** Bookings have been refused as the tick ends: nothing is decided after that. */
  #isDecided = false;

  constructor({ header, lines }: EpisodeLogFile) {
    this.#header = header;
    this.#lines = lines;
    const { scenario, matrix } = header;
    const tables = scenario.travel.kind === 'matrix' ? matrix : null;
    this.#bookings = new Bookings(scenario, tables, this.#findings);
    this.#drivers = new Drivers(scenario, new Travel(scenario, tables), tables, this.#findings);
  }

  run(): VerifiedLog {
    const { scenario, id, policy } = this.#header;
    const f = this.#findings;
    let isFleet = true;
    for (const [k, line] of this.#lines.entries()) {
      f.line = k + 2;
      if (line.kind === 'driver') {
        if (!isFleet) f.add('order', 'place of the driver', 'after the first event', 'right after the header');
        this.#drivers.add(line);
        continue;
      }
      if (isFleet) this.#drivers.checkFleet();
      isFleet = false;
      if (this.#end !== null) f.add('order', 'line after the end', line.kind, 'nothing');
      this.#checkSecond(line);
      this.#bookings.beforeLine(line.kind, 'booking' in line ? line.booking : undefined);
      this.#take(line);
    }
    f.line = this.#lines.length + 1;
    if (this.#end === null) f.add('order', 'last line', this.#lines.at(-1)?.kind ?? 'header', 'end');
    return {
      ok: f.list.length === 0,
      scenario: scenario.name,
      id,
      policy,
      return: this.#end?.return ?? null,
      lines: this.#lines.length + 1,
      ticks: this.#ticks,
      bookings: this.#bookings.created,
      assignments: this.#sums.assignments,
      findings: f.list,
    };
  }

  #checkSecond(line: Exclude<Line, { kind: 'driver' }>): void {
    const f = this.#findings;
    const { tickSeconds } = this.#header.scenario;
    if (line.second < this.#second) f.add('order', `second of ${line.kind}`, line.second, `at least ${this.#second}`);
    f.atMost('order', `second of ${line.kind} in tick ${this.#ticks}`, line.second, this.#from + tickSeconds);
    this.#second = Math.max(this.#second, line.second);
  }

  #take(line: Exclude<Line, { kind: 'driver' }>): void {
    const bookings = this.#bookings;
    switch (line.kind) {
      case 'created':
        bookings.create(line, this.#from);
        if (line.second <= this.#from) this.#openNow++;
        break;
      case 'expired':
      case 'refused':
        this.#lose(line);
        break;
      case 'assigned':
        this.#assign(line);
        break;
      case 'departed':
      case 'arrived':
        this.#drivers.act(line);
        break;
      case 'pickedUp':
        bookings.move(line.booking, 'assigned', 'pickedUp');
        this.#drivers.act(line);
        break;
      case 'completed':
        bookings.move(line.booking, 'pickedUp', 'completed');
        this.#drivers.act(line);
        break;
      case 'invalid':
        this.#findings.same('decisions', 'second of the decision', line.second, this.#from);
        this.#invalid++;
        break;
      case 'tick':
        this.#endTick(line);
        break;
      case 'end':
        this.#finish(line);
    }
  }

  #lose(line: Extract<Line, { kind: 'expired' | 'refused' }>): void {
    const { scenario } = this.#header;
    const isTickEnd = line.kind === 'refused' && this.#bookings.counts.open <= scenario.slots;
    if (isTickEnd) this.#isDecided = true;
    else if (line.second <= this.#from) this.#openNow--;
    const priority = this.#bookings.lose(line, this.#from);
    const each = line.kind === 'expired' ? scenario.expiryRewardPerPriority : scenario.refusalRewardPerPriority;
    // What is lost before the first tick, nobody could have helped.
    const isFree = !isTickEnd && line.second <= 0;
    if (!isFree) this.#lost += each * priority;
  }

  #assign(line: AssignedLine): void {
    const { scenario } = this.#header;
    const f = this.#findings;
    f.same('decisions', 'second of the decision', line.second, this.#from);
    f.same('decisions', 'tick of the decision', line.tick, this.#ticks);
    f.same('decisions', 'number of the decision in its tick', line.decision, this.#decisions);
    this.#decisions++;
    f.atMost('decisions', `decisions in tick ${this.#ticks}`, this.#decisions, scenario.decisionsPerTick);
    if (this.#isDecided)
      f.add('decisions', 'assignment', 'after bookings were refused as the tick ends', 'before that');
    this.#openNow--;
    this.#bookings.move(line.booking, 'open', 'assigned');
    const booking = this.#bookings.of(line.booking);
    if (booking === undefined) return;
    this.#drivers.assign(line, booking);

    const lateSeconds = line.pickupAt - booking.windowEnd;
    const reward = assignmentReward(scenario, {
      lateSeconds,
      approachMetres: line.approachMetres,
      approachSeconds: line.arriveAt - line.departAt,
      rideMetres: booking.rideMetres,
      fare: booking.fare,
      priority: booking.priority,
      type: this.#drivers.typeOf(line.driver),
      loads: this.#drivers.loads,
    });
    f.sum('reward', `reward of the assignment of booking ${line.booking}`, line.reward, reward);
    this.#earned += reward;
    const sums = this.#sums;
    sums.assignments++;
    if (lateSeconds <= 0) sums.onTime++;
    sums.lateSeconds += Math.max(0, lateSeconds);
    sums.waitSeconds += line.pickupAt - booking.second;
    sums.approachMetres += line.approachMetres;
    sums.rideMetres += booking.rideMetres;
  }

  #endTick(line: TickLine): void {
    const { scenario } = this.#header;
    const f = this.#findings;
    f.same('order', 'number of the tick', line.tick, this.#ticks);
    const to = this.#from + scenario.tickSeconds;
    f.same('order', `second at which tick ${this.#ticks} ends`, line.second, to);
    // A tick that has been before.
    if (line.second <= this.#from) return;
    this.#bookings.endTick(this.#from, to);
    this.#drivers.endTick(to);

    const { counts } = this.#bookings;
    this.#count('created', line.created, this.#bookings.created);
    let sum = 0;
    for (const [stage, count] of Object.entries(counts) as [keyof typeof counts, number][]) {
      this.#count(stage, line[stage], count);
      sum += line[stage];
    }
    f.same('conservation', 'open + assigned + pickedUp + completed + expired + refused', sum, line.created);

    const waits = this.#decisions < scenario.decisionsPerTick;
    const wait = waits ? scenario.waitRewardPerOpen * this.#openNow : 0;
    const invalid = scenario.invalidActionReward * this.#invalid;
    f.sum('reward', 'reward of the assignments', line.assignmentReward, this.#earned);
    f.sum('reward', 'reward of illegal actions', line.invalidReward, invalid);
    f.sum('reward', `reward of the wait with ${this.#openNow} open`, line.waitReward, wait);
    f.sum('reward', 'reward of lost bookings', line.lostReward, this.#lost);
    const reward = this.#earned + invalid + wait + this.#lost;
    f.sum('reward', `reward of tick ${this.#ticks}`, line.reward, reward);
    f.sum('reward', 'return so far', line.return, this.#return + reward);
    // What has been said once is not said again at every tick.
    this.#return = line.return;

    this.#sums.invalid += this.#invalid;
    if (waits) this.#sums.waits++;
    this.#ticks = line.tick + 1;
    this.#from = line.second;
    this.#decisions = this.#invalid = this.#earned = this.#lost = 0;
    this.#openNow = counts.open;
    this.#isDecided = false;
  }

  /** Reports a count that is wrong in another way than it was at the end of the last tick. */
  #count(stage: string, found: number, expected: number): void {
    const wrong = found - expected;
    if (wrong !== 0 && wrong !== (this.#wrong.get(stage) ?? 0)) {
      this.#findings.same('conservation', stage, found, expected);
    }
    this.#wrong.set(stage, wrong);
  }

  #finish(line: EndLine): void {
    const { scenario } = this.#header;
    const f = this.#findings;
    this.#end = line;
    f.same('order', 'ticks', this.#ticks, scenario.horizonSeconds / scenario.tickSeconds);
    f.same('order', 'second of the end', line.second, scenario.horizonSeconds);
    f.same('order', 'kind of the end', line.end, scenario.horizonEnd);
    f.sum('reward', 'return', line.return, this.#return);
    for (const [name, value] of Object.entries(this.#figures())) {
      const found = Object.hasOwn(line.figures, name) ? line.figures[name] : NaN;
      if (!Number.isFinite(found)) f.add('figures', name, 'it is not there', value);
      else f.sum('figures', name, found, value);
    }
  }

  /** As engine/README.md defines them. */
  #figures(): Record<string, number> {
    const { drivers, horizonSeconds } = this.#header.scenario;
    const { counts, created } = this.#bookings;
    const sums = this.#sums;
    const { assignments: accepted } = sums;
    const per = (value: number, by: number): number => (by === 0 ? 0 : value / by);
    return {
      created,
      accepted,
      completed: counts.completed,
      expired: counts.expired,
      refused: counts.refused,
      openAtEnd: counts.open,
      serviceRate: per(accepted, created),
      onTimeRate: per(sums.onTime, accepted),
      meanWaitMinutes: per(sums.waitSeconds / 60, accepted),
      meanLatenessMinutes: per(sums.lateSeconds / 60, accepted),
      meanApproachKm: per(sums.approachMetres / 1000, accepted),
      emptyShare: per(sums.approachMetres, sums.approachMetres + sums.rideMetres),
      utilisation: per(this.#drivers.busySeconds, drivers * horizonSeconds),
      loadStd: spread(this.#drivers.loads),
      invalidActions: sums.invalid,
      decisions: accepted + sums.waits,
    };
  }
}
