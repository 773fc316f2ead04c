// What a dispatch problem is: fleet, clock, travel, traffic, demand, rules and rewards. Plain data that fits in JSON
// (but for `Infinity`). Validated once, in validate.ts; compiled once, in compile.ts.

/** Kind of a driver; the weighted reward pays them differently (reward.ts). */
export type DriverType = 'REGULAR' | 'EMERGENCY';

/** A stretch of the day with its own level. Seconds of the day, `from` inclusive, `to` exclusive. */
export interface DayPart {
  readonly fromSecondOfDay: number;
  readonly toSecondOfDay: number;
  readonly level: number;
}

/** A level that holds all day except within `parts`; the first part that holds a second decides. */
export interface DayProfile {
  readonly base: number;
  readonly parts: readonly DayPart[];
}

/** Straight lines in a plane about a centre. Places are metres east and north of it. */
export interface PlaneTravelSpec {
  readonly kind: 'plane';
  /** Degrees, WGS 84. */
  readonly centreLatitude: number;
  readonly centreLongitude: number;
  /** The area reaches this many degrees to each side of the centre. */
  readonly halfSpanDegrees: number;
  /** Free-flow speed, km/h. */
  readonly speedKmh: number;
}

/** Zone to zone durations and distances; the tables come with the data set. */
export interface MatrixTravelSpec {
  readonly kind: 'matrix';
}

/** Bookings that are known when the episode starts, for later in it: rides of a day that were ordered before. */
export interface PrebookedSpec {
  /** How many, inclusive range; beside `initialBookings`. */
  readonly bookings: readonly [number, number];
  /** Start of the window in minutes after the episode's start, inclusive range. Its length is that of any other. */
  readonly windowStartMinutes: readonly [number, number];
}

/** A square in which many rides begin or end, such as a hospital. It lies within the area. */
export interface HotSpotSpec {
  readonly name: string;
  /** Centre, degrees, WGS 84. */
  readonly latitude: number;
  readonly longitude: number;
  /** How far it reaches to the east, west, north and south. */
  readonly reachMetres: number;
  /** Share of all pickup and drop-off places that lie in it, 0..1. What the shares of all leave is drawn from the whole area. */
  readonly share: number;
}

/** Bookings drawn from the seed. */
export interface SyntheticDemandSpec {
  readonly kind: 'synthetic';
  /** Probability that a call arrives within a tick, by time of day. */
  readonly arrivalProbability: DayProfile;
  /** Bookings in a call, inclusive range. */
  readonly bookingsPerArrival: readonly [number, number];
  /** Open bookings when the episode starts, inclusive range. */
  readonly initialBookings: readonly [number, number];
  /** Inclusive range within 1..5. */
  readonly priorities: readonly [number, number];
  /** From this priority on, `urgentWindowMinutes` holds. */
  readonly urgentPriority: number;
  /** Window length in minutes, inclusive range. */
  readonly urgentWindowMinutes: readonly [number, number];
  readonly windowMinutes: readonly [number, number];
  /** Share of bookings that are return legs, 0..1. */
  readonly returnShare: number;
  /** Absent: all bookings but the initial ones become known when they are wanted. */
  readonly prebooked?: PrebookedSpec;
  /** Absent: places are drawn from the whole area, each with the same probability. */
  readonly hotSpots?: readonly HotSpotSpec[];
}

/** Bookings of recorded days; the trace comes with the data set. */
export interface TraceDemandSpec {
  readonly kind: 'trace';
}

/** The five parts that an assignment is paid for; see reward.ts. */
export interface RewardWeights {
  readonly punctuality: number;
  readonly distance: number;
  readonly equity: number;
  readonly efficiency: number;
  readonly satisfaction: number;
}

/** The original system's reward. */
export interface WeightedRewardSpec {
  readonly kind: 'weighted';
  readonly weights: RewardWeights;
}

/** Fare less driving cost. The fare is paid only if the pickup falls within the window. */
export interface FareRewardSpec {
  readonly kind: 'fare';
  /** Cost in money per metre driven, empty or full. A multiple of 0.0001, so that sums stay exact integers. */
  readonly costPerMetre: number;
}

/** A skill that some drivers have and some bookings need (wheelchair, stretcher, ...). */
export interface SkillSpec {
  readonly name: string;
  /** Share of drivers that have it, spread evenly over the fleet, 0..1: `floor(drivers * driverShare)` have it. */
  readonly driverShare: number;
  /** Share of synthetic bookings that need it, 0..1. */
  readonly bookingShare: number;
}

/** Drivers of one kind: what they can do, where they live and when they work. In a plane only. */
export interface FleetGroup {
  readonly name: string;
  /** How many. */
  readonly drivers: number;
  readonly type: DriverType;
  /** Names of the skills that each of them has. */
  readonly skills: readonly string[];
  /** Where they start, degrees, WGS 84; within the area. */
  readonly homeLatitude: number;
  readonly homeLongitude: number;
  /** First second at which they drive, from midnight of the episode's first day. They take bookings before, for then. */
  readonly shiftFromSecondOfDay: number;
  /** They take no booking that they would not be done with by then; counted alike, so beyond 86400 after midnight. */
  readonly shiftToSecondOfDay: number;
}

/** A dispatch problem. `validateScenario` checks it, `compileScenario` builds its tables. */
export interface Scenario {
  readonly name: string;
  /** Number of drivers N. */
  readonly drivers: number;
  /** Number of slots M: how many bookings can be open at once. */
  readonly slots: number;
  /** Accepted bookings that a driver's plan holds at most, the one in service included. */
  readonly queue: number;
  /** The first share of drivers is REGULAR, the rest EMERGENCY. */
  readonly regularShare: number;
  readonly skills: readonly SkillSpec[];
  /**
   * Drivers in groups, in this order; as many as `drivers`. It takes the place of `regularShare`, of `driverShare` of skills, and
   * of both starts. Absent: those hold, and all drivers work all the time.
   */
  readonly fleet?: readonly FleetGroup[];

  /** Second of the day at which an episode starts. */
  readonly startSecondOfDay: number;
  readonly horizonSeconds: number;
  readonly tickSeconds: number;
  /** How the episode ends at its horizon: `terminate` (no future) or `truncate` (cut; the value goes on). */
  readonly horizonEnd: 'terminate' | 'truncate';
  /** Decisions before the tick ends; with `Infinity` assignments take no time and action 0 ends the tick. */
  readonly decisionsPerTick: number;
  /** New bookings that one driver may be given within one tick. */
  readonly assignmentsPerDriverPerTick: number;
  /** How long a booking stays open: until `windowEnd`, or until the end of the tick that showed it (else refused). */
  readonly openUntil: 'windowEnd' | 'tickEnd';
  /** A pickup may be planned up to this late after the window, in seconds. */
  readonly lateToleranceSeconds: number;
  /** Seconds spent at the pickup and at the drop-off. */
  readonly pickupServiceSeconds: number;
  readonly dropoffServiceSeconds: number;
  /** Seconds after the pickup that an idle vehicle loses if it already stood at the pickup place. */
  readonly idleBoardingSeconds: number;
  /** Where drivers start when episodes are drawn (training), and when days are listed (evaluation). */
  readonly trainingStart: 'depot' | 'roundRobin' | 'random';
  readonly evaluationStart: 'depot' | 'roundRobin' | 'random';

  readonly travel: PlaneTravelSpec | MatrixTravelSpec;
  /** Seconds are free-flow seconds / (1 - trafficSlowdown * level at the departure). */
  readonly trafficSlowdown: number;
  readonly traffic: DayProfile;
  readonly demand: SyntheticDemandSpec | TraceDemandSpec;

  readonly reward: WeightedRewardSpec | FareRewardSpec;
  /** Reward of waiting, for each open booking. */
  readonly waitRewardPerOpen: number;
  /** Paid on top of a wait when the action was illegal. */
  readonly invalidActionReward: number;
  /** Paid for a booking that expires, times its priority. */
  readonly expiryRewardPerPriority: number;
  /** Paid for a booking that finds no free slot, times its priority. */
  readonly refusalRewardPerPriority: number;
}

/** Number of actions: wait, and each driver with each slot. */
export function actionCount(scenario: Scenario): number {
  return scenario.drivers * scenario.slots + 1;
}
