// What a plan is asked for: vehicles with their limits, tasks with their stops, and travel between places. Times are whole seconds,
// distances metres, places rows of the tables; -1 is no place.

/** First and last second, both inclusive. */
export type Window = readonly [from: number, to: number];

/** No place: a route that may begin, or end, anywhere. */
export const NOWHERE = -1;

/** Where something is done. */
export interface StopSpec {
  /** Row of the tables. */
  readonly place: number;
  /** Seconds to get started, by kind of vehicle; they fall away where the stop before is at the same place. */
  readonly setup: readonly number[];
  /** Seconds that it takes, by kind of vehicle. */
  readonly service: readonly number[];
  /** When it may begin, in order and apart from each other; none: at any time. */
  readonly windows: readonly Window[];
}

/** What belongs to every task. Amounts have one number for each dimension of the problem. */
interface AnyTask {
  /** What it counts if it is served; plans of more worth are better, whatever they cost. Above 0. */
  readonly worth: number;
  /** 1 for each vehicle that has the skills. */
  readonly allowed: Uint8Array;
}

/** Something that is done at one stop. */
export interface JobSpec extends AnyTask {
  readonly kind: 'job';
  readonly stop: StopSpec;
  /** Loaded where the route begins, unloaded here. */
  readonly delivery: readonly number[];
  /** Loaded here, unloaded where the route ends. */
  readonly pickup: readonly number[];
}

/** Something that one vehicle takes from one stop to another. */
export interface ShipmentSpec extends AnyTask {
  readonly kind: 'shipment';
  readonly pickup: StopSpec;
  readonly delivery: StopSpec;
  readonly amount: readonly number[];
  /** Most seconds from the end of the pickup's service to the beginning of the delivery's; Infinity: any. */
  readonly maxRide: number;
}

/** One of the two kinds. */
export type TaskSpec = JobSpec | ShipmentSpec;

/** A pause that a vehicle in use must have. */
export interface BreakSpec {
  /** Seconds. */
  readonly service: number;
  /** When it may begin, in order; none: at any time. */
  readonly windows: readonly Window[];
  /** Most load with which it may be taken, for each dimension; null: any. */
  readonly maxLoad: readonly number[] | null;
}

/** Travel between places for vehicles that drive alike and cost alike; `[from * places + to]`, Infinity where there is no way. */
export interface Travel {
  /** Whole seconds. */
  readonly durations: Float64Array;
  /** Metres; null where they are not known. */
  readonly distances: Float64Array | null;
  /** What is to be saved. */
  readonly costs: Float64Array;
}

/** A vehicle and its limits. */
export interface VehicleSpec {
  /** Where its route begins; `NOWHERE`: at its first stop. */
  readonly start: number;
  /** Where its route ends; `NOWHERE`: at its last stop. */
  readonly end: number;
  /** Which `travels`. */
  readonly travel: number;
  /** Which of the numbers by kind of vehicle. */
  readonly kind: number;
  /** For each dimension. */
  readonly capacity: readonly number[];
  /** From the beginning of its route to the end. */
  readonly shift: Window;
  /** In the order in which they are taken. */
  readonly breaks: readonly BreakSpec[];
  /** Most stops. */
  readonly maxStops: number;
  /** Seconds. */
  readonly maxTravel: number;
  /** Metres; Infinity where distances are not known. */
  readonly maxDistance: number;
  /** Cost of using it at all. */
  readonly fixed: number;
  /** Cost of an hour at stops. */
  readonly perTaskHour: number;
}

/** All that a plan is made from. */
export interface RoutingProblem {
  /** Rows of the tables. */
  readonly places: number;
  /** Numbers in each amount. */
  readonly dimensions: number;
  readonly travels: readonly Travel[];
  readonly vehicles: readonly VehicleSpec[];
  readonly tasks: readonly TaskSpec[];
}

/** What a node of a route is. */
export const NodeKind = { job: 0, pickup: 1, delivery: 2 } as const;

/**
 * The problem by nodes: one for a job, two for a shipment, the pickup first. What the search reads most is in arrays, as it looks at
 * millions of positions.
 */
export class Nodes {
  /** What was given. */
  readonly problem: RoutingProblem;
  /** Number of nodes. */
  readonly count: number;
  /** `[nodes]` as of `NodeKind` */
  readonly kind: Uint8Array;
  /** `[nodes]` */
  readonly task: Int32Array;
  /** `[nodes]` row of the tables */
  readonly place: Int32Array;
  /** `[nodes]` */
  readonly stops: readonly StopSpec[];
  /** First node of each task. */
  readonly firstOf: Int32Array;
  /** `[nodes * dimensions]` what the load changes by. */
  readonly change: Float64Array;
  /** `[nodes * dimensions]` what a job has on board from the beginning of the route; 0 for shipments. */
  readonly loaded: Float64Array;
  /** `[nodes]` last second at which service may begin; Infinity without windows. */
  readonly until: Float64Array;
  /** `[nodes]` of a delivery: most seconds on board; Infinity elsewhere. */
  readonly maxRide: Float64Array;

  constructor(problem: RoutingProblem) {
    const { tasks, dimensions: d } = problem;
    const count = tasks.reduce((sum, task) => sum + (task.kind === 'job' ? 1 : 2), 0);
    this.problem = problem;
    this.count = count;
    this.kind = new Uint8Array(count);
    this.task = new Int32Array(count);
    this.place = new Int32Array(count);
    this.firstOf = new Int32Array(tasks.length);
    this.change = new Float64Array(count * d);
    this.loaded = new Float64Array(count * d);
    this.maxRide = new Float64Array(count).fill(Infinity);
    this.until = new Float64Array(count);
    const stops: StopSpec[] = [];
    const add = (task: number, kind: number, stop: StopSpec, change: (dimension: number) => number): number => {
      const node = stops.length;
      this.kind[node] = kind;
      this.task[node] = task;
      this.place[node] = stop.place;
      this.until[node] = stop.windows.length === 0 ? Infinity : stop.windows[stop.windows.length - 1][1];
      for (let x = 0; x < d; x++) this.change[node * d + x] = change(x);
      stops.push(stop);
      return node;
    };
    for (const [t, task] of tasks.entries()) {
      if (task.kind === 'job') {
        const { delivery, pickup } = task;
        const node = add(t, NodeKind.job, task.stop, (x) => pickup[x] - delivery[x]);
        this.firstOf[t] = node;
        for (let x = 0; x < d; x++) this.loaded[node * d + x] = delivery[x];
      } else {
        const { amount } = task;
        this.firstOf[t] = add(t, NodeKind.pickup, task.pickup, (x) => amount[x]);
        const node = add(t, NodeKind.delivery, task.delivery, (x) => -amount[x]);
        this.maxRide[node] = task.maxRide;
      }
    }
    this.stops = stops;
  }
}

/** The first second from `at` on that lies in a window; Infinity if there is none. */
export function firstWithin(windows: readonly Window[], at: number): number {
  if (windows.length === 0) return at;
  for (const [from, to] of windows) if (at <= to) return at < from ? from : at;
  return Infinity;
}

/** The last second up to `at` that lies in a window; -Infinity if there is none. */
export function lastWithin(windows: readonly Window[], at: number): number {
  if (windows.length === 0) return at;
  for (let k = windows.length - 1; k >= 0; k--) if (at >= windows[k][0]) return Math.min(at, windows[k][1]);
  return -Infinity;
}
