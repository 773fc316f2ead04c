// The terms of the reward, as functions of plain numbers. The weighted reward carries the original system's numbers.

import { log } from './exact-math.js';
import type { FareRewardSpec, RewardWeights, Scenario } from './scenario.js';

/** Reward of a wait, `open` bookings being open. */
export function waitReward(scenario: Scenario, open: number): number {
  // Added to 0, so that a wait with nothing open earns 0 and not -0.
  return 0 + scenario.waitRewardPerOpen * open;
}

/** Reward of a booking that expires. */
export function expiryReward(scenario: Scenario, priority: number): number {
  return scenario.expiryRewardPerPriority * priority;
}

/** Reward of a booking that finds no free slot, or is not taken in the one tick in which it is open. */
export function refusalReward(scenario: Scenario, priority: number): number {
  return scenario.refusalRewardPerPriority * priority;
}

/** Cost of a metre in 1/10000 of the money unit: a whole number (`costPerMetre` is a multiple of 0.0001). */
export function metreCost(reward: FareRewardSpec): number {
  return Math.round(reward.costPerMetre * 1e4);
}

/**
 * Fare less driving cost, in money.
 * @param fare           in 1/10000 of the money unit; paid only if the pickup is not late
 * @param latenessSeconds pickup after the window's end; not above 0 if on time
 * @param costPerMetre   in 1/10000 of the money unit
 * @param metres         empty and full
 */
export function fareReward(fare: number, latenessSeconds: number, costPerMetre: number, metres: number): number {
  return ((latenessSeconds <= 0 ? fare : 0) - costPerMetre * metres) / 1e4;
}

/**
 * Weighted sum of five parts: punctuality (+100 on time, else -10 a minute late, at most -200), distance (20 + 4 (5 - d)
 * under 5 km, else -10 ln d, at least -50), equity (spread of the drivers' loads: under 1: 100, under 2: 50, else
 * -10 std), efficiency (50, and 20 more if the approach takes less than 5 minutes), satisfaction (REGULAR +20,
 * EMERGENCY on a priority under 4: -10).
 * @param latenessSeconds pickup after the window's end, 0 if on time
 * @param approachMetres  from the plan's end to the pickup
 * @param approachSeconds the same in seconds, under traffic
 * @param loadStd         standard deviation of bookings per driver, this one included
 * @param emergency       1 for an EMERGENCY driver
 * @param priority        1..5
 */
export function weightedReward(
  weights: RewardWeights,
  latenessSeconds: number,
  approachMetres: number,
  approachSeconds: number,
  loadStd: number,
  emergency: number,
  priority: number,
): number {
  const punctuality = latenessSeconds <= 0 ? 100 : -Math.min(200, latenessSeconds / 6);
  const km = approachMetres / 1000;
  const distance = km < 5 ? 20 + 4 * (5 - km) : Math.max(-50, -10 * log(km));
  const equity = loadStd < 1 ? 100 : loadStd < 2 ? 50 : -10 * loadStd;
  const efficiency = approachSeconds < 300 ? 70 : 50;
  const satisfaction = emergency === 0 ? 20 : priority < 4 ? -10 : 0;
  return (
    weights.punctuality * punctuality +
    weights.distance * distance +
    weights.equity * equity +
    weights.efficiency * efficiency +
    weights.satisfaction * satisfaction
  );
}
