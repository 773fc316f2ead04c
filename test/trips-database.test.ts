// `fleetstep collect` on a real database: whatever the rows hold, the sound ones are collected and the others named.

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '#audit/index.js';
import type { Connection } from '#audit/index.js';
import { readTrips } from '#trips/index.js';
import type { QualityReport } from '#trips/index.js';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';
import { testDatabase } from './support/database.js';
import type { TestDatabase } from './support/database.js';

const work = mkdtempSync(join(tmpdir(), 'fleetstep-collect-'));
let db: TestDatabase;
let owner: Connection;

beforeAll(async () => {
  db = await testDatabase();
  owner = connect(db.database, { role: 'owner', max: 1 });
});
afterAll(async () => {
  await owner.end({ timeout: 5 });
  await db.remove();
  rmSync(work, { recursive: true, force: true });
});

function collect(company: number, out: string, ...args: string[]): Promise<Ended> {
  const { appUrl, ownerUrl } = db.database;
  return runInProcess(['collect', '--company', String(company), '--out', join(work, out), '--workers', '1', ...args], {
    cwd: work,
    env: { ...process.env, DATABASE_URL: appUrl, DATABASE_OWNER_URL: ownerUrl },
  });
}

const quality = (out: string): QualityReport =>
  JSON.parse(readFileSync(join(work, out, 'quality.json'), 'utf8')) as QualityReport;

/** A company with one driver and `sound` rides, one each half hour of the last days; gives its id. */
async function company(timeZone: string, longitude: number, latitude: number, sound: number): Promise<number> {
  const [{ id }] = await owner<[{ id: number }]>`
    insert into company (name, time_zone) values ('dirty', ${timeZone}) returning id`;
  await owner`insert into driver (company_id) values (${id})`;
  await owner`
    insert into booking (company_id, status, pickup_longitude, pickup_latitude, dropoff_longitude, dropoff_latitude,
      known_at, window_start, window_end, picked_up_at, dropped_off_at)
    select ${id}, 'completed', ${longitude} + 0.001 * (k % 7), ${latitude}, ${longitude}, ${latitude} + 0.01 + 0.001 * (k % 5),
      at - interval '3 hours', at, at + interval '30 minutes', at + interval '5 minutes', at + interval '20 minutes'
    from generate_series(1, ${sound}) k, lateral (values (date_trunc('day', now() at time zone ${timeZone}) at time zone ${timeZone}
      - make_interval(days => 1 + k % 5) + make_interval(hours => 9, mins => 30 * (k % 9)))) as t (at)`;
  return id;
}

describe('bookings from a database', () => {
  it('with every kind of dirty row: all of these are named, and all sound ones collected', async () => {
    const id = await company('Europe/Zurich', 6.14, 46.2, 60);
    const dirty: readonly (readonly [change: string, fault: string])[] = [
      [`window_end = '9999-12-31'`, 'windowTooLong'],
      [`window_start = '9999-12-31', window_end = '9999-12-31'`, 'impossibleTime'],
      [`window_start = '1900-01-01', window_end = '1900-01-01'`, 'impossibleTime'],
      [`window_start = '4713-01-01 BC', window_end = '294276-01-01'`, 'impossibleTime'],
      [`window_start = 'infinity', window_end = 'infinity'`, 'impossibleTime'],
      [`window_start = '-infinity', known_at = '-infinity', created_at = '-infinity'`, 'impossibleTime'],
      [`known_at = 'infinity'`, 'impossibleTime'],
      [`known_at = '1900-01-01'`, 'knownTooEarly'],
      [`picked_up_at = 'infinity'`, 'impossibleTime'],
      [`window_end = window_start + interval '30 days'`, 'windowTooLong'],
      [`window_end = window_start - interval '30 minutes'`, 'windowReversed'],
      [`dropped_off_at = picked_up_at + interval '36 years'`, 'rideTooLong'],
      [`dropped_off_at = picked_up_at - interval '1 minute'`, 'dropoffBeforePickup'],
      [`picked_up_at = known_at - interval '1 minute'`, 'pickupBeforeKnown'],
      [
        `pickup_longitude = pickup_latitude, pickup_latitude = pickup_longitude, dropoff_longitude = dropoff_latitude, dropoff_latitude = dropoff_longitude`,
        'swappedPlace',
      ],
      [`pickup_longitude = 'NaN'`, 'impossiblePlace'],
      [`dropoff_latitude = 'infinity'`, 'impossiblePlace'],
      [`dropoff_longitude = 1e308`, 'impossiblePlace'],
      [`dropoff_longitude = 0, dropoff_latitude = 0`, 'impossiblePlace'],
      [`pickup_longitude = null`, 'missingPlace'],
      [`window_start = null`, 'missingWindow'],
      [`known_at = null`, 'missingKnownTime'],
      [`skills = array[null]`, 'unreadableSkill'],
    ];
    const expected: { id: number | string; faults: string[] }[] = [];
    for (const [k, [change, fault]] of dirty.entries()) {
      // As a copy of a sound row that came before it: a fault must not make it, or another one, a duplicate.
      const [row] = await owner<{ id: number }[]>`
        insert into booking (company_id, status, pickup_longitude, pickup_latitude, dropoff_longitude, dropoff_latitude,
          known_at, window_start, window_end, picked_up_at, dropped_off_at)
        select company_id, status, pickup_longitude, pickup_latitude, dropoff_longitude, dropoff_latitude, known_at,
          window_start, window_end, picked_up_at, dropped_off_at
        from booking where company_id = ${id} order by id offset ${k} limit 1 returning id`;
      await owner.unsafe(`update booking set ${change} where id = ${row.id}`);
      expected.push({ id: row.id, faults: [fault] });
    }
    // Ids that a number cannot hold are told apart all the same; this one is a second entry.
    await owner`
      insert into booking (id, company_id, pickup_longitude, pickup_latitude, dropoff_longitude, dropoff_latitude, known_at,
        window_start, window_end, picked_up_at, dropped_off_at)
      select 9223372036854775806, company_id, pickup_longitude, pickup_latitude, dropoff_longitude, dropoff_latitude, known_at,
        window_start, window_end, picked_up_at, dropped_off_at from booking where company_id = ${id} order by id limit 1`;
    expected.push({ id: '9223372036854775806', faults: ['duplicate'] });
    const { status, stderr, stdout } = await collect(id, 'dirty', '--json');
    expect([status, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({ days: 5, quality: { bookings: 84, usable: 60 } });
    const report = quality('dirty');
    expect([...report.unusable].sort((a, b) => Number(a.id) - Number(b.id))).toEqual(expected);
    const { trace } = readTrips(join(work, 'dirty', 'trips.msgpack'));
    expect(trace.knownAt).toHaveLength(60);
    expect(readFileSync(join(work, 'dirty', 'scenario.json'), 'utf8')).toContain('"horizonSeconds": 25200');
    expect((await collect(id, 'table')).stdout).toMatch(
      /60 of 84 bookings can be used[^]*windowTooLong[^]*all of them by id: /,
    );
  });

  it('of a company on the antimeridian, in its own time zone', async () => {
    const id = await company('Pacific/Fiji', 179.998, -16.8, 20);
    await owner`update booking set pickup_longitude = pickup_longitude - 360 where company_id = ${id} and pickup_longitude > 180`;
    const { status } = await collect(id, 'fiji', '--json');
    expect([status, quality('fiji').unusable]).toEqual([0, []]);
    const { places } = readTrips(join(work, 'fiji', 'trips.msgpack')).trace;
    expect(Math.max(...places!.pickupX.map(Math.abs))).toBeLessThan(2000);
    const { byHour } = JSON.parse(readFileSync(join(work, 'fiji', 'statistics.json'), 'utf8')) as { byHour: number[] };
    expect(byHour.slice(9, 14).reduce((sum, count) => sum + count)).toBe(20);
  });

  it('of which none is sound: the quality report is written, the rest is not, and the folder can be used again', async () => {
    const id = await company('Europe/Zurich', 6.14, 46.2, 6);
    await owner`update booking set window_end = 'infinity' where company_id = ${id}`;
    const first = await collect(id, 'none');
    expect([first.status, first.stdout]).toEqual([2, '']);
    expect(first.stderr).toMatch(/^fleetstep: no usable bookings: see .*none\/quality\.json\n$/);
    expect(readdirSync(join(work, 'none'))).toEqual(['quality.json']);
    expect(quality('none')).toMatchObject({ bookings: 6, usable: 0, faults: { impossibleTime: { count: 6 } } });
    await owner`update booking set window_end = window_start + interval '1 hour' where company_id = ${id}`;
    expect((await collect(id, 'none')).status).toBe(0);
    expect(existsSync(join(work, 'none', 'scenario.json'))).toBe(true);
    expect(quality('none')).toMatchObject({ bookings: 6, usable: 6, unusable: [] });
  });

  it('of a company whose time zone is none: the zone is named', async () => {
    const id = await company('Europe/Zurich', 6.14, 46.2, 1);
    await owner`update company set time_zone = 'Mars/Olympus' where id = ${id}`;
    const { status, stderr } = await collect(id, 'mars');
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^fleetstep: time zone is "Mars\/Olympus": expected a name of the IANA database/) as string,
    ]);
  });
});
