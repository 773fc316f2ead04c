// Laws that hold in every scenario, at every step.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventLog, PAIR_COLUMNS, PairWriter, Purpose, RandomStream, VectorDispatchEnv } from '#engine/index.js';
import type { CompiledScenario, World } from '#engine/index.js';
import { outputsHash, someAction } from './support/play.js';
import { RUNS, anyScenario, traceScenario } from './support/random-scenario.js';

const seeds = fc.nat(1e9);
const kinds = fc.constantFrom<'classic' | 'full'>('classic', 'full');

/** Plays one environment for a while, calling `look` before each action. */
function play(
  compiled: CompiledScenario,
  seed: number,
  steps: number,
  look: (world: World, action: number) => void,
): VectorDispatchEnv {
  const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1 });
  const stream = new RandomStream(seed, Purpose.action);
  const actions = new Int32Array(1);
  env.reset({ seed });
  for (let t = 0; t < steps; t++) {
    actions[0] = someAction(env.world, 0, stream, true);
    look(env.world, actions[0]);
    env.step(actions);
  }
  return env;
}

describe('engine laws', () => {
  it('created = open + assigned + pickedUp + completed + expired + refused, at every step', () => {
    fc.assert(
      fc.property(anyScenario, seeds, (compiled, seed) => {
        play(compiled, seed, 60, ({ state: st, slots }) => {
          const sum = st.open[0] + st.assigned[0] + st.pickedUp[0] + st.completed[0] + st.expired[0] + st.refused[0];
          expect(sum).toBe(st.created[0]);
          expect(st.open[0]).toBeLessThanOrEqual(slots);
        });
      }),
      { numRuns: RUNS },
    );
  });

  it('counts agree with the events that were logged', () => {
    fc.assert(
      fc.property(anyScenario, seeds, (compiled, seed) => {
        const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1, autoresetMode: 'DISABLED' });
        const log = new EventLog();
        env.world.log = log;
        env.reset({ seed });
        const stream = new RandomStream(seed, Purpose.action);
        const actions = new Int32Array(1);
        for (let ended = false; !ended;) {
          actions[0] = someAction(env.world, 0, stream, true);
          const { terminations, truncations } = env.step(actions);
          ended = (terminations[0] | truncations[0]) === 1;
        }
        const { state: st } = env.world;
        const events = log.drain();
        const count = (kind: string): number => events.filter((event) => event.kind === kind).length;
        expect(count('created')).toBe(st.created[0]);
        expect(count('refused')).toBe(st.refused[0]);
        expect(count('expired')).toBe(st.expired[0]);
        expect(count('completed')).toBe(st.completed[0]);
        expect(count('pickedUp')).toBe(st.pickedUp[0] + st.completed[0]);
        expect(count('assigned')).toBe(st.assigned[0] + st.pickedUp[0] + st.completed[0]);
        for (const event of events) expect(event.second).toBeLessThanOrEqual(compiled.scenario.horizonSeconds);
      }),
      { numRuns: RUNS },
    );
  });

  it('the mask is exact: an action is legal iff applying it is accepted', () => {
    let legalSeen = 0;
    let illegalSeen = 0;
    fc.assert(
      fc.property(anyScenario, seeds, (compiled, seed) => {
        const scout = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1 });
        play(compiled, seed, 25, (world) => {
          for (let a = 0; a < world.actions; a++) {
            // A copy of this very state takes the action.
            for (const [name, view] of Object.entries(world.state) as [keyof typeof world.state, Int32Array][]) {
              (scout.world.state[name] as Int32Array).set(view);
            }
            (Object.entries(world.out) as [keyof typeof world.out, Float32Array][]).forEach(([name, view]) => {
              (scout.world.out[name] as Float32Array).set(view);
            });
            scout.world.step(0, a);
            const accepted = scout.world.out.invalidActions[0] === 0;
            expect(accepted).toBe(world.out.actionMasks[a] === 1);
            if (accepted) legalSeen++;
            else illegalSeen++;
          }
        });
      }),
      { numRuns: Math.ceil(RUNS / 4) },
    );
    // Both answers must have come up, or the law says nothing.
    expect(legalSeen).toBeGreaterThan(100);
    expect(illegalSeen).toBeGreaterThan(100);
  });

  it('what is kept between steps equals what is computed anew: masks, observations, pairs', () => {
    fc.assert(
      fc.property(anyScenario, kinds, seeds, (compiled, observation, seed) => {
        const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1, observation });
        const { world } = env;
        const { scenario } = compiled;
        const stream = new RandomStream(seed, Purpose.action);
        const pairs = new PairWriter(world);
        const actions = new Int32Array(world.actions);
        const features = new Float32Array(world.actions * PAIR_COLUMNS);
        env.reset({ seed });
        for (let t = 0; t < 40; t++) {
          const { state: st, out } = world;
          const legal: number[] = [];
          for (let i = 0; i < world.drivers; i++) {
            for (let j = 0; j < world.slots; j++) {
              const a = 1 + i * world.slots + j;
              expect(out.actionMasks[a]).toBe(world.accepts(0, i, j) ? 1 : 0);
              if (out.actionMasks[a] === 1) legal.push(a);
            }
          }
          expect([...actions.subarray(0, pairs.write(0, actions, features, 0))]).toEqual([0, ...legal]);
          expect(features.every((value) => Number.isFinite(value))).toBe(true);

          const now = st.now[0];
          const shiftWidth = scenario.fleet === undefined ? 0 : 1;
          const driverWidth = observation === 'classic' ? 4 : 8 + scenario.skills.length + shiftWidth;
          const bookingWidth = observation === 'classic' ? 4 : 12 + scenario.skills.length;
          for (let i = 0; i < world.drivers; i++) {
            const p = i * driverWidth;
            expect(out.observations[p]).toBeCloseTo(st.endX[i] / compiled.extentX, 5);
            expect(out.observations[p + 2]).toBe(world.isAvailable(0, i) ? 1 : 0);
            expect(out.observations[p + 3]).toBeCloseTo(st.load[i] / 10, 5);
            if (observation === 'full') {
              expect(out.observations[p + 4]).toBeCloseTo(st.planLength[i] / scenario.queue, 5);
              expect(out.observations[p + 5]).toBeCloseTo(Math.max(0, st.freeAt[i] - now) / 3600, 5);
            }
          }
          for (let j = 0; j < world.slots; j++) {
            const p = world.drivers * driverWidth + j * bookingWidth;
            const row = out.observations.subarray(p, p + bookingWidth);
            if (!world.isOpen(0, j)) {
              expect(row.every((value) => value === 0)).toBe(true);
              continue;
            }
            expect(row[0]).toBeCloseTo(st.pickupX[j] / compiled.extentX, 5);
            expect(row[2]).toBeCloseTo(st.priority[j] / 5, 5);
            expect(row[3]).toBeCloseTo((st.windowEnd[j] - now) / 3600, 5);
            if (observation === 'full') {
              expect(row[4]).toBe(1);
              expect(row[9]).toBe(st.leg[j]);
              expect(row[10]).toBeCloseTo((now - st.knownAt[j]) / 3600, 5);
            }
          }
          env.step(Int32Array.of(someAction(world, 0, stream, true)));
        }
      }),
      { numRuns: Math.ceil(RUNS / 4) },
    );
  });

  it('environment i of a batch equals a batch of one, and the same seed gives the same bytes', () => {
    fc.assert(
      fc.property(anyScenario, kinds, seeds, fc.integer({ min: 0, max: 63 }), (compiled, observation, seed, i) => {
        const options = { scenario: compiled, observation };
        const [whole] = outputsHash({ ...options, numEnvs: 64 }, seed, 30, [i]);
        expect(outputsHash({ ...options, numEnvs: 64 }, seed, 30, [i])).toEqual([whole]);
        expect(outputsHash({ ...options, numEnvs: 1, firstEnv: i }, seed, 30, [0])).toEqual([whole]);
      }),
      { numRuns: Math.ceil(RUNS / 8) },
    );
  });

  it('demand does not depend on what the policy does', () => {
    fc.assert(
      fc.property(anyScenario, seeds, (compiled, seed) => {
        const created = (wait: boolean): string => {
          const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1, autoresetMode: 'DISABLED' });
          const log = new EventLog();
          env.world.log = log;
          const stream = new RandomStream(seed, Purpose.action);
          env.reset({ seed });
          for (let ended = false; !ended;) {
            const result = env.step(Int32Array.of(wait ? 0 : someAction(env.world, 0, stream, false)));
            ended = (result.terminations[0] | result.truncations[0]) === 1;
          }
          return JSON.stringify(log.drain().filter((event) => event.kind === 'created'));
        };
        expect(created(true)).toBe(created(false));
      }),
      { numRuns: RUNS },
    );
  });

  it('what is not yet known does not show: another future, the same observation', () => {
    fc.assert(
      fc.property(traceScenario, seeds, (compiled, seed) => {
        const cut = compiled.scenario.horizonSeconds / 2;
        const { trace } = compiled.dataset!;
        const changed = (column: Int32Array, f: (value: number) => number): Int32Array =>
          column.map((value, k) => (trace.knownAt[k] > cut ? f(value) : value));
        const other: CompiledScenario = {
          ...compiled,
          dataset: {
            ...compiled.dataset!,
            trace: {
              ...trace,
              pickupZone: changed(trace.pickupZone, () => 0),
              dropoffZone: changed(trace.dropoffZone, () => 1),
              windowEnd: changed(trace.windowEnd, (value) => value + 60),
            },
          },
        };
        const envs = [compiled, other].map((scenario) => new VectorDispatchEnv({ scenario, numEnvs: 1 }));
        const stream = new RandomStream(seed, Purpose.action);
        for (const env of envs) env.reset({ seed });
        const [a, b] = envs.map((env) => env.world);
        while (a.state.now[0] <= cut && a.state.episode[0] === 0) {
          expect([...b.out.observations]).toEqual([...a.out.observations]);
          expect([...b.out.actionMasks]).toEqual([...a.out.actionMasks]);
          const actions = Int32Array.of(someAction(a, 0, stream, false));
          for (const env of envs) env.step(actions);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('nothing teleports: a pickup is never earlier than the plan, the way and the window allow', () => {
    fc.assert(
      fc.property(anyScenario, seeds, (compiled, seed) => {
        play(compiled, seed, 40, (world, action) => {
          if (action <= 0 || action >= world.actions || world.out.actionMasks[action] === 0) return;
          const i = Math.floor((action - 1) / world.slots);
          const j = (action - 1) % world.slots;
          const { state: st } = world;
          const start = Math.max(st.now[0], st.freeAt[i]);
          const pickup = world.pickupSecond(0, i, j);
          const travel = compiled.dataset?.travel ?? undefined;
          const seconds =
            travel === undefined
              ? Math.hypot(st.pickupX[j] - st.endX[i], st.pickupY[j] - st.endY[i]) / (40 / 3.6)
              : travel.seconds[st.endZone[i] * travel.zones + st.pickupZone[j]];
          expect(pickup).toBeGreaterThanOrEqual(Math.floor(start + seconds - 1));
          expect(pickup).toBeGreaterThanOrEqual(st.windowStart[j]);
          expect(pickup).toBeLessThanOrEqual(st.windowEnd[j] + compiled.scenario.lateToleranceSeconds);
        });
      }),
      { numRuns: RUNS },
    );
  });
});
