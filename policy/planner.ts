// Plans for all vehicles, by a dispatcher's objectives: first the bookings served, by priority; then lateness, by priority; then
// empty driving and lack of slack. Built by regret insertion (Potvin and Rousseau 1993), improved by ruin and recreate (Schrimpf
// et al. 2000) with record-to-record acceptance (Dueck 1993); for whole plans, where there is time for thousands of turns, by taking out
// what lies near to each other and counting who was left out how often (Christiaens and Vanden Berghe 2020). The same input gives the
// same plan.

import { Purpose, STREAM_WORDS, nextFloat, seedStream } from '../engine/index.js';
import type { World } from '../engine/index.js';
import { PlannerArrays } from './planner-arrays.js';
import { Routes } from './routes.js';

/** What leaving out a booking that has one vehicle left costs its regret, per worth: more than any way. */
const LAST_CHANCE = 1e9;

/** How far the plan in hand may be from the best one, at first: in mean worths of a booking, and in cost. */
const WORTH_DISTANCE = 0.1;
const COST_DISTANCE = 1800;
/** Turns without one more served, per turn that there may be and per square of the number of bookings, after which the search ends. */
const PATIENCE = 0.2;
const MIN_PATIENCE = 20;
/** How often the best position for a booking is passed over. */
const BLINK = 0.02;
/** How often a turn begins at a booking that is left out, if there is one. */
const FROM_BANK = 0.6;

// Of the search for whole plans.
/** Vehicles from which bookings are taken out in a turn, at most. */
const MOST_RUINED = 4;
/** How often a vehicle near the first booking is passed over, and how often a vehicle loses its whole plan. */
const PASS = 0.2;
const WHOLE = 0.3;
/** Temperatures at the beginning and the end, in cost; and turns per booking over which it falls. */
const HOT = 600;
const COLD = 6;
const FALLING = 100;

/** Plans for one environment at a time; its memory is reused. Call `construct`, then `improve`, then read the plan. */
export class Planner {
  /** What the plan is for, as last read. */
  readonly input: PlannerArrays = new PlannerArrays();
  readonly #routes: Routes = new Routes(this.input);
  /** Worth of the bookings served, and cost, of the current plan and of the best one. */
  #served = 0;
  #cost = 0;
  #bestServed = 0;
  #bestCost = 0;
  #bestLength = new Int32Array(0);
  #bestStops = new Int32Array(0);

  readonly #stream = new Int32Array(STREAM_WORDS);
  /** Bookings without a vehicle, the worthiest first. */
  #bank = new Int32Array(0);
  #bankCount = 0;
  /** Bookings to be put in, in order. */
  #queue = new Int32Array(0);
  #queueCount = 0;
  #key = new Float64Array(0);
  /** Vehicles whose plans have been saved in this turn. */
  #touched = new Int32Array(0);
  #touchedCount = 0;
  #isTouched = new Uint8Array(0);
  #isRemoved = new Uint8Array(0);
  /** 1 where not even an empty plan has room for the booking. */
  #isHopeless = new Uint8Array(0);
  // Regret insertion, by booking: best and second best vehicle.
  #first = new Int32Array(0);
  #firstCost = new Float64Array(0);
  #secondCost = new Float64Array(0);
  #second = new Int32Array(0);
  // Of the search for whole plans, by booking: how often it was left out, and all others, the nearest first, null until asked for.
  #absent = new Float64Array(0);
  #near: (Int32Array | null)[] = [];

  /** Sum of the worth of what the plan serves. */
  get servedWorth(): number {
    return this.#bestServed;
  }

  /** What the plan costs, as `Routes` counts it; for plans of the same worth less is better. */
  get cost(): number {
    return this.#bestCost;
  }

  /**
   * Reads environment e and builds a first plan for it.
   * @param priorities `[slots]` 0..100; null for the world's own
   */
  construct(world: World, e: number, priorities: Float64Array | null): void {
    const { input } = this;
    input.read(world, e, priorities);
    this.#grow();
    this.#bestServed = this.#bestCost = -1;
    this.#routes.clear(world.compiled);
    this.#byRegret();
    this.#sum();
    this.#keep();
    if (this.#isComplete()) return;
    this.#routes.clear(world.compiled);
    this.#byWorth();
    this.#forget();
    this.#sum();
    if (this.#isBetter()) this.#keep();
    else this.#goBack();
  }

  /** Length of the plan of the k-th vehicle, whose number in the world is `input.driver[k]`. */
  length(k: number): number {
    return this.#bestLength[k];
  }

  /** Second of the episode at which the k-th vehicle is at the pickup of its p-th booking. */
  pickupAt(k: number, p: number): number {
    return this.#routes.pickupAt[k * this.input.depth + p];
  }

  /** Whether the plan serves the booking in a slot of the world. */
  serves(slot: number): boolean {
    const { bookings, slot: slots } = this.input;
    for (let j = 0; j < bookings; j++) if (slots[j] === slot) return this.#routes.vehicleOf[j] >= 0;
    return false;
  }

  /** Slot of the p-th booking of the k-th vehicle. */
  slotAt(k: number, p: number): number {
    return this.input.slot[this.#bestStops[k * this.input.depth + p]];
  }

  #grow(): void {
    const { drivers: n, bookings: m, depth } = this.input;
    if (this.#bestLength.length < n) {
      this.#bestLength = new Int32Array(n);
      this.#touched = new Int32Array(n);
      this.#isTouched = new Uint8Array(n);
    }
    if (this.#bestStops.length < n * depth) this.#bestStops = new Int32Array(n * depth);
    if (this.#bank.length < m) {
      this.#bank = new Int32Array(m);
      this.#queue = new Int32Array(m);
      this.#key = new Float64Array(m);
      this.#isRemoved = new Uint8Array(m);
      this.#isHopeless = new Uint8Array(m);
      this.#first = new Int32Array(m);
      this.#second = new Int32Array(m);
      this.#absent = new Float64Array(m);
      this.#firstCost = new Float64Array(m);
      this.#secondCost = new Float64Array(m);
    }
  }

  /** Whether the current plan serves all bookings that can be served. */
  #isComplete(): boolean {
    this.#collectBank();
    return this.#bankCount === 0;
  }

  #sum(): void {
    const { drivers, bookings, worth } = this.input;
    const { cost, vehicleOf } = this.#routes;
    this.#served = this.#cost = 0;
    for (let i = 0; i < drivers; i++) this.#cost += cost[i];
    for (let j = 0; j < bookings; j++) if (vehicleOf[j] >= 0) this.#served += worth[j];
  }

  #isBetter(): boolean {
    return this.#served > this.#bestServed || (this.#served === this.#bestServed && this.#cost < this.#bestCost - 1e-6);
  }

  #keep(): void {
    const { drivers, depth } = this.input;
    const { length, stops } = this.#routes;
    this.#bestServed = this.#served;
    this.#bestCost = this.#cost;
    for (let i = 0; i < drivers; i++) {
      this.#bestLength[i] = length[i];
      for (let p = i * depth; p < i * depth + length[i]; p++) this.#bestStops[p] = stops[p];
    }
  }

  /** Makes the best plan the current one. */
  #goBack(): void {
    const { drivers, bookings } = this.input;
    this.#routes.vehicleOf.fill(-1, 0, bookings);
    for (let i = 0; i < drivers; i++) this.#routes.assign(i, this.#bestLength[i], this.#bestStops);
    this.#served = this.#bestServed;
    this.#cost = this.#bestCost;
  }

  // ---------------------------------------------------------------- construction

  /** Inserts first the booking that would lose most without its best vehicle. */
  #byRegret(): void {
    const { bookings, worth } = this.input;
    const routes = this.#routes;
    const { vehicleOf } = routes;
    for (let j = 0; j < bookings; j++) {
      this.#rank(j);
      this.#isHopeless[j] = this.#firstCost[j] === Infinity ? 1 : 0;
    }
    for (;;) {
      let chosen = -1;
      let most = -1;
      for (let j = 0; j < bookings; j++) {
        if (vehicleOf[j] >= 0 || this.#firstCost[j] === Infinity) continue;
        const regret =
          this.#secondCost[j] === Infinity ? worth[j] * LAST_CHANCE : this.#secondCost[j] - this.#firstCost[j];
        if (regret > most) {
          most = regret;
          chosen = j;
        }
      }
      if (chosen < 0) return;
      const i = this.#first[chosen];
      routes.insertion(i, chosen);
      routes.insert(i, chosen, routes.at);
      for (let j = 0; j < bookings; j++) {
        if (vehicleOf[j] >= 0 || this.#firstCost[j] === Infinity) continue;
        if (this.#first[j] === i || this.#second[j] === i) this.#rank(j);
        else this.#consider(j, i);
      }
    }
  }

  #rank(j: number): void {
    this.#first[j] = this.#second[j] = -1;
    this.#firstCost[j] = this.#secondCost[j] = Infinity;
    for (let i = 0; i < this.input.drivers; i++) this.#consider(j, i);
  }

  #consider(j: number, i: number): void {
    const cost = this.#routes.insertion(i, j);
    if (cost < this.#firstCost[j]) {
      this.#second[j] = this.#first[j];
      this.#secondCost[j] = this.#firstCost[j];
      this.#first[j] = i;
      this.#firstCost[j] = cost;
    } else if (cost < this.#secondCost[j]) {
      this.#second[j] = i;
      this.#secondCost[j] = cost;
    }
  }

  /** Inserts the booking of the highest worth first, where it costs least. */
  #byWorth(): void {
    for (let j = 0; j < this.input.bookings; j++) this.#insertCheapest(j, 0);
  }

  /** Puts booking j where it costs least; false if nowhere. */
  #insertCheapest(j: number, blink: number): boolean {
    const routes = this.#routes;
    let vehicle = -1;
    let position = 0;
    let least = Infinity;
    for (let i = 0; i < this.input.drivers; i++) {
      const cost = routes.insertion(i, j);
      if (cost < least && (blink === 0 || nextFloat(this.#stream, 0) >= blink)) {
        least = cost;
        vehicle = i;
        position = routes.at;
      }
    }
    if (vehicle < 0) return false;
    this.#touch(vehicle);
    routes.insert(vehicle, j, position);
    return true;
  }

  // ---------------------------------------------------------------- search

  /**
   * Removes a part of the plan and inserts it again, many times, and keeps what is better.
   * @param timeIsUp called now and then with the number of turns done
   * @returns turns done: a search that is stopped after as many gives the same plan
   */
  improve(turns: number, seed: number, timeIsUp: (done: number) => boolean): number {
    const { input } = this;
    if (input.bookings === 0 || input.drivers === 0) return 0;
    seedStream(this.#stream, 0, seed, 0, 0, Purpose.action);
    this.#collectBank();
    let mean = 0;
    for (let j = 0; j < input.bookings; j++) mean += input.worth[j];
    mean /= input.bookings;
    let done = 0;
    // Where all are served, only driving is left to save; where others wait, it is worth looking longer.
    const patience = Math.max(MIN_PATIENCE, PATIENCE * turns, PATIENCE * input.bookings * input.bookings);
    const polish = Math.max(MIN_PATIENCE / 2, input.bookings / 2);
    let stale = 0;
    while (done < turns && stale++ < (this.#bankCount === 0 ? polish : patience)) {
      if ((done & 7) === 0 && timeIsUp(done)) break;
      const left = 1 - done / turns;
      done++;
      const served = this.#served;
      const cost = this.#cost;
      this.#ruin();
      this.#recreate();
      this.#sum();
      if (this.#isBetter()) {
        if (this.#served > this.#bestServed) stale = 0;
        this.#keep();
        this.#collectBank();
      } else if (
        this.#served >= this.#bestServed - WORTH_DISTANCE * mean * left &&
        (this.#served !== this.#bestServed || this.#cost <= this.#bestCost + COST_DISTANCE * left) &&
        (this.#served !== served || this.#cost !== cost)
      ) {
        this.#collectBank();
      } else {
        this.#undo();
        this.#served = served;
        this.#cost = cost;
      }
      this.#forget();
    }
    this.#goBack();
    return done;
  }

  /**
   * Like `improve`, for plans of several bookings a vehicle: goes on from plans of the same worth for as long as there are turns, so
   * that it finds more who can be served, and takes more of them.
   * @returns turns done: a search that is stopped after as many gives the same plan
   */
  search(turns: number, seed: number, timeIsUp: (done: number) => boolean): number {
    const { bookings } = this.input;
    if (this.#served === 0) return 0;
    seedStream(this.#stream, 0, seed, 0, 0, Purpose.action);
    this.#collectBank();
    this.#absent.fill(0, 0, bookings);
    this.#near = Array.from({ length: bookings }, () => null);
    const falling = FALLING * bookings;
    let done = 0;
    // Where all are served, only driving is left to save.
    for (let stale = 0; done < turns && (this.#bankCount > 0 || stale++ < bookings);) {
      if ((done & 7) === 0 && timeIsUp(done)) break;
      const temperature = HOT * (COLD / HOT) ** Math.min(1, done / falling);
      done++;
      const served = this.#served;
      const cost = this.#cost;
      let before = 0;
      for (let k = 0; k < this.#bankCount; k++) before += this.#absent[this.#bank[k]];
      this.#ruinAround(this.#drawSeed());
      this.#recreate();
      this.#sum();
      const after = this.#countAbsent();
      const isBest = this.#isBetter();
      const isTaken =
        isBest ||
        this.#served > served ||
        // Those that were left out often come to be served: their sum says whether the exchange is a new one.
        (this.#served === served &&
          (after < before || this.#cost < cost - temperature * Math.log(1 - nextFloat(this.#stream, 0))));
      if (isBest) {
        stale = 0;
        this.#keep();
      }
      if (isTaken) {
        this.#collectBank();
      } else {
        this.#undo();
        this.#served = served;
        this.#cost = cost;
      }
      this.#forget();
    }
    this.#goBack();
    return done;
  }

  /** Counts who is left out. @returns how often they had been before, in sum */
  #countAbsent(): number {
    const { vehicleOf } = this.#routes;
    let sum = 0;
    for (let j = 0; j < this.input.bookings; j++) {
      if (vehicleOf[j] < 0 && this.#isHopeless[j] === 0) sum += this.#absent[j]++;
    }
    return sum;
  }

  #forget(): void {
    for (let k = 0; k < this.#touchedCount; k++) this.#isTouched[this.#touched[k]] = 0;
    this.#touchedCount = 0;
  }

  #collectBank(): void {
    const { bookings } = this.input;
    const { vehicleOf } = this.#routes;
    this.#bankCount = 0;
    for (let j = 0; j < bookings; j++) {
      if (vehicleOf[j] < 0 && this.#isHopeless[j] === 0) this.#bank[this.#bankCount++] = j;
    }
  }

  #touch(i: number): void {
    if (this.#isTouched[i] === 1) return;
    this.#isTouched[i] = 1;
    this.#touched[this.#touchedCount++] = i;
    this.#routes.save(i);
  }

  #undo(): void {
    for (let k = 0; k < this.#touchedCount; k++) this.#routes.release(this.#touched[k]);
    for (let k = 0; k < this.#touchedCount; k++) this.#routes.restore(this.#touched[k]);
  }

  #random(below: number): number {
    return (nextFloat(this.#stream, 0) * below) | 0;
  }

  #takeOut(i: number, position: number): void {
    const routes = this.#routes;
    const base = i * this.input.depth;
    this.#touch(i);
    this.#enqueueRemoved(routes.stops[base + position]);
    const broken = routes.remove(i, position);
    if (broken < 0) return;
    while (routes.length[i] > broken) {
      const last = routes.length[i] - 1;
      this.#enqueueRemoved(routes.stops[base + last]);
      routes.remove(i, last);
    }
  }

  #enqueueRemoved(j: number): void {
    this.#queue[this.#queueCount++] = j;
    this.#isRemoved[j] = 1;
  }

  /** Distance of two bookings in space and time. */
  #distance(a: number, b: number): number {
    const { between, bookings, windowEnd } = this.input;
    return between[a * bookings + b] + between[b * bookings + a] + 0.5 * Math.abs(windowEnd[a] - windowEnd[b]);
  }

  /** Where a turn begins: at a booking that is left out, or at one that is served, of which there must be some. */
  #drawSeed(): number {
    // The bank is in order of worth: the lower of two draws is the worthier.
    if (this.#bankCount > 0 && nextFloat(this.#stream, 0) < FROM_BANK)
      return this.#bank[Math.min(this.#random(this.#bankCount), this.#random(this.#bankCount))];
    for (;;) {
      const seed = this.#random(this.input.bookings);
      if (this.#routes.vehicleOf[seed] >= 0) return seed;
    }
  }

  /** Takes bookings out of the plans that serve those near to one. */
  #ruinAround(seed: number): void {
    const { skills, driverSkills, depth } = this.input;
    const { vehicleOf, stops, length } = this.#routes;
    this.#queueCount = 0;
    let left = 1 + this.#random(MOST_RUINED);
    for (const near of this.#neighbours(seed)) {
      const i = vehicleOf[near];
      if (i < 0 || this.#isTouched[i] === 1 || (skills[seed] & ~driverSkills[i]) !== 0) continue;
      if (nextFloat(this.#stream, 0) < PASS) continue;
      const whole = nextFloat(this.#stream, 0) < WHOLE;
      for (let p = length[i] - 1; p >= 0; p--) {
        if (p >= length[i]) continue;
        if (whole || stops[i * depth + p] === near || nextFloat(this.#stream, 0) < 0.5) this.#takeOut(i, p);
      }
      if (--left === 0) return;
    }
  }

  /** All bookings, the nearest first, the booking itself being one of them. */
  #neighbours(j: number): Int32Array {
    const known = this.#near[j];
    if (known !== null) return known;
    const far = Float64Array.from({ length: this.input.bookings }, (_, b) => (b === j ? -1 : this.#distance(j, b)));
    const order = Int32Array.from(far.keys()).sort((a, b) => far[a] - far[b] || a - b);
    this.#near[j] = order;
    return order;
  }

  #ruin(): void {
    const { input } = this;
    const { vehicleOf, stops, length } = this.#routes;
    const { bookings, depth } = input;
    this.#queueCount = 0;
    if (this.#served === 0) return;
    const seed = this.#drawSeed();
    const vehicles = 1 + this.#random(3);
    for (let v = 0; v < vehicles; v++) {
      let chosen = -1;
      if (v === 0 && vehicleOf[seed] >= 0) {
        chosen = vehicleOf[seed];
      } else {
        // The nearest of some vehicles by what they serve.
        let least = Infinity;
        for (let t = 0; t < 4; t++) {
          let near = this.#random(bookings);
          if (vehicleOf[near] < 0) near = this.#random(bookings);
          if (vehicleOf[near] < 0) continue;
          const i = vehicleOf[near];
          if ((input.skills[seed] & ~input.driverSkills[i]) !== 0) continue;
          const far = this.#distance(seed, near);
          if (far < least) {
            least = far;
            chosen = i;
          }
        }
      }
      if (chosen < 0) continue;
      const whole = nextFloat(this.#stream, 0) < 0.5;
      for (let p = length[chosen] - 1; p >= 0; p--) {
        if (p >= length[chosen]) continue;
        if (whole || stops[chosen * depth + p] === seed || nextFloat(this.#stream, 0) < 0.5) this.#takeOut(chosen, p);
      }
    }
  }

  #recreate(): void {
    const { input } = this;
    const { vehicleOf } = this.#routes;
    const removed = this.#queueCount;
    const count = removed + this.#bankCount;
    for (let k = 0; k < this.#bankCount; k++) this.#queue[removed + k] = this.#bank[k];
    const kind = nextFloat(this.#stream, 0);
    for (let k = 0; k < count; k++) {
      const j = this.#queue[k];
      const random = nextFloat(this.#stream, 0);
      // Numbers are in the order of worth.
      if (kind < 0.5) this.#key[j] = j + 0.2 * input.bookings * random;
      else if (kind < 0.75) this.#key[j] = input.latest[j] + 600 * random;
      else this.#key[j] = random;
    }
    this.#sortQueue(count);
    for (let k = 0; k < count; k++) {
      const j = this.#queue[k];
      if (vehicleOf[j] >= 0) continue;
      if (this.#isRemoved[j] === 1) this.#insertCheapest(j, BLINK);
      else this.#insertIntoTouched(j);
    }
    for (let k = 0; k < count; k++) this.#isRemoved[this.#queue[k]] = 0;
  }

  /** Like `#insertCheapest`, where no other than the touched vehicles have room. */
  #insertIntoTouched(j: number): void {
    const routes = this.#routes;
    let vehicle = -1;
    let position = 0;
    let least = Infinity;
    for (let k = 0; k < this.#touchedCount; k++) {
      const cost = routes.insertion(this.#touched[k], j);
      if (cost < least) {
        least = cost;
        vehicle = this.#touched[k];
        position = routes.at;
      }
    }
    if (vehicle >= 0) routes.insert(vehicle, j, position);
  }

  #sortQueue(count: number): void {
    const queue = this.#queue;
    const key = this.#key;
    for (let k = 1; k < count; k++) {
      const j = queue[k];
      let p = k;
      while (p > 0 && key[queue[p - 1]] > key[j]) {
        queue[p] = queue[p - 1];
        p--;
      }
      queue[p] = j;
    }
  }
}
