// edf, but for every tenth decision, at which it waits: a difference that a comparison has to find.

import { heuristic } from 'fleetstep/policy';

const edf = heuristic('edf');

export default {
  act(world, from, to, actions) {
    edf.act(world, from, to, actions);
    for (let e = from; e < to; e++) if (world.state.steps[e] % 10 === 0) actions[e] = 0;
  },
};
