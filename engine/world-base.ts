// What the layers of a world share: its memory, its sizes and rules as plain fields, lists to work in, and the scenario's clock.
// See world.ts for the layers, and for the meaning of e, i, j, d and s.

import type { CompiledScenario } from './compile.js';
import type { EpisodeSource } from './episode.js';
import { EngineError } from './errors.js';
import type { EventLog } from './event-log.js';
import { observationShape, observationSize } from './observation.js';
import type { ObservationKind } from './observation.js';
import { STREAM_WORDS } from './random.js';
import { metreCost } from './reward.js';
import { actionCount } from './scenario.js';
import type { RewardWeights } from './scenario.js';
import { NEVER } from './snapshot.js';
import { windowStride } from './windows.js';
import type { OutputViews, StateViews } from './world-layout.js';

const MINUTES_A_DAY = 24 * 60;

/** Memory and rules of one world. After construction only `log`, the lists and their counts change, beside what the views hold. */
export abstract class WorldBase {
  /** The scenario with its tables. */
  readonly compiled: CompiledScenario;
  /** State of all environments; read-only for callers. */
  readonly state: StateViews;
  /** Observations, masks, rewards and flags of all environments; read-only for callers. */
  readonly out: OutputViews;
  /** Drivers N of an environment. */
  readonly drivers: number;
  /** Slots M of an environment. */
  readonly slots: number;
  /** Actions of an environment, N * M + 1. */
  readonly actions: number;
  /** Kind of the observations. */
  readonly observation: ObservationKind;
  /** Numbers in one observation. */
  readonly observationSize: number;
  /** Index of environment 0 over the whole run. */
  readonly firstEnv: number;
  /** Where events are recorded, null for nowhere. Only sensible for a world with one environment of interest. */
  log: EventLog | null = null;

  /** Which recorded days are played. */
  protected readonly source: EpisodeSource;
  /** Environments n. */
  protected readonly size: number;

  // Rules, as numbers that are at hand.
  /** Bookings that a plan holds at most. */
  protected readonly queue: number;
  /** Windows that a booking may have, 0 where all have one. */
  protected readonly windows: number;
  /** Elements of `state.windows` that a slot takes. */
  protected readonly stride: number;
  /** Second of the day at which episodes start. */
  protected readonly startSecond: number;
  /** Seconds in a tick. */
  protected readonly tickSeconds: number;
  /** Decisions in a tick at most. */
  protected readonly decisionLimit: number;
  /** Bookings that a driver may take in a tick. */
  protected readonly takeLimit: number;
  /** Seconds after its window at which a pickup may still be planned. */
  protected readonly tolerance: number;
  /** Bookings are open until the end of the tick that shows them. */
  protected readonly untilTickEnd: boolean;
  /** Free-flow speed in a plane; 0 under matrix travel. */
  protected readonly metresPerSecond: number;
  /** Null where fares are paid. */
  protected readonly weights: RewardWeights | null;
  /** Where fares are paid: in 1/10000 of the money unit. */
  protected readonly costPerMetre: number;

  // Where things lie.
  /** Words of `state.openBits` that an environment takes. */
  protected readonly words: number;
  /** Observations are of kind `full`. */
  protected readonly full: boolean;
  /** Columns of a driver. */
  protected readonly driverColumns: number;
  /** Columns of a booking. */
  protected readonly bookingColumns: number;
  /** Where in an observation the first booking's columns start. */
  protected readonly bookingsAt: number;
  /** Where in an observation the context's columns start. */
  protected readonly contextAt: number;
  /** 1 / half extent of the area, per metre east. */
  protected readonly scaleX: number;
  /** The same, per metre north. */
  protected readonly scaleY: number;

  // Lists to work in.
  /** Open slots of the environment in hand, ascending; each method that needs them lists them anew. */
  protected readonly list: Int32Array;
  /** A stream for draws within one call. */
  protected readonly stream: Int32Array = new Int32Array(STREAM_WORDS);
  /**
   * Slots of the environment in hand that have opened since its last refresh, each once. Every call that changes slots ends
   * with a refresh, which empties this list and `closed`.
   */
  protected readonly opened: Int32Array;
  /** How many there are. */
  protected openedCount = 0;
  /** Slots of it that were open then and have closed since, each once; some may have opened again. */
  protected readonly closed: Int32Array;
  /** How many there are. */
  protected closedCount = 0;
  /** Which slots are in these lists, as bits (slots.ts). */
  protected readonly marks: Uint8Array;

  /** Parameters as of `World`. */
  constructor(
    compiled: CompiledScenario,
    state: StateViews,
    out: OutputViews,
    observation: ObservationKind,
    source: EpisodeSource,
    firstEnv: number,
  ) {
    const { scenario } = compiled;
    const { travel, reward } = scenario;
    const shape = observationShape(scenario, observation);
    this.compiled = compiled;
    this.state = state;
    this.out = out;
    this.source = source;
    this.firstEnv = firstEnv;
    this.size = state.now.length;
    this.drivers = scenario.drivers;
    this.slots = scenario.slots;
    this.actions = actionCount(scenario);
    this.queue = scenario.queue;
    this.words = Math.ceil(scenario.slots / 32);
    this.windows = compiled.windows;
    this.stride = windowStride(compiled);
    this.startSecond = scenario.startSecondOfDay;
    this.tickSeconds = scenario.tickSeconds;
    this.decisionLimit = Math.min(scenario.decisionsPerTick, NEVER);
    this.takeLimit = scenario.assignmentsPerDriverPerTick;
    this.tolerance = Math.min(scenario.lateToleranceSeconds, NEVER);
    this.untilTickEnd = scenario.openUntil === 'tickEnd';
    this.metresPerSecond = travel.kind === 'plane' ? travel.speedKmh / 3.6 : 0;
    this.weights = reward.kind === 'weighted' ? reward.weights : null;
    this.costPerMetre = reward.kind === 'fare' ? metreCost(reward) : 0;
    this.observation = observation;
    this.full = observation === 'full';
    this.observationSize = observationSize(scenario, observation);
    this.driverColumns = shape.driverColumns.length;
    this.bookingColumns = shape.bookingColumns.length;
    this.bookingsAt = scenario.drivers * this.driverColumns;
    this.contextAt = this.bookingsAt + scenario.slots * this.bookingColumns;
    this.scaleX = 1 / compiled.extentX;
    this.scaleY = 1 / compiled.extentY;
    this.list = new Int32Array(scenario.slots);
    this.opened = new Int32Array(scenario.slots);
    this.closed = new Int32Array(scenario.slots);
    this.marks = new Uint8Array(scenario.slots);
  }

  /** Minute of the day at `second` of the episode. */
  protected minuteAt(second: number): number {
    return (((this.startSecond + second) / 60) | 0) % MINUTES_A_DAY;
  }

  /** Travel seconds / free-flow seconds of a departure at `second` of the episode. */
  protected factorAt(second: number): number {
    return this.compiled.factorByMinute[this.minuteAt(second)];
  }

  /**
   * Second of an arrival: departure plus travel time under traffic in whole seconds, but not before `windowStart`. Mask, plan
   * and reward all use this one sum.
   * @param factor travel seconds / free-flow seconds at the departure
   */
  protected arrival(depart: number, freeFlowSeconds: number, factor: number, windowStart: number): number {
    const at = depart + ((freeFlowSeconds * factor + 0.5) | 0);
    return at > windowStart ? at : windowStart;
  }

  /** @throws EngineError `ERR_OPTION` unless the world has environment e; `name` is the parameter's */
  protected checkEnvironment(name: string, e: number): void {
    if (Number.isInteger(e) && e >= 0 && e < this.size) return;
    throw new EngineError('ERR_OPTION', `${name} is ${String(e)}: the world has environments 0 to ${this.size - 1}`);
  }
}
