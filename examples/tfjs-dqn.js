// Deep Q-learning (Mnih et al. 2015; double: van Hasselt et al. 2016) with action masks, written by hand on TensorFlow.js: whichever
// build loads, through public names only. A network of shared weights values every (driver, booking) pair from the observation.
// The value of what follows is taken over legal actions only: where an episode was cut, over those of its final state,
// infos.finalActionMasks. Then 20 held-out episodes are played beside "nearest".
//
//   node examples/tfjs-dqn.js                  two or three minutes on wasm
//   node examples/tfjs-dqn.js --steps 2000     a short form, which shows only that it runs

import { parseArgs } from 'node:util';
import { RandomStream, VectorDispatchEnv, compileScenario, observationShape, preset } from 'fleetstep/engine';
import { actionMaskTensor, loadFastestBackend, observationTensor, tensorOf } from 'fleetstep/train';
import { evaluatePolicies, heldOutSeed } from 'fleetstep/workers';

const { values: options } = parseArgs({
  options: { steps: { type: 'string', default: '80000' }, seed: { type: 'string', default: '1' } },
});
const [totalSteps, seed] = [Number(options.steps), Number(options.seed)];
const [numEnvs, batch, capacity] = [32, 64, 40_000];
const [gamma, rewardScale, learningRate, targetEvery] = [0.95, 0.01, 1e-3, 200];

const { tf, version } = await loadFastestBackend();
const scenario = preset('geneva');
const { drivers: N, slots: M } = scenario;
const env = new VectorDispatchEnv({ scenario, numEnvs });
const [size] = env.singleObservationSpace.shape;
const actions = env.singleActionSpace.n;

// The network: columns of a driver, of a booking and of the context, and the distance between the two, to one value per pair;
// and the value of the context for all of them (dueling: Wang et al. 2016).
const { driverColumns, bookingColumns, contextColumns } = observationShape(scenario, 'full');
const [D, B, C] = [driverColumns.length, bookingColumns.length, contextColumns.length];
const H = 32;
const random = new RandomStream(seed, 0);
const weights = (rows, columns, scale = Math.sqrt(2 / rows)) => {
  const drawn = Float32Array.from({ length: rows * columns }, () => scale * random.normal());
  return tf.variable(tf.tensor2d(drawn, [rows, columns]));
};
const network = () => [
  ...[weights(D, H), weights(B, H), weights(C, H), weights(1, H), weights(H, H), weights(1, H, 0), weights(H, 1, 0.01)],
  ...[weights(C, 1, 0.01), weights(C, H), weights(1, H, 0), weights(H, 1, 0.01)],
];

/** `[rows, actions]` values, of illegal actions too. */
function valuesOf([ofDriver, ofBooking, ofContext, ofWay, hidden, bias, score, wait, first, firstBias, last], seen) {
  const rows = seen.shape[0];
  const drivers = seen.slice([0, 0], [rows, N * D]).reshape([rows * N, D]);
  const bookings = seen.slice([0, N * D], [rows, M * B]).reshape([rows * M, B]);
  const context = seen.slice([0, N * D + M * B], [rows, C]);
  // The first two columns of both are places.
  const at = (columns, count, shape) => columns.slice([0, 0], [rows * count, 2]).reshape(shape);
  const way = at(drivers, N, [rows, N, 1, 2]).sub(at(bookings, M, [rows, 1, M, 2]));
  const distance = way.square().sum(3).add(1e-6).sqrt().reshape([-1, 1]);
  const pairs = drivers
    .matMul(ofDriver)
    .reshape([rows, N, 1, H])
    .add(bookings.matMul(ofBooking).reshape([rows, 1, M, H]))
    .add(context.matMul(ofContext).reshape([rows, 1, 1, H]))
    .add(distance.matMul(ofWay).reshape([rows, N, M, H]))
    .relu()
    .reshape([-1, H]);
  const scores = pairs
    .matMul(hidden)
    .add(bias)
    .relu()
    .matMul(score)
    .reshape([rows, N * M]);
  return tf.concat([context.matMul(wait), scores], 1).add(context.matMul(first).add(firstBias).relu().matMul(last));
}

/** The legal action of the highest value in each row. */
const bestOf = (values, masks) => tf.where(masks, values, tf.fill(values.shape, -1e9)).argMax(1);
const bestNow = (played) =>
  tf.tidy(() => bestOf(valuesOf(learning, observationTensor(tf, played)), actionMaskTensor(tf, played)).dataSync());

const [learning, target] = [network(), network()];
const follow = () => target.forEach((variable, k) => variable.assign(learning[k]));
follow();

// Replay: what was seen, what was done, and what followed, with its legal actions.
const floats = (width) => new Float32Array(capacity * width);
const [seen, next, nextMasks] = [floats(size), floats(size), new Uint8Array(capacity * actions)];
const [taken, rewarded, going] = [new Int32Array(capacity), floats(1), floats(1)];
const replay = { seen, next, nextMasks, taken, rewarded, going };
/** Row `r` of `from` to row `to` of `into`. */
const copyRow = (from, r, into, to, width) => into.set(from.subarray(r * width, (r + 1) * width), to * width);
const part = (all) => all.slice(0, (batch * all.length) / capacity);
const drawn = Object.fromEntries(Object.entries(replay).map(([name, all]) => [name, part(all)]));

function learn(stored) {
  for (let r = 0; r < batch; r++) {
    const from = random.integer(0, stored - 1);
    for (const [name, all] of Object.entries(replay)) copyRow(all, from, drawn[name], r, all.length / capacity);
  }
  tf.tidy(() => {
    const next = tensorOf(tf, drawn.next, [batch, size]);
    const legal = tensorOf(tf, drawn.nextMasks, [batch, actions]);
    const chosen = tf.oneHot(bestOf(valuesOf(learning, next), legal), actions);
    const following = valuesOf(target, next).mul(chosen).sum(1).mul(gamma);
    const targets = following.mul(tensorOf(tf, drawn.going, [batch])).add(tensorOf(tf, drawn.rewarded, [batch]));
    const taken = tf.oneHot(tensorOf(tf, drawn.taken, [batch]), actions);
    const seen = tensorOf(tf, drawn.seen, [batch, size]);
    adam.minimize(() => tf.losses.huberLoss(targets, valuesOf(learning, seen).mul(taken).sum(1)), false, learning);
  });
}

const [adam, chosen] = [tf.train.adam(learningRate), new Int32Array(numEnvs)];
const { observations, infos } = env.reset({ seed });
const started = performance.now();
for (let steps = 0, count = 0, updates = 0; steps < totalSteps; steps += numEnvs) {
  const epsilon = Math.max(0.05, 1 - steps / (0.3 * totalSteps));
  const best = bestNow(env);
  for (let e = 0; e < numEnvs; e++) {
    const legal = [];
    for (let a = 0; a < actions; a++) if (infos.actionMasks[e * actions + a] === 1) legal.push(a);
    chosen[e] = random.float() < epsilon ? legal[random.integer(0, legal.length - 1)] : best[e];
    copyRow(observations, e, seen, (count + e) % capacity, size);
  }
  const { rewards, terminations, truncations } = env.step(chosen);
  for (let e = 0; e < numEnvs; e++) {
    const at = (count + e) % capacity;
    // Where an episode has just ended, `observations` are already those of the next one.
    const ended = (terminations[e] | truncations[e]) === 1;
    copyRow(ended ? infos.finalObservations : observations, e, next, at, size);
    copyRow(ended ? infos.finalActionMasks : infos.actionMasks, e, nextMasks, at, actions);
    taken[at] = chosen[e];
    rewarded[at] = rewardScale * rewards[e];
    going[at] = terminations[e] === 1 ? 0 : 1; // Cut is not over: only a termination has no future.
  }
  count += numEnvs;
  if (count < 1000) continue;
  learn(Math.min(count, capacity));
  if (++updates % targetEvery === 0) follow();
  if (updates % 300 !== 1) continue;
  const mean = infos.episodeReturns.reduce((sum, x) => sum + x, 0) / numEnvs;
  const perSecond = Math.round((1000 * steps) / (performance.now() - started));
  console.log(`${steps} steps, mean return of the last episodes ${mean.toFixed(0)}, ${perSecond} steps/s (${version})`);
}

// The 20 episodes of "fleetstep eval --episodes 20", which the training has not seen.
const held = new VectorDispatchEnv({ scenario, numEnvs: 20, autoresetMode: 'DISABLED' });
held.reset({ seed: heldOutSeed(1, 'validation') });
while (held.world.state.ended.includes(0)) held.step(bestNow(held));
const ours = held.infos.episodeReturns.reduce((sum, x) => sum + x, 0) / held.numEnvs;
const policies = [{ kind: 'heuristic', name: 'nearest' }];
const asked = { compiled: compileScenario(scenario), policies, split: 'validation', episodes: 20, seed: 1, workers: 1 };
const [nearest] = await evaluatePolicies(asked);
console.log(`mean return on 20 validation episodes: DQN ${ours.toFixed(0)}, nearest ${nearest.meanReturn.toFixed(0)}`);
