// New bookings: drawn from the seed, or played from recorded days. Demand never depends on actions: every number of a booking
// is drawn whether or not it finds a free slot.

import { AssignmentReward } from './assignment-reward.js';
import { HOT_SPOT } from './compile.js';
import { EngineError } from './errors.js';
import type { LoggedPlace } from './event-log.js';
import { Purpose, STREAM_WORDS, integerOf, nextFloat, nextFloats, nextInteger, seedStream } from './random.js';
import { refusalReward } from './reward.js';
import type { PrebookedSpec, SyntheticDemandSpec } from './scenario.js';
import type { Dataset } from './trace.js';

/** Numbers that each booking takes from the stream of demand, beside those of skills. */
const DRAWS = 7;

/** The layer of demand: which bookings come. */
export abstract class Arrivals extends AssignmentReward {
  private readonly floats: Float64Array = new Float64Array(DRAWS);

  /**
   * The bookings that are known when an episode starts, in environment e at second 0.
   * @param days indices into the trace's days; the episode plays `days[e]` if `listed`, else one that is drawn
   */
  protected startDemand(e: number, seed: number, episode: number, days: Int32Array, listed: boolean): void {
    const st = this.state;
    const { scenario, dataset } = this.compiled;
    const env = this.firstEnv + e;
    const p = e * STREAM_WORDS;
    seedStream(st.demandStream, p, seed, env, episode, Purpose.demand);
    if (dataset !== null) {
      seedStream(this.stream, 0, seed, env, episode, Purpose.day);
      st.day[e] = listed ? days[e] : days[nextInteger(this.stream, 0, 0, days.length - 1)];
      st.cursor[e] = dataset.trace.dayStart[st.day[e]];
      this.play(e, 0, dataset);
    } else if (scenario.demand.kind === 'synthetic') {
      const [low, high] = scenario.demand.initialBookings;
      const count = nextInteger(st.demandStream, p, low, high);
      for (let k = 0; k < count; k++) this.draw(e, 0, 0, scenario.demand);
      if (scenario.demand.prebooked !== undefined) this.drawPrebooked(e, scenario.demand, scenario.demand.prebooked);
    }
  }

  /**
   * The bookings that become known in the tick from second `before` to `now`. Those that expire before one of them leave
   * their slots to it.
   * @param reward so far
   * @returns `reward` with that of refused and expired bookings
   */
  protected arrive(e: number, before: number, now: number, reward: number): number {
    const st = this.state;
    const { scenario, dataset, arrivalByTick } = this.compiled;
    const { demand } = scenario;
    if (dataset !== null) return reward + this.play(e, now, dataset);
    if (demand.kind !== 'synthetic') return reward;
    // The same draws whatever happened before: a call's second and size are drawn only if it comes.
    const p = e * STREAM_WORDS;
    if (nextFloat(st.demandStream, p) >= arrivalByTick[st.tick[e]]) return reward;
    const second = before + 1 + ((nextFloat(st.demandStream, p) * this.tickSeconds) | 0);
    const [low, high] = demand.bookingsPerArrival;
    const count = nextInteger(st.demandStream, p, low, high);
    let sum = reward + this.expire(e, second);
    for (let k = 0; k < count; k++) sum += this.draw(e, second, second, demand);
    return sum;
  }

  /**
   * As `World.resampleDemand`.
   * @throws EngineError `ERR_OPTION` for data without training days: nothing has changed then
   */
  protected redraw(e: number, seed: number, episode: number, env: number): void {
    const st = this.state;
    const days = this.trainingDays();
    seedStream(st.demandStream, e * STREAM_WORDS, seed, env, episode, Purpose.demand);
    const { dataset } = this.compiled;
    if (dataset === null) return;
    const { trace } = dataset;
    seedStream(this.stream, 0, seed, env, episode, Purpose.day);
    const day = days[nextInteger(this.stream, 0, 0, days.length - 1)];
    st.day[e] = day;
    let t = trace.dayStart[day];
    while (t < trace.dayStart[day + 1] && trace.knownAt[t] <= st.now[e]) t++;
    st.cursor[e] = t;
  }

  /**
   * Days to draw other demand from; none are needed without recorded trips.
   * @throws EngineError `ERR_OPTION` for data without training days
   */
  protected trainingDays(): readonly number[] {
    const { dataset } = this.compiled;
    if (dataset === null) return [];
    const { training } = dataset.splits;
    if (training.length === 0) {
      throw new EngineError('ERR_OPTION', 'the data has no training days to draw other demand from');
    }
    return training;
  }

  /** The recorded bookings known by `until`, into free slots or refused; returns the reward of what was lost. */
  private play(e: number, until: number, { trace }: Dataset): number {
    const st = this.state;
    const { scenario, matrix } = this.compiled;
    const end = trace.dayStart[st.day[e] + 1];
    let reward = 0;
    let t = st.cursor[e];
    for (; t < end && trace.knownAt[t] <= until; t++) {
      const known = trace.knownAt[t];
      reward += this.expire(e, known);
      const priority = trace.priority[t];
      const j = this.takeSlot(e, known, priority);
      if (this.log !== null) this.logRecorded(t);
      if (j < 0) {
        reward += refusalReward(scenario, priority);
        continue;
      }
      const s = e * this.slots + j;
      const from = trace.pickupZone[t];
      const to = trace.dropoffZone[t];
      if (matrix !== null) {
        st.pickupZone[s] = from;
        st.pickupX[s] = matrix.x[from];
        st.pickupY[s] = matrix.y[from];
        st.dropoffZone[s] = to;
        st.dropoffX[s] = matrix.x[to];
        st.dropoffY[s] = matrix.y[to];
        st.rideSeconds[s] = matrix.seconds[from * matrix.zones + to];
      } else {
        const places = trace.places!;
        st.pickupX[s] = places.pickupX[t];
        st.pickupY[s] = places.pickupY[t];
        st.dropoffX[s] = places.dropoffX[t];
        st.dropoffY[s] = places.dropoffY[t];
        st.rideSeconds[s] = trace.metres[t] / this.metresPerSecond;
      }
      st.windowStart[s] = trace.windowStart[t];
      st.windowEnd[s] = trace.windowEnd[t];
      st.skills[s] = trace.skills[t];
      st.leg[s] = trace.leg[t];
      st.fare[s] = trace.fare[t];
      st.rideMetres[s] = trace.metres[t];
      this.slotOpened(e, j);
    }
    st.cursor[e] = t;
    return reward;
  }

  /** Draws the bookings of a day that were ordered before it starts. */
  private drawPrebooked(e: number, demand: SyntheticDemandSpec, spec: PrebookedSpec): void {
    const stream = this.state.demandStream;
    const p = e * STREAM_WORDS;
    const [earliest, latest] = spec.windowStartMinutes;
    const count = nextInteger(stream, p, spec.bookings[0], spec.bookings[1]);
    for (let k = 0; k < count; k++) this.draw(e, 0, 60 * nextInteger(stream, p, earliest, latest), demand);
  }

  /** Moves the pickup place (`at` 0) or the drop-off place (`at` 2) of `floats` into a hot spot, or leaves it. */
  private toHotSpot(e: number, at: number): void {
    const { hotSpots, extentX, extentY } = this.compiled;
    const { floats } = this;
    const share = nextFloat(this.state.demandStream, e * STREAM_WORDS);
    for (let k = 0; k < hotSpots.length; k += HOT_SPOT) {
      if (share >= hotSpots[k + 3]) continue;
      const reach = hotSpots[k + 2];
      // As a number in [0, 1) that stands for this place in the whole area.
      floats[at] = 0.5 + (hotSpots[k] + (2 * floats[at] - 1) * reach) / (2 * extentX);
      floats[at + 1] = 0.5 + (hotSpots[k + 1] + (2 * floats[at + 1] - 1) * reach) / (2 * extentY);
      return;
    }
  }

  /** Draws one booking that becomes known at `second`, with a window from `from` on; returns the reward of a refusal if no slot is free, else 0. */
  private draw(e: number, second: number, from: number, demand: SyntheticDemandSpec): number {
    const st = this.state;
    const { scenario, extentX, extentY } = this.compiled;
    const stream = st.demandStream;
    const p = e * STREAM_WORDS;
    const { floats } = this;
    nextFloats(stream, p, floats, DRAWS);
    if (this.compiled.hotSpots.length > 0) {
      this.toHotSpot(e, 0);
      this.toHotSpot(e, 2);
    }
    const fromX = (2 * floats[0] - 1) * extentX;
    const fromY = (2 * floats[1] - 1) * extentY;
    const toX = (2 * floats[2] - 1) * extentX;
    const toY = (2 * floats[3] - 1) * extentY;
    const priority = integerOf(floats[4], demand.priorities[0], demand.priorities[1]);
    const window = priority >= demand.urgentPriority ? demand.urgentWindowMinutes : demand.windowMinutes;
    const length = 60 * integerOf(floats[5], window[0], window[1]);
    const leg = floats[6] < demand.returnShare ? 1 : 0;
    let skills = 0;
    for (let k = 0; k < scenario.skills.length; k++) {
      if (nextFloat(stream, p) < scenario.skills[k].bookingShare) skills |= 1 << k;
    }
    const j = this.takeSlot(e, second, priority);
    const dx = toX - fromX;
    const dy = toY - fromY;
    const metres = Math.sqrt(dx * dx + dy * dy);
    // Places as the state will hold them.
    this.log?.describe({
      knownAt: second,
      pickup: { x: Math.fround(fromX), y: Math.fround(fromY), zone: -1 },
      dropoff: { x: Math.fround(toX), y: Math.fround(toY), zone: -1 },
      windowStart: from,
      windowEnd: from + length,
      priority,
      skills,
      leg,
      fare: 0,
      rideMetres: metres,
    });
    if (j < 0) return refusalReward(scenario, priority);
    const s = e * this.slots + j;
    st.pickupX[s] = fromX;
    st.pickupY[s] = fromY;
    st.dropoffX[s] = toX;
    st.dropoffY[s] = toY;
    st.windowStart[s] = from;
    st.windowEnd[s] = from + length;
    st.skills[s] = skills;
    st.leg[s] = leg;
    st.rideMetres[s] = metres;
    st.rideSeconds[s] = metres / this.metresPerSecond;
    this.slotOpened(e, j);
    return 0;
  }

  /** Writes booking t of the trace, which has become known, into the log. */
  private logRecorded(t: number): void {
    const { dataset, matrix } = this.compiled;
    const { trace } = dataset!;
    const placeOf = (zone: number, x?: Float32Array, y?: Float32Array): LoggedPlace =>
      matrix === null ? { x: x![t], y: y![t], zone: -1 } : { x: matrix.x[zone], y: matrix.y[zone], zone };
    this.log!.describe({
      knownAt: trace.knownAt[t],
      pickup: placeOf(trace.pickupZone[t], trace.places?.pickupX, trace.places?.pickupY),
      dropoff: placeOf(trace.dropoffZone[t], trace.places?.dropoffX, trace.places?.dropoffY),
      windowStart: trace.windowStart[t],
      windowEnd: trace.windowEnd[t],
      priority: trace.priority[t],
      skills: trace.skills[t],
      leg: trace.leg[t],
      fare: trace.fare[t],
      rideMetres: trace.metres[t],
    });
  }
}
