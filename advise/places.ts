// The plane that the places of a request lie in: that of the policy's own area, or one about the middle of the places. Without
// tables, times follow from places, so a place that is too far from the others is taken for a mistake.

import { planeExtent, toPlane } from '../engine/index.js';
import type { PlaneTravelSpec } from '../engine/index.js';
import type { StopInput, VehicleInput } from './request.js';
import type { Fault } from './schema.js';

/** Degrees, longitude first. */
export type Place = readonly [longitude: number, latitude: number];

/** Metres. On a plane, distances are wrong by a tenth at this size; and seconds stay within 32 bits at walking speed. */
const FARTHEST = 1_000_000;

/** The place that others are near to: in the middle of the vehicles'; null without any. */
export function middleOf(vehicles: readonly VehicleInput[]): Place | null {
  const places = vehicles.flatMap(({ start }) => (start === undefined ? [] : [start]));
  if (places.length === 0) return null;
  // The one with the least sum of distances to a few others: a single mistaken place does not draw it away.
  const few = places.filter((_, k) => k % Math.ceil(places.length / 15) === 0);
  const sums = few.map((place) => few.reduce((sum, other) => sum + Math.min(metresBetween(place, other), 1e7), 0));
  return few[sums.indexOf(Math.min(...sums))];
}

/** What is wrong with a place that is not near the middle. */
export function farFault(path: string, place: Place | undefined, middle: Place | null): Fault | null {
  if (place === undefined || middle === null) return null;
  const metres = metresBetween(place, middle);
  if (metres <= FARTHEST) return null;
  const [longitude, latitude] = place;
  const swapped = Math.abs(longitude) <= 85 && metresBetween([latitude, longitude], middle) <= FARTHEST;
  const remedy = swapped
    ? 'longitude comes first, then latitude; they seem to be swapped'
    : `expected [longitude, latitude] within ${FARTHEST / 1000} km of them, or tables of travel times`;
  const message = `is [${longitude}, ${latitude}], ${Math.round(metres / 1000)} km from most vehicles: ${remedy}`;
  return { path, message };
}

/** Metres on the straight line. */
export function metresBetween(a: Place, b: Place): number {
  const { x, y } = toPlane(eastOf(b[0], a[0]), a[1], b[0], b[1]);
  return Math.hypot(x, y);
}

/** The longitude, counted on from `centre` over the antimeridian where that is nearer. */
function eastOf(centre: number, longitude: number): number {
  return centre + ((((longitude - centre + 180) % 360) + 360) % 360) - 180;
}

/** A place in metres. */
export function onPlane(spec: PlaneTravelSpec, [longitude, latitude]: Place): { x: number; y: number } {
  const { centreLongitude, centreLatitude } = spec;
  return toPlane(eastOf(centreLongitude, longitude), latitude, centreLongitude, centreLatitude);
}

/** The policy's own plane if everything lies within it, else one about the middle of what there is. */
export function planeOf(
  base: PlaneTravelSpec,
  vehicles: readonly VehicleInput[],
  stops: readonly StopInput[],
  speedKmh: number,
): { travel: PlaneTravelSpec; inArea: boolean } {
  const own = { ...base, speedKmh };
  const places = [
    ...vehicles.flatMap(({ start, free_location: free }) => [start, free]),
    ...stops.map(({ location }) => location),
  ].filter((place) => place !== undefined);
  if (places.length === 0) return { travel: own, inArea: true };
  const extent = planeExtent(base);
  const inArea = places.every((place) => {
    const { x, y } = onPlane(base, place);
    return Math.abs(x) <= extent.x && Math.abs(y) <= extent.y;
  });
  if (inArea) return { travel: own, inArea };
  const [from] = places[0];
  const longitudes = places.map(([longitude]) => eastOf(from, longitude));
  const latitudes = places.map(([, latitude]) => latitude);
  const middle = (values: readonly number[]): number => (Math.min(...values) + Math.max(...values)) / 2;
  return { travel: { ...own, centreLongitude: middle(longitudes), centreLatitude: middle(latitudes) }, inArea };
}
