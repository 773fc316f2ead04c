// An episode that was simulated, told from outside: the log as JSON Lines, which `fleetstep verify` checks. One object a line: header,
// drivers, then what happened in order of time, each tick's end with its reward, and the end.

import type {
  CompiledScenario,
  EventKind,
  LoggedAssignment,
  LoggedBooking,
  LoggedPlace,
  LoggedTick,
} from '../engine/index.js';
import { infinityToWord } from '../files/index.js';
import type { Simulation, SimulationRequest } from '../workers/index.js';

/** Version of the format of `episodeLines`. */
export const EPISODE_FORMAT_VERSION = 1;

/** An episode and what it was played with. */
export interface PlayedEpisode {
  readonly request: SimulationRequest;
  readonly simulation: Simulation;
}

/** A place in a file: without a zone in a plane. */
interface Place {
  readonly x: number;
  readonly y: number;
  readonly zone?: number;
}

/** A line with what it is sorted by. */
interface Timed {
  readonly second: number;
  /** Of one second: what happens up to the end of a tick, that end, and what is decided then. */
  readonly phase: 0 | 1 | 2;
  readonly line: object;
}

/** A place as it is written into files. */
export function placeOf({ x, y, zone }: LoggedPlace): Place {
  return zone < 0 ? { x, y } : { zone, x, y };
}

/** Type and skills of each driver, by name. */
export function fleetOf({ scenario, emergency, driverSkills }: CompiledScenario): { type: string; skills: string[] }[] {
  return Array.from(emergency, (isEmergency, i) => ({
    type: isEmergency === 1 ? 'EMERGENCY' : 'REGULAR',
    skills: skillsOf(scenario.skills, driverSkills[i]),
  }));
}

function skillsOf(skills: readonly { readonly name: string }[], bits: number): string[] {
  return skills.filter((_, k) => (bits & (1 << k)) !== 0).map(({ name }) => name);
}

/**
 * The log of an episode as JSON Lines, a newline after each.
 * @param program name and version of the program that writes it
 */
export function episodeLines({ request, simulation }: PlayedEpisode, program: string): string {
  const { compiled, split, episode, seed } = request;
  const { scenario, matrix } = compiled;
  const { record } = simulation;
  const header = {
    kind: 'header',
    format: 'fleetstep-episode',
    version: EPISODE_FORMAT_VERSION,
    program,
    id: simulation.id,
    policy: simulation.policy,
    split,
    episode,
    seed,
    scenario,
    matrix: matrix === null ? null : tablesOf(matrix),
  };
  const fleet = fleetOf(compiled);
  const drivers = record.starts.map((start, driver) => ({
    kind: 'driver',
    driver,
    ...fleet[driver],
    place: placeOf(start),
  }));
  const end = {
    kind: 'end',
    second: scenario.horizonSeconds,
    end: scenario.horizonEnd,
    return: simulation.return,
    figures: simulation.kpis,
  };
  const timed = timedLines(simulation, compiled).map(({ line }) => line);
  return [header, ...drivers, ...timed, end].map((line) => `${JSON.stringify(line, infinityToWord)}\n`).join('');
}

function tablesOf({ zones, seconds, metres, x, y, periods }: NonNullable<CompiledScenario['matrix']>): object {
  const tables = { zones, seconds: [...seconds], metres: [...metres], x: [...x], y: [...y] };
  if (periods === undefined) return tables;
  const byPeriod = periods.seconds.map((table) => [...table]);
  return { ...tables, periods: { ofMinute: [...periods.ofMinute], seconds: byPeriod } };
}

/** All that happens between the start and the end, in order. */
function timedLines({ events, record }: Simulation, { scenario }: CompiledScenario): Timed[] {
  const lines: Timed[] = [];
  const happened = new Map<string, number>();
  for (const { kind, booking, second } of events) happened.set(`${kind} ${booking}`, second);
  const horizon = scenario.horizonSeconds;
  let from = 0;
  let at = 0;
  let assignment = 0;
  for (const [number, tick] of record.ticks.entries()) {
    let decision = 0;
    let invalid = 0;
    let earned = 0;
    for (; at < tick.events; at++) {
      const { kind, second, booking } = events[at];
      // What is recorded at the tick's very start comes after the end of the one before.
      const phase = second === from ? 2 : 0;
      if (kind === 'assigned') {
        const assigned = record.assignments[assignment++];
        const { from: _, ...times } = assigned;
        earned += assigned.reward;
        lines.push({ second, phase, line: { kind, ...times, tick: number, decision: decision++ } });
        for (const move of movesOf(assigned, record.bookings[booking], happened)) {
          if (move.second > horizon) continue;
          const line = { kind: move.kind, second: move.second, driver: assigned.driver, booking, ...move.more };
          lines.push({ second: move.second, phase: move.second === second ? 2 : 0, line });
        }
      } else if (kind === 'created') {
        const { knownAt: _, skills, leg, fare, pickup, dropoff, ...rest } = record.bookings[booking];
        const line = {
          ...rest,
          pickup: placeOf(pickup),
          dropoff: placeOf(dropoff),
          skills: skillsOf(scenario.skills, skills),
          leg: leg === 1 ? 'return' : 'outbound',
          fare: fare / 1e4,
        };
        lines.push({ second, phase, line: { kind, second, booking, ...line } });
      } else if (kind === 'expired' || kind === 'refused') {
        const place = placeOf(record.bookings[booking].pickup);
        lines.push({ second, phase, line: { kind, second, booking, place } });
      } else if (kind === 'invalid') {
        invalid += scenario.invalidActionReward;
        lines.push({ second, phase, line: { kind, second } });
      }
    }
    lines.push({ second: tick.second, phase: 1, line: tickLine(tick, number, earned, invalid) });
    from = tick.second;
  }
  return lines.sort((a, b) => a.second - b.second || a.phase - b.phase);
}

function tickLine(tick: LoggedTick, number: number, earned: number, invalid: number): object {
  const { second, events: _, wait, lost, return: sum, ...counts } = tick;
  return {
    kind: 'tick',
    second,
    tick: number,
    assignmentReward: earned,
    invalidReward: invalid,
    waitReward: wait,
    lostReward: lost,
    reward: earned + invalid + wait + lost,
    return: sum,
    ...counts,
  };
}

interface Move {
  readonly second: number;
  readonly kind: EventKind | 'departed' | 'arrived';
  readonly more: object;
}

/** What follows from an assignment, in order. Pickup and drop-off are there if they have happened, when they have happened. */
function movesOf(
  a: LoggedAssignment,
  { pickup, dropoff }: LoggedBooking,
  happened: ReadonlyMap<string, number>,
): Move[] {
  const start = placeOf(a.from);
  const from = placeOf(pickup);
  const to = placeOf(dropoff);
  const pickedUp = happened.get(`pickedUp ${a.booking}`) ?? Infinity;
  const completed = happened.get(`completed ${a.booking}`) ?? Infinity;
  return [
    { second: a.departAt, kind: 'departed', more: { leg: 'approach', place: start } },
    { second: a.arriveAt, kind: 'arrived', more: { leg: 'approach', place: from } },
    { second: pickedUp, kind: 'pickedUp', more: { place: from } },
    { second: a.leaveAt, kind: 'departed', more: { leg: 'ride', place: from } },
    { second: a.reachAt, kind: 'arrived', more: { leg: 'ride', place: to } },
    { second: completed, kind: 'completed', more: { place: to } },
  ];
}
