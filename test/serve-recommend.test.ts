// Recommendations against an independent checker, and reasons against what happens when they are taken away.

import { describe, expect, it } from 'vitest';
import { Policies, Recommender, checkRequest } from '#serve/index.js';
import type { Answer } from '#serve/index.js';
import { checkAnswer } from './support/check-answer.js';
import type { Asked, Given } from './support/check-answer.js';
import { randomRequest } from './support/random-request.js';

const recommender = new Recommender(new Policies(), '0.0.0');

function ask(request: unknown, decisionId = 'd'): Answer {
  // As it comes over the wire.
  return recommender.recommend(checkRequest(JSON.parse(JSON.stringify(request))), { decisionId, stateHash: '' });
}

describe('a recommendation', () => {
  it('never breaks a lock, a skill, a load, a window, a shift or a queue, in 10,000 random requests', () => {
    const seen = { assigned: 0, waiting: 0, unassigned: 0, locked: 0, violations: 0, late: 0 };
    for (let seed = 1; seed <= 10_000; seed++) {
      const request = JSON.parse(JSON.stringify(randomRequest(seed))) as Asked;
      const answer = ask(request);
      try {
        seen.assigned += checkAnswer(request, answer as unknown as Given);
      } catch (cause) {
        throw new Error(`seed ${seed}: ${JSON.stringify(request)}`, { cause });
      }
      seen.waiting += answer.waiting.length;
      seen.unassigned += answer.unassigned.length;
      seen.locked += answer.locked.length;
      seen.violations += answer.violations.length;
      seen.late += answer.assignments.filter(({ lateness }) => lateness > 0).length;
    }
    // Nothing of this is rare enough to be missed.
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(500);
  });

  it('gives reasons that hold: without them a named vehicle could take the shipment', () => {
    const counts: Record<string, number> = {};
    for (let seed = 1; seed <= 1500; seed++) {
      const request = JSON.parse(JSON.stringify(randomRequest(seed))) as Asked;
      for (const { shipment, reasons } of ask(request).unassigned) {
        if (request.vehicles.length === 0) continue;
        expect(reasons.length).toBeGreaterThan(0);
        for (const { relaxed, vehicles } of reasons) {
          if (vehicles.length === 0) continue;
          const [vehicle] = vehicles;
          const became = outcome(request, shipment, vehicle, relaxed);
          if (became !== 'assigned')
            throw new Error(`${seed} ${shipment} ${vehicle} ${relaxed.join()}: ${became} ${JSON.stringify(request)}`);
          for (const one of relaxed) {
            counts[one] = (counts[one] ?? 0) + 1;
            // Nothing is named that does not stand in the way.
            const rest = relaxed.filter((other) => other !== one);
            if (one === 'others') continue;
            if (outcome(request, shipment, vehicle, rest) === 'assigned') {
              throw new Error(
                `${seed} ${shipment} ${vehicle} ${relaxed.join()} without ${one} ${JSON.stringify(request)}`,
              );
            }
          }
        }
      }
    }
    for (const one of [
      'skills',
      'capacity',
      'window',
      'delivery_window',
      'shift',
      'queue',
      'status',
      'route',
      'others',
    ]) {
      expect([one, (counts[one] ?? 0) > 3]).toEqual([one, true]);
    }
  });
});

/** What becomes of one shipment with one vehicle, some constraints taken out of the request. */
function outcome(
  request: Asked,
  shipment: number | string,
  vehicle: number | string,
  relaxed: readonly string[],
): string {
  const options = { ...request.options };
  let vehicles = request.vehicles.map((one) => ({ ...one }));
  const kept = new Set([shipment, ...vehicles.flatMap(({ locked = [] }) => locked)]);
  const shipments = request.shipments
    .filter((one) => typeof one === 'object' && one !== null && kept.has(one.id ?? ''))
    .map((one) => ({ ...one }));
  vehicles = vehicles.map((one) => (one.id === vehicle ? one : { ...one, status: 'offline' }));
  const its = vehicles.find(({ id }) => id === vehicle)! as unknown as Record<string, unknown>;
  const wanted = shipments.find(({ id }) => id === shipment)! as unknown as Record<string, unknown>;
  let { matrices, matrices_by_time: byTime } = request;
  // Where there is no way, there are no times that could be judged: they are let go with it.
  for (const one of relaxed.includes('route') ? [...relaxed, 'window', 'delivery_window', 'shift'] : relaxed) {
    switch (one) {
      case 'route': {
        const open = <T extends { durations: (number | null)[][] }>(table: T): T => ({
          ...table,
          durations: table.durations.map((row) => row.map((cell) => cell ?? 1)),
        });
        if (matrices !== undefined) matrices = { car: open(matrices['car']) };
        if (byTime !== undefined) byTime = { car: byTime['car'].map(open) };
        break;
      }
      case 'skills':
        delete wanted['skills'];
        break;
      case 'capacity':
        delete wanted['amount'];
        break;
      case 'window':
        options['late_tolerance'] = 86_400;
        break;
      case 'delivery_window': {
        const { time_windows: windows, ...rest } = wanted['delivery'] as { time_windows?: number[][] };
        if (windows === undefined) break;
        wanted['delivery'] = { ...rest, time_windows: windows.map(([from]) => [from, request.as_of + 10_000_000]) };
        break;
      }
      case 'shift': {
        if (its['time_window'] === undefined) break;
        const [from] = its['time_window'] as number[];
        its['time_window'] = [from, request.as_of + 10_000_000];
        break;
      }
      case 'queue':
        options['queue'] = 16;
        break;
      case 'status':
        its['status'] = 'available';
        break;
    }
  }
  const answer = ask({
    ...request,
    policy: 'hungarian',
    options,
    vehicles,
    shipments,
    ...(matrices === undefined ? {} : { matrices }),
    ...(byTime === undefined ? {} : { matrices_by_time: byTime }),
  });
  for (const lot of ['assignments', 'waiting', 'unassigned'] as const) {
    if (answer[lot].some((one) => one.shipment === shipment)) return lot === 'assignments' ? 'assigned' : lot;
  }
  return 'nowhere';
}
