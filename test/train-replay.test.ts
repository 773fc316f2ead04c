// Replay memory and what it is made of, against naive references: the tree of sums, n-step returns, the ring of states.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAIR_COLUMNS, Purpose, RandomStream } from '#engine/index.js';
import { NStepQueue, Replay, ReplayBatch, SumTree } from '#train/index.js';
import type { TransitionSink } from '#train/index.js';
import { RUNS } from './support/random-scenario.js';

describe('SumTree', () => {
  it('holds the sums, and finds the index, that a plain list of priorities gives; of any size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 37 }),
        fc.array(fc.record({ i: fc.nat(36), priority: fc.integer({ min: 0, max: 5 }) }), { maxLength: 200 }),
        (size, changes) => {
          const tree = new SumTree(size);
          const plain = new Array<number>(size).fill(0);
          for (const { i, priority } of changes) {
            tree.set(i % size, priority);
            plain[i % size] = priority;
          }
          const total = plain.reduce((sum, p) => sum + p, 0);
          expect(tree.total).toBe(total);
          expect([...tree.view(size)]).toEqual(plain);
          // Whole priorities: each index is found from its first quarter to its last.
          for (let at = 0.25; at < total; at += 0.25) {
            let left = at;
            const expected = plain.findIndex((p) => (left -= p) < 0);
            expect(tree.find(at)).toBe(expected);
          }
          const other = new SumTree(size);
          other.set(size - 1, 77);
          other.restore(tree.view(size));
          expect([other.total, ...other.view(size)]).toEqual([total, ...plain]);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('builds up no error over a million changes, and never finds an index of priority 0', () => {
    const size = 1000;
    const tree = new SumTree(size);
    const stream = new RandomStream(1, Purpose.demand);
    for (let k = 0; k < 1_000_000; k++) {
      const i = stream.integer(0, size - 1);
      // From tiny to large, as after a divergence.
      tree.set(i, stream.float() < 0.3 ? 0 : stream.float() * 10 ** stream.integer(-9, 6));
      if (k % 1000 === 0 && tree.total > 0) expect(tree.get(tree.find(stream.float() * tree.total))).toBeGreaterThan(0);
    }
    const fresh = new SumTree(size);
    for (let i = 0; i < size; i++) fresh.set(i, tree.get(i));
    expect(tree.total).toBe(fresh.total);
    expect(tree.get(tree.find(tree.total * (1 - 2 ** -53)))).toBeGreaterThan(0);
  });

  it('draws each index in proportion to its priority', () => {
    const priorities = [3, 0, 1, 4, 0, 2];
    const tree = new SumTree(priorities.length);
    priorities.forEach((p, i) => tree.set(i, p));
    const stream = new RandomStream(2, Purpose.demand);
    const counts = new Array<number>(priorities.length).fill(0);
    for (let k = 0; k < 100_000; k++) counts[tree.find(stream.float() * tree.total)]++;
    counts.forEach((count, i) => expect(count / 100_000).toBeCloseTo(priorities[i] / 10, 2));
  });
});

interface Completed {
  readonly total: number;
  readonly steps: number;
  readonly terminated: number;
  readonly successor: number;
}

describe('NStepQueue', () => {
  it('sums what followed a decision, never beyond the end of its episode, and names the state after it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(1e9),
        (n, envs, steps, seed) => {
          const stream = new RandomStream(seed, Purpose.demand);
          const gamma = 0.9;
          const got = new Map<number, Completed>();
          const sink: TransitionSink = {
            complete: (state, total, count, terminated, successor) => {
              expect(got.has(state)).toBe(false);
              got.set(state, { total, steps: count, terminated, successor });
            },
          };
          let queue = new NStepQueue(envs, n, gamma, sink);
          /** Of each environment: its decisions in order, with what came of them. */
          const log = Array.from({ length: envs }, () => [] as { state: number; reward: number; end: number | null }[]);
          let next = 0;
          for (let t = 0; t < steps; t++) {
            for (let e = 0; e < envs; e++) {
              const state = next++;
              const reward = stream.normal();
              queue.decide(e, state);
              queue.reward(e, reward);
              const fate = stream.float();
              let end: number | null = null;
              if (fate < 0.1) queue.end(e, (end = -1));
              else if (fate < 0.2) queue.end(e, (end = next++));
              log[e].push({ state, reward, end });
            }
            // What waits can be saved at any moment.
            if (stream.float() < 0.2) {
              const other = new NStepQueue(envs, n, gamma, sink);
              other.restore(queue.views);
              queue = other;
            }
          }
          let complete = 0;
          for (const decisions of log) {
            decisions.forEach(({ state }, k) => {
              let total = 0;
              let expected: Completed | null = null;
              for (let i = 0; i < n && k + i < decisions.length; i++) {
                const { reward, end } = decisions[k + i];
                total += gamma ** i * reward;
                if (end !== null) {
                  expected = { total, steps: i + 1, terminated: end < 0 ? 1 : 0, successor: end };
                  break;
                }
                const after = decisions[k + i + 1];
                if (i === n - 1 && after !== undefined) {
                  expected = { total, steps: n, terminated: 0, successor: after.state };
                }
              }
              const found = got.get(state);
              if (expected === null) expect(found).toBeUndefined();
              else {
                complete++;
                expect(found).toEqual({ ...expected, total: expect.closeTo(expected.total, 9) as number });
              }
            });
          }
          expect(got.size).toBe(complete);
        },
      ),
      { numRuns: RUNS },
    );
  });
});

/** A state as a plain object. */
interface Plain {
  readonly number: number;
  readonly observation: number;
  readonly legal: readonly number[];
  readonly taken: number;
  done: Completed | null;
}

describe('Replay', () => {
  it('holds the newest states as they came, whatever room their legal actions take, and what followed each', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 5, max: 40 }),
        fc.integer({ min: 1, max: 80 }),
        fc.nat(1e9),
        (capacity, entries, count, seed) => {
          const stream = new RandomStream(seed, Purpose.demand);
          const sizes = { capacity, entries, inputs: 2, columns: PAIR_COLUMNS };
          let replay = new Replay(sizes);
          const all: Plain[] = [];
          for (let k = 0; k < count; k++) {
            const rows = stream.integer(1, 5);
            const legal = Int32Array.from({ length: rows + 2 }, () => stream.integer(0, 99));
            const features = Float32Array.from({ length: (rows + 2) * PAIR_COLUMNS }, (_, p) =>
              p % PAIR_COLUMNS === 0 ? legal[Math.floor(p / PAIR_COLUMNS)] : 0,
            );
            const taken = stream.integer(0, rows - 1);
            const number = replay.append(Float32Array.of(9, 9, k, -k), 1, legal, features, 2, rows, taken);
            expect(number).toBe(k);
            all.push({ number, observation: k, legal: [...legal.subarray(2)], taken, done: null });
            // What followed an earlier state is known now; it may have been dropped.
            const earlier = all[stream.integer(0, k)];
            if (earlier.done === null && earlier.number < k) {
              const terminated = stream.integer(0, 1);
              earlier.done = { total: stream.integer(-9, 9), steps: 2, terminated, successor: terminated ? -1 : k };
              const { total, steps, successor } = earlier.done;
              replay.complete(earlier.number, total, steps, terminated, successor);
            }
            if (stream.float() < 0.1) {
              const other = new Replay(sizes);
              other.restore(
                replay.counters(),
                Object.fromEntries(Object.entries(replay.views()).map(([name, view]) => [name, view.slice()])),
              );
              replay = other;
            }
            const held = all.slice(all.length - replay.length);
            // No more is dropped than must be: the newest states whose legal actions surely fit are held.
            let sure = 0;
            let room = entries - 5;
            for (const plain of [...all].reverse()) {
              room -= plain.legal.length;
              if (room < 0 || sure === capacity) break;
              sure++;
            }
            expect(replay.length).toBeGreaterThanOrEqual(Math.max(1, sure));
            expect(replay.length).toBeLessThanOrEqual(capacity);
            expect(replay.transitions).toBe(held.filter(({ done }) => done !== null).length);
            for (const plain of held) {
              const place = plain.number % capacity;
              const from = replay.starts[place];
              expect([...replay.legalActions.subarray(from, from + replay.counts[place])]).toEqual(plain.legal);
              expect([replay.observations[2 * place], replay.taken[place]]).toEqual([plain.observation, plain.taken]);
              expect(replay.tree.get(place)).toBe(plain.done === null ? 0 : 1);
              expect(replay.steps[place]).toBe(plain.done?.steps ?? 0);
              if (plain.done === null) continue;
              const { total, terminated, successor } = plain.done;
              expect([replay.returns[place], replay.terminated[place]]).toEqual([total, terminated]);
              expect(replay.successors[place]).toBe(successor < 0 ? -1 : successor % capacity);
            }
            const batch = new ReplayBatch(
              { kind: 'pairs', inputs: 2, hidden: [8], criticHidden: [8], actions: 100 },
              3,
            );
            const drawn = [0, 1, 2].map(() => held[stream.integer(0, held.length - 1)]);
            batch.gather(
              replay,
              Int32Array.from(drawn, (plain) => plain.number % capacity),
              3,
            );
            drawn.forEach((plain, r) => {
              const [from, to] = [batch.starts[r], batch.starts[r + 1]];
              expect([...batch.legalActions.subarray(from, to)]).toEqual(plain.legal);
              for (let i = from; i < to; i++) expect(batch.features[i * PAIR_COLUMNS]).toBe(plain.legal[i - from]);
              expect(batch.observations[2 * r + 1]).toBe(plain.observation === 0 ? -0 : -plain.observation);
            });
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('refuses a state that has more legal actions than there is room for, and memory of another size', () => {
    const replay = new Replay({ capacity: 4, entries: 3, inputs: 1, columns: 0 });
    const none = new Float32Array(0);
    expect(() => replay.append(Float32Array.of(1), 0, Int32Array.of(1, 2, 3, 4), none, 0, 4, 0)).toThrow(
      'a state has 4 legal actions, replayEntries has room for 3 in all: raise it',
    );
    replay.append(Float32Array.of(1), 0, Int32Array.of(1, 2, 3), none, 0, 3, 0);
    const smaller = new Replay({ capacity: 4, entries: 2, inputs: 1, columns: 0 });
    expect(() => smaller.restore(replay.counters(), replay.views())).toThrow(
      'the replay memory\'s "legalActions" has 3 numbers, this run has room for 2',
    );
  });
});
