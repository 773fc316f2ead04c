// An episode as it is drawn: drivers with their legs, bookings with what became of them, ticks with the return so far. Plain numbers
// that fit in JSON; the page (report/page) and the picture (episode-svg.ts) are made of it.

import { fleetOf } from './episode-lines.js';
import type { PlayedEpisode } from './episode-lines.js';
import type { EpisodeView, Fate, Point } from './view.js';

/** Places are drawn to the metre. */
const point = ({ x, y }: { readonly x: number; readonly y: number }): Point => [Math.round(x), Math.round(y)];

/** What there is to draw of an episode. */
export function episodeView({ request, simulation }: PlayedEpisode): EpisodeView {
  const { compiled, seed } = request;
  const { scenario, matrix } = compiled;
  const { record, events } = simulation;
  const ended = new Map<number, { readonly fate: Fate; readonly openUntil: number }>();
  for (const { kind, booking, second } of events) {
    if (kind === 'assigned' || kind === 'expired' || kind === 'refused') {
      ended.set(booking, { fate: kind, openUntil: second });
    }
  }
  const fleet = fleetOf(compiled);
  return {
    scenario: simulation.scenario,
    id: simulation.id,
    policy: simulation.policy,
    seed,
    return: simulation.return,
    kpis: simulation.kpis,
    startSecondOfDay: scenario.startSecondOfDay,
    horizonSeconds: scenario.horizonSeconds,
    tickSeconds: scenario.tickSeconds,
    drivers: record.starts.map((start, i) => ({ ...fleet[i], start: point(start) })),
    bookings: record.bookings.map(({ knownAt, windowStart, windowEnd, pickup, dropoff, priority }, k) => ({
      knownAt,
      windowStart,
      windowEnd,
      pickup: point(pickup),
      dropoff: point(dropoff),
      priority,
      ...(ended.get(k) ?? { fate: 'open', openUntil: scenario.horizonSeconds }),
    })),
    legs: record.assignments.map(({ second, from, approachMetres: _, reward, ...leg }) => ({
      ...leg,
      decidedAt: second,
      from: point(from),
      lateSeconds: Math.max(0, leg.pickupAt - record.bookings[leg.booking].windowEnd),
      reward: Math.round(reward * 100) / 100,
    })),
    events,
    returns: record.ticks.map((tick) => Math.round(tick.return * 100) / 100),
    zones: matrix === null ? [] : Array.from(matrix.x, (x, k) => point({ x, y: matrix.y[k] })),
  };
}

/** `08:05` of a second of the episode; after midnight the hours go on from 0. */
export function clockOf({ startSecondOfDay }: EpisodeView, second: number): string {
  const minute = Math.floor((startSecondOfDay + second) / 60) % 1440;
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

/** Text as it is written into HTML and SVG. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
