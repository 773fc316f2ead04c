// Scenario files: what a file that extends another one says, under which name, and what is refused.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { preset } from '#engine/index.js';
import { infinityToWord, wordToInfinity } from '#files/index.js';
import { collectTrips, demoBookings, loadScenario, scenarioSource, withoutFiles, writeTrips } from '#trips/index.js';
import type { GivenScenario } from '#trips/index.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-scenario-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'files-'));
});
const geneva = preset('geneva');

function write(name: string, value: unknown): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value, infinityToWord));
  return file;
}
const load = (name: string, value: unknown) => loadScenario({ scenario: write(name, value) }).scenario;

describe('a scenario file that extends', () => {
  it('has its own name: the one it says, or the file’s', () => {
    expect(load('Night Shift_2.json', { extends: 'geneva', drivers: 4 }).name).toBe('night-shift-2');
    expect(load('x.json', { extends: 'geneva', name: 'mine', drivers: 4 }).name).toBe('mine');
    expect(load('geneva.json', { extends: 'geneva' })).toEqual(geneva);
    for (const [file, text] of [
      ['geneva.json', { extends: 'geneva', drivers: 4 }],
      ['x.json', { extends: 'geneva', name: 'geneva', drivers: 4 }],
      ['y.json', { extends: 'geneva', name: 'nyc-small' }],
      ['whole.json', { ...geneva, drivers: 4 }],
    ] as const) {
      expect(() => load(file, text)).toThrow(
        /scenario field "name" is "(geneva|nyc-small)" in .*\.json: it must be one of its own/,
      );
    }
    expect(load('whole.json', geneva)).toEqual(geneva);
    expect(() => load('---.json', { extends: 'geneva' })).toThrow(
      /"name" is missing for .*give it one, such as "my-city"/,
    );
  });

  it('changes what it names at any depth, and nothing else; lists and other kinds are replaced', () => {
    const changed = load('deep.json', {
      extends: 'geneva',
      demand: { returnShare: 0.3, arrivalProbability: { base: 0.1 }, windowMinutes: [5, 9] },
      travel: { speedKmh: 40 },
      traffic: { parts: [] },
      reward: { weights: { equity: 0 } },
    });
    if (geneva.demand.kind !== 'synthetic' || geneva.reward.kind !== 'weighted') throw new Error('as geneva is');
    expect(changed).toEqual({
      ...geneva,
      name: 'deep',
      demand: {
        ...geneva.demand,
        returnShare: 0.3,
        arrivalProbability: { ...geneva.demand.arrivalProbability, base: 0.1 },
        windowMinutes: [5, 9],
      },
      travel: { ...geneva.travel, speedKmh: 40 },
      traffic: { ...geneva.traffic, parts: [] },
      reward: { ...geneva.reward, weights: { ...geneva.reward.weights, equity: 0 } },
    });
    expect(
      scenarioSource(write('kind.json', { extends: 'geneva', demand: { kind: 'trace' } })).candidate['demand'],
    ).toEqual({ kind: 'trace' });
    // The base is as it was.
    expect(preset('geneva')).toEqual(load('again.json', { extends: 'geneva', name: 'geneva' }));
  });

  it('may extend another file, from where it lies, over any number of steps', () => {
    write('base/city.json', { extends: 'geneva', drivers: 7, demand: { returnShare: 0.5 } });
    write('night/night.json', {
      extends: '../base/city.json',
      startSecondOfDay: 72_000,
      lateToleranceSeconds: Infinity,
    });
    const file = write('night/weekend.json', { extends: './night.json', drivers: 2 });
    const { scenario } = loadScenario({ scenario: file });
    expect(scenario).toMatchObject({
      name: 'weekend',
      drivers: 2,
      startSecondOfDay: 72_000,
      lateToleranceSeconds: Infinity,
      demand: { returnShare: 0.5 },
      slots: geneva.slots,
    });
    expect(scenarioSource(file).names).toEqual(['weekend', 'night', 'city', 'geneva']);
    expect(load('night/copy.json', { extends: 'night.json', name: 'night' }).name).toBe('night');
    expect(() => load('night/copy.json', { extends: 'night.json', name: 'night', drivers: 3 })).toThrow(
      /"name" is "night"/,
    );
  });

  it('that extends itself, directly or around, or what is not there, is refused', () => {
    expect(() => load('self.json', { extends: 'self.json' })).toThrow(
      /self\.json extends itself \(self\.json -> self\.json\)/,
    );
    write('a.json', { extends: 'b.json' });
    write('b.json', { extends: './c.json' });
    expect(() => load('c.json', { extends: '../' + folder.split('/').at(-1)! + '/a.json' })).toThrow(
      /extends itself \(c\.json -> a\.json -> b\.json -> c\.json\)/,
    );
    expect(() => load('x.json', { extends: 'none.json' })).toThrow(/cannot read scenario file .*none\.json: ENOENT/);
    expect(() => load('x.json', { extends: 'genva' })).toThrow(
      /"extends" is "genva" in .*x\.json \(did you mean "geneva"\?\): it must be one of geneva, .* or the path of a \.json file/,
    );
    for (const odd of [5, null, ['geneva'], {}, '', 'constructor']) {
      expect(() => load('x.json', { extends: odd })).toThrow(/scenario field "extends" is /);
    }
  });

  it('is read with a byte order mark and in UTF-16, too', () => {
    const text = JSON.stringify({ extends: 'geneva', drivers: 4 });
    for (const bytes of [Buffer.from(`\ufeff${text}`), Buffer.from(`\ufeff${text}`, 'utf16le')]) {
      writeFileSync(join(folder, 'marked.json'), bytes);
      expect(loadScenario({ scenario: join(folder, 'marked.json') }).scenario.drivers).toBe(4);
    }
  });
});

describe('a scenario file with mistakes', () => {
  it.each([
    [{ dirvers: 4 }, /"dirvers" is unknown \(did you mean "drivers"\?\)/],
    [{ tick_seconds: 60 }, /"tick_seconds" is unknown \(did you mean "tickSeconds"\?\)/],
    [{ demand: { windowMinute: [5, 9] } }, /"demand\.windowMinute" is unknown \(did you mean "windowMinutes"\?\)/],
    [{ travel: { speed: 3 } }, /"travel\.speed" is unknown.*: known are kind, centreLatitude/],
    [
      { traffic: { parts: [{ fromSecondOfDay: 0, toSecondOfDay: 60, levle: 1 }] } },
      /"traffic\.parts\[0\]\.levle" is unknown \(did you mean "level"\?\)/,
    ],
    [{ zzzzzz: 1 }, /"zzzzzz" is unknown: known are name/],
    [{ constructor: 1 }, /"constructor" is unknown/],
    [
      { name: 'My City' },
      /"name" is "My City": it must be of lower-case letters, digits and hyphens, .* such as "geneva-2"/,
    ],
    [{ horizonEnd: 'stop' }, /"horizonEnd" is "stop": it must be one of terminate, truncate/],
    [
      { demand: { windowMinutes: [5] } },
      /"demand\.windowMinutes" is \[5\]: it must be a list of 2 values: \[low, high\]/,
    ],
    [{ demand: { windowMinutes: 5 } }, /"demand\.windowMinutes" is 5: it must be a list in \[ \]/],
    [{ demand: null }, /"demand" is null: it must be given/],
    [{ travel: { kind: 'flying' } }, /"travel\.kind" is "flying": it must be one of plane, matrix/],
    [{ skills: [{ name: '', driverShare: 1, bookingShare: 1 }] }, /"skills\[0\]\.name" is "": it must not be empty/],
    [
      {
        skills: [
          { name: 'a', driverShare: 1, bookingShare: 1 },
          { name: 'a', driverShare: 1, bookingShare: 1 },
        ],
      },
      /"skills\[1\]\.name" is "a": it must differ from the name of skills\[0\]/,
    ],
    [
      { skills: [{ name: 'lift', driverShare: 0.09, bookingShare: 0.2 }] },
      /"skills\[0\]\.driverShare" is 0\.09: it must be at least 0\.1: of 10 drivers it makes none/,
    ],
    [
      { skills: [{ name: 'lift', driverShare: 0, bookingShare: 0.2 }] },
      /"skills\[0\]\.driverShare" is 0: it must be at least 0\.1, or bookingShare \(0\.2\) 0/,
    ],
  ])('%j is refused by field, value and remedy', (change, message) => {
    expect(() => load('faulty.json', { extends: 'geneva', name: 'faulty', ...change })).toThrow(message);
  });

  it('says nothing against a skill that one driver has, or that nobody needs', () => {
    for (const [driverShare, bookingShare] of [
      [0.1, 0.2],
      [0, 0],
      [1, 1],
    ]) {
      expect(
        load('skills.json', { extends: 'geneva', skills: [{ name: 'lift', driverShare, bookingShare }] }).skills,
      ).toHaveLength(1);
    }
  });

  it('does not let a name reach an object’s prototype', () => {
    const file = write('proto.json', '{"extends": "geneva", "__proto__": {"drivers": 3}}');
    expect(() => loadScenario({ scenario: file })).toThrow(/"__proto__" is unknown/);
    expect(({} as { drivers?: number }).drivers).toBeUndefined();
  });
});

describe('a scenario on recorded trips', () => {
  const days = [2, 3, 4].map((d) => ({ day: `2026-03-0${d}`, weekday: d - 1 }));
  const fleet = {
    drivers: [0, 1, 2, 3].map((k) => ({ kind: 'REGULAR' as const, skills: k === 0 ? ['wheelchair'] : [] })),
  };
  const bookings = demoBookings(1, days).map((b) => ({
    ...b,
    skills: b.skills.filter((skill) => skill === 'wheelchair'),
  }));
  const { scenario, dataset } = collectTrips(bookings, fleet, { name: 'city', decimals: 3, lookaheadSeconds: 7200 });
  beforeEach(() => {
    write('city/scenario.json', scenario);
    writeTrips(join(folder, 'city', 'trips.msgpack'), dataset);
  });

  it('goes to a machine without its files; its trips are where they were, or where that machine is told', () => {
    const chains: readonly (readonly [string, object, boolean])[] = [
      ['x/drawn.json', { extends: 'base.json', slots: 9 }, false],
      ['x/night.json', { extends: '../city/scenario.json', drivers: 9 }, true],
    ];
    write('x/base.json', { extends: 'geneva', drivers: 4 });
    const moved = join(folder, 'moved.msgpack');
    writeTrips(moved, dataset);
    for (const [name, value, hasTrips] of chains) {
      const file = write(name, value);
      const before = loadScenario({ scenario: file });
      const sent = JSON.stringify(withoutFiles({ scenario: file }), infinityToWord);
      rmSync(file);
      const given = JSON.parse(sent, wordToInfinity) as GivenScenario;
      expect(loadScenario(given).scenario).toEqual(before.scenario);
      expect(loadScenario(given).dataset).toEqual(before.dataset);
      if (hasTrips) expect(loadScenario({ ...given, data: moved }).dataset).toEqual(before.dataset);
    }
    // A built-in one has no files; its data is named in full.
    expect(withoutFiles({ scenario: 'geneva' })).toEqual({ scenario: 'geneva' });
    expect(withoutFiles({ scenario: 'nyc-small', data: 'trips' })).toEqual({
      ...{ scenario: 'nyc-small', data: join(process.cwd(), 'trips') },
    });
  });

  it('finds its trips beside the file it extends, or where it is told', () => {
    expect(load('night.json', { extends: 'city/scenario.json', drivers: 9 })).toEqual({
      ...scenario,
      name: 'night',
      drivers: 9,
    });
    const file = write('elsewhere/day.json', { ...scenario, name: 'city' });
    expect(() => loadScenario({ scenario: file })).toThrow(
      /runs on recorded trips, and there is no .*elsewhere\/trips\.msgpack/,
    );
    for (const data of [join(folder, 'city'), join(folder, 'city', 'trips.msgpack')]) {
      expect(loadScenario({ scenario: file, data }).dataset?.trace.days).toHaveLength(3);
    }
    const other = write('other.json', { ...scenario, name: 'other' });
    expect(() => loadScenario({ scenario: other, data: join(folder, 'city') })).toThrow(
      'the trips are for scenario "city", not for "other"',
    );
  });

  it('may not ask for what the record does not hold', () => {
    const refused = (change: object): unknown => {
      try {
        return load('changed.json', { extends: 'city/scenario.json', ...change });
      } catch (error) {
        return (error as Error).message;
      }
    };
    const { horizonSeconds, skills } = scenario;
    expect(refused({ horizonSeconds: horizonSeconds + 300 })).toMatch(
      `"horizonSeconds" is ${horizonSeconds + 300}: it must be at most ${horizonSeconds}: the recorded days are no longer`,
    );
    expect(refused({ horizonSeconds: horizonSeconds - 300 })).toMatchObject({ name: 'changed' });
    expect(refused({ skills: [...skills, { name: 'crane', driverShare: 1, bookingShare: 0.5 }] })).toMatch(
      '"skills[1].name" is "crane": it must be one that recorded bookings need',
    );
    expect(refused({ skills: [] })).toMatch(
      '"skills" is a list of 0: it must have the 1 skills that recorded bookings need',
    );
    expect(refused({ drivers: 2 })).toMatch(
      '"skills[0].driverShare" is 0.25: it must be at least 0.5: of 2 drivers it makes none',
    );
  });
});

describe('a scenario that is given as an object', () => {
  it('is read as the same words in a file: whole, or with changes to another one', () => {
    const { scenario } = loadScenario({ scenario: { extends: 'geneva', drivers: 4, travel: { speedKmh: 40 } } });
    expect(scenario).toEqual({ ...geneva, name: 'custom', drivers: 4, travel: { ...geneva.travel, speedKmh: 40 } });
    expect(loadScenario({ scenario: { ...geneva } }).scenario).toEqual(geneva);
    const file = write('base.json', { extends: 'geneva', slots: 7 });
    const given = scenarioSource({ extends: file, name: 'mine' });
    expect([given.names, given.files, given.candidate['slots']]).toEqual([['mine', 'base', 'geneva'], [file], 7]);
  });

  it('is refused with the field that is wrong', () => {
    for (const [given, message] of [
      [{ extends: 'genva' }, /"extends" is "genva" in the given object.*did you mean "geneva"/],
      [{ ...geneva, drivers: 4 }, /"name" is "geneva" in the given object: it must be one of its own/],
      [{ extends: 'geneva', drivrs: 4 }, /"drivrs" is unknown.*did you mean "drivers"/],
    ] as const) {
      expect(() => loadScenario({ scenario: given })).toThrow(message);
    }
    expect(() => loadScenario({ scenario: { extends: 'geneva' }, data: folder })).toThrow(
      /scenario "custom" draws its demand from the seed: leave --data out/,
    );
    expect(() => loadScenario({ scenario: { ...geneva, name: 'own', demand: { kind: 'trace' } } })).toThrow(
      /scenario "own" runs on recorded trips, and there is no trips.msgpack/,
    );
  });
});
