// The transition: a world holds `n` environments and moves each by one decision at a time. The simulator, training, evaluation
// and explanation all go through here. Knows typed arrays and nothing else.
//
// It is built in layers, a file each, that share one object (V8 is a tenth slower with an object for each):
//   world-base.ts         memory, sizes, rules, clock
//   slots.ts              open bookings: who gets a slot, and who loses it
//   plans.ts              what drivers are going to do: times, limits, assignments, pickups and drop-offs
//   assignment-reward.ts  what an assignment earns
//   arrivals.ts           new bookings, drawn or recorded
//   observe.ts            observations and masks
//   load-snapshot.ts      live states from outside
//   world.ts              reset, step, copy
// A layer knows those above it in this list only. Figures are counted in episode.ts; columns have their names in observation.ts.
//
// Indices have one meaning in the whole room:
//   e  an environment of the world, 0 to n - 1
//   i  a driver of an environment, 0 to N - 1, and d = e * N + i, its index in arrays `[n, N]`
//   j  a slot of an environment, 0 to M - 1, and s = e * M + j, its index in arrays `[n, M]`
//   d * M + j is a pair's index in arrays `[n, N, M]`, d * queue + k a plan entry's in `[n, N, queue]`
//   p  an offset into a flat array; k counts; t is a booking of a trace
//
// Hot code: every array is a field of one concrete type, nothing is allocated, and only what changed is touched. Callers must
// therefore treat observations and masks as read-only.

import { check } from './check-options.js';
import { checkSnapshot } from './check-snapshot.js';
import type { CompiledScenario } from './compile.js';
import { clearFigures, writeFigures } from './episode.js';
import type { EpisodeSource } from './episode.js';
import { EngineError } from './errors.js';
import { SnapshotLoader } from './load-snapshot.js';
import type { ObservationKind } from './observation.js';
import { Purpose, floatAt, nextFloat, nextInteger, seedStream } from './random.js';
import { waitReward } from './reward.js';
import { Rows } from './rows.js';
import type { Scenario } from './scenario.js';
import { NEVER } from './snapshot.js';
import type { Snapshot } from './snapshot.js';
import type { OutputViews, StateViews } from './world-layout.js';

/** `n` environments of one scenario, stepped one by one. `VectorDispatchEnv` steps all of them, and resets ended ones. */
export class World extends SnapshotLoader {
  readonly #stateRows: Rows;
  readonly #outRows: Rows;

  /**
   * @param state    views of `stateSpec`
   * @param out      views of `outputSpec`
   * @param source   which recorded days are played
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
    super(compiled, state, out, observation, source, firstEnv);
    this.#stateRows = new Rows(state, this.size);
    this.#outRows = new Rows(out, this.size);
  }

  // ---------------------------------------------------------------- questions

  /** The number in [0, 1) that belongs to environment e's present decision. Every caller gets the same. */
  floatNow(e: number, purpose: Purpose): number {
    const st = this.state;
    return floatAt(st.seed[e], this.firstEnv + e, st.episode[e], purpose, st.steps[e]);
  }

  /** Number of the action that assigns slot j to driver i. */
  actionOf(i: number, j: number): number {
    return 1 + i * this.slots + j;
  }

  /** Seconds by which a pickup of slot j at second `at` is late: after its window, or the last one before it; else 0. */
  latenessAt(e: number, j: number, at: number): number {
    return Math.max(0, this.lateBy(e * this.slots + j, at));
  }

  // ---------------------------------------------------------------- reset

  /**
   * Starts episode `episode` of environment e and writes its first observation and mask.
   * @param seed    non-negative safe integer
   * @param episode 0 first
   * @throws EngineError `ERR_OPTION` for an environment that the world does not have, or numbers that are not whole
   */
  reset(e: number, seed: number, episode: number): void {
    this.#checkStart(e, seed, episode);
    const { scenario } = this.compiled;
    const { mode, days } = this.source;
    const listed = mode === 'listed';
    this.#clear(e, seed, episode);
    seedStream(this.stream, 0, seed, this.firstEnv + e, episode, Purpose.start);
    for (let i = 0; i < this.drivers; i++) {
      this.#startDriver(e, i, listed ? scenario.evaluationStart : scenario.trainingStart);
      this.observePlace(e, i);
    }
    this.startDemand(e, seed, episode, days, listed);
    this.refresh(e);
  }

  #checkStart(e: number, seed: number, episode: number): void {
    this.checkEnvironment('e', e);
    check.whole('seed', seed, 0);
    check.whole('episode', episode, 0, NEVER);
  }

  #clear(e: number, seed: number, episode: number): void {
    const st = this.state;
    st.started[e] = 1;
    st.dropoffsBound[e] = 0;
    st.seed[e] = seed;
    st.episode[e] = episode;
    st.now[e] = st.tick[e] = st.decisions[e] = st.steps[e] = 0;
    if (this.windows > 0) st.patience[e] = NEVER;
    clearFigures(st, e);
    this.clearSlots(e);
    this.blank(e);
  }

  #startDriver(e: number, i: number, start: Scenario['trainingStart']): void {
    const { matrix, shifts, extentX, extentY } = this.compiled;
    const stream = this.stream;
    if (shifts !== null) {
      this.startPlan(e, i, shifts.homeX[i], shifts.homeY[i], 0, shifts.from[i]);
      this.state.shiftEnd[e * this.drivers + i] = shifts.to[i];
      this.state.dropoffsBound[e] = 1;
      this.log?.start({ x: Math.fround(shifts.homeX[i]), y: Math.fround(shifts.homeY[i]), zone: -1 });
    } else if (matrix !== null) {
      const { zones } = matrix;
      const zone = start === 'random' ? nextInteger(stream, 0, 0, zones - 1) : start === 'roundRobin' ? i % zones : 0;
      this.startPlan(e, i, matrix.x[zone], matrix.y[zone], zone, 0);
      this.log?.start({ x: matrix.x[zone], y: matrix.y[zone], zone });
    } else {
      // The depot is the centre; in a plane there are no other places to go round.
      const x = start === 'random' ? (2 * nextFloat(stream, 0) - 1) * extentX : 0;
      const y = start === 'random' ? (2 * nextFloat(stream, 0) - 1) * extentY : 0;
      this.startPlan(e, i, x, y, 0, 0);
      this.log?.start({ x: Math.fround(x), y: Math.fround(y), zone: -1 });
    }
  }

  // ---------------------------------------------------------------- other states

  /**
   * Puts a live state into environment e, in place of a reset. Demand goes on as `resampleDemand` draws it.
   * @throws EngineError `ERR_OPTION` for a snapshot that contradicts itself or does not fit the world: nothing has changed then
   */
  restore(e: number, seed: number, episode: number, snapshot: Snapshot): void {
    this.#checkStart(e, seed, episode);
    checkSnapshot(snapshot, this.compiled);
    this.trainingDays();
    const { out } = this;
    this.#clear(e, seed, episode);
    out.rewards[e] = out.terminations[e] = out.truncations[e] = out.invalidActions[e] = 0;
    this.loadSnapshot(e, snapshot);
    for (let i = 0; i < this.drivers; i++) this.observePlace(e, i);
    this.redraw(e, seed, episode, this.firstEnv + e);
    this.refresh(e);
  }

  /**
   * Environment e becomes what environment `from` of `other` is; both worlds are of one scenario and observation.
   * @throws EngineError `ERR_OPTION` for an environment that is not there, `ERR_BUFFER` for worlds of different size
   */
  copy(e: number, other: World, from: number): void {
    this.checkEnvironment('e', e);
    other.checkEnvironment('from', from);
    this.#checkWidths(other);
    this.#stateRows.copy(e, other.#stateRows, from);
    this.#outRows.copy(e, other.#outRows, from);
  }

  /** Worlds that agree in these have rows of the same widths. */
  #checkWidths(other: World): void {
    this.#checkSame('drivers', this.drivers, other.drivers);
    this.#checkSame('slots', this.slots, other.slots);
    this.#checkSame('queue', this.queue, other.queue);
    this.#checkSame('observationSize', this.observationSize, other.observationSize);
    this.#checkSame('windows', this.windows, other.windows);
  }

  #checkSame(name: string, here: number, there: number): void {
    if (here === there) return;
    throw new EngineError('ERR_BUFFER', `the worlds differ in "${name}": ${here} here, ${there} there`);
  }

  /**
   * Gives environment e other demand from here on: drawn anew for (seed, env, episode), on recorded trips from a day of
   * training. What is known now stays.
   * @throws EngineError `ERR_OPTION` for data without training days: nothing has changed then
   */
  resampleDemand(e: number, seed: number, episode: number, env: number): void {
    this.#checkStart(e, seed, episode);
    check.whole('env', env, 0);
    this.redraw(e, seed, episode, env);
  }

  /**
   * Writes observation and mask of environment e anew, from its state alone: for outputs in memory that no step has
   * written yet.
   * @throws EngineError `ERR_ACTION` before the first reset
   */
  rewrite(e: number): void {
    this.checkEnvironment('e', e);
    if (this.state.started[e] !== 1) this.#refuse(e);
    this.blank(e);
    for (let i = 0; i < this.drivers; i++) {
      this.state.stale[e * this.drivers + i] = 1;
      this.observePlace(e, i);
    }
    this.markAllOpened(e);
    this.refresh(e);
  }

  // ---------------------------------------------------------------- step

  /**
   * Applies one action and writes reward, flags, observation and mask. The caller resets ended episodes.
   * @returns the reward in full precision
   * @throws EngineError `ERR_ACTION` before the first reset
   */
  step(e: number, action: number): number {
    const st = this.state;
    const { out } = this;
    if (st.started[e] !== 1) this.#refuse(e);
    const { scenario } = this.compiled;
    let reward: number;
    st.steps[e]++;
    out.invalidActions[e] = 0;
    if (action !== 0) {
      const i = ((action - 1) / this.slots) | 0;
      const j = action - 1 - i * this.slots;
      if (action > 0 && action < this.actions && this.accepts(e, i, j)) {
        reward = this.assignmentReward(e, i, j);
        this.assign(e, i, j, false);
        this.log?.reward(reward);
        this.observePlace(e, i);
        if (++st.decisions[e] < this.decisionLimit) {
          this.refreshDriver(e, i);
          st.episodeReturn[e] += reward;
          out.rewards[e] = reward;
          out.terminations[e] = out.truncations[e] = 0;
          return reward;
        }
      } else {
        reward = scenario.invalidActionReward + waitReward(scenario, st.open[e]);
        out.invalidActions[e] = 1;
        st.invalid[e]++;
        this.log?.record(st.now[e], 'invalid', -1, -1);
      }
    } else {
      reward = waitReward(scenario, st.open[e]);
    }
    return this.#endTick(e, reward);
  }

  /** Moves the clock and writes what that brings; `earned` is what the tick's last decision, or all of them, earned. */
  #endTick(e: number, earned: number): number {
    const st = this.state;
    const { out } = this;
    const { scenario, ticks } = this.compiled;
    // For the log alone: the wait, if it was one that ended the tick.
    const wait = this.log !== null && st.decisions[e] < this.decisionLimit ? waitReward(scenario, st.open[e]) : 0;
    const lost = this.#advance(e);
    const reward = earned + lost;
    this.refresh(e);
    const ended = st.tick[e] >= ticks ? 1 : 0;
    const terminate = scenario.horizonEnd === 'terminate' ? 1 : 0;
    st.episodeReturn[e] += reward;
    if (this.log !== null) this.#logTick(e, wait, lost);
    out.rewards[e] = reward;
    out.terminations[e] = ended & terminate;
    out.truncations[e] = ended & (terminate ^ 1);
    return reward;
  }

  /**
   * Ends a tick with one joint decision: assigns to each driver its booking, drivers ascending, and moves the clock. The same as
   * one `step` for each assignment and one that waits, without the observations in between. Pairs that are not legal by then are
   * left out, flagged, and cost `invalidActionReward` each.
   * @param slotOf `[>= at + N]`: the slot that driver i gets is `slotOf[at + i]`, -1 for none
   * @returns the reward in full precision
   * @throws EngineError `ERR_ACTION` before the first reset
   */
  stepJoint(e: number, slotOf: Int32Array, at = 0): number {
    const st = this.state;
    const { out } = this;
    if (st.started[e] !== 1) this.#refuse(e);
    const { scenario } = this.compiled;
    // Added one by one to the episode's return, as steps would, so that it is the same to the last bit.
    let sum = 0;
    let last = 0;
    out.invalidActions[e] = 0;
    for (let i = 0; i < this.drivers; i++) {
      const j = slotOf[at + i];
      if (j < 0) continue;
      sum += last;
      st.episodeReturn[e] += last;
      if (j < this.slots && st.decisions[e] < this.decisionLimit && this.accepts(e, i, j)) {
        last = this.assignmentReward(e, i, j);
        this.assign(e, i, j, false);
        this.log?.reward(last);
        this.observePlace(e, i);
        st.steps[e]++;
        st.decisions[e]++;
      } else {
        last = scenario.invalidActionReward;
        out.invalidActions[e] = 1;
        st.invalid[e]++;
        this.log?.record(st.now[e], 'invalid', -1, -1);
      }
    }
    if (st.decisions[e] < this.decisionLimit) {
      sum += last;
      st.episodeReturn[e] += last;
      st.steps[e]++;
      last = waitReward(scenario, st.open[e]);
    }
    // Else the last decision that a tick allows has ended it.
    const reward = sum + this.#endTick(e, last);
    out.rewards[e] = reward;
    return reward;
  }

  #logTick(e: number, wait: number, lost: number): void {
    const st = this.state;
    this.log!.tick({
      second: st.now[e],
      wait,
      lost,
      return: st.episodeReturn[e],
      created: st.created[e],
      open: st.open[e],
      assigned: st.assigned[e],
      pickedUp: st.pickedUp[e],
      completed: st.completed[e],
      expired: st.expired[e],
      refused: st.refused[e],
    });
  }

  /** Writes return, length and figures of environment e's episode as it stands into row e of the outputs. */
  writeEpisode(e: number): void {
    writeFigures(this.state, e, this.compiled.scenario, this.out);
  }

  /** Moves the clock to the next tick; everything in between happens at its own second. Returns the reward of what was lost. */
  #advance(e: number): number {
    const st = this.state;
    const before = st.now[e];
    const now = before + this.tickSeconds;
    let lost = 0;
    lost += this.refuseOpen(e);
    lost = this.arrive(e, before, now, lost);
    lost += this.expire(e, now);
    this.serveAll(e, now);
    st.now[e] = now;
    st.tick[e]++;
    st.decisions[e] = 0;
    this.renewApproaches(e, before);
    return lost;
  }

  #refuse(e: number): never {
    this.checkEnvironment('e', e);
    throw new EngineError(
      'ERR_ACTION',
      `step() before reset(): environment ${e} has no episode yet, call reset({ seed }) first`,
    );
  }
}
