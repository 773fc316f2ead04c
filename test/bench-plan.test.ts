// What whole plans are compared by: the check of plans finds what is wrong with them, and ours keep to it.

import { describe, expect, it } from 'vitest';
import { Policies, Recommender, checkRequest, planVroom } from '#advise/index.js';
import { planState, recommendRequest, servedBy, vroomRequest } from '#bench/plan-states.js';
import type { PlannedPickup, PlanState } from '#bench/plan-states.js';

/** Two vehicles on a line, 100 s from one place to the next, and four shipments. */
const state: PlanState = {
  vehicles: 2,
  shipments: [1, 2, 3, 4].map((id) => ({ id, from: 2, to: 3, until: 500, service: 10 })),
  durations: [0, 1, 2, 3].map((a) => [0, 1, 2, 3].map((b) => 100 * Math.abs(a - b))),
};
const pickup = (vehicle: number, shipment: number, at: number): PlannedPickup => ({ vehicle, shipment, at });

describe('the check of a plan', () => {
  it('counts what is on time, and what is late within the tolerance', () => {
    const plan = [pickup(1, 1, 200), pickup(1, 2, 410), pickup(2, 3, 100), pickup(1, 4, 620)];
    expect(servedBy(state, plan, 120)).toEqual({ onTime: 3, inAll: 4 });
  });

  it.each([
    ['another time than it takes', [pickup(1, 1, 199)], 'is picked up at 200, not at 199'],
    ['a pickup that is too late', [pickup(1, 1, 200), pickup(1, 2, 410), pickup(1, 3, 620)], 'at 620, after 500'],
    ['a shipment twice', [pickup(1, 1, 200), pickup(2, 1, 100)], 'is not open'],
    ['a shipment that there is not', [pickup(1, 9, 200)], 'is not open'],
    ['more than three of a vehicle', [1, 2, 3, 4].map((k) => pickup(2, k, 210 * k - 110)), 'is its 4th'],
  ])('refuses %s', (_, plan, message) => {
    expect(() => servedBy({ ...state }, plan, message === 'is its 4th' ? 900 : 0)).toThrow(message);
  });

  it.each([0, 900])('is passed by both of ours, with windows that end %i s later', (tolerance) => {
    const recommender = new Recommender(new Policies(), '');
    for (let seed = 1; seed <= 5; seed++) {
      const asked = planState(10, 20, seed);
      const request = checkRequest(recommendRequest(asked, tolerance));
      const { assignments } = recommender.recommend(request, { decisionId: '', stateHash: '' });
      const ours = assignments.map(({ vehicle, shipment, pickup_eta: at }) =>
        pickup(vehicle as number, shipment as number, at),
      );
      const { inAll } = servedBy(asked, ours, tolerance);
      const { routes } = planVroom({ ...vroomRequest(asked, tolerance), turns: 500 });
      const routed = routes.flatMap(({ vehicle, steps }) =>
        steps
          .filter(({ type }) => type === 'pickup')
          .map(({ id, arrival }) => pickup(vehicle as number, id as number, arrival)),
      );
      // Planned apart from each other, by the same rules: neither is far from the other.
      expect(Math.abs(servedBy(asked, routed, tolerance).inAll - inAll)).toBeLessThanOrEqual(2);
      expect(inAll).toBeGreaterThan(8);
    }
  });
});
