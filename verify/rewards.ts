// What is earned, by the formulas of the documentation (docs/scenarios.md, engine/README.md).

import type { Rules } from './lines.js';

/** What an assignment's reward is made of. */
export interface Earned {
  /** Of the pickup, after the window's end; not above 0 if in time. */
  readonly lateSeconds: number;
  readonly approachMetres: number;
  readonly approachSeconds: number;
  readonly rideMetres: number;
  /** In money. */
  readonly fare: number;
  readonly priority: number;
  readonly type: string;
  /** Bookings that each driver has taken, this one included. */
  readonly loads: readonly number[];
}

/** Standard deviation. */
export function spread(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** Reward of an assignment. */
export function assignmentReward({ reward }: Rules, earned: Earned): number {
  if (reward.kind === 'fare') {
    const driving = reward.costPerMetre * (earned.approachMetres + earned.rideMetres);
    return (earned.lateSeconds <= 0 ? earned.fare : 0) - driving;
  }
  const { weights } = reward;
  const minutesLate = earned.lateSeconds / 60;
  const km = earned.approachMetres / 1000;
  const std = spread(earned.loads);
  const terms = {
    punctuality: earned.lateSeconds <= 0 ? 100 : Math.max(-200, -10 * minutesLate),
    distance: km < 5 ? 20 + 4 * (5 - km) : Math.max(-50, -10 * Math.log(km)),
    equity: std < 1 ? 100 : std < 2 ? 50 : -10 * std,
    efficiency: 50 + (earned.approachSeconds < 300 ? 20 : 0),
    satisfaction: earned.type === 'REGULAR' ? 20 : earned.priority < 4 ? -10 : 0,
  };
  return (Object.keys(terms) as (keyof typeof terms)[]).reduce((sum, name) => sum + weights[name] * terms[name], 0);
}
