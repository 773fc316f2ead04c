// What an assignment is paid. The weighted reward carries the original system's numbers.

import type { RewardWeights } from './scenario.js';

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
  const distance = km < 5 ? 20 + 4 * (5 - km) : Math.max(-50, -10 * Math.log(km));
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
