// Checks a vector environment, with a classic fault and without; then forks a single one, to compare two futures of one state. Run
// it after a build: node examples/check-env.js

import { DispatchEnv, VectorDispatchEnv, checkVectorEnv } from 'fleetstep/engine';

/** An environment whose final observations are copied after the reset, when it is too late. */
class TooLate extends VectorDispatchEnv {
  step(actions) {
    const result = super.step(actions);
    const { observations, infos } = result;
    return { ...result, infos: { ...infos, finalObservations: observations.slice() } };
  }

  resized(numEnvs) {
    return new TooLate({ scenario: 'geneva', numEnvs });
  }
}

const options = { scenario: 'geneva', numEnvs: 3 };
for (const [name, env] of Object.entries({
  ours: new VectorDispatchEnv(options),
  'with the fault': new TooLate(options),
})) {
  const findings = checkVectorEnv(env, { steps: 200 });
  if (findings.length === 0) console.log(`${name}: nothing found`);
  for (const { kind, environment, step, message } of findings) {
    console.log(`${name}: ${kind} of environment ${environment}, step ${step}: ${message}`);
  }
}

/** What an hour of it earns; `choose` picks an action by the mask. */
function hour(env, choose) {
  let sum = 0;
  let mask = env.world.out.actionMasks;
  for (let t = 0; t < 12; t++) {
    const { reward, info } = env.step(choose(mask));
    mask = info.actionMask;
    sum += reward;
  }
  return Math.round(sum);
}

const env = new DispatchEnv({ scenario: 'geneva' });
env.reset({ seed: 1 });
const waiting = hour(env.fork(), () => 0);
const greedy = hour(env.fork(), (mask) => Math.max(mask.indexOf(1, 1), 0));
console.log(`waiting for an hour: ${waiting}, greedily: ${greedy}`);
env.close();
