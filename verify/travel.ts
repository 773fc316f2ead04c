// How long and how far, by the formulas of the documentation (docs/scenarios.md): straight lines in a plane, or tables from zone
// to zone, slowed down by the traffic at the departure.

import type { Place, Profile, Rules, Tables } from './lines.js';

/** Mean radius of the Earth in metres (IUGG). */
const EARTH_METRES = 6_371_008.8;

/**
 * Travel times are rounded to whole seconds, and the simulator keeps some of what goes into them in single precision: a time this
 * close to a half may be rounded either way.
 */
const HALF_SLACK = 1e-3;

/** The level of a profile at a second of the day. */
export function levelOf(profile: Profile, second: number): number {
  const s = second % 86_400;
  return profile.parts.find((part) => part.fromSecondOfDay <= s && s < part.toSecondOfDay)?.level ?? profile.base;
}

/** Half the extent of a plane's area, in metres. */
export function reachOf({ travel }: Rules): { readonly x: number; readonly y: number } {
  const y = (travel.halfSpanDegrees / 360) * 2 * Math.PI * EARTH_METRES;
  return { x: y * Math.cos((travel.centreLatitude / 180) * Math.PI), y };
}

/** A place in degrees, in metres from the centre. */
export function placeAt({ travel }: Rules, latitude: number, longitude: number): Place {
  const metresPerDegree = (2 * Math.PI * EARTH_METRES) / 360;
  const east = ((longitude - travel.centreLongitude + 540) % 360) - 180;
  return {
    x: east * metresPerDegree * Math.cos((travel.centreLatitude / 180) * Math.PI),
    y: (latitude - travel.centreLatitude) * metresPerDegree,
  };
}

/** Straight-line metres. */
export function straight(from: Place, to: Place): number {
  return Math.hypot(to.x - from.x, to.y - from.y);
}

/** Whether `found` is `seconds` as a whole number. */
export function isRounded(found: number, seconds: number): boolean {
  return Math.abs(found - seconds) <= 0.5 + HALF_SLACK;
}

/** Travel in one scenario. */
export class Travel {
  readonly #rules: Rules;
  readonly #tables: Tables | null;

  constructor(rules: Rules, tables: Tables | null) {
    this.#rules = rules;
    this.#tables = rules.travel.kind === 'matrix' ? tables : null;
  }

  /** Metres of an empty drive. */
  metres(from: Place, to: Place): number {
    const tables = this.#tables;
    return tables === null ? straight(from, to) : tables.metres[this.#pair(tables, from, to)];
  }

  /** Seconds without traffic; in a plane for `metres`, between zones by the table that holds at `departAt`. */
  freeFlow(from: Place, to: Place, metres: number, departAt: number): number {
    const tables = this.#tables;
    if (tables === null) return metres / (this.#rules.travel.speedKmh / 3.6);
    const { periods } = tables;
    const table = periods === undefined ? tables.seconds : periods.seconds[periods.ofMinute[this.#minute(departAt)]];
    return table[this.#pair(tables, from, to)];
  }

  /** Seconds under the traffic at the departure, before they are rounded. */
  seconds(from: Place, to: Place, metres: number, departAt: number): number {
    const { trafficSlowdown, traffic } = this.#rules;
    const level = levelOf(traffic, 60 * this.#minute(departAt));
    return this.freeFlow(from, to, metres, departAt) / (1 - trafficSlowdown * level);
  }

  #minute(second: number): number {
    return Math.floor((this.#rules.startSecondOfDay + second) / 60) % 1440;
  }

  #pair(tables: Tables, from: Place, to: Place): number {
    return (from.zone ?? -1) * tables.zones + (to.zone ?? -1);
  }
}
