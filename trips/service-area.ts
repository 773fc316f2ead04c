// Where a company drives, found from its places, some of which are wrong: the centre of most of them, and how far from it
// they lie. Longitudes go around: 179.9 and -179.9 are neighbours, and 0 is a place like any other.

import { METRES_PER_DEGREE } from '../engine/index.js';
import { longitudeBetween } from './booking-record.js';

/** A place in degrees, WGS 84. */
export interface Place {
  readonly longitude: number;
  readonly latitude: number;
}

/** Where most places lie. */
export interface ServiceArea {
  readonly centre: Place;
  /** Metres from the centre within which a place is among the others: five times the median, at least 30 km. */
  readonly near: number;
}

/** A plane's half span is at most 5 degrees; this leaves room for rounding. */
const REACH_DEGREES = 4.9;
const LEAST_NEAR = 30_000;

/** The area of `places`, or null if there are none. Of two that hold as many places, that of the first. */
export function serviceArea(places: readonly Place[]): ServiceArea | null {
  if (places.length === 0) return null;
  const cell = (degrees: number, around: number): number => ((Math.floor(degrees) % around) + around) % around;
  const key = (x: number, y: number): number => cell(x, 360) * 1000 + cell(y, 1000);
  const cells = new Map<number, number>();
  for (const { longitude, latitude } of places) {
    const at = key(longitude, latitude);
    cells.set(at, (cells.get(at) ?? 0) + 1);
  }
  let densest = places[0];
  let most = 0;
  const counted = new Set<number>();
  for (const place of places) {
    const at = key(place.longitude, place.latitude);
    if (counted.has(at)) continue;
    counted.add(at);
    let count = 0;
    for (let dx = -1; dx <= 1; dx++) {
      for (let dy = -1; dy <= 1; dy++) count += cells.get(key(place.longitude + dx, place.latitude + dy)) ?? 0;
    }
    if (count > most) [most, densest] = [count, place];
  }
  const around = places.filter((place) => isWithinReach(densest, place));
  const centre = {
    longitude: turned(
      densest.longitude + median(around.map(({ longitude }) => longitudeBetween(densest.longitude, longitude))),
    ),
    latitude: median(around.map(({ latitude }) => latitude)),
  };
  return { centre, near: Math.max(LEAST_NEAR, 5 * median(around.map((place) => metresFrom(centre, place)))) };
}

/** Whether a plane about `centre` can hold `place`. */
export function isWithinReach(centre: Place, place: Place): boolean {
  const cos = Math.cos((centre.latitude * Math.PI) / 180);
  return (
    Math.abs(longitudeBetween(centre.longitude, place.longitude)) * cos <= REACH_DEGREES &&
    Math.abs(place.latitude - centre.latitude) <= REACH_DEGREES
  );
}

/** Straight-line metres, as in the plane about `centre`. */
export function metresFrom(centre: Place, place: Place): number {
  const cos = Math.cos((centre.latitude * Math.PI) / 180);
  return (
    METRES_PER_DEGREE *
    Math.hypot(longitudeBetween(centre.longitude, place.longitude) * cos, place.latitude - centre.latitude)
  );
}

/** A longitude within -180 to 180. */
export function turned(longitude: number): number {
  return longitudeBetween(0, longitude);
}

function median(values: readonly number[]): number {
  return Float64Array.from(values).sort()[values.length >> 1];
}
