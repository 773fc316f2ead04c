// A single environment, and snapshots, forks and the end of environments.

import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import {
  DispatchEnv,
  EngineError,
  EventLog,
  Purpose,
  RandomStream,
  VectorDispatchEnv,
  compileScenario,
  kpisOf,
  preset,
} from '#engine/index.js';
import type { AutoresetMode, EnvSnapshot, Scenario } from '#engine/index.js';
import { someAction } from './support/play.js';
import { inventedDataset } from './support/random-scenario.js';

const geneva: Scenario = { ...preset('geneva-live'), horizonSeconds: 12 * 300 };
const zones = inventedDataset(
  3,
  300,
  [
    [0, 0, 1, 0, 900],
    [60, 1, 2, 0, 900],
    [250, 2, 0, 0, 900],
  ],
  0,
);
const recorded = compileScenario(
  { ...preset('nyc-small'), drivers: 3, slots: 5, horizonSeconds: 300, name: 'random-trace' },
  zones,
);

/** Digest of all that it writes. */
function bytesOf(env: VectorDispatchEnv): string {
  const hash = createHash('sha256');
  const { infos, world } = env;
  const pairs = infos.finalPairs;
  const out = Object.values(world.out) as Float32Array[];
  const views = [...out, ...(pairs === null ? [] : [pairs.counts, pairs.actions, pairs.features])];
  for (const view of views as Float32Array[]) hash.update(view);
  return hash.digest('hex');
}

/** Takes `steps` steps; returns the digests after each; an environment that has ended is reset where it must be. */
function play(env: VectorDispatchEnv, stream: RandomStream, steps: number): string[] {
  const all: string[] = [];
  for (let t = 0; t < steps; t++) {
    env.step(Int32Array.from({ length: env.numEnvs }, (_, e) => someAction(env.world, e, stream, true)));
    all.push(bytesOf(env));
    const { ended } = env.world.state;
    if (env.metadata.autoresetMode === 'DISABLED') env.reset({ options: { resetMask: Uint8Array.from(ended) } });
  }
  return all;
}

const actionsOf = (seed: number): RandomStream => new RandomStream(seed, Purpose.action);

function refused(code: string, message: string | RegExp, call: () => unknown): void {
  let caught: unknown;
  try {
    call();
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(EngineError);
  expect((caught as EngineError).code).toBe(code);
  if (typeof message === 'string') expect((caught as EngineError).message).toContain(message);
  else expect((caught as EngineError).message).toMatch(message);
}

describe('DispatchEnv', () => {
  it('writes the bytes of a vector environment of one that is not reset by itself, episode after episode', () => {
    for (const scenario of [compileScenario(geneva), recorded]) {
      const single = new DispatchEnv({ scenario, firstEnv: 4 });
      const vector = new VectorDispatchEnv({ scenario, numEnvs: 1, autoresetMode: 'DISABLED', firstEnv: 4 });
      const stream = actionsOf(2);
      for (let episode = 0; episode < 3; episode++) {
        const request = episode === 0 ? { seed: 8 } : {};
        vector.reset(request);
        const { observation, info } = single.reset(request);
        expect([observation, info.actionMask]).toEqual([vector.world.out.observations, vector.infos.actionMasks]);
        expect([info.invalidAction, info.episode]).toEqual([false, null]);
        for (let over = false; !over;) {
          const action = someAction(vector.world, 0, stream, true);
          const { rewards, terminations, truncations, infos } = vector.step(Int32Array.of(action));
          const result = single.step(action);
          expect(result.observation).toEqual(vector.world.out.observations);
          expect(result.info.actionMask).toEqual(infos.actionMasks);
          expect(result.info.invalidAction).toBe(infos.invalidActions[0] === 1);
          expect([result.reward, result.terminated, result.truncated]).toEqual([
            rewards[0],
            terminations[0] === 1,
            truncations[0] === 1,
          ]);
          over = result.terminated || result.truncated;
          expect(result.info.episode).toEqual(
            over
              ? {
                  return: infos.episodeReturns[0],
                  length: infos.episodeLengths[0],
                  kpis: kpisOf(infos.episodeKpis, 0),
                }
              : null,
          );
        }
        // It stands still.
        const last = single.step(0);
        expect([last.reward, last.terminated || last.truncated]).toEqual([0, true]);
        expect(last.observation).toEqual(vector.world.out.observations);
      }
    }
  });

  it('has the spaces of one environment, and events where a log is set', () => {
    const env = new DispatchEnv({ scenario: geneva });
    env.world.log = new EventLog();
    let { observation, info } = env.reset({ seed: 1 });
    for (let over = false; !over;) {
      expect(env.observationSpace.contains(observation)).toBe(true);
      const result = env.step(env.actionSpace.sample(info.actionMask));
      expect(result.info.invalidAction).toBe(false);
      ({ observation, info } = result);
      over = result.terminated || result.truncated;
    }
    const events = env.world.log.drain();
    expect(events.filter(({ kind }) => kind === 'assigned').length).toBe(info.episode!.kpis.accepted);
    expect(info.episode!.kpis.accepted).toBeGreaterThan(3);
  });

  it('refuses what is no option, no action and no reset', () => {
    refused(
      'ERR_OPTION',
      'options has no "numEnvs"',
      () => new DispatchEnv({ scenario: 'geneva', numEnvs: 1 } as never),
    );
    const env = new DispatchEnv({ scenario: 'geneva' });
    refused('ERR_ACTION', 'step() before reset()', () => env.step(0));
    refused('ERR_OPTION', 'reset() has no "sead": did you mean "seed"?', () => env.reset({ sead: 1 } as never));
    env.reset({ seed: 1 });
    refused('ERR_ACTION', 'action is 0.5: expected a whole number', () => env.step(0.5));
    // 2 ** 32 + 1 is no action 1.
    for (const action of [-1, 201, 2 ** 32, 2 ** 32 + 1]) expect(env.step(action).info.invalidAction).toBe(true);
  });
});

describe('snapshots', () => {
  const modes: readonly AutoresetMode[] = ['SAME_STEP', 'NEXT_STEP', 'DISABLED'];
  const cases = modes.flatMap((mode) => [
    ['drawn demand', mode, compileScenario(geneva)] as const,
    ['recorded trips', mode, recorded] as const,
  ]);

  it.each(cases)('on %s, %s: the same actions give the same bytes again, in it and in another', (_, mode, scenario) => {
    const options = { scenario, numEnvs: 3, autoresetMode: mode, finalPairs: true } as const;
    const env = new VectorDispatchEnv(options);
    env.reset({ seed: 5 });
    play(env, actionsOf(1), 40);
    const snapshot = env.snapshot();
    const kept = bytesOf(env);
    const ahead = play(env, actionsOf(2), 60);
    expect(bytesOf(env)).not.toEqual(kept);
    env.restore(snapshot);
    expect(bytesOf(env)).toEqual(kept);
    expect(play(env, actionsOf(2), 60)).toEqual(ahead);
    // As it has been to a file and back, into one that was never reset.
    const other = new VectorDispatchEnv(options);
    other.restore(deserialize(serialize(snapshot)) as EnvSnapshot);
    expect(play(other, actionsOf(2), 60)).toEqual(ahead);
    // And again: the snapshot has not moved along.
    env.restore(snapshot);
    expect(play(env, actionsOf(2), 60)).toEqual(ahead);
  });

  it('a fork goes on as its origin would, and neither moves the other', () => {
    const env = new VectorDispatchEnv({ scenario: geneva, numEnvs: 2 });
    env.reset({ seed: 5 });
    play(env, actionsOf(1), 10);
    const fork = env.fork();
    const before = bytesOf(env);
    const ahead = play(fork, actionsOf(2), 40);
    expect(bytesOf(env)).toEqual(before);
    const still = bytesOf(fork);
    expect(play(env, actionsOf(2), 40)).toEqual(ahead);
    expect(bytesOf(fork)).toEqual(still);
    env.close();
    play(fork, actionsOf(3), 5);

    const single = new DispatchEnv({ scenario: recorded });
    single.reset({ seed: 1 });
    const branch = single.fork();
    const there = Array.from({ length: 5 }, () => [...branch.step(0).observation]);
    expect(single.world.state.tick[0]).toBe(0);
    const snapshot = single.snapshot();
    expect(Array.from({ length: 5 }, () => [...single.step(0).observation])).toEqual(there);
    const { observation, info } = single.restore(snapshot);
    expect([single.world.state.tick[0], info.episode]).toEqual([0, null]);
    expect([...single.step(0).observation]).toEqual(there[0]);
    expect(single.world.out.observations).toBe(observation);
  });

  it('are refused by name where anything differs, and then nothing has changed', () => {
    const scenario = compileScenario(geneva);
    const env = new VectorDispatchEnv({ scenario, numEnvs: 2 });
    env.reset({ seed: 1 });
    play(env, actionsOf(1), 7);
    const snapshot = env.snapshot();
    const cases: [object, RegExp][] = [
      [
        { scenario: { ...geneva, drivers: 11 } },
        /the snapshot's scenario field "drivers" is 10, this environment's is 11/,
      ],
      [{ scenario: { ...geneva, trafficSlowdown: 0.4 } }, /scenario field "trafficSlowdown" is 0.5, .* is 0.4/],
      [{ numEnvs: 3 }, /the snapshot's numEnvs is 2, this environment's is 3/],
      [{ observation: 'classic' }, /the snapshot's observation is "full", this environment's is "classic"/],
      [{ autoresetMode: 'DISABLED' }, /autoresetMode is "SAME_STEP"/],
      [{ firstEnv: 2 }, /firstEnv is 0/],
      [{ finalPairs: true }, /finalPairs is false/],
    ];
    for (const [changes, message] of cases) {
      const other = new VectorDispatchEnv({ scenario, numEnvs: 2, ...changes });
      other.reset({ seed: 9 });
      const before = bytesOf(other);
      refused('ERR_OPTION', message, () => {
        other.restore(snapshot);
      });
      expect(bytesOf(other)).toEqual(before);
    }
    const tampered = (changes: object): EnvSnapshot => ({
      ...snapshot,
      identity: { ...snapshot.identity, ...changes },
    });
    const [first, second] = snapshot.parts;
    for (const [given, message] of [
      [tampered({ version: 0 }), /the snapshot's version is 0, this environment's is 1/],
      [tampered({ layout: '[]' }), /the snapshot's layout is "\[\]"/],
      [
        { ...snapshot, parts: [first, second.slice(1)] },
        /parts\[1\] is an? Uint8Array: expected a Uint8Array of \d+ bytes/,
      ],
      [{ ...snapshot, parts: [first] }, /parts\[1\] is missing/],
      [null, /snapshot is null: expected what snapshot\(\) returned/],
      [{ now: 0, drivers: [] }, /snapshot is an Object/],
    ] as [EnvSnapshot, RegExp][]) {
      const before = bytesOf(env);
      refused('ERR_OPTION', message, () => {
        env.restore(given);
      });
      expect(bytesOf(env)).toEqual(before);
    }
  });

  it('are refused on other trips, and on other days of the same ones', () => {
    const make = (data: typeof zones, days: number[]): VectorDispatchEnv =>
      new VectorDispatchEnv({
        scenario: compileScenario(recorded.scenario, data),
        numEnvs: 1,
        source: { mode: 'sampled', days: Int32Array.from(days) },
      });
    const env = make(zones, [0, 1]);
    env.reset({ seed: 1 });
    const snapshot = env.snapshot();
    const fares = { ...zones, trace: { ...zones.trace, fare: zones.trace.fare.map((fare) => fare + 1) } };
    refused('ERR_OPTION', /the snapshot's dataset is \d+/, () => {
      make(fares, [0, 1]).restore(snapshot);
    });
    refused('ERR_OPTION', /the snapshot's source is "sampled days 0 1", this environment's is "sampled days 0"/, () => {
      make(zones, [0]).restore(snapshot);
    });
    make(structuredClone(zones), [0, 1]).restore(snapshot);
  });

  it('want an episode to begin with', () => {
    const env = new VectorDispatchEnv({ scenario: geneva, numEnvs: 1 });
    refused('ERR_ACTION', /snapshot\(\) before reset\(\)/, () => env.snapshot());
    refused('ERR_ACTION', /snapshot\(\) before reset\(\)/, () => env.fork());
  });
});

describe('close', () => {
  it('may be called again, and every other call after it is refused by its name', () => {
    const env = new VectorDispatchEnv({ scenario: geneva, numEnvs: 1 });
    env.reset({ seed: 1 });
    const snapshot = env.snapshot();
    env.close();
    env.close();
    const calls: Record<string, () => unknown> = {
      'reset()': () => env.reset({ seed: 1 }),
      'step()': () => env.step(new Int32Array(1)),
      'stepRange()': () => {
        env.stepRange(new Int32Array(1), 0, 1);
      },
      'stepJoint()': () => env.stepJoint(new Int32Array(10)),
      'resume()': () => {
        env.resume();
      },
      'snapshot()': () => env.snapshot(),
      'restore()': () => {
        env.restore(snapshot);
      },
      'resized()': () => env.resized(2),
    };
    for (const [name, call] of Object.entries(calls)) {
      const message = `${name} after close(): this environment has been closed, make a new one`;
      refused('ERR_CLOSED', message, call);
    }
    const single = new DispatchEnv({ scenario: geneva });
    single.close();
    single.close();
    refused('ERR_CLOSED', 'reset', () => single.reset({ seed: 1 }));
    refused('ERR_CLOSED', 'step', () => single.step(0));
    refused('ERR_CLOSED', 'snapshot', () => single.fork());
  });
});
