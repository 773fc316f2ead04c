// What a step depends on lies in the layout, environment by environment; and broken snapshots never get into it.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EngineError,
  NEVER,
  VectorDispatchEnv,
  allocate,
  compileScenario,
  outputSpec,
  preset,
  stateSpec,
} from '#engine/index.js';
import type { MatrixTravel, Scenario, Snapshot, SnapshotBooking, SnapshotDriver, World } from '#engine/index.js';
import { heuristic } from '#policy/index.js';
import { RUNS } from './support/random-scenario.js';

const scenario: Scenario = {
  ...preset('geneva'),
  decisionsPerTick: Infinity,
  assignmentsPerDriverPerTick: 3,
  skills: [{ name: 'wheelchair', driverShare: 0.5, bookingShare: 0.3 }],
};
const compiled = compileScenario(scenario);

const driver: SnapshotDriver = {
  x: 0,
  y: 0,
  zone: 0,
  freeAt: 0,
  plan: [],
  onBoard: false,
  load: 0,
  offDuty: false,
};
const booking: SnapshotBooking = {
  pickupX: 500,
  pickupY: 0,
  pickupZone: 0,
  dropoffX: 4000,
  dropoffY: 0,
  dropoffZone: 0,
  knownAt: 0,
  windowStart: 0,
  windowEnd: 3600,
  priority: 3,
  skills: 0,
  leg: 0,
  fare: 0,
  pickupService: 60,
  dropoffService: 30,
};
const now = 600;
/** A shift that ends before the ride can, and the same without a limit. */
const limited: Snapshot = { now, drivers: [{ ...driver, shiftEnd: now + 300 }], bookings: [booking] };
const free: Snapshot = { now, drivers: [driver], bookings: [booking] };

function make(numEnvs: number, options: object = {}): VectorDispatchEnv {
  return new VectorDispatchEnv({ scenario: compiled, numEnvs, ...options });
}

/** Mask and predicate of giving slot 0 to driver 0. */
function legal(world: World, e: number): boolean {
  const accepted = world.accepts(e, 0, 0);
  expect(world.out.actionMasks[e * world.actions + 1]).toBe(accepted ? 1 : 0);
  return accepted;
}

/** Digest of some views. */
function digest(views: readonly unknown[]): string {
  const hash = createHash('sha256');
  for (const view of views as readonly Float64Array[]) {
    hash.update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  }
  return hash.digest('hex');
}

/** Digest of all that a world keeps and writes. */
function bytesOf({ state, out }: World): string {
  return digest([...(Object.values(state) as unknown[]), ...(Object.values(out) as unknown[])]);
}

describe('the limits of a placed snapshot', () => {
  it('hold in their environment alone, whatever is placed beside them, before or after', () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const { world } = make(2);
      for (const e of order) world.restore(e, 1, 0, e === 0 ? limited : free);
      expect([legal(world, 0), legal(world, 1)]).toEqual([false, true]);
      // And still after a step of each.
      world.step(0, 0);
      world.step(1, 0);
      expect([legal(world, 0), legal(world, 1)]).toEqual([false, true]);
    }
  });

  it('hold in another environment on the same buffers, and there an illegal action is one', () => {
    const stateBuffer = allocate(stateSpec(compiled, 1));
    const outputBuffer = allocate(outputSpec(compiled, 1, 'full'));
    const first = make(1, { stateBuffer, outputBuffer });
    first.world.restore(0, 1, 0, limited);
    const second = make(1, { stateBuffer, outputBuffer });
    second.resume();
    expect(legal(second.world, 0)).toBe(false);
    const { infos } = second.step(Int32Array.of(1));
    expect(infos.invalidActions[0]).toBe(1);
  });

  it('go along with a copy and its futures, and leave with it what it replaces', () => {
    const { world } = make(1);
    world.restore(0, 1, 0, limited);
    const copies = make(3).world;
    copies.restore(2, 1, 0, free);
    copies.copy(0, world, 0);
    copies.resampleDemand(0, 5, 1, 0);
    copies.copy(1, copies, 0);
    expect([0, 1, 2].map((e) => legal(copies, e))).toEqual([false, false, true]);
    copies.copy(0, copies, 2);
    expect([0, 1, 2].map((e) => legal(copies, e))).toEqual([true, false, true]);
  });

  it('end with the episode: what is reset knows no shift', () => {
    const { world } = make(1);
    world.restore(0, 1, 0, { ...limited, bookings: [{ ...booking, latestDropoff: now + 10 }] });
    expect(world.state.dropoffsBound[0]).toBe(1);
    world.reset(0, 3, 0);
    const plain = make(1);
    plain.reset({ seed: 3 });
    const policy = heuristic('edf');
    for (let t = 0; t < 40; t++) {
      expect(digest(Object.values(world.out))).toBe(digest(Object.values(plain.world.out)));
      const actions = new Int32Array(1);
      policy.act(world, 0, 1, actions);
      world.step(0, actions[0]);
      plain.world.step(0, actions[0]);
    }
    expect(world.state.dropoffsBound[0]).toBe(0);
  });
});

describe('buffers', () => {
  it('hold all that the next step needs, at every step, whoever goes on and with fresh outputs, too', () => {
    const spec = stateSpec(compiled, 2);
    for (const observation of ['classic', 'full'] as const) {
      const stateBuffer = allocate(spec);
      const [env, twin] = [make(2, { stateBuffer, observation }), make(2, { observation })];
      env.reset({ seed: 4 });
      twin.reset({ seed: 4 });
      for (let t = 0; t < 60; t++) {
        const masks = twin.world.out.actionMasks;
        const { actions: width } = twin.world;
        const actions = Int32Array.from([0, 1], (e) =>
          (t + e) % 3 === 0 ? masks.lastIndexOf(1, (e + 1) * width - 1) - e * width : 0,
        );
        // A new object on the old state each time.
        const heir = make(2, { stateBuffer, observation });
        heir.resume();
        for (const name of ['observations', 'actionMasks'] as const) {
          expect(digest([heir.world.out[name]])).toBe(digest([twin.world.out[name]]));
        }
        heir.step(actions);
        twin.step(actions);
        for (const name of ['observations', 'actionMasks', 'rewards', 'truncations', 'invalidActions'] as const) {
          expect(digest([heir.world.out[name]])).toBe(digest([twin.world.out[name]]));
        }
      }
      expect(Math.max(...twin.world.state.load)).toBeGreaterThan(0);
    }
  });

  it('nobody has reset are refused, not gone on from', () => {
    const env = make(2);
    expect(() => env.resume()).toThrow('resume() before reset(): environment 0');
    expect(() => env.step(new Int32Array(2))).toThrow('step() before reset()');
    expect(() => env.stepRange(new Int32Array(2), 0, 1)).toThrow('step() before reset(): environment 0');
    expect(() => env.world.step(1, 0)).toThrow('step() before reset(): environment 1');
    expect(() => env.world.step(7, 0)).toThrow('e is 7: the world has environments 0 to 1');
    env.reset({ seed: 1, options: { resetMask: [true, false] } });
    expect(() => env.resume()).toThrow('environment 1');
    env.world.restore(1, 1, 0, free);
    env.resume();
    expect(env.step(new Int32Array(2)).truncations[0]).toBe(0);
  });

  it('a way that begins in another period of the tables is looked up anew, even where a tick spans several', () => {
    const calm = Int32Array.of(0, 600, 600, 0);
    const matrix: MatrixTravel = {
      zones: 2,
      seconds: calm,
      periods: {
        // Three times as long from 8:02 to 8:04, within a tick of five minutes.
        ofMinute: Uint8Array.from({ length: 1440 }, (_, minute) => (minute >= 482 && minute < 484 ? 1 : 0)),
        seconds: [calm, calm.map((second) => 3 * second)],
      },
      metres: calm,
      fares: new Int32Array(4),
      x: new Float32Array(2),
      y: new Float32Array(2),
    };
    const { world } = make(1, {
      scenario: { ...compiled, matrix, arrivalByTick: compiled.arrivalByTick.map(() => 0) },
    });
    world.restore(0, 1, 0, {
      now: 0,
      drivers: [{ ...driver, freeAt: 150 }],
      bookings: [{ ...booking, pickupZone: 1, windowEnd: 1000 }],
    });
    const factor = (second: number): number => compiled.factorByMinute[480 + Math.floor(second / 60)];
    expect(world.pickupSecond(0, 0, 0)).toBe(150 + Math.round(1800 * factor(150)));
    world.step(0, 0);
    // Free since 8:02:30, and still there at 8:05: the way takes what it takes from now on.
    expect(world.pickupSecond(0, 0, 0)).toBe(300 + Math.round(600 * factor(300)));
    expect(legal(world, 0)).toBe(true);
  });
});

type Path = readonly (string | number)[];

/** A snapshot with the member at `path` set to `value`, or left out. */
function broken(snapshot: Snapshot, path: Path, value: unknown): Snapshot {
  const copy = structuredClone(snapshot) as unknown as Record<string | number, unknown>;
  let at = copy;
  for (const key of path.slice(0, -1)) at = at[key] as typeof at;
  const last = path.at(-1)!;
  if (value === undefined) Reflect.deleteProperty(at, last);
  else at[last] = value;
  return copy as unknown as Snapshot;
}

function written(path: Path): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${key}`),
    'snapshot',
  );
}

const sound: Snapshot = {
  now,
  drivers: [
    driver,
    {
      ...driver,
      freeAt: 1500,
      plan: [
        { pickupAt: 300, dropoffAt: 900 },
        { pickupAt: 1000, dropoffAt: 1500 },
      ],
      onBoard: true,
      load: 4,
      promised: [{ ...booking, skills: 1, earliestDropoff: 0, latestDropoff: 9000 }],
      shiftEnd: 20_000,
    },
  ],
  bookings: [booking, { ...booking, windowStart: -NEVER, windowEnd: -NEVER, leg: 1 }],
};
const bookingPaths: readonly Path[] = [
  ['bookings', 1],
  ['drivers', 1, 'promised', 0],
];
const wholeOf = (path: Path, names: readonly string[]): Path[] => names.map((name) => [...path, name]);
const wholes: readonly Path[] = [
  ['now'],
  ...wholeOf(['drivers', 0], ['zone', 'freeAt', 'load']),
  ...wholeOf(['drivers', 1, 'plan', 0], ['pickupAt', 'dropoffAt']),
  ...bookingPaths.flatMap((path) =>
    wholeOf(path, [
      'pickupZone',
      'dropoffZone',
      'knownAt',
      'windowStart',
      'windowEnd',
      'priority',
      'skills',
      'leg',
      'fare',
      'pickupService',
      'dropoffService',
    ]),
  ),
];
const places: readonly Path[] = [
  ...wholeOf(['drivers', 1], ['x', 'y']),
  ...bookingPaths.flatMap((path) => wholeOf(path, ['pickupX', 'pickupY', 'dropoffX', 'dropoffY'])),
];
const flags: readonly Path[] = wholeOf(['drivers', 1], ['onBoard', 'offDuty']);
const lists: readonly Path[] = [['drivers'], ['bookings'], ['drivers', 0, 'plan']];
const optional: readonly Path[] = [
  ['drivers', 1, 'shiftEnd'],
  ['drivers', 1, 'promised', 0, 'latestDropoff'],
  ['drivers', 1, 'promised', 0, 'earliestDropoff'],
];
const never = [NaN, Infinity, -Infinity, null, '5', {}, 2 ** 40];
const faults: fc.Arbitrary<readonly [Path, unknown]> = fc.oneof(
  fc.tuple(fc.constantFrom(...wholes), fc.constantFrom(undefined, 0.5, true, [], ...never)),
  fc.tuple(fc.constantFrom(...optional), fc.constantFrom(0.5, true, ...never)),
  fc.tuple(fc.constantFrom(...places), fc.constantFrom(undefined, 1e9, -1e9, true, ...never)),
  fc.tuple(fc.constantFrom(...flags), fc.constantFrom(undefined, 1, 0, 'no', ...never)),
  fc.tuple(fc.constantFrom(...lists), fc.constantFrom(undefined, true, 5, ...never)),
  fc.constantFrom<(readonly [Path, unknown])[]>(
    [['drivers', 1], undefined],
    [['drivers', 1], null],
    [['bookings', 1], undefined],
    [['bookings', 1], 7],
    [['drivers', 1, 'plan', 0], null],
    [['drivers', 1, 'plan', 1, 'pickupAt'], 899],
    [['drivers', 1, 'plan', 1, 'dropoffAt'], 999],
    [['drivers', 1, 'freeAt'], 1499],
    [['drivers', 0, 'onBoard'], true],
    [['drivers', 0, 'load'], -1],
    [['drivers', 0, 'zone'], -1],
    [['drivers', 1, 'promised'], {}],
    [['bookings', 1, 'priority'], 0],
    [['bookings', 1, 'priority'], 6],
    [['bookings', 1, 'priority'], 200],
    [['bookings', 1, 'leg'], 2],
    [['bookings', 1, 'skills'], -1],
    [['bookings', 1, 'fare'], -1],
    [['bookings', 1, 'pickupService'], -1],
    [['bookings', 1, 'dropoffService'], 864_001],
    [['bookings', 1, 'knownAt'], now + 1],
    [['bookings', 1, 'windowStart'], NEVER],
  ),
);

describe('a broken snapshot', () => {
  it('is refused whole, with the path of the field and what it is; a sound one is not', () => {
    fc.assert(
      fc.property(faults, fc.boolean(), ([path, value], placed) => {
        const { world } = make(2);
        world.reset(1, 8, 0);
        if (placed) world.restore(0, 1, 0, limited);
        const before = bytesOf(world);
        let thrown: unknown;
        try {
          world.restore(0, 2, 0, broken(sound, path, value));
        } catch (error) {
          thrown = error;
        }
        expect(thrown).toBeInstanceOf(EngineError);
        const { code, message } = thrown as EngineError;
        expect(code).toBe('ERR_OPTION');
        expect(message).toContain(`${written(path)} is `);
        if (value === undefined) expect(message).toContain('missing');
        else if (typeof value === 'number') expect(message).toContain(String(value));
        expect(bytesOf(world)).toBe(before);
        world.restore(0, 2, 0, sound);
        expect(world.state.open[0]).toBe(2);
      }),
      { numRuns: 3 * RUNS },
    );
  });

  it('is refused if a member is misspelt, with the name that was meant', () => {
    const { world } = make(1);
    const place = (drivers: object[], bookings: object[], more: object = {}): void =>
      world.restore(0, 1, 0, { now, drivers, bookings, ...more } as unknown as Snapshot);
    expect(() => place([{ ...driver, shiftend: 5 }], [])).toThrow(
      'snapshot.drivers[0] has no "shiftend": did you mean "shiftEnd"?',
    );
    expect(() => place([], [{ ...booking, latest_dropoff: 5 }])).toThrow('did you mean "latestDropoff"?');
    expect(() => place([], [], { vehicles: [] })).toThrow('snapshot has no "vehicles" (it has now,');
    expect(() => world.restore(0, 1, 0, null as unknown as Snapshot)).toThrow('snapshot is null');
    expect(() => world.restore(0, NaN, 0, free)).toThrow('seed is NaN');
    expect(() => world.restore(0, 1, -1, free)).toThrow('episode is -1');
    expect(() => world.reset(0, 0.5, 0)).toThrow('seed is 0.5');
    expect(() => world.resampleDemand(0, 1, 0, -1)).toThrow('env is -1');
    expect(() => world.restore(1, 1, 0, free)).toThrow('e is 1: the world has environments 0 to 0');
    expect(world.state.started[0]).toBe(0);
  });

  it('under matrix travel is refused for a zone that the tables do not have', () => {
    const table = Int32Array.of(0, 60, 60, 0);
    const matrix = {
      zones: 2,
      seconds: table,
      metres: table,
      fares: table,
      x: new Float32Array(2),
      y: new Float32Array(2),
    };
    const { world } = make(1, { scenario: { ...compiled, matrix } });
    expect(() =>
      world.restore(0, 1, 0, { now, drivers: [driver], bookings: [{ ...booking, dropoffZone: 2 }] }),
    ).toThrow('snapshot.bookings[0].dropoffZone is 2: expected a whole number from 0 to 1');
  });

  it('a copy into or out of an environment that is not there is refused, and changes nothing', () => {
    const { world } = make(2);
    world.restore(0, 1, 0, limited);
    const before = bytesOf(world);
    for (const [e, from, message] of [
      [2, 0, 'e is 2'],
      [0, -1, 'from is -1'],
      [0, 0.5, 'from is 0.5'],
    ] as const) {
      expect(() => world.copy(e, world, from)).toThrow(message);
    }
    const other = make(1, { scenario: { ...scenario, queue: 2 } });
    other.reset({ seed: 1 });
    expect(() => world.copy(1, other.world, 0)).toThrow('the worlds differ in "queue": 3 here, 2 there');
    expect(bytesOf(world)).toBe(before);
  });
});
