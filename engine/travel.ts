// How long and how far from place to place. A place always has metres east and north (x, y); under matrix travel it
// also is a zone, and the tables decide.

import type { PlaneTravelSpec } from './scenario.js';

/** Zone tables. All arrays may be shared between threads. */
export interface MatrixTravel {
  readonly zones: number;
  /** Free-flow seconds from zone a to zone b, `[zones, zones]`. */
  readonly seconds: Int32Array;
  /** Travel times that change within the day; then these hold, not `seconds`. */
  readonly periods?: {
    /** Which of `seconds` holds for a departure in this minute of the day, `[1440]`. */
    readonly ofMinute: Uint8Array;
    /** `[periods][zones, zones]` */
    readonly seconds: readonly Int32Array[];
  };
  /** Metres, `[zones, zones]`. */
  readonly metres: Int32Array;
  /** Fare of a trip, in 1/10000 of the money unit, `[zones, zones]`. */
  readonly fares: Int32Array;
  /** Zone centres, metres east and north of their mean, `[zones]`. */
  readonly x: Float32Array;
  readonly y: Float32Array;
}

/** Metres in a degree of latitude, on the sphere of the mean Earth radius 6371008.8 m (IUGG). */
export const METRES_PER_DEGREE: number = (6371008.8 * Math.PI) / 180;

/** Half the area's extent in metres, east and north (equirectangular projection about the centre). */
export function planeExtent(spec: PlaneTravelSpec): { x: number; y: number } {
  const y = spec.halfSpanDegrees * METRES_PER_DEGREE;
  return { x: y * Math.cos((spec.centreLatitude * Math.PI) / 180), y };
}

/** Degrees within -180 to 180: what lies just across the antimeridian is near. */
function turned(degrees: number): number {
  return degrees > 180 ? degrees - 360 : degrees < -180 ? degrees + 360 : degrees;
}

/** From degrees to metres east and north of the centre, the short way around the Earth. */
export function toPlane(
  longitude: number,
  latitude: number,
  centreLongitude: number,
  centreLatitude: number,
): { x: number; y: number } {
  return {
    x: turned(longitude - centreLongitude) * METRES_PER_DEGREE * Math.cos((centreLatitude * Math.PI) / 180),
    y: (latitude - centreLatitude) * METRES_PER_DEGREE,
  };
}

/** From metres east and north of the centre to degrees. */
export function toDegrees(
  x: number,
  y: number,
  centreLongitude: number,
  centreLatitude: number,
): { longitude: number; latitude: number } {
  return {
    longitude: turned(centreLongitude + x / (METRES_PER_DEGREE * Math.cos((centreLatitude * Math.PI) / 180))),
    latitude: centreLatitude + y / METRES_PER_DEGREE,
  };
}

/** The table of free-flow seconds that holds for departures in `minute` of the day. */
export function secondsTable(matrix: MatrixTravel, minute: number): Int32Array {
  const { periods } = matrix;
  return periods === undefined ? matrix.seconds : periods.seconds[periods.ofMinute[minute]];
}
