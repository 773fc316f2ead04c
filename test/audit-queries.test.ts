// Reading the record, held to plain loops over all of it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { connect, exportActions, listActions, readAction, reviewAction, statistics, verify } from '#audit/index.js';
import type { ActionFilter, ActionRow, Connection } from '#audit/index.js';
import { recordPast } from '#bench/past.js';
import type { PastAction } from '#bench/past.js';
import { Purpose, RandomStream } from '#engine/index.js';
import { timeOf } from '#audit/times.js';
import { addCompany, liftLimits, superuser, testDatabase } from './support/database.js';
import type { TestCompany, TestDatabase } from './support/database.js';

let made: TestDatabase;
let owner: Connection;
let app: Connection;
const companies: TestCompany[] = [];
let all: ActionRow[];
const types = ['assign', 'reassign', 'notify_customer'] as const;
const END = new Date('2026-03-01T00:00:00Z');

beforeAll(async () => {
  made = await testDatabase();
  owner = superuser(made);
  app = connect(made.database, { role: 'app', max: 1 });
  for (let k = 0; k < 3; k++) companies.push(await addCompany(owner));
  await liftLimits(owner);
  const random = new RandomStream(5, Purpose.action);
  await recordPast(
    owner,
    Array.from({ length: 1500 }, (_, i): PastAction => {
      const { id, bookings, drivers } = companies[i % 3];
      const luck = random.float();
      return {
        companyId: id,
        bookingId: i % 4 === 0 ? bookings[0] : undefined,
        driverId: i % 5 === 0 ? drivers[0] : undefined,
        actionType: types[random.integer(0, 2)],
        status: luck < 0.7 ? 'succeeded' : luck < 0.8 ? 'failed' : luck < 0.95 ? 'refused' : 'unknown',
        ms: 100 * luck,
        // Few different times, so that many actions share one.
        at: new Date(END.getTime() - random.integer(0, 299) * 3 * 3_600_000 - 1000),
      };
    }),
  );
  const rows = await owner<{ id: number }[]>`select id from autonomous_action order by id limit 300`;
  for (const { id } of rows.filter((_, k) => k % 3 === 0)) await reviewAction(app, id, { reviewer: 'ann' });
  all = [...(await owner<ActionRow[]>`select * from autonomous_action`)].sort(
    (a, b) => b.created_at.getTime() - a.created_at.getTime() || b.id - a.id,
  );
});
afterAll(async () => {
  await Promise.all([app.end(), owner.end()]);
  await made.remove();
});

function keeps(row: ActionRow, filter: ActionFilter): boolean {
  const { companyId, actionType, status, success, reviewed, bookingId, driverId, from, to } = filter;
  return (
    (companyId === undefined || row.company_id === companyId) &&
    (actionType === undefined || row.action_type === actionType) &&
    (status === undefined || row.status === status) &&
    (success === undefined || row.success === success) &&
    (reviewed === undefined || row.reviewed_by_admin === reviewed) &&
    (bookingId === undefined || row.booking_id === bookingId) &&
    (driverId === undefined || row.driver_id === driverId) &&
    (from === undefined || row.created_at >= new Date(from)) &&
    (to === undefined || row.created_at < new Date(to))
  );
}

const day = fc.integer({ min: 0, max: 38 }).map((days) => new Date(END.getTime() - days * 86_400_000));
const filters = (): fc.Arbitrary<ActionFilter> =>
  fc
    .record(
      {
        companyId: fc.constantFrom(...companies.map(({ id }) => id), 999),
        actionType: fc.constantFrom(...types),
        status: fc.constantFrom('succeeded' as const, 'refused' as const, 'unknown' as const),
        success: fc.boolean(),
        reviewed: fc.boolean(),
        bookingId: fc.constantFrom(companies[0].bookings[0], 999),
        driverId: fc.constant(companies[1].drivers[0]),
        from: day,
        to: day,
      },
      { requiredKeys: [] },
    )
    .filter(({ from, to }) => from === undefined || to === undefined || from < to);

describe('lists', () => {
  it('give what a loop over all rows gives, by page number and by cursor', async () => {
    await fc.assert(
      fc.asyncProperty(filters(), fc.integer({ min: 1, max: 200 }), async (filter, perPage) => {
        const expected = all.filter((row) => keeps(row, filter)).map(({ id }) => id);
        const byNumber: number[] = [];
        for (let page = 1; ; page++) {
          const { actions, next, total, totalIsExact } = await listActions(app, { ...filter, perPage, page });
          expect({ total, totalIsExact }).toEqual({ total: expected.length, totalIsExact: true });
          byNumber.push(...actions.map(({ id }) => id));
          if (next === null) break;
        }
        expect(byNumber).toEqual(expected);
        const byCursor: number[] = [];
        let cursor: string | null | undefined;
        do {
          const page = await listActions(app, { ...filter, perPage, ...(cursor ? { cursor } : {}) });
          byCursor.push(...page.actions.map(({ id }) => id));
          cursor = page.next;
        } while (cursor !== null);
        expect(byCursor).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('go on where they were while acts are added', async () => {
    const first = await listActions(app, { perPage: 10 });
    const of = { companyId: companies[0].id, actionType: 'assign', status: 'succeeded' } as const;
    await recordPast(
      owner,
      Array.from({ length: 5 }, () => ({ ...of, at: new Date(END.getTime() + 86_400_000) })),
    );
    const second = await listActions(app, { perPage: 10, cursor: first.next! });
    expect(second.actions.map(({ id }) => id)).toEqual(all.slice(10, 20).map(({ id }) => id));
    expect(await verify(made.database)).toMatchObject({ ok: true });
  });

  it('refuse what they cannot do, naming field, value and remedy', async () => {
    for (const [request, message] of [
      [{ perPage: 0 }, /"perPage" is 0/],
      [{ perPage: 201 }, /"perPage" is 201/],
      [{ page: 0 }, /"page" is 0/],
      [{ page: 201, perPage: 50 }, /"page" is 201.*cursor/],
      [{ page: 1, cursor: 'x' }, /"page" and "cursor"/],
      [{ cursor: 'x' }, /"cursor" is "x"/],
      [{ actionType: 'fly' as 'assign' }, /"actionType" is "fly"/],
      [{ from: 'soon' }, /"from" is "soon"/],
      [{ from: '2026-02-01', to: '2026-01-01' }, /"to" is 2026-01-01/],
      [{ company: 1 } as ActionFilter, /company/],
    ] as const) {
      await expect(listActions(app, request)).rejects.toMatchObject({
        code: 'ERR_FIELD',
        message: expect.stringMatching(message) as string,
      });
    }
  });
});

describe('statistics', () => {
  it('are those of a loop over all rows, in total, by type, by company and by stretch', async () => {
    for (const period of ['hour', 'day', 'week', 'month'] as const) {
      for (const companyId of [undefined, companies[1].id]) {
        const result = await statistics(app, { period, companyId, to: END });
        const seconds = { hour: 3600, day: 86_400, week: 7 * 86_400, month: 30 * 86_400 }[period];
        const from = new Date(END.getTime() - 1000 * seconds);
        expect([result.from, result.to]).toEqual([from, END]);
        const rows = all.filter((row) => keeps(row, { companyId, from, to: END }));
        const { totals, byType, byCompany, series } = result;
        for (const [figures, part] of [
          [totals, rows],
          ...byType.map((f) => [f, rows.filter((row) => row.action_type === f.actionType)] as const),
          ...byCompany.map((f) => [f, rows.filter((row) => row.company_id === f.companyId)] as const),
        ] as const) {
          const count = (status: string): number => part.filter((row) => row.status === status).length;
          const times = part.flatMap((row) => row.execution_time_ms ?? []).sort((a, b) => a - b);
          const ended = count('succeeded') + count('failed') + count('unknown');
          expect(figures).toMatchObject({
            total: part.length,
            succeeded: count('succeeded'),
            failed: count('failed'),
            refused: count('refused'),
            unknown: count('unknown'),
            reviewed: part.filter((row) => row.reviewed_by_admin).length,
            successRate: ended === 0 ? null : count('succeeded') / ended,
          });
          if (times.length === 0) expect(figures).toMatchObject({ meanExecutionMs: null, p95ExecutionMs: null });
          else {
            expect(figures.meanExecutionMs).toBeCloseTo(times.reduce((a, b) => a + b, 0) / times.length, 9);
            const at = 0.95 * (times.length - 1);
            const [low, high] = [times[Math.floor(at)], times[Math.ceil(at)]];
            expect(figures.p95ExecutionMs).toBeCloseTo(low + (at - Math.floor(at)) * (high - low), 9);
          }
        }
        expect(series.reduce((sum, { total }) => sum + total, 0)).toBe(rows.length);
        expect(series.every(({ from: at }) => at >= from && at < END)).toBe(true);
        if (period === 'month') expect(totals.total).toBeGreaterThan(100);
      }
    }
    await expect(statistics(app, { period: 'year' as 'day' })).rejects.toMatchObject({ code: 'ERR_FIELD' });
  });
});

describe('an act', () => {
  it('keeps all its reviews, and shows the last', async () => {
    const { id, company_id: companyId } = all.slice(500).find(({ status }) => status === 'succeeded')!;
    const before = await readAction(app, id);
    await reviewAction(app, id, { reviewer: 'ann', notes: 'wrong driver' });
    const again = await reviewAction(app, id, { reviewer: 'bob', notes: null });
    expect(again).toMatchObject({ reviewed_by_admin: true, reviewed_by: 'bob', admin_notes: null });
    expect(again.reviews.slice(before.reviews.length).map(({ reviewer, notes }) => [reviewer, notes])).toEqual([
      ['ann', 'wrong driver'],
      ['bob', null],
    ]);
    expect(again.entries.slice(before.entries.length).map(({ kind }) => kind)).toEqual(['review', 'review']);
    expect(await verify(made.database)).toMatchObject({ ok: true });
    expect(await readAction(app, id, companyId)).toMatchObject({ id });
    // However many there are, what is shown stays within bounds: the last ones.
    for (let k = 0; k < 120; k++) await reviewAction(app, id, { reviewer: 'eve', notes: String(k) });
    const many = await readAction(app, id);
    expect(many.review_count).toBe(before.review_count + 122);
    expect(many.reviews.map(({ notes }) => notes)).toEqual(Array.from({ length: 100 }, (_, k) => String(k + 20)));
    expect(many.entries.slice(0, 2).map(({ kind }) => kind)).toEqual(
      before.entries.slice(0, 2).map(({ kind }) => kind),
    );
    expect(many.entries.filter(({ kind }) => kind === 'review')).toHaveLength(100);
  });

  it('of another company, or none, is not found; notes that are too long are refused', async () => {
    const { id, company_id: companyId } = all[0];
    const other = companies.find((company) => company.id !== companyId)!;
    await expect(readAction(app, id, other.id)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(reviewAction(app, id, { reviewer: 'eve' }, other.id)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(readAction(app, 999_999)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(reviewAction(app, id, { reviewer: 'eve', notes: 'x'.repeat(1001) })).rejects.toMatchObject({
      code: 'ERR_FIELD',
    });
    await expect(reviewAction(app, id, { reviewer: '' })).rejects.toMatchObject({ code: 'ERR_FIELD' });
  });
});

describe('an export', () => {
  it('streams all that the filter finds, oldest first, in portions', async () => {
    const portions: number[] = [];
    const ids: number[] = [];
    for await (const portion of exportActions(app, { to: END })) {
      portions.push(portion.length);
      ids.push(...portion.map(({ id }) => id));
    }
    expect(ids).toEqual(all.map(({ id }) => id).reverse());
    expect(Math.max(...portions)).toBeLessThanOrEqual(1000);
    expect(portions.length).toBeGreaterThan(1);
  });
});

describe('times in filters', () => {
  it('are ISO 8601 with a zone, or a day in UTC; the right acts are found', async () => {
    const count = async (from: string | Date, to: string = END.toISOString()): Promise<number> => {
      let found = 0;
      for await (const rows of exportActions(app, { from, to })) found += rows.length;
      return found;
    };
    const since = (time: string): number => all.filter(({ created_at: at }) => at >= new Date(time)).length;
    for (const [given, same] of [
      ['2026-02-20', '2026-02-20T00:00:00.000Z'],
      ['2026-02-20T12:30Z', '2026-02-20T12:30:00.000Z'],
      ['2026-02-20T12:30:15.25Z', '2026-02-20T12:30:15.250Z'],
      ['2026-02-20T12:30:15,123456z', '2026-02-20T12:30:15.123Z'],
      ['2026-02-20T01:30:00+05:45', '2026-02-19T19:45:00.000Z'],
      ['2026-02-20T23:30:00-0330', '2026-02-21T03:00:00.000Z'],
      ['2026-02-20T01:00:00+02', '2026-02-19T23:00:00.000Z'],
      ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ]) {
      expect(timeOf('from', given).toISOString(), given).toBe(same);
      expect(await count(given), given).toBe(since(same));
    }
    expect(await count(new Date('2026-02-20T00:00:00Z'))).toBe(since('2026-02-20T00:00:00Z'));
    expect(await count('1900-01-01')).toBe(all.length);
    expect(await count('1900-01-01', '9999-12-31')).toBeGreaterThanOrEqual(all.length);
  });

  it('are refused, with field and value, if they are anything else', async () => {
    const bad: readonly unknown[] = [
      '+275760-09-13',
      '+275760-09-13T00:00:00Z',
      '-000001-01-01',
      '0000-01-01',
      '1899-12-31T23:59:59.999Z',
      '10000-01-01',
      '2026-02-30',
      '2026-02-29',
      '2026-13-01',
      '2026-00-10',
      '2026-01-00',
      '01/02/2026',
      '1.2.2026',
      '2026-1-2',
      '20260102',
      '2026-01-02T08:00:00',
      '2026-01-02 08:00:00Z',
      '2026-01-02T24:00:00Z',
      '2026-01-02T08:60:00Z',
      '2026-01-02T08:00:60Z',
      '2026-01-02T08:00:00+25:00',
      '2026-01-02T08:00:00 CET',
      '2026-W05',
      'yesterday',
      'now',
      'infinity',
      '1767312000000',
      '',
      ' 2026-01-02',
      '２０２６-01-02',
      1767312000000,
      null,
      new Date(NaN),
      new Date(8.64e15),
      new Date(-8.64e15),
    ];
    for (const value of bad) {
      const time = value as string;
      for (const call of [
        () => listActions(app, { from: time }),
        () => listActions(app, { to: time }),
        () => statistics(app, { period: 'month', to: time }),
      ]) {
        await expect(call(), String(value)).rejects.toMatchObject({
          code: 'ERR_FIELD',
          message: expect.stringMatching(/field "(from|to)" is /) as string,
        });
      }
    }
    const cursor = (text: string): string => Buffer.from(text).toString('base64url');
    for (const text of ['999999999999999.1', '253402300800000.1', 'x', '-1.1']) {
      await expect(listActions(app, { cursor: cursor(text) })).rejects.toMatchObject({ code: 'ERR_FIELD' });
    }
    // The edges of what is taken work.
    expect((await statistics(app, { period: 'month', to: '1900-01-01' })).totals.total).toBe(0);
    expect((await statistics(app, { period: 'month', to: '9999-12-31T23:59:59.999Z' })).totals.total).toBe(0);
    expect((await listActions(app, { cursor: cursor('253402300799999.1') })).actions.length).toBeGreaterThan(0);
  });
});
