// The transition: one world holds `n` environments and moves them by one decision at a time. The simulator, training,
// evaluation and explanation all go through here. Knows typed arrays and nothing else.
//
// Hot code: every array is a field of one concrete type, nothing is allocated, and only what changed is touched. A slot's
// mask column and observation are zeroed when it closes, so that empty slots cost nothing. Callers must therefore treat
// observations and masks as read-only.

import { wholeNumber } from './check-options.js';
import { checkSituation } from './check-situation.js';
import type { CompiledScenario } from './compile.js';
import { EngineError } from './errors.js';
import type { EventLog } from './event-log.js';
import { kpiNames } from './kpis.js';
import { observationShape, observationSize } from './observation.js';
import type { ObservationKind } from './observation.js';
import { Purpose, STREAM_WORDS, floatAt, nextFloat, nextInteger, seedStream } from './random.js';
import { weightedReward } from './reward.js';
import { actionCount } from './scenario.js';
import type { RewardWeights } from './scenario.js';
import { NEVER } from './situation.js';
import type { Situation, SituationBooking, SituationDriver } from './situation.js';
import type { MatrixTravel } from './travel.js';
import { secondsAfter, windowAt, windowStride, writeWindows } from './windows.js';
import { SUMS, Sum } from './world-layout.js';
import type { OutputViews, StateViews } from './world-layout.js';

/** Observations carry times in hours: 60 minutes are 1. */
const PER_HOUR: number = 1 / 3600;
const MINUTES = 24 * 60;

/** Which day, and from where: drawn from the seed (training), or as listed (evaluation). */
export interface EpisodeSource {
  /** `sampled` draws a day of `days` for each episode; `listed` plays `days[env]`. */
  readonly mode: 'sampled' | 'listed';
  /** Indices into the trace's days; empty without a trace. */
  readonly days: Int32Array;
}

export class World {
  readonly compiled: CompiledScenario;
  readonly state: StateViews;
  readonly out: OutputViews;
  readonly drivers: number;
  readonly slots: number;
  readonly actions: number;
  readonly observation: ObservationKind;
  readonly observationSize: number;
  /** Set to record what happens; only sensible for a world with one environment of interest. */
  log: EventLog | null = null;

  readonly #source: EpisodeSource;
  readonly #firstEnv: number;
  readonly #full: boolean;
  readonly #words: number;
  readonly #queue: number;
  readonly #startSecond: number;
  readonly #tickSeconds: number;
  readonly #decisionLimit: number;
  readonly #takeLimit: number;
  readonly #tolerance: number;
  readonly #untilTickEnd: boolean;
  readonly #metresPerSecond: number;
  readonly #costPerMetre: number;
  readonly #weights: RewardWeights | null;
  readonly #driverColumns: number;
  readonly #bookingColumns: number;
  readonly #bookingsAt: number;
  readonly #contextAt: number;
  readonly #scaleX: number;
  readonly #scaleY: number;
  /** Windows that a booking may have, 0 where all have one; and their elements of the state by slot. */
  readonly #several: number;
  readonly #stride: number;
  /** Open slots of the environment in hand, ascending. */
  readonly #openSlots: Int32Array;
  /** Slots that have opened since the last refresh, which always ends the same call. */
  readonly #fresh: Int32Array;
  #freshCount = 0;
  readonly #startStream: Int32Array = new Int32Array(STREAM_WORDS);

  /**
   * @param firstEnv index of this world's environment 0 over the whole run, so that a part draws what the whole would
   */
  constructor(
    compiled: CompiledScenario,
    state: StateViews,
    out: OutputViews,
    observation: ObservationKind,
    source: EpisodeSource,
    firstEnv: number,
  ) {
    const s = compiled.scenario;
    const shape = observationShape(s, observation);
    this.compiled = compiled;
    this.state = state;
    this.out = out;
    this.drivers = s.drivers;
    this.slots = s.slots;
    this.actions = actionCount(s);
    this.observation = observation;
    this.observationSize = observationSize(s, observation);
    this.#source = source;
    this.#firstEnv = firstEnv;
    this.#full = observation === 'full';
    this.#words = Math.ceil(s.slots / 32);
    this.#queue = s.queue;
    this.#startSecond = s.startSecondOfDay;
    this.#tickSeconds = s.tickSeconds;
    this.#decisionLimit = Math.min(s.decisionsPerTick, NEVER);
    this.#takeLimit = s.assignmentsPerDriverPerTick;
    this.#tolerance = Math.min(s.lateToleranceSeconds, NEVER);
    this.#untilTickEnd = s.openUntil === 'tickEnd';
    this.#metresPerSecond = s.travel.kind === 'plane' ? s.travel.speedKmh / 3.6 : 0;
    this.#costPerMetre = s.reward.kind === 'fare' ? Math.round(s.reward.costPerMetre * 1e4) : 0;
    this.#weights = s.reward.kind === 'weighted' ? s.reward.weights : null;
    this.#driverColumns = shape.driverColumns.length;
    this.#bookingColumns = shape.bookingColumns.length;
    this.#bookingsAt = s.drivers * this.#driverColumns;
    this.#contextAt = this.#bookingsAt + s.slots * this.#bookingColumns;
    this.#scaleX = 1 / compiled.extentX;
    this.#scaleY = 1 / compiled.extentY;
    this.#several = compiled.windows;
    this.#stride = windowStride(compiled);
    this.#openSlots = new Int32Array(s.slots);
    this.#fresh = new Int32Array(s.slots);
  }

  // ---------------------------------------------------------------- questions

  /** The number in [0, 1) that belongs to environment e's present decision; the same whoever asks. */
  floatNow(e: number, purpose: Purpose): number {
    const st = this.state;
    return floatAt(st.seed[e], this.#firstEnv + e, st.episode[e], purpose, st.steps[e]);
  }

  /** Number of the action that assigns slot j to driver i. */
  actionOf(i: number, j: number): number {
    return 1 + i * this.slots + j;
  }

  /** Whether slot j of environment e holds an open booking. */
  isOpen(e: number, j: number): boolean {
    return (this.state.openBits[e * this.#words + (j >>> 5)] & (1 << (j & 31))) !== 0;
  }

  /** Writes the open slots of environment e, ascending, and says how many. */
  openSlots(e: number, into: Int32Array): number {
    const bits = this.state.openBits;
    let count = 0;
    for (let w = 0; w < this.#words; w++) {
      let word = bits[e * this.#words + w];
      while (word !== 0) {
        const lowest = word & -word;
        into[count++] = (w << 5) + 31 - Math.clz32(lowest);
        word ^= lowest;
      }
    }
    return count;
  }

  /** Whether driver i of environment e can take another booking now. */
  isAvailable(e: number, i: number): boolean {
    const d = e * this.drivers + i;
    return this.state.planLength[d] < this.#queue && this.state.takenThisTick[d] < this.#takeLimit;
  }

  /** The predicate: whether assigning slot j to driver i would be accepted. */
  accepts(e: number, i: number, j: number): boolean {
    return (
      this.isOpen(e, j) &&
      this.isAvailable(e, i) &&
      this.hasSkills(e, i, j) &&
      this.isInTime(e, i, j) &&
      (this.state.dropoffsBound[e] === 0 || (this.isDroppedInTime(e, i, j) && this.isWithinShift(e, i, j)))
    );
  }

  /** Whether driver i has the skills that slot j needs. */
  hasSkills(e: number, i: number, j: number): boolean {
    return (this.state.skills[e * this.slots + j] & ~this.compiled.driverSkills[i]) === 0;
  }

  /** Whether driver i would be at slot j's pickup within its window and the tolerance. */
  isInTime(e: number, i: number, j: number): boolean {
    const s = e * this.slots + j;
    const pickupAt = this.pickupSecond(e, i, j);
    if (this.#several === 0 || this.state.windowCounts[2 * s] === 0) return pickupAt <= this.state.latestPickup[s];
    return this.#lateBy(s, pickupAt) <= this.#tolerance;
  }

  /** Whether slot j would be dropped off by when it must be. */
  isDroppedInTime(e: number, i: number, j: number): boolean {
    return (
      this.state.dropoffsBound[e] === 0 || this.dropoffSecond(e, i, j) <= this.state.latestDropoff[e * this.slots + j]
    );
  }

  /** Whether driver i would be done with slot j by the end of the shift. */
  isWithinShift(e: number, i: number, j: number): boolean {
    return (
      this.state.dropoffsBound[e] === 0 || this.dropoffSecond(e, i, j) <= this.state.shiftEnd[e * this.drivers + i]
    );
  }

  /** Second at which driver i would be done with the booking in slot j: at the drop-off, service included. */
  dropoffSecond(e: number, i: number, j: number): number {
    return this.#dropoffAfter(e, i, j, this.pickupSecond(e, i, j));
  }

  /**
   * Second at which driver i would pick up the booking in slot j: after its plan, the way there, and the window's start. Of
   * several windows it is the first in which the pickup is in time; the one before, late, where that cannot be kept.
   */
  pickupSecond(e: number, i: number, j: number): number {
    return this.#pickupAt(e, i, j, false);
  }

  /** Seconds by which a pickup of slot j at second `at` is late: after its window, or the last one before it; else 0. */
  latenessAt(e: number, j: number, at: number): number {
    return Math.max(0, this.#lateBy(e * this.slots + j, at));
  }

  /** Seconds under traffic from the end of driver i's plan to the pickup in slot j. */
  approachSeconds(e: number, i: number, j: number): number {
    const d = e * this.drivers + i;
    const depart = Math.max(this.state.now[e], this.state.freeAt[d]);
    return arrival(depart, this.state.approach[d * this.slots + j], this.#factorAt(depart), 0) - depart;
  }

  /** Empty metres from the end of driver i's plan to the pickup in slot j. */
  approachMetres(e: number, i: number, j: number): number {
    const st = this.state;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    const matrix = this.compiled.matrix;
    if (matrix !== null) return matrix.metres[st.endZone[d] * matrix.zones + st.pickupZone[s]];
    const dx = st.pickupX[s] - st.endX[d];
    const dy = st.pickupY[s] - st.endY[d];
    return Math.sqrt(dx * dx + dy * dy);
  }

  /** Reward of assigning slot j to driver i now, whether or not it is legal. */
  assignmentReward(e: number, i: number, j: number): number {
    const st = this.state;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    const pickupAt = this.pickupSecond(e, i, j);
    const late = this.#lateBy(s, pickupAt);
    const metres = this.approachMetres(e, i, j);
    if (this.#weights === null) {
      const driven = metres + st.rideMetres[s];
      return ((late <= 0 ? st.fare[s] : 0) - this.#costPerMetre * driven) / 1e4;
    }
    const seconds = this.approachSeconds(e, i, j);
    const sum = st.loadSum[e] + 1;
    const squares = st.loadSquares[e] + 2 * st.load[d] + 1;
    const mean = sum / this.drivers;
    const spread = Math.sqrt(Math.max(0, squares / this.drivers - mean * mean));
    return weightedReward(this.#weights, late, metres, seconds, spread, this.compiled.emergency[i], st.priority[s]);
  }

  // ---------------------------------------------------------------- reset

  /**
   * Starts episode `episode` of environment e and writes its first observation and mask.
   * @throws EngineError `ERR_OPTION` for an environment that the world does not have, or numbers that are not whole
   */
  reset(e: number, seed: number, episode: number): void {
    this.#checkStart(e, seed, episode);
    const st = this.state;
    const c = this.compiled;
    const env = this.#firstEnv + e;
    this.#clear(e, seed, episode);
    const listed = this.#source.mode === 'listed';
    const start = listed ? c.scenario.evaluationStart : c.scenario.trainingStart;
    const stream = this.#startStream;
    seedStream(stream, 0, seed, env, episode, Purpose.start);
    for (let i = 0; i < this.drivers; i++) {
      const d = e * this.drivers + i;
      st.freeAt[d] = st.planHead[d] = st.planLength[d] = st.onBoard[d] = st.load[d] = st.takenThisTick[d] = 0;
      st.nextEventAt[d] = st.shiftEnd[d] = NEVER;
      st.stale[d] = 1;
      if (c.matrix !== null) {
        const zones = c.matrix.zones;
        const zone = start === 'random' ? nextInteger(stream, 0, 0, zones - 1) : start === 'roundRobin' ? i % zones : 0;
        st.endZone[d] = zone;
        st.endX[d] = c.matrix.x[zone]!;
        st.endY[d] = c.matrix.y[zone]!;
      } else {
        // The depot is the centre; in a plane round robin has no other places to go round.
        st.endX[d] = start === 'random' ? (2 * nextFloat(stream, 0) - 1) * c.extentX : 0;
        st.endY[d] = start === 'random' ? (2 * nextFloat(stream, 0) - 1) * c.extentY : 0;
        st.endZone[d] = 0;
      }
      this.#observeDriverPlace(e, i);
    }

    seedStream(st.demandStream, e * STREAM_WORDS, seed, env, episode, Purpose.demand);
    if (c.dataset !== null) {
      const days = this.#source.days;
      seedStream(stream, 0, seed, env, episode, Purpose.day);
      st.day[e] = listed ? days[e] : days[nextInteger(stream, 0, 0, days.length - 1)];
      st.cursor[e] = c.dataset.trace.dayStart[st.day[e]]!;
      this.#arriveFromTrace(e, 0);
    } else if (c.scenario.demand.kind === 'synthetic') {
      const [low, high] = c.scenario.demand.initialBookings;
      const count = nextInteger(st.demandStream, e * STREAM_WORDS, low, high);
      for (let k = 0; k < count; k++) this.#drawBooking(e, 0);
    }
    this.#refresh(e);
  }

  #checkStart(e: number, seed: number, episode: number): void {
    this.#checkEnvironment('e', e, this);
    wholeNumber('seed', seed, 0);
    wholeNumber('episode', episode, 0, NEVER);
  }

  #checkEnvironment(name: string, e: number, world: World): void {
    const { length } = world.state.now;
    if (Number.isInteger(e) && e >= 0 && e < length) return;
    throw new EngineError('ERR_OPTION', `${name} is ${String(e)}: the world has environments 0 to ${length - 1}`);
  }

  #clear(e: number, seed: number, episode: number): void {
    const st = this.state;
    st.started[e] = 1;
    st.dropoffsBound[e] = 0;
    st.seed[e] = seed;
    st.episode[e] = episode;
    st.now[e] = st.tick[e] = st.decisions[e] = st.steps[e] = 0;
    st.created[e] = st.open[e] = st.assigned[e] = st.pickedUp[e] = st.completed[e] = 0;
    st.expired[e] = st.refused[e] = st.onTime[e] = st.invalid[e] = 0;
    st.loadSum[e] = st.loadSquares[e] = st.episodeReturn[e] = 0;
    for (let k = 0; k < SUMS; k++) st.sums[e * SUMS + k] = 0;
    for (let w = 0; w < this.#words; w++) st.openBits[e * this.#words + w] = 0;
    if (this.#several > 0) st.patience[e] = NEVER;
    this.#freshCount = 0;
    this.#blank(e);
  }

  #blank(e: number): void {
    this.out.observations.fill(0, e * this.observationSize, (e + 1) * this.observationSize);
    this.out.actionMasks.fill(0, e * this.actions, (e + 1) * this.actions);
    this.out.actionMasks[e * this.actions] = 1;
  }

  // ---------------------------------------------------------------- other states

  /**
   * Puts a live state into environment e, in place of a reset. Demand goes on as `imagine` draws it.
   * @throws EngineError `ERR_OPTION` for a situation that makes no sense or does not fit the world: nothing has changed then
   */
  place(e: number, seed: number, episode: number, situation: Situation): void {
    this.#checkStart(e, seed, episode);
    checkSituation(situation, this.compiled);
    this.#trainingDays();
    const st = this.state;
    const { out } = this;
    const { now, drivers, bookings } = situation;
    this.#clear(e, seed, episode);
    out.rewards[e] = out.terminations[e] = out.truncations[e] = out.invalidActions[e] = 0;
    st.now[e] = now;
    st.tick[e] = Math.floor(now / this.#tickSeconds);
    st.ended[e] = 0;
    const bound =
      drivers.some(({ shiftEnd }) => shiftEnd !== undefined) ||
      bookings.some(({ latestDropoff }) => latestDropoff !== undefined);
    st.dropoffsBound[e] = bound ? 1 : 0;
    if (this.#several > 0) st.patience[e] = situation.patience ?? NEVER;
    for (let i = 0; i < this.drivers; i++) this.#placeDriver(e, i, now, drivers[i]);
    for (const booking of bookings) this.#placeBooking(e, booking);
    this.imagine(e, seed, episode, this.#firstEnv + e);
    this.#refresh(e);
  }

  #placeDriver(e: number, i: number, now: number, driver: SituationDriver | undefined): void {
    const st = this.state;
    const d = e * this.drivers + i;
    st.planHead[d] = st.planLength[d] = st.onBoard[d] = st.load[d] = st.takenThisTick[d] = 0;
    st.nextEventAt[d] = NEVER;
    st.shiftEnd[d] = driver?.shiftEnd ?? NEVER;
    st.stale[d] = 1;
    st.endX[d] = driver?.x ?? 0;
    st.endY[d] = driver?.y ?? 0;
    st.endZone[d] = driver?.zone ?? 0;
    st.freeAt[d] = driver?.freeAt ?? 0;
    if (driver !== undefined) {
      const { plan, onBoard, load, promised = [] } = driver;
      for (const [k, { pickupAt, dropoffAt }] of plan.entries()) {
        st.planPickupAt[d * this.#queue + k] = pickupAt;
        st.planDropoffAt[d * this.#queue + k] = dropoffAt;
        st.planBooking[d * this.#queue + k] = st.created[e]++;
        st.assigned[e]++;
      }
      st.planLength[d] = plan.length;
      if (plan.length > 0) {
        st.onBoard[d] = onBoard ? 1 : 0;
        st.assigned[e] -= st.onBoard[d];
        st.pickedUp[e] += st.onBoard[d];
        st.nextEventAt[d] = onBoard ? plan[0].dropoffAt : plan[0].pickupAt;
      }
      st.load[d] = load;
      st.loadSum[e] += load;
      st.loadSquares[e] += load * load;
      for (const booking of promised) {
        this.#assign(e, i, this.#placeBooking(e, booking), true);
        st.takenThisTick[d] = 0;
      }
    }
    if (driver?.offDuty ?? true) {
      // A full plan in which nothing happens any more.
      st.planDropoffAt[d * this.#queue] = now;
      st.planLength[d] = this.#queue;
      st.nextEventAt[d] = NEVER;
    }
    this.#observeDriverPlace(e, i);
  }

  #placeBooking(e: number, booking: SituationBooking): number {
    const st = this.state;
    const j = this.#place(e, booking.knownAt, booking.priority);
    const s = e * this.slots + j;
    const matrix = this.compiled.matrix;
    st.pickupX[s] = booking.pickupX;
    st.pickupY[s] = booking.pickupY;
    st.pickupZone[s] = booking.pickupZone;
    st.dropoffX[s] = booking.dropoffX;
    st.dropoffY[s] = booking.dropoffY;
    st.dropoffZone[s] = booking.dropoffZone;
    st.windowStart[s] = booking.windowStart;
    st.windowEnd[s] = booking.windowEnd;
    st.skills[s] = booking.skills;
    st.leg[s] = booking.leg;
    st.fare[s] = booking.fare;
    st.pickupService[s] = booking.pickupService;
    st.dropoffService[s] = booking.dropoffService;
    st.earliestDropoff[s] = booking.earliestDropoff ?? 0;
    st.latestDropoff[s] = booking.latestDropoff ?? NEVER;
    this.#placeWindows(s, booking);
    if (matrix === null) {
      st.rideMetres[s] = Math.hypot(st.dropoffX[s] - st.pickupX[s], st.dropoffY[s] - st.pickupY[s]);
      st.rideSeconds[s] = st.rideMetres[s] / this.#metresPerSecond;
    } else {
      const leg = booking.pickupZone * matrix.zones + booking.dropoffZone;
      st.rideMetres[s] = matrix.metres[leg]!;
      st.rideSeconds[s] = secondsTable(matrix, this.#minuteAt(Math.max(st.now[e], booking.windowStart)))[leg]!;
    }
    this.#opened(e, j);
    return j;
  }

  #placeWindows(s: number, booking: SituationBooking): void {
    if (this.#several === 0) return;
    const { windows, windowCounts } = this.state;
    const p = s * this.#stride;
    windowCounts[2 * s] = writeWindows(booking.windows, windows, p);
    windowCounts[2 * s + 1] = writeWindows(booking.dropoffWindows, windows, p + 2 * this.#several);
  }

  /**
   * Environment e becomes what environment `from` of `other` is; both worlds are of one scenario and observation.
   * @throws EngineError `ERR_OPTION` for an environment that is not there, `ERR_BUFFER` for worlds of different size
   */
  copy(e: number, other: World, from: number): void {
    this.#checkEnvironment('e', e, this);
    this.#checkEnvironment('from', from, other);
    // Before anything is written. With these the widths of all rows are the same.
    const sizes = (world: World): readonly number[] => [
      world.drivers,
      world.slots,
      world.#queue,
      world.observationSize,
      world.#stride,
    ];
    const [mine, theirs] = [sizes(this), sizes(other)];
    const k = mine.findIndex((size, at) => size !== theirs[at]);
    if (k >= 0) {
      const name = ['drivers', 'slots', 'queue', 'observationSize', 'windows'][k];
      throw new EngineError('ERR_BUFFER', `the worlds differ in "${name}": ${mine[k]} here, ${theirs[k]} there`);
    }
    copyRows(this.state, e, this.state.now.length, other.state, from, other.state.now.length);
    copyRows(this.out, e, this.out.rewards.length, other.out, from, other.out.rewards.length);
  }

  /**
   * Gives environment e another future: from here on, demand is drawn anew for (seed, env, episode), on recorded trips from
   * a day of training. What is known now stays.
   * @throws EngineError `ERR_OPTION` for data without days of training: nothing has changed then
   */
  imagine(e: number, seed: number, episode: number, env: number): void {
    this.#checkStart(e, seed, episode);
    wholeNumber('env', env, 0);
    const days = this.#trainingDays();
    const st = this.state;
    seedStream(st.demandStream, e * STREAM_WORDS, seed, env, episode, Purpose.demand);
    if (this.compiled.dataset === null) return;
    const { trace } = this.compiled.dataset;
    seedStream(this.#startStream, 0, seed, env, episode, Purpose.day);
    const day = days[nextInteger(this.#startStream, 0, 0, days.length - 1)];
    st.day[e] = day;
    let t = trace.dayStart[day];
    while (t < trace.dayStart[day + 1] && trace.knownAt[t] <= st.now[e]) t++;
    st.cursor[e] = t;
  }

  /** Days to draw futures from; none are needed without recorded trips. */
  #trainingDays(): readonly number[] {
    const { dataset } = this.compiled;
    if (dataset === null) return [];
    const { training } = dataset.splits;
    if (training.length === 0)
      throw new EngineError('ERR_OPTION', 'the data has no training days to imagine a future from');
    return training;
  }

  /**
   * Writes observation and mask of environment e anew, from its state alone: for outputs in memory that no step has
   * written yet.
   * @throws EngineError `ERR_ACTION` before the first reset
   */
  rewrite(e: number): void {
    this.#checkEnvironment('e', e, this);
    if (this.state.started[e] !== 1) this.#refuse(e);
    this.#blank(e);
    for (let i = 0; i < this.drivers; i++) {
      this.state.stale[e * this.drivers + i] = 1;
      this.#observeDriverPlace(e, i);
    }
    const open = this.openSlots(e, this.#openSlots);
    for (let k = 0; k < open; k++) this.#observeBooking(e, this.#openSlots[k]);
    this.#refresh(e);
  }

  // ---------------------------------------------------------------- step

  /**
   * Applies one action and writes reward, flags, observation and mask. The caller resets ended episodes.
   * @returns the reward in full precision
   * @throws EngineError `ERR_ACTION` before the first reset
   */
  step(e: number, action: number): number {
    const st = this.state;
    if (st.started[e] !== 1) this.#refuse(e);
    let reward: number;
    st.steps[e]++;
    this.out.invalidActions[e] = 0;
    if (action !== 0) {
      const i = ((action - 1) / this.slots) | 0;
      const j = action - 1 - i * this.slots;
      if (action > 0 && action < this.actions && this.accepts(e, i, j)) {
        reward = this.#assign(e, i, j);
        if (++st.decisions[e] < this.#decisionLimit) {
          this.#refreshDriver(e, i);
          st.episodeReturn[e] += reward;
          this.out.rewards[e] = reward;
          this.out.terminations[e] = this.out.truncations[e] = 0;
          return reward;
        }
      } else {
        reward = this.compiled.scenario.invalidActionReward + this.#waitReward(e);
        this.out.invalidActions[e] = 1;
        st.invalid[e]++;
        this.log?.record(st.now[e], 'invalid', -1, -1);
      }
    } else {
      reward = this.#waitReward(e);
    }
    reward += this.#advance(e);
    this.#refresh(e);
    const ended = st.tick[e] >= this.compiled.ticks ? 1 : 0;
    const terminate = this.compiled.scenario.horizonEnd === 'terminate' ? 1 : 0;
    st.episodeReturn[e] += reward;
    this.out.rewards[e] = reward;
    this.out.terminations[e] = ended & terminate;
    this.out.truncations[e] = ended & (terminate ^ 1);
    return reward;
  }

  /** Writes return, length and figures of environment e's episode as it stands into row e of the outputs. */
  writeEpisode(e: number): void {
    const st = this.state;
    const scenario = this.compiled.scenario;
    const accepted = st.assigned[e] + st.pickedUp[e] + st.completed[e];
    const per = (value: number, by: number): number => (by === 0 ? 0 : value / by);
    const sum = e * SUMS;
    const approach = st.sums[sum + Sum.approachMetres];
    const ride = st.sums[sum + Sum.rideMetres];
    const mean = st.loadSum[e] / this.drivers;
    const values: Readonly<Record<(typeof kpiNames)[number], number>> = {
      created: st.created[e],
      accepted,
      completed: st.completed[e],
      expired: st.expired[e],
      refused: st.refused[e],
      openAtEnd: st.open[e],
      serviceRate: per(accepted, st.created[e]),
      onTimeRate: per(st.onTime[e], accepted),
      meanWaitMinutes: per(st.sums[sum + Sum.waitSeconds], accepted * 60),
      meanLatenessMinutes: per(st.sums[sum + Sum.latenessSeconds], accepted * 60),
      meanApproachKm: per(approach, accepted * 1000),
      emptyShare: per(approach, approach + ride),
      utilisation: per(st.sums[sum + Sum.busySeconds], this.drivers * scenario.horizonSeconds),
      loadStd: Math.sqrt(Math.max(0, st.loadSquares[e] / this.drivers - mean * mean)),
      invalidActions: st.invalid[e],
      decisions: st.steps[e],
    };
    for (let k = 0; k < kpiNames.length; k++) this.out.episodeKpis[e * kpiNames.length + k] = values[kpiNames[k]];
    this.out.episodeReturns[e] = st.episodeReturn[e]!;
    this.out.episodeLengths[e] = st.steps[e]!;
  }

  // ---------------------------------------------------------------- inside

  #refuse(e: number): never {
    this.#checkEnvironment('e', e, this);
    throw new EngineError(
      'ERR_ACTION',
      `step() before reset(): environment ${e} has no episode yet, call reset({ seed }) first`,
    );
  }

  /** Of a departure at `second` of the episode. */
  #factorAt(second: number): number {
    return this.compiled.factorByMinute[this.#minuteAt(second)];
  }

  /** Minute of the day. */
  #minuteAt(second: number): number {
    return (((this.#startSecond + second) / 60) | 0) % MINUTES;
  }

  /**
   * As `pickupSecond`. Tolerance counts after a window, and a window that begins beyond the environment's patience is not
   * waited for; but a promise stands, so that it takes any window rather than none.
   */
  #pickupAt(e: number, i: number, j: number, promised: boolean): number {
    const st = this.state;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    const depart = Math.max(st.now[e], st.freeAt[d]);
    const at = arrival(depart, st.approach[d * this.slots + j], this.#factorAt(depart), st.windowStart[s]);
    if (this.#several === 0) return at;
    const count = st.windowCounts[2 * s];
    const p = s * this.#stride;
    const k = windowAt(st.windows, p, count, at);
    if (k === count || st.windows[p + 2 * k] <= at) return at;
    // Between two windows.
    const next = st.windows[p + 2 * k];
    const tolerated = at - st.windows[p + 2 * k - 1] <= this.#tolerance;
    const planned = next - st.now[e] <= st.patience[e] || (promised && !tolerated);
    if (planned) {
      const done = this.#dropoffAfter(e, i, j, next);
      if (done <= st.latestDropoff[s] && done <= st.shiftEnd[d]) return next;
    }
    return planned && !tolerated ? next : at;
  }

  /** Seconds after its window at which a pickup at `at` of the booking at index s is; not above 0 if it is in time. */
  #lateBy(s: number, at: number): number {
    const { windowEnd, windowCounts, windows } = this.state;
    if (this.#several === 0 || windowCounts[2 * s] === 0) return at - windowEnd[s];
    return secondsAfter(windows, s * this.#stride, windowCounts[2 * s], at);
  }

  #dropoffAfter(e: number, i: number, j: number, pickupAt: number): number {
    const st = this.state;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    // Only a vehicle that stands idle where the booking waits loses the boarding time.
    const idle = st.planLength[d] === 0 && st.approach[d * this.slots + j] === 0;
    const leave = pickupAt + st.pickupService[s] + (idle ? this.compiled.scenario.idleBoardingSeconds : 0);
    let at = arrival(leave, this.#rideSeconds(s, leave), this.#factorAt(leave), st.earliestDropoff[s]);
    if (this.#several > 0) {
      const count = st.windowCounts[2 * s + 1];
      const p = s * this.#stride + 2 * this.#several;
      const k = windowAt(st.windows, p, count, at);
      if (k < count) at = Math.max(at, st.windows[p + 2 * k]);
    }
    return at + st.dropoffService[s];
  }

  /** Free-flow seconds of the ride of the booking at index s, if it starts at `leave`. */
  #rideSeconds(s: number, leave: number): number {
    const matrix = this.compiled.matrix;
    if (matrix?.periods === undefined) return this.state.rideSeconds[s];
    const leg = this.state.pickupZone[s] * matrix.zones + this.state.dropoffZone[s];
    return secondsTable(matrix, this.#minuteAt(leave))[leg];
  }

  #waitReward(e: number): number {
    // Added to 0, so that a wait with nothing open earns 0 and not -0.
    return 0 + this.compiled.scenario.waitRewardPerOpen * this.state.open[e];
  }

  /** Appends slot j's booking to driver i's plan. The caller has asked `accepts`. */
  #assign(e: number, i: number, j: number, promised = false): number {
    const st = this.state;
    const scenario = this.compiled.scenario;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    const now = st.now[e];
    const reward = this.assignmentReward(e, i, j);
    const pickupAt = this.#pickupAt(e, i, j, promised);
    const metres = this.approachMetres(e, i, j);
    const depart = Math.max(now, st.freeAt[d]);
    const dropoffAt = this.#dropoffAfter(e, i, j, pickupAt);

    const place = d * this.#queue + ((st.planHead[d] + st.planLength[d]) % this.#queue);
    st.planPickupAt[place] = pickupAt;
    st.planDropoffAt[place] = dropoffAt;
    st.planBooking[place] = st.booking[s]!;
    if (st.planLength[d]++ === 0) st.nextEventAt[d] = pickupAt;
    st.freeAt[d] = dropoffAt;
    st.endX[d] = st.dropoffX[s]!;
    st.endY[d] = st.dropoffY[s]!;
    st.endZone[d] = st.dropoffZone[s]!;
    st.loadSum[e]++;
    st.loadSquares[e] += 2 * st.load[d] + 1;
    st.load[d]++;
    st.takenThisTick[d]++;
    st.stale[d] = 1;
    st.open[e]--;
    st.assigned[e]++;

    const sum = e * SUMS;
    const late = this.#lateBy(s, pickupAt);
    const horizon = scenario.horizonSeconds;
    if (late > 0) st.sums[sum + Sum.latenessSeconds] += late;
    else st.onTime[e]++;
    st.sums[sum + Sum.waitSeconds] += pickupAt - st.knownAt[s];
    st.sums[sum + Sum.approachMetres] += metres;
    st.sums[sum + Sum.rideMetres] += st.rideMetres[s];
    st.sums[sum + Sum.busySeconds] += Math.min(dropoffAt, horizon) - Math.min(depart, horizon);

    this.log?.record(now, 'assigned', st.booking[s], i);
    this.#closeSlot(e, j);
    if (pickupAt <= now) this.#serve(e, i, now);
    this.#observeDriverPlace(e, i);
    const open = this.openSlots(e, this.#openSlots);
    for (let k = 0; k < open; k++) this.#cacheApproach(e, i, this.#openSlots[k]);
    return reward;
  }

  /** Moves the clock to the next tick; everything in between happens at its own second. */
  #advance(e: number): number {
    const st = this.state;
    const scenario = this.compiled.scenario;
    const before = st.now[e];
    const now = before + this.#tickSeconds;
    let lost = 0;
    if (this.#untilTickEnd) lost += this.#refuseOpen(e);
    if (this.compiled.dataset !== null) {
      lost += this.#arriveFromTrace(e, now);
    } else if (scenario.demand.kind === 'synthetic') {
      // The same draws whatever happened before: a call's second and size are drawn only if it comes.
      const p = e * STREAM_WORDS;
      if (nextFloat(st.demandStream, p) < this.compiled.arrivalByTick[st.tick[e]]) {
        const second = before + 1 + ((nextFloat(st.demandStream, p) * this.#tickSeconds) | 0);
        const [low, high] = scenario.demand.bookingsPerArrival;
        const count = nextInteger(st.demandStream, p, low, high);
        lost += this.#expire(e, second);
        for (let k = 0; k < count; k++) lost += this.#drawBooking(e, second);
      }
    }
    lost += this.#expire(e, now);
    for (let i = 0; i < this.drivers; i++) {
      const d = e * this.drivers + i;
      if (st.nextEventAt[d] <= now) this.#serve(e, i, now);
      if (st.takenThisTick[d] !== 0) {
        st.takenThisTick[d] = 0;
        st.stale[d] = 1;
      }
    }
    st.now[e] = now;
    st.tick[e]++;
    st.decisions[e] = 0;
    const ofMinute = this.compiled.matrix?.periods?.ofMinute;
    if (ofMinute !== undefined) this.#cachePeriods(e, before, ofMinute);
    return lost;
  }

  /** Pickups and drop-offs of driver i up to `until`. */
  #serve(e: number, i: number, until: number): void {
    const st = this.state;
    const d = e * this.drivers + i;
    st.stale[d] = 1;
    while (st.nextEventAt[d] <= until) {
      const place = d * this.#queue + st.planHead[d];
      if (st.onBoard[d] === 0) {
        this.log?.record(st.planPickupAt[place], 'pickedUp', st.planBooking[place], i);
        st.assigned[e]--;
        st.pickedUp[e]++;
        st.onBoard[d] = 1;
        st.nextEventAt[d] = st.planDropoffAt[place]!;
      } else {
        this.log?.record(st.planDropoffAt[place], 'completed', st.planBooking[place], i);
        st.pickedUp[e]--;
        st.completed[e]++;
        st.onBoard[d] = 0;
        st.planHead[d] = (st.planHead[d] + 1) % this.#queue;
        st.nextEventAt[d] = --st.planLength[d] === 0 ? NEVER : st.planPickupAt[d * this.#queue + st.planHead[d]];
      }
    }
  }

  /** Open bookings whose window ends by `until` expire; gives what they cost. */
  #expire(e: number, until: number): number {
    const st = this.state;
    if (this.#untilTickEnd || st.open[e] === 0) return 0;
    let cost = 0;
    const open = this.openSlots(e, this.#openSlots);
    for (let k = 0; k < open; k++) {
      const j = this.#openSlots[k];
      const s = e * this.slots + j;
      if (st.windowEnd[s] > until) continue;
      cost += this.compiled.scenario.expiryRewardPerPriority * st.priority[s];
      this.log?.record(st.windowEnd[s], 'expired', st.booking[s], -1);
      st.expired[e]++;
      st.open[e]--;
      this.#closeSlot(e, j);
    }
    return cost;
  }

  /** All open bookings are refused for good; gives what that costs. */
  #refuseOpen(e: number): number {
    const st = this.state;
    let cost = 0;
    const open = this.openSlots(e, this.#openSlots);
    for (let k = 0; k < open; k++) {
      const j = this.#openSlots[k];
      const s = e * this.slots + j;
      cost += this.compiled.scenario.refusalRewardPerPriority * st.priority[s];
      this.log?.record(st.now[e], 'refused', st.booking[s], -1);
      this.#closeSlot(e, j);
    }
    st.refused[e] += open;
    st.open[e] -= open;
    return cost;
  }

  /** The trace's bookings known by `until`, into free slots or refused; gives what the refusals cost. */
  #arriveFromTrace(e: number, until: number): number {
    const st = this.state;
    const { trace } = this.compiled.dataset!;
    const matrix = this.compiled.matrix;
    const end = trace.dayStart[st.day[e] + 1];
    let cost = 0;
    let t = st.cursor[e];
    for (; t < end && trace.knownAt[t] <= until; t++) {
      const known = trace.knownAt[t];
      cost += this.#expire(e, known);
      const priority = trace.priority[t];
      const j = this.#place(e, known, priority);
      if (j < 0) {
        cost += this.compiled.scenario.refusalRewardPerPriority * priority;
        continue;
      }
      const s = e * this.slots + j;
      const from = trace.pickupZone[t];
      const to = trace.dropoffZone[t];
      if (matrix !== null) {
        st.pickupZone[s] = from;
        st.pickupX[s] = matrix.x[from]!;
        st.pickupY[s] = matrix.y[from]!;
        st.dropoffZone[s] = to;
        st.dropoffX[s] = matrix.x[to]!;
        st.dropoffY[s] = matrix.y[to]!;
        st.rideSeconds[s] = matrix.seconds[from * matrix.zones + to]!;
      } else {
        const places = trace.places!;
        st.pickupX[s] = places.pickupX[t]!;
        st.pickupY[s] = places.pickupY[t]!;
        st.dropoffX[s] = places.dropoffX[t]!;
        st.dropoffY[s] = places.dropoffY[t]!;
        st.rideSeconds[s] = trace.metres[t] / this.#metresPerSecond;
      }
      st.windowStart[s] = trace.windowStart[t]!;
      st.windowEnd[s] = trace.windowEnd[t]!;
      st.skills[s] = trace.skills[t]!;
      st.leg[s] = trace.leg[t]!;
      st.fare[s] = trace.fare[t]!;
      st.rideMetres[s] = trace.metres[t]!;
      this.#opened(e, j);
    }
    st.cursor[e] = t;
    return cost;
  }

  /** Draws one booking that becomes known at `second`; all its numbers are drawn even if no slot is free. */
  #drawBooking(e: number, second: number): number {
    const st = this.state;
    const c = this.compiled;
    const demand = c.scenario.demand;
    if (demand.kind !== 'synthetic') return 0;
    const stream = st.demandStream;
    const p = e * STREAM_WORDS;
    const fromX = (2 * nextFloat(stream, p) - 1) * c.extentX;
    const fromY = (2 * nextFloat(stream, p) - 1) * c.extentY;
    const toX = (2 * nextFloat(stream, p) - 1) * c.extentX;
    const toY = (2 * nextFloat(stream, p) - 1) * c.extentY;
    const priority = nextInteger(stream, p, demand.priorities[0], demand.priorities[1]);
    const window = priority >= demand.urgentPriority ? demand.urgentWindowMinutes : demand.windowMinutes;
    const length = 60 * nextInteger(stream, p, window[0], window[1]);
    const leg = nextFloat(stream, p) < demand.returnShare ? 1 : 0;
    let skills = 0;
    for (let k = 0; k < c.scenario.skills.length; k++) {
      if (nextFloat(stream, p) < c.scenario.skills[k].bookingShare) skills |= 1 << k;
    }
    const j = this.#place(e, second, priority);
    if (j < 0) return c.scenario.refusalRewardPerPriority * priority;
    const s = e * this.slots + j;
    st.pickupX[s] = fromX;
    st.pickupY[s] = fromY;
    st.dropoffX[s] = toX;
    st.dropoffY[s] = toY;
    st.windowStart[s] = second;
    st.windowEnd[s] = second + length;
    st.skills[s] = skills;
    st.leg[s] = leg;
    const dx = toX - fromX;
    const dy = toY - fromY;
    st.rideMetres[s] = Math.sqrt(dx * dx + dy * dy);
    st.rideSeconds[s] = st.rideMetres[s] / this.#metresPerSecond;
    this.#opened(e, j);
    return 0;
  }

  /** Counts a booking and gives it the lowest free slot, or -1: refused. */
  #place(e: number, second: number, priority: number): number {
    const st = this.state;
    const booking = st.created[e]++;
    this.log?.record(second, 'created', booking, -1);
    if (st.open[e] >= this.slots) {
      st.refused[e]++;
      this.log?.record(second, 'refused', booking, -1);
      return -1;
    }
    let w = e * this.#words;
    while (st.openBits[w] === -1) w++;
    const free = ~st.openBits[w];
    const lowest = free & -free;
    st.openBits[w] |= lowest;
    const j = ((w - e * this.#words) << 5) + 31 - Math.clz32(lowest);
    const s = e * this.slots + j;
    st.open[e]++;
    st.booking[s] = booking;
    st.knownAt[s] = second;
    st.priority[s] = priority;
    st.earliestDropoff[s] = 0;
    st.latestDropoff[s] = NEVER;
    if (this.#several > 0) st.windowCounts[2 * s] = st.windowCounts[2 * s + 1] = 0;
    st.pickupService[s] = this.compiled.scenario.pickupServiceSeconds;
    st.dropoffService[s] = this.compiled.scenario.dropoffServiceSeconds;
    return j;
  }

  /** What follows from a booking's numbers once they stand in slot j. */
  #opened(e: number, j: number): void {
    const st = this.state;
    const s = e * this.slots + j;
    const latest = st.windowEnd[s] + this.#tolerance;
    st.latestPickup[s] = latest < NEVER ? latest : NEVER;
    this.#fresh[this.#freshCount++] = j;
    for (let i = 0; i < this.drivers; i++) this.#cacheApproach(e, i, j);
    this.#observeBooking(e, j);
  }

  /** Columns of the booking in slot j that do not change with the clock. */
  #observeBooking(e: number, j: number): void {
    const st = this.state;
    const s = e * this.slots + j;
    const o = this.out.observations;
    const p = e * this.observationSize + this.#bookingsAt + j * this.#bookingColumns;
    o[p] = st.pickupX[s] * this.#scaleX;
    o[p + 1] = st.pickupY[s] * this.#scaleY;
    o[p + 2] = st.priority[s] / 5;
    if (!this.#full) return;
    o[p + 4] = 1;
    o[p + 5] = st.dropoffX[s] * this.#scaleX;
    o[p + 6] = st.dropoffY[s] * this.#scaleY;
    o[p + 8] = st.rideSeconds[s] * PER_HOUR;
    o[p + 9] = st.leg[s]!;
    o[p + 11] = st.fare[s] / 1e5;
    for (let k = 12; k < this.#bookingColumns; k++) o[p + k] = (st.skills[s] >>> (k - 12)) & 1;
  }

  #closeSlot(e: number, j: number): void {
    for (let k = 0; k < this.#freshCount; k++) {
      if (this.#fresh[k] === j) this.#fresh[k] = this.#fresh[--this.#freshCount]!;
    }
    this.state.openBits[e * this.#words + (j >>> 5)] &= ~(1 << (j & 31));
    const masks = this.out.actionMasks;
    const slots = this.slots;
    for (let a = e * this.actions + 1 + j, i = 0; i < this.drivers; i++, a += slots) masks[a] = 0;
    const p = e * this.observationSize + this.#bookingsAt + j * this.#bookingColumns;
    const o = this.out.observations;
    for (let k = 0; k < this.#bookingColumns; k++) o[p + k] = 0;
  }

  #cacheApproach(e: number, i: number, j: number): void {
    const st = this.state;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    const matrix = this.compiled.matrix;
    if (matrix !== null) {
      // Those of the period in which the way would begin; a new period has them all written anew.
      const table =
        matrix.periods === undefined
          ? matrix.seconds
          : secondsTable(matrix, this.#minuteAt(Math.max(st.now[e], st.freeAt[d])));
      st.approach[d * this.slots + j] = table[st.endZone[d] * matrix.zones + st.pickupZone[s]]!;
    } else {
      st.approach[d * this.slots + j] = this.approachMetres(e, i, j) / this.#metresPerSecond;
    }
  }

  /** Ways that would begin in another period of the tables than at second `before` are written anew. */
  #cachePeriods(e: number, before: number, ofMinute: Uint8Array): void {
    const st = this.state;
    const now = st.now[e];
    const open = this.openSlots(e, this.#openSlots);
    for (let i = 0; i < this.drivers; i++) {
      const d = e * this.drivers + i;
      const free = st.freeAt[d];
      if (ofMinute[this.#minuteAt(Math.max(now, free))] === ofMinute[this.#minuteAt(Math.max(before, free))]) continue;
      st.stale[d] = 1;
      for (let k = 0; k < open; k++) this.#cacheApproach(e, i, this.#openSlots[k]);
    }
  }

  /** Rewrites whatever changes with the clock: bookings' minutes, drivers, mask, context. */
  #refresh(e: number): void {
    const st = this.state;
    const o = this.out.observations;
    const { windowStart, windowEnd, knownAt, freeAt, stale } = st;
    const list = this.#openSlots;
    const full = this.#full;
    const slots = this.slots;
    const now = st.now[e];
    const open = this.openSlots(e, list);
    const fresh = this.#fresh;
    const opened = this.#freshCount;
    this.#freshCount = 0;

    const columns = this.#bookingColumns;
    const first = e * this.observationSize + this.#bookingsAt;
    for (let k = 0; k < open; k++) {
      const j = list[k];
      const s = e * slots + j;
      const p = first + j * columns;
      o[p + 3] = (windowEnd[s] - now) * PER_HOUR;
      if (full) {
        const start = windowStart[s] - now;
        o[p + 7] = start > 0 ? start * PER_HOUR : 0;
        o[p + 10] = (now - knownAt[s]) * PER_HOUR;
      }
    }

    for (let i = 0, d = e * this.drivers; i < this.drivers; i++, d++) {
      // The plan of a driver under way does not move with the clock, and neither do its pickups: only slots that
      // have opened since are new to it.
      // Of several windows, those that are near enough to be planned do move with it.
      if (stale[d] === 1 || freeAt[d] <= now || this.#several > 0) this.#rewriteDriver(e, i, open);
      else if (opened > 0 && this.isAvailable(e, i)) this.#maskRow(e, i, fresh, opened);
      if (full) this.#observePlan(e, i);
    }
    this.#observeContext(e);
  }

  /** After an assignment that took no time, only driver i has changed. */
  #refreshDriver(e: number, i: number): void {
    this.#rewriteDriver(e, i, this.openSlots(e, this.#openSlots));
    if (this.#full) this.#observePlan(e, i);
    this.#observeContext(e);
  }

  /** Availability of driver i, and its row of the mask for the `open` slots listed in `#openSlots`. */
  #rewriteDriver(e: number, i: number, open: number): void {
    const list = this.#openSlots;
    const available = this.isAvailable(e, i);
    this.out.observations[e * this.observationSize + i * this.#driverColumns + 2] = available ? 1 : 0;
    this.state.stale[e * this.drivers + i] = 0;
    if (available) {
      this.#maskRow(e, i, list, open);
    } else {
      const masks = this.out.actionMasks;
      const row = e * this.actions + 1 + i * this.slots;
      for (let k = 0; k < open; k++) masks[row + list[k]] = 0;
    }
  }

  /** Columns of driver i that change with its plan and with the clock. */
  #observePlan(e: number, i: number): void {
    const st = this.state;
    const o = this.out.observations;
    const d = e * this.drivers + i;
    const p = e * this.observationSize + i * this.#driverColumns;
    const now = st.now[e];
    const free = st.freeAt[d];
    const length = st.planLength[d];
    o[p + 4] = length / this.#queue;
    o[p + 5] = free > now ? (free - now) * PER_HOUR : 0;
    o[p + 6] = length === 0 ? 0 : (st.planDropoffAt[d * this.#queue + st.planHead[d]] - now) * PER_HOUR;
  }

  /** Mask of an available driver i for the first `count` slots of `list`. */
  #maskRow(e: number, i: number, list: Int32Array, count: number): void {
    const { approach, windowStart, latestPickup, skills } = this.state;
    const masks = this.out.actionMasks;
    const d = e * this.drivers + i;
    const now = this.state.now[e];
    const free = this.state.freeAt[d];
    const row = e * this.actions + 1 + i * this.slots;
    const depart = free > now ? free : now;
    const factor = this.#factorAt(depart);
    const pairs = d * this.slots;
    const bookings = e * this.slots;
    const missing = ~this.compiled.driverSkills[i];
    for (let k = 0; k < count; k++) {
      const j = list[k];
      const s = bookings + j;
      const pickupAt = arrival(depart, approach[pairs + j], factor, windowStart[s]);
      masks[row + j] = pickupAt <= latestPickup[s] && (skills[s] & missing) === 0 ? 1 : 0;
    }
    if (this.#several > 0) this.#maskWindows(e, i, list, count);
    if (this.state.dropoffsBound[e] === 1) this.#maskDropoffs(e, i, list, count);
  }

  /** Slots with several windows. */
  #maskWindows(e: number, i: number, list: Int32Array, count: number): void {
    const row = e * this.actions + 1 + i * this.slots;
    for (let k = 0; k < count; k++) {
      const j = list[k];
      if (this.state.windowCounts[2 * (e * this.slots + j)] === 0) continue;
      this.out.actionMasks[row + j] = this.hasSkills(e, i, j) && this.isInTime(e, i, j) ? 1 : 0;
    }
  }

  #maskDropoffs(e: number, i: number, list: Int32Array, count: number): void {
    const row = e * this.actions + 1 + i * this.slots;
    for (let k = 0; k < count; k++) {
      const j = list[k];
      if (!this.isDroppedInTime(e, i, j) || !this.isWithinShift(e, i, j)) this.out.actionMasks[row + j] = 0;
    }
  }

  /** Columns of driver i that only an assignment changes. */
  #observeDriverPlace(e: number, i: number): void {
    const st = this.state;
    const o = this.out.observations;
    const d = e * this.drivers + i;
    const p = e * this.observationSize + i * this.#driverColumns;
    o[p] = st.endX[d] * this.#scaleX;
    o[p + 1] = st.endY[d] * this.#scaleY;
    o[p + 3] = st.load[d] / 10;
    if (!this.#full) return;
    o[p + 7] = this.compiled.emergency[i]!;
    for (let k = 8; k < this.#driverColumns; k++) o[p + k] = (this.compiled.driverSkills[i] >>> (k - 8)) & 1;
  }

  #observeContext(e: number): void {
    const st = this.state;
    const o = this.out.observations;
    const p = e * this.observationSize + this.#contextAt;
    const tick = st.tick[e];
    o[p] = this.compiled.dayFractionByTick[tick]!;
    o[p + 1] = this.compiled.trafficByTick[tick]!;
    if (!this.#full) return;
    o[p + 2] = tick / this.compiled.ticks;
    o[p + 3] = st.open[e] / this.slots;
    o[p + 4] = st.created[e] / 100;
  }
}

/** Row `to` of each array of `into` becomes row `from` of its namesake; an array holds `rows` rows. */
function copyRows<V extends StateViews | OutputViews>(
  into: V,
  to: number,
  intoRows: number,
  other: V,
  from: number,
  otherRows: number,
): void {
  for (const name of Object.keys(into) as (keyof V)[]) {
    const a = into[name] as unknown as Float64Array;
    const b = other[name] as unknown as Float64Array;
    const width = a.length / intoRows;
    if (a === b) {
      a.copyWithin(to * width, from * width, (from + 1) * width);
      continue;
    }
    if (b.length / otherRows !== width) throw new EngineError('ERR_BUFFER', `the worlds differ in "${String(name)}"`);
    a.set(b.subarray(from * width, (from + 1) * width), to * width);
  }
}

/** The travel times that hold for departures in a minute of the day. */
function secondsTable(matrix: MatrixTravel, minute: number): Int32Array {
  const { periods } = matrix;
  return periods === undefined ? matrix.seconds : periods.seconds[periods.ofMinute[minute]];
}

/** Whole seconds: departure plus the way under traffic, but not before the window. One sum for mask, plan and reward. */
function arrival(depart: number, freeFlowSeconds: number, factor: number, windowStart: number): number {
  const at = depart + ((freeFlowSeconds * factor + 0.5) | 0);
  return at > windowStart ? at : windowStart;
}
