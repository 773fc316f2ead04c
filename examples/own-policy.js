// A policy of one's own, against two that come with fleetstep: it serves the booking with the highest priority, by the
// driver who is there first. Run it after a build: node examples/own-policy.js

import { VectorDispatchEnv, kpisOf } from 'fleetstep/engine';
import { heuristic } from 'fleetstep/policy';

/** A policy reads a world and writes one action for each environment; 0 is to wait. */
class MostUrgentFirst {
  name = 'most urgent first';

  act(world, from, to, actions) {
    for (let e = from; e < to; e++) actions[e] = this.choose(world, e);
  }

  choose(world, e) {
    let best = 0;
    let highest = -1;
    let soonest = Infinity;
    for (let j = 0; j < world.slots; j++) {
      for (let i = 0; i < world.drivers; i++) {
        const action = world.actionOf(i, j);
        if (world.out.actionMasks[e * world.actions + action] === 0) continue;
        const priority = world.state.priority[e * world.slots + j];
        const pickup = world.pickupSecond(e, i, j);
        if (priority > highest || (priority === highest && pickup < soonest)) {
          highest = priority;
          soonest = pickup;
          best = action;
        }
      }
    }
    return best;
  }
}

// The same 100 days for all: demand depends on the seed alone, never on what is done.
for (const policy of [heuristic('random'), new MostUrgentFirst(), heuristic('hungarian')]) {
  const env = new VectorDispatchEnv({ scenario: 'geneva-live', numEnvs: 100, autoresetMode: 'DISABLED' });
  const actions = new Int32Array(env.numEnvs);
  let { infos } = env.reset({ seed: 1 });
  while (env.world.state.ended.includes(0)) {
    policy.act(env.world, 0, env.numEnvs, actions);
    ({ infos } = env.step(actions));
  }
  let served = 0;
  let late = 0;
  for (let e = 0; e < env.numEnvs; e++) {
    const { serviceRate, onTimeRate } = kpisOf(infos.episodeKpis, e);
    served += serviceRate / env.numEnvs;
    late += (1 - onTimeRate) / env.numEnvs;
  }
  console.log(`${policy.name}: ${(100 * served).toFixed(1)}% served, ${(100 * late).toFixed(1)}% of these late`);
}
