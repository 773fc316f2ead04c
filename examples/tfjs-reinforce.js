// REINFORCE (Williams 1992) with action masks, written by hand on TensorFlow.js: whichever build loads, through public names only.
// A network of shared weights scores every (driver, booking) pair from the observation; illegal actions are masked out. The
// baseline is the mean return of all environments at the same decision. Then 20 held-out episodes are played beside "nearest".
//
//   node examples/tfjs-reinforce.js                  about two minutes on wasm
//   node examples/tfjs-reinforce.js --steps 2000     a short form, which shows only that it runs

import { parseArgs } from 'node:util';
import { RandomStream, VectorDispatchEnv, compileScenario, observationShape, preset } from 'fleetstep/engine';
import { actionMaskTensor, loadFastestBackend, observationTensor, tensorOf } from 'fleetstep/train';
import { evaluatePolicies, heldOutSeed } from 'fleetstep/workers';

const { values: options } = parseArgs({
  options: { steps: { type: 'string', default: '150000' }, seed: { type: 'string', default: '1' } },
});
const [totalSteps, seed] = [Number(options.steps), Number(options.seed)];
const [numEnvs, gamma, learningRate, entropyWeight] = [32, 0.95, 3e-3, 0.01];

const { tf, version } = await loadFastestBackend();
const scenario = preset('geneva');
const { drivers: N, slots: M } = scenario;
const env = new VectorDispatchEnv({ scenario, numEnvs });
const actions = env.singleActionSpace.n;

// The network: columns of a driver, of a booking and of the context, and the distance between the two, to one score per pair.
const { driverColumns, bookingColumns, contextColumns } = observationShape(scenario, 'full');
const [D, B, C] = [driverColumns.length, bookingColumns.length, contextColumns.length];
const H = 32;
const random = new RandomStream(seed, 0);
const weights = (rows, columns, scale = Math.sqrt(2 / rows)) => {
  const drawn = Float32Array.from({ length: rows * columns }, () => scale * random.normal());
  return tf.variable(tf.tensor2d(drawn, [rows, columns]));
};
const network = [
  ...[weights(D, H), weights(B, H), weights(C, H), weights(1, H), weights(H, H), weights(1, H, 0), weights(H, 1, 0.01)],
  weights(C, 1, 0.01),
];
const [ofDriver, ofBooking, ofContext, ofWay, hidden, bias, score, waitScore] = network;

/** `[rows, actions]` log-probabilities; those of illegal actions are about -1e9. */
function logPolicy(observations, masks) {
  const rows = observations.shape[0];
  const drivers = observations.slice([0, 0], [rows, N * D]).reshape([rows * N, D]);
  const bookings = observations.slice([0, N * D], [rows, M * B]).reshape([rows * M, B]);
  const context = observations.slice([0, N * D + M * B], [rows, C]);
  // The first two columns of both are places.
  const at = (columns, count, shape) => columns.slice([0, 0], [rows * count, 2]).reshape(shape);
  const way = at(drivers, N, [rows, N, 1, 2]).sub(at(bookings, M, [rows, 1, M, 2]));
  const distance = way.square().sum(3).add(1e-6).sqrt().reshape([-1, 1]);
  const first = drivers
    .matMul(ofDriver)
    .reshape([rows, N, 1, H])
    .add(bookings.matMul(ofBooking).reshape([rows, 1, M, H]))
    .add(context.matMul(ofContext).reshape([rows, 1, 1, H]))
    .add(distance.matMul(ofWay).reshape([rows, N, M, H]))
    .relu()
    .reshape([-1, H]);
  const pairs = first
    .matMul(hidden)
    .add(bias)
    .relu()
    .matMul(score)
    .reshape([rows, N * M]);
  const logits = tf.concat([context.matMul(waitScore), pairs], 1);
  return tf.logSoftmax(tf.where(masks, logits, tf.fill([rows, actions], -1e9)));
}

/** An action for each row of probabilities, drawn, or the most probable one. */
function choose(probabilities, rows, draw, chosen) {
  for (let e = 0; e < rows; e++) {
    let best = 0;
    let left = draw ? random.float() : Infinity;
    for (let a = 0; a < actions && left > 0; a++) {
      const p = probabilities[e * actions + a];
      left -= p;
      if (draw ? p > 0 : p > probabilities[e * actions + best]) best = a;
    }
    chosen[e] = best;
  }
}

const [adam, chosen] = [tf.train.adam(learningRate), new Int32Array(numEnvs)];
env.reset({ seed });
const started = performance.now();
for (let steps = 0, iteration = 0; steps < totalSteps; iteration++) {
  // One episode in every environment: on geneva all of them take the same number of decisions.
  const memory = [];
  for (let ended = false; !ended; steps += numEnvs) {
    const [observations, masks] = [observationTensor(tf, env), actionMaskTensor(tf, env)];
    choose(tf.tidy(() => logPolicy(observations, masks).exp()).dataSync(), numEnvs, true, chosen);
    const taken = chosen.slice();
    const { rewards, terminations, truncations } = env.step(chosen);
    ended = (terminations[0] | truncations[0]) === 1;
    memory.push({ observations, masks, taken, returns: rewards.slice() });
  }
  // Discounted sums of what follows, less their mean over the environments.
  for (let t = memory.length - 2; t >= 0; t--) {
    for (let e = 0; e < numEnvs; e++) memory[t].returns[e] += gamma * memory[t + 1].returns[e];
  }
  for (const { returns } of memory) {
    const mean = returns.reduce((sum, x) => sum + x, 0) / numEnvs;
    for (let e = 0; e < numEnvs; e++) returns[e] = 0.01 * (returns[e] - mean);
  }
  // A minibatch is every eighth decision: together they are all of them.
  for (let k = 0; k < 8; k++) {
    const part = memory.filter((_, t) => t % 8 === k);
    const rows = part.length * numEnvs;
    tf.tidy(() => {
      const observations = tf.concat(part.map((step) => step.observations));
      const masks = tf.concat(part.map((step) => step.masks));
      const taken = tf.oneHot(tf.concat(part.map((step) => tensorOf(tf, step.taken, [numEnvs]))), actions);
      const advantages = tf.concat(part.map((step) => tensorOf(tf, step.returns, [numEnvs])));
      const scaled = advantages.div(advantages.square().mean().sqrt().add(1e-6));
      const loss = () => {
        const logs = logPolicy(observations, masks);
        const gained = logs.mul(taken).sum(1).mul(scaled).sum();
        const entropy = logs.exp().mul(logs).sum().neg();
        return gained.add(entropy.mul(entropyWeight)).div(-rows);
      };
      adam.minimize(loss, false, network);
    });
  }
  for (const { observations, masks } of memory) tf.dispose([observations, masks]);
  if (iteration % 10 === 0) {
    const perSecond = Math.round((1000 * steps) / (performance.now() - started));
    const mean = env.infos.episodeReturns.reduce((sum, x) => sum + x, 0) / numEnvs;
    console.log(
      `${steps} steps, mean return of the last episodes ${mean.toFixed(0)}, ${perSecond} steps/s (${version})`,
    );
  }
}

// The 20 episodes of "fleetstep eval --episodes 20", which the training has not seen.
const held = new VectorDispatchEnv({ scenario, numEnvs: 20, autoresetMode: 'DISABLED' });
held.reset({ seed: heldOutSeed(1, 'validation') });
const best = new Int32Array(held.numEnvs);
while (held.world.state.ended.includes(0)) {
  const logs = tf.tidy(() => logPolicy(observationTensor(tf, held), actionMaskTensor(tf, held)).dataSync());
  choose(logs, held.numEnvs, false, best);
  held.step(best);
}
const ours = held.infos.episodeReturns.reduce((sum, x) => sum + x, 0) / held.numEnvs;
const policies = [{ kind: 'heuristic', name: 'nearest' }];
const asked = { compiled: compileScenario(scenario), policies, split: 'validation', episodes: 20, seed: 1, workers: 1 };
const [nearest] = await evaluatePolicies(asked);
console.log(
  `mean return on 20 validation episodes: REINFORCE ${ours.toFixed(0)}, nearest ${nearest.meanReturn.toFixed(0)}`,
);
