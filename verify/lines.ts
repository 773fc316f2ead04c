// The log of an episode as lines of JSON: which kinds of lines there are, and which members each has. `read-log.ts` reads them.

/** Metres east and north of the centre; between zones also the zone. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly zone?: number;
}

/** A level by time of day: that of the first part that holds a second, else `base`. */
export interface Profile {
  readonly base: number;
  readonly parts: readonly {
    readonly fromSecondOfDay: number;
    readonly toSecondOfDay: number;
    readonly level: number;
  }[];
}

/** The rules of the episode. */
export interface Rules {
  readonly name: string;
  readonly drivers: number;
  readonly slots: number;
  readonly queue: number;
  readonly regularShare: number;
  readonly skills: readonly { readonly name: string; readonly driverShare: number }[];
  /** Groups of drivers; absent where all start alike and work all the time. */
  readonly fleet?: readonly Group[];
  readonly startSecondOfDay: number;
  readonly horizonSeconds: number;
  readonly tickSeconds: number;
  readonly horizonEnd: string;
  readonly decisionsPerTick: number;
  readonly assignmentsPerDriverPerTick: number;
  readonly openUntil: string;
  readonly lateToleranceSeconds: number;
  readonly pickupServiceSeconds: number;
  readonly dropoffServiceSeconds: number;
  readonly idleBoardingSeconds: number;
  readonly evaluationStart: string;
  readonly travel: {
    readonly kind: string;
    readonly centreLatitude: number;
    readonly centreLongitude: number;
    readonly halfSpanDegrees: number;
    readonly speedKmh: number;
  };
  readonly trafficSlowdown: number;
  readonly traffic: Profile;
  readonly demand: Demand;
  readonly reward: {
    readonly kind: string;
    readonly weights: Weights;
    readonly costPerMetre: number;
  };
  readonly waitRewardPerOpen: number;
  readonly invalidActionReward: number;
  readonly expiryRewardPerPriority: number;
  readonly refusalRewardPerPriority: number;
}

/** Drivers of one kind. */
export interface Group {
  readonly drivers: number;
  readonly type: string;
  readonly skills: readonly string[];
  readonly homeLatitude: number;
  readonly homeLongitude: number;
  readonly shiftFromSecondOfDay: number;
  readonly shiftToSecondOfDay: number;
}

/** Weights of the five terms of an assignment's reward. */
export type Weights = Readonly<Record<'punctuality' | 'distance' | 'equity' | 'efficiency' | 'satisfaction', number>>;

type Range = readonly [number, number];

/** What bookings may be like; of recorded trips only the kind is said. */
export interface Demand {
  readonly kind: string;
  readonly arrivalProbability: Profile;
  readonly bookingsPerArrival: Range;
  readonly initialBookings: Range;
  readonly priorities: Range;
  readonly urgentPriority: number;
  readonly urgentWindowMinutes: Range;
  readonly windowMinutes: Range;
  readonly returnShare: number;
  readonly prebooked?: { readonly bookings: Range; readonly windowStartMinutes: Range };
}

/** Tables from zone to zone, `[zones, zones]`. */
export interface Tables {
  readonly zones: number;
  readonly seconds: readonly number[];
  readonly metres: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Travel times by time of day: then these hold. */
  readonly periods?: { readonly ofMinute: readonly number[]; readonly seconds: readonly (readonly number[])[] };
}

/** The first line. */
export interface Header {
  readonly kind: 'header';
  readonly scenario: Rules;
  readonly matrix: Tables | null;
  readonly policy: string;
  readonly id: string;
  readonly split: string;
  readonly episode: number;
  readonly seed: number;
}

/** A driver at the start. */
export interface DriverLine {
  readonly kind: 'driver';
  readonly driver: number;
  readonly type: string;
  readonly skills: readonly string[];
  readonly place: Place;
}

/** A booking becomes known. */
export interface CreatedLine {
  readonly kind: 'created';
  readonly second: number;
  readonly booking: number;
  readonly pickup: Place;
  readonly dropoff: Place;
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly priority: number;
  readonly skills: readonly string[];
  readonly leg: string;
  readonly fare: number;
  readonly rideMetres: number;
}

/** A booking is given to a driver, with all that is to follow. */
export interface AssignedLine {
  readonly kind: 'assigned';
  readonly second: number;
  readonly tick: number;
  readonly decision: number;
  readonly booking: number;
  readonly driver: number;
  readonly departAt: number;
  readonly arriveAt: number;
  readonly pickupAt: number;
  readonly leaveAt: number;
  readonly reachAt: number;
  readonly dropoffAt: number;
  readonly approachMetres: number;
  readonly reward: number;
}

/** A vehicle departs or arrives, empty to a pickup (`approach`) or with a booking on board (`ride`). */
export interface LegLine {
  readonly kind: 'departed' | 'arrived';
  readonly second: number;
  readonly driver: number;
  readonly booking: number;
  readonly leg: string;
  readonly place: Place;
}

/** A booking is picked up or dropped off. */
export interface ServedLine {
  readonly kind: 'pickedUp' | 'completed';
  readonly second: number;
  readonly driver: number;
  readonly booking: number;
  readonly place: Place;
}

/** A booking is lost. */
export interface LostLine {
  readonly kind: 'expired' | 'refused';
  readonly second: number;
  readonly booking: number;
  readonly place: Place;
}

/** An action that is not legal was asked for. */
export interface InvalidLine {
  readonly kind: 'invalid';
  readonly second: number;
}

/** A tick ends: its reward term by term, and how many bookings are in which stage. */
export interface TickLine {
  readonly kind: 'tick';
  readonly second: number;
  readonly tick: number;
  readonly assignmentReward: number;
  readonly invalidReward: number;
  readonly waitReward: number;
  readonly lostReward: number;
  readonly reward: number;
  readonly return: number;
  readonly created: number;
  readonly open: number;
  readonly assigned: number;
  readonly pickedUp: number;
  readonly completed: number;
  readonly expired: number;
  readonly refused: number;
}

/** The last line. */
export interface EndLine {
  readonly kind: 'end';
  readonly second: number;
  readonly end: string;
  readonly return: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** A line after the header. */
export type Line =
  DriverLine | CreatedLine | AssignedLine | LegLine | ServedLine | LostLine | InvalidLine | TickLine | EndLine;

/** A log that could be read. */
export interface EpisodeLogFile {
  readonly header: Header;
  /** Entry k is line k + 2 of the file. */
  readonly lines: readonly Line[];
}
