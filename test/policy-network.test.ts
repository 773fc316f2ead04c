// The SIMD kernel against a plain reference, and the actor's two kinds.

import { describe, expect, it } from 'vitest';
import { PAIR_COLUMNS, Purpose, RandomStream, VectorDispatchEnv } from '#engine/index.js';
import {
  Actor,
  NetworkPolicy,
  PolicyError,
  SimdMlp,
  argmax,
  heuristic,
  initialiseNetwork,
  logSumExp,
  networkLayout,
  sample,
} from '#policy/index.js';
import type { HeuristicName, Layer, NetworkShape } from '#policy/index.js';

function reference(layers: readonly Layer[], weights: Float32Array, x: Float32Array): Float64Array {
  let h: ArrayLike<number> = x;
  layers.forEach((layer, k) => {
    const y = new Float64Array(layer.outputs);
    for (let o = 0; o < layer.outputs; o++) {
      let sum = weights[layer.biases + o];
      for (let i = 0; i < layer.inputs; i++) sum += h[i] * weights[layer.weights + i * layer.outputs + o];
      y[o] = k < layers.length - 1 ? Math.max(0, sum) : sum;
    }
    h = y;
  });
  return h as Float64Array;
}

describe('SimdMlp', () => {
  it.each([[[3, 8, 1]], [[7, 16, 8, 5]], [[PAIR_COLUMNS, 32, 32, 1]], [[325, 128, 128, 201]]])(
    'widths %j: agrees with the scalar reference, whatever the rows around',
    (widths) => {
      const shape: NetworkShape = {
        kind: 'flat',
        inputs: widths[0],
        hidden: widths.slice(1, -1),
        criticHidden: [],
        actions: widths.at(-1)!,
      };
      const { actor, size } = networkLayout(shape);
      const stream = new RandomStream(1, Purpose.weights);
      const weights = Float32Array.from({ length: size }, () => stream.normal() * 0.1);
      const mlp = new SimdMlp(actor);
      mlp.load(weights);
      const rows = 131;
      const x = Float32Array.from({ length: rows * widths[0] }, () => stream.normal());
      const y = new Float32Array(rows * mlp.outputs);
      mlp.run(x, 0, rows, y, 0);
      for (const r of [0, 1, 64, 127, 128, 130]) {
        const row = reference(actor, weights, x.subarray(r * widths[0], (r + 1) * widths[0]));
        row.forEach((value, o) => expect(y[r * mlp.outputs + o]).toBeCloseTo(value, 4));
      }
      // One by one gives the same bits as all at once.
      const single = new Float32Array(rows * mlp.outputs);
      for (let r = 0; r < rows; r++) mlp.run(x, r, 1, single, r);
      expect(single).toEqual(y);
    },
  );
});

describe('categorical', () => {
  it('samples in proportion and never beyond the range', () => {
    const logits = Float32Array.of(9, 1, 2, 0, 50);
    const normaliser = logSumExp(logits, 1, 4);
    const counts = [0, 0, 0, 0, 0];
    const n = 30_000;
    for (let k = 0; k < n; k++) counts[sample(logits, 1, 4, normaliser, (k + 0.5) / n)]++;
    expect(counts[0] + counts[4]).toBe(0);
    for (const a of [1, 2, 3]) expect(counts[a] / n).toBeCloseTo(Math.exp(logits[a] - normaliser), 3);
    expect(sample(logits, 1, 4, normaliser, 1 - 2 ** -32)).toBe(3);
    expect(argmax(logits, 1, 4)).toBe(2);
  });
});

describe('Actor', () => {
  it.each(['pairs', 'flat'] as const)(
    '%s: lists exactly the legal actions, and depends on the environment alone',
    (kind) => {
      const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 50 });
      env.reset({ seed: 4 });
      const { world } = env;
      const shape: NetworkShape = {
        kind,
        inputs: world.observationSize,
        hidden: [16],
        criticHidden: [8],
        actions: world.actions,
      };
      const weights = new Float32Array(networkLayout(shape).size);
      initialiseNetwork(shape, new RandomStream(1, Purpose.weights), weights);
      const actor = new Actor(shape, world);
      actor.load(weights);
      actor.consider(0, 32);
      const logits = actor.logits.slice();
      for (const e of [0, 5, 31]) {
        const [from, to] = [actor.starts[e], actor.starts[e + 1]];
        const legal = [...world.out.actionMasks.subarray(e * world.actions, (e + 1) * world.actions)].flatMap((m, a) =>
          m === 1 ? [a] : [],
        );
        expect([...actor.actions.subarray(from, to)]).toEqual(legal);
        const alone = new Actor(shape, world);
        alone.load(weights);
        alone.consider(e, e + 1);
        expect([...alone.logits.subarray(0, to - from)]).toEqual([...logits.subarray(from, to)]);
      }
    },
  );

  it('a pairs network plays a problem of another size, a flat one says what differs', () => {
    const small = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 1, observation: 'classic' });
    small.reset({ seed: 1 });
    const shape: NetworkShape = { kind: 'flat', inputs: 10, hidden: [8], criticHidden: [8], actions: 7 };
    const act = (kind: 'flat' | 'pairs'): void => {
      const own = { ...shape, kind };
      new NetworkPolicy('n', own, new Float32Array(networkLayout(own).size)).act(small.world, 0, 1, new Int32Array(1));
    };
    expect(() => act('flat')).toThrow('the network takes 10 numbers and 7 actions, the world has 122 and 201');
    act('pairs');
  });

  it('refuses weights that are not its network’s: too few, too many, no numbers; nothing plays on them', () => {
    const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 1 });
    env.reset({ seed: 1 });
    const { world } = env;
    for (const kind of ['pairs', 'flat'] as const) {
      const shape: NetworkShape = {
        kind,
        inputs: world.observationSize,
        hidden: [16, 8],
        criticHidden: [8],
        actions: world.actions,
      };
      const { size, actor, critic } = networkLayout(shape);
      const actorOf = new Actor(shape, world);
      const refuse = (weights: Float32Array, message: string): void => {
        for (const call of [() => actorOf.load(weights), () => new NetworkPolicy('mine', shape, weights)]) {
          expect(call).toThrow(PolicyError);
          expect(call).toThrow(message);
        }
        expect(() => new NetworkPolicy('mine', shape, weights)).toThrow('policy mine');
      };
      refuse(new Float32Array(size - 1), `has ${size - 1} weights: a ${kind} network of ${shape.inputs} inputs`);
      refuse(new Float32Array(size + 1), `has ${size}`);
      refuse(new Float32Array(0), 'has 0 weights');
      refuse([0.5] as unknown as Float32Array, 'not a Float32Array');
      for (const [at, where] of [
        [0, 'a weight of layer 1 of the actor'],
        [actor[1].weights, 'a weight of layer 2 of the actor'],
        [actor[2].biases, 'a bias of layer 3 of the actor'],
        [critic[0].weights, 'a weight of layer 1 of the critic'],
        [size - 1, 'a bias of layer 2 of the critic'],
      ] as const) {
        for (const value of [NaN, Infinity, -Infinity]) {
          const weights = new Float32Array(size);
          weights[at] = value;
          refuse(weights, `weights[${at}] (${where}) is ${value}, expected a finite number`);
        }
      }
      // Finite weights whose sums are not: no action is more than another, and the first is not taken instead.
      const huge = new NetworkPolicy('mine', shape, new Float32Array(size).fill(3e38));
      expect(() => huge.act(world, 0, 1, new Int32Array(1))).toThrow('the network gives');
    }
    const flat: NetworkShape = { kind: 'flat', inputs: 3, hidden: [8], criticHidden: [8], actions: 2 };
    expect(() => new SimdMlp(networkLayout(flat).critic).load(new Float32Array(9))).toThrow(
      '9 weights: the layers need',
    );
  });

  it('refuses shapes that are none', () => {
    const shape: NetworkShape = { kind: 'pairs', inputs: 3, hidden: [8], criticHidden: [8], actions: 2 };
    for (const [change, message] of [
      [{ kind: 'conv' }, 'the network\'s kind is "conv": choose one of pairs, flat'],
      [{ inputs: NaN }, "the network's inputs is NaN"],
      [{ actions: 0 }, "the network's actions is 0"],
      [{ hidden: [8, NaN] }, 'a hidden layer is NaN wide'],
    ] as const) {
      expect(() => networkLayout({ ...shape, ...change } as NetworkShape)).toThrow(message);
    }
  });

  it('has heuristics by name, and says which there are', () => {
    for (const name of ['hungarion', 'constructor', '', undefined, null, 3]) {
      expect(() => heuristic(name as HeuristicName)).toThrow(PolicyError);
      expect(() => heuristic(name as HeuristicName)).toThrow('choose one of random, nearest, edf');
    }
  });

  it('refuses widths that the kernel cannot take', () => {
    expect(() => networkLayout({ kind: 'pairs', inputs: 3, hidden: [30], criticHidden: [8], actions: 2 })).toThrow(
      'a hidden layer is 30 wide',
    );
  });
});
