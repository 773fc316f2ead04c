// The fields of a world: the state of `n` environments as a struct of arrays, and what they write for their caller.

import type { CompiledScenario } from './compile.js';
import { kpiNames } from './kpis.js';
import type { LayoutOf } from './layout.js';
import { observationSize } from './observation.js';
import type { ObservationKind } from './observation.js';
import { STREAM_WORDS } from './random.js';
import { actionCount } from './scenario.js';
import { windowStride } from './windows.js';

/** Offsets of the sums over an episode that its figures are made of, within an environment's row of `sums`. */
export const Sum = { latenessSeconds: 0, waitSeconds: 1, approachMetres: 2, rideMetres: 3, busySeconds: 4 } as const;
/** How many sums an environment has. */
export const SUMS: number = Object.keys(Sum).length;

/** State of `n` environments: `[n]`, `[n, N]` (drivers), `[n, M]` (slots), `[n, N, queue]` (plans) or `[n, N, M]` (pairs). */
export interface StateViews {
  readonly seed: Float64Array;
  /** 1 once the environment has been reset, or taken a live state: it has an episode. */
  readonly started: Uint8Array;
  /** 1 where a driver has an end of shift, or a booking a latest drop-off; the latter only in live states. */
  readonly dropoffsBound: Uint8Array;
  /** 1 where the episode has ended and no reset has happened yet. */
  readonly ended: Uint8Array;
  readonly episode: Int32Array;
  /** Seconds since the start of the episode, and ticks. */
  readonly now: Int32Array;
  readonly tick: Int32Array;
  /** Decisions taken in this tick. */
  readonly decisions: Int32Array;
  readonly steps: Int32Array;
  /** Day of the trace, and the next booking of it that is not yet known. */
  readonly day: Int32Array;
  readonly cursor: Int32Array;
  readonly demandStream: Int32Array;

  // The life of bookings: created = open + assigned + pickedUp + completed + expired + refused, at every tick.
  readonly created: Int32Array;
  readonly open: Int32Array;
  readonly assigned: Int32Array;
  readonly pickedUp: Int32Array;
  readonly completed: Int32Array;
  readonly expired: Int32Array;
  readonly refused: Int32Array;
  readonly onTime: Int32Array;
  readonly invalid: Int32Array;
  readonly loadSum: Int32Array;
  readonly loadSquares: Float64Array;
  readonly episodeReturn: Float64Array;
  readonly sums: Float64Array;

  /** Where and when the driver's plan ends. */
  readonly endX: Float32Array;
  readonly endY: Float32Array;
  readonly endZone: Int32Array;
  readonly freeAt: Int32Array;
  readonly planHead: Int32Array;
  readonly planLength: Int32Array;
  /** Second by which the driver must be done, `NEVER` without a limit. */
  readonly shiftEnd: Int32Array;
  /** Second of the pickup or drop-off that comes next, `NEVER` if the plan is empty. */
  readonly nextEventAt: Int32Array;
  /** 1 while the first booking of the plan is on board. */
  readonly onBoard: Uint8Array;
  /** Bookings taken in this episode, and in this tick. */
  readonly load: Int32Array;
  readonly takenThisTick: Int32Array;
  /** 1 where the driver's row of the mask must be rewritten. */
  readonly stale: Uint8Array;

  readonly planPickupAt: Int32Array;
  readonly planDropoffAt: Int32Array;
  readonly planBooking: Int32Array;

  /** Bit j of word j / 32: slot j holds an open booking. */
  readonly openBits: Int32Array;
  readonly booking: Int32Array;
  readonly pickupX: Float32Array;
  readonly pickupY: Float32Array;
  readonly pickupZone: Int32Array;
  readonly dropoffX: Float32Array;
  readonly dropoffY: Float32Array;
  readonly dropoffZone: Int32Array;
  readonly knownAt: Int32Array;
  readonly windowStart: Int32Array;
  readonly windowEnd: Int32Array;
  /** Last second at which a pickup may be planned: `windowEnd` + tolerance. */
  readonly latestPickup: Int32Array;
  /** The drop-off's own window: waited for, and to be done by; 0 and `NEVER` if it has none. */
  readonly earliestDropoff: Int32Array;
  readonly latestDropoff: Int32Array;
  readonly priority: Uint8Array;
  readonly skills: Int32Array;
  /** Seconds spent at the pickup and at the drop-off. */
  readonly pickupService: Int32Array;
  readonly dropoffService: Int32Array;
  readonly leg: Uint8Array;
  readonly fare: Int32Array;
  readonly rideMetres: Float64Array;
  /** Free-flow seconds from pickup to drop-off. */
  readonly rideSeconds: Float64Array;

  /** Where `compiled.windows` allows several: their lists (windows.ts), how many there are of each kind, 0 for one; patience. */
  readonly windows: Int32Array;
  readonly windowCounts: Uint8Array;
  readonly patience: Int32Array;

  /** Free-flow seconds from the end of driver i's plan to the pickup in slot j; only kept for open slots. */
  readonly approach: Float32Array;
}

/** What `n` environments write for their caller. */
export interface OutputViews {
  readonly observations: Float32Array;
  /** 1 where the action is legal. */
  readonly actionMasks: Uint8Array;
  readonly rewards: Float32Array;
  readonly terminations: Uint8Array;
  readonly truncations: Uint8Array;
  /** 1 where the last action was illegal. */
  readonly invalidActions: Uint8Array;
  /** The observation on which an episode ended; meaningful where it just ended. */
  readonly finalObservations: Float32Array;
  /** The mask that belongs to it. */
  readonly finalActionMasks: Uint8Array;
  /** Of the episode that ended last: return, decisions, figures. */
  readonly episodeReturns: Float64Array;
  readonly episodeLengths: Int32Array;
  readonly episodeKpis: Float64Array;
}

/** The layout of the state of `n` environments. */
export function stateSpec(c: CompiledScenario, n: number): LayoutOf<StateViews> {
  const { drivers, slots, queue } = c.scenario;
  const perDriver = n * drivers;
  const perSlot = n * slots;
  const perPlan = perDriver * queue;
  return {
    seed: ['f64', n],
    started: ['u8', n],
    dropoffsBound: ['u8', n],
    ended: ['u8', n],
    episode: ['i32', n],
    now: ['i32', n],
    tick: ['i32', n],
    decisions: ['i32', n],
    steps: ['i32', n],
    day: ['i32', n],
    cursor: ['i32', n],
    demandStream: ['i32', n * STREAM_WORDS],
    created: ['i32', n],
    open: ['i32', n],
    assigned: ['i32', n],
    pickedUp: ['i32', n],
    completed: ['i32', n],
    expired: ['i32', n],
    refused: ['i32', n],
    onTime: ['i32', n],
    invalid: ['i32', n],
    loadSum: ['i32', n],
    loadSquares: ['f64', n],
    episodeReturn: ['f64', n],
    sums: ['f64', n * SUMS],
    endX: ['f32', perDriver],
    endY: ['f32', perDriver],
    endZone: ['i32', perDriver],
    freeAt: ['i32', perDriver],
    planHead: ['i32', perDriver],
    planLength: ['i32', perDriver],
    shiftEnd: ['i32', perDriver],
    nextEventAt: ['i32', perDriver],
    onBoard: ['u8', perDriver],
    load: ['i32', perDriver],
    takenThisTick: ['i32', perDriver],
    stale: ['u8', perDriver],
    planPickupAt: ['i32', perPlan],
    planDropoffAt: ['i32', perPlan],
    planBooking: ['i32', perPlan],
    openBits: ['i32', n * Math.ceil(slots / 32)],
    booking: ['i32', perSlot],
    pickupX: ['f32', perSlot],
    pickupY: ['f32', perSlot],
    pickupZone: ['i32', perSlot],
    dropoffX: ['f32', perSlot],
    dropoffY: ['f32', perSlot],
    dropoffZone: ['i32', perSlot],
    knownAt: ['i32', perSlot],
    windowStart: ['i32', perSlot],
    windowEnd: ['i32', perSlot],
    latestPickup: ['i32', perSlot],
    earliestDropoff: ['i32', perSlot],
    latestDropoff: ['i32', perSlot],
    priority: ['u8', perSlot],
    skills: ['i32', perSlot],
    pickupService: ['i32', perSlot],
    dropoffService: ['i32', perSlot],
    leg: ['u8', perSlot],
    fare: ['i32', perSlot],
    rideMetres: ['f64', perSlot],
    rideSeconds: ['f64', perSlot],
    windows: ['i32', perSlot * windowStride(c)],
    windowCounts: ['u8', c.windows === 0 ? 0 : 2 * perSlot],
    patience: ['i32', c.windows === 0 ? 0 : n],
    approach: ['f32', perDriver * slots],
  };
}

/** The layout of the outputs of `n` environments. */
export function outputSpec(c: CompiledScenario, n: number, observation: ObservationKind): LayoutOf<OutputViews> {
  const size = observationSize(c.scenario, observation);
  return {
    observations: ['f32', n * size],
    actionMasks: ['u8', n * actionCount(c.scenario)],
    rewards: ['f32', n],
    terminations: ['u8', n],
    truncations: ['u8', n],
    invalidActions: ['u8', n],
    finalObservations: ['f32', n * size],
    finalActionMasks: ['u8', n * actionCount(c.scenario)],
    episodeReturns: ['f64', n],
    episodeLengths: ['i32', n],
    episodeKpis: ['f64', n * kpiNames.length],
  };
}
