// The reward of an assignment in a world: gathers the numbers that the scenario's kind of reward is made of (reward.ts).

import { Plans } from './plans.js';
import { fareReward, weightedReward } from './reward.js';

/** The layer of the assignment's reward. */
export abstract class AssignmentReward extends Plans {
  /** As `World.assignmentReward`. */
  assignmentReward(e: number, i: number, j: number): number {
    const st = this.state;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    const late = this.lateBy(s, this.pickupSecond(e, i, j));
    const metres = this.approachMetres(e, i, j);
    if (this.weights === null) return fareReward(st.fare[s], late, this.costPerMetre, metres + st.rideMetres[s]);
    const seconds = this.approachSeconds(e, i, j);
    const sum = st.loadSum[e] + 1;
    const squares = st.loadSquares[e] + 2 * st.load[d] + 1;
    const mean = sum / this.drivers;
    const spread = Math.sqrt(Math.max(0, squares / this.drivers - mean * mean));
    return weightedReward(this.weights, late, metres, seconds, spread, this.compiled.emergency[i], st.priority[s]);
  }
}
