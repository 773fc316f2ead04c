// Limits under concurrency, and the rules of who may act, on a real server.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  Recorder,
  actionTypes,
  configure,
  connect,
  migrate,
  periods,
  readControls,
  resetBreaker,
  setLimits,
  stopAll,
  verify,
} from '#audit/index.js';
import type { AuditError, Connection, Intent, LimitChange, Refusal } from '#audit/index.js';
import { functionsOf, shippedMigrations } from '#audit/migrate.js';
import { addCompany, superuser, testDatabase } from './support/database.js';
import type { TestCompany, TestDatabase } from './support/database.js';
import { sized, told } from './support/size.js';

const run = promisify(execFile);

interface Tries {
  readonly tried: number;
  readonly intended: number;
  readonly refused: number;
  readonly faults: number;
  readonly errors: readonly string[];
}

interface Attack {
  readonly totals: Tries;
  /** What is wrong; empty if the limits held. */
  readonly violations: string[];
}

/** Tries from `processes` processes with 16 connections each, and then whether every bucket held. */
async function attack(
  made: TestDatabase,
  owner: Connection,
  { processes, tries, capacity }: { readonly processes: number; readonly tries: number; readonly capacity: number },
): Promise<Attack> {
  const companies: number[] = [];
  for (let k = 0; k < 4; k++) companies.push((await addCompany(owner, `attacked ${k}`)).id);
  // Rates and capacities that a run both fills and empties.
  const limits = ['all' as const, ...actionTypes].flatMap((scope) => {
    return periods.map((per) => ({
      scope,
      per,
      capacity: (scope === 'all' ? 1 : 0.3) * capacity * (per === 'hour' ? 1 : 2),
    }));
  });
  for (const id of companies) {
    await configure(owner, id, { breakerFailures: 0 }, 'test');
    await setLimits(owner, id, limits, 'test');
  }
  const [{ from, deadlocks }] = await owner<[{ from: Date; deadlocks: number }]>`
    select clock_timestamp() as from, deadlocks from pg_stat_database where datname = current_database()`;
  const results = await Promise.all(
    Array.from({ length: processes }, async (_, k) => {
      const task = { database: made.database, companies, tries: tries / processes, seed: k + 1 };
      const { stdout } = await run(process.execPath, [
        join(import.meta.dirname, 'support', 'try-limits.js'),
        JSON.stringify(task),
      ]);
      return JSON.parse(stdout) as Tries;
    }),
  );
  const sum = (name: 'tried' | 'intended' | 'refused' | 'faults'): number =>
    results.reduce((total, result) => total + result[name], 0);
  const totals: Tries = {
    tried: sum('tried'),
    intended: sum('intended'),
    refused: sum('refused'),
    faults: sum('faults'),
    errors: results.flatMap(({ errors }) => errors),
  };

  await owner`select pg_stat_force_next_flush()`.catch(() => undefined);
  const violations: string[] = [];
  const buckets = await owner<{ bucket: string; capacity: number; taken: number; most: number; admitted: number }[]>`
    select company_id || ' ' || scope || '/' || per as bucket, capacity, taken,
      capacity + capacity / case per when 'hour' then 3600.0 else 86400.0 end
        * extract(epoch from clock_timestamp() - ${from}::timestamptz) as most,
      (select count(*) from autonomous_action a where a.company_id = b.company_id and a.status <> 'refused'
        and (b.scope = 'all' or b.scope = a.action_type::text)) as admitted
    from token_bucket b where company_id = any(string_to_array(${companies.join()}, ',')::bigint[])`;
  for (const { bucket, taken, most, admitted } of buckets) {
    if (admitted > most) violations.push(`${bucket} admitted ${admitted}, at most ${most}`);
    if (taken !== admitted) violations.push(`${bucket} was debited ${taken} for ${admitted} acts`);
  }
  const [after] = await owner<[{ deadlocks: number; rows: number }]>`
    select deadlocks, (select count(*) from autonomous_action where company_id = any(string_to_array(${companies.join()}, ',')::bigint[])) as rows
    from pg_stat_database where datname = current_database()`;
  if (after.deadlocks > deadlocks) violations.push(`${after.deadlocks - deadlocks} deadlocks`);
  if (totals.faults > 0) violations.push(`${totals.faults} errors: ${totals.errors.join('; ')}`);
  if (after.rows !== totals.tried) violations.push(`${after.rows} rows for ${totals.tried} tries`);
  return { totals, violations };
}

describe('limits under concurrency', () => {
  let made: TestDatabase;
  let owner: Connection;
  beforeAll(async () => {
    made = await testDatabase();
    owner = superuser(made);
  });
  afterAll(async () => {
    await owner.end();
    await made.remove();
  });

  const tries = sized(6000, 100_000);
  const capacity = sized(500, 1000);
  it(
    `hold over 4 processes of 16 connections and ${told(tries)} tries, every bucket debited alike, without a deadlock`,
    { tags: ['attack'] },
    async () => {
      const { totals, violations } = await attack(made, owner, { processes: 4, tries, capacity });
      expect(violations).toEqual([]);
      // The test has teeth only if buckets ran dry, and tries came through.
      expect(totals.intended).toBeGreaterThan(3 * capacity);
      expect(totals.refused).toBeGreaterThan(tries / 2);
      expect(await verify(made.database)).toMatchObject({ ok: true });
    },
  );

  it('do not hold without the locks: the same test finds it', async () => {
    const intend = functionsOf(
      shippedMigrations()
        .map(({ up }) => up)
        .join('\n'),
    ).get('autonomy_intend')!;
    const unlocked = intend
      .replace('create function', 'create or replace function')
      .replace(/ {2}perform from public\.audit_head\n[\s\S]*?for update;\n/, '')
      .replace('order by company_id, scope, per for update', 'order by company_id, scope, per');
    expect(unlocked.length).toBeLessThan(intend.length - 100);
    try {
      await owner.unsafe(unlocked);
      const { violations } = await attack(made, owner, { processes: 2, tries: 6000, capacity: 500 });
      expect(violations.join('\n')).toMatch(/admitted|debited/);
    } finally {
      await owner.unsafe(intend);
    }
  }, 300_000);
});

describe('who may act', () => {
  let made: TestDatabase;
  let owner: Connection;
  let app: Connection;
  let recorder: Recorder;
  let company: TestCompany;
  beforeAll(async () => {
    made = await testDatabase();
    owner = superuser(made);
    app = connect(made.database, { role: 'app', max: 2 });
    recorder = new Recorder(made.database, { deadlineMs: 20_000 });
  });
  afterAll(async () => {
    await recorder.close();
    await Promise.all([owner.end(), app.end()]);
    await made.remove();
  });
  beforeEach(async () => {
    company = await addCompany(owner);
  });

  const intent = (changes: Partial<Intent> = {}): Intent => ({
    companyId: company.id,
    actionType: 'reassign',
    description: 'test',
    triggerSource: 'test',
    ...changes,
  });
  let acted = 0;
  const act = async (changes: Partial<Intent> = {}): Promise<string> => {
    const before = acted;
    const result = await recorder.act(intent(changes), () => acted++);
    expect(acted).toBe(before + (result.status === 'succeeded' ? 1 : 0));
    return result.status;
  };
  /** The refusal, after a check that nothing was done and that it is on record. */
  const refused = async (changes: Partial<Intent> = {}): Promise<Refusal> => {
    const before = acted;
    const error = (await act(changes).catch((thrown: unknown) => thrown)) as AuditError;
    expect(error).toMatchObject({ name: 'AuditError', code: 'ERR_REFUSED' });
    expect(acted).toBe(before);
    const [row] =
      await owner`select status, refusal, error_message from autonomous_action where id = ${error.actionId!}`;
    expect(row).toEqual({ status: 'refused', refusal: error.refusal, error_message: error.refusal!.message });
    return error.refusal!;
  };

  it('MANUAL: nobody; SEMI_AUTO: what a person approved; FULLY_AUTO: what the rules allow', async () => {
    await configure(app, company.id, { mode: 'MANUAL' }, 'test');
    expect(await refused()).toMatchObject({ reason: 'mode' });
    expect(await refused({ approvedBy: 'eve' })).toMatchObject({ reason: 'mode' });
    await configure(app, company.id, { mode: 'SEMI_AUTO' }, 'test');
    expect(await refused()).toMatchObject({ reason: 'approval' });
    expect(await act({ approvedBy: 'eve' })).toBe('succeeded');
    await configure(app, company.id, { mode: 'FULLY_AUTO' }, 'test');
    expect(await act()).toBe('succeeded');
    await configure(app, company.id, { autoReassign: false }, 'test');
    expect(await refused()).toMatchObject({ reason: 'rule' });
    expect(await act({ approvedBy: 'eve' })).toBe('succeeded');
  });

  it('each type has its rule, redistribute is never alone, and adjust_time only up to its minutes', async () => {
    const types = {
      assign: 'autoAssign',
      notify_customer: 'autoNotifyCustomer',
      reoptimize: 'autoReoptimize',
    } as const;
    for (const [actionType, rule] of Object.entries(types) as ['assign', 'autoAssign'][]) {
      expect(await act({ actionType })).toBe('succeeded');
      await configure(app, company.id, { [rule]: false }, 'test');
      expect(await refused({ actionType })).toMatchObject({ reason: 'rule' });
    }
    expect(await refused({ actionType: 'redistribute' })).toMatchObject({ reason: 'approval' });
    expect(await act({ actionType: 'redistribute', approvedBy: 'eve' })).toBe('succeeded');
    expect(await act({ actionType: 'adjust_time', delayMinutes: 30 })).toBe('succeeded');
    expect(await act({ actionType: 'adjust_time', delayMinutes: -30 })).toBe('succeeded');
    expect(await refused({ actionType: 'adjust_time', delayMinutes: 30.5 })).toMatchObject({ reason: 'delay' });
    expect(await refused({ actionType: 'adjust_time', delayMinutes: -31 })).toMatchObject({ reason: 'delay' });
    expect(await refused({ actionType: 'adjust_time' })).toMatchObject({ reason: 'delay' });
    await configure(app, company.id, { autoAdjustTime: false }, 'test');
    expect(await refused({ actionType: 'adjust_time', delayMinutes: 1 })).toMatchObject({ reason: 'rule' });
  });

  it('a new company starts MANUAL, with every limit of the issue', async () => {
    const [{ id }] = await owner<[{ id: number }]>`insert into company (name) values ('new') returning id`;
    const { settings, limits } = await readControls(app, id);
    expect(settings).toMatchObject({
      mode: 'MANUAL',
      autoAssign: false,
      autoReassign: false,
      adjustTimeMaxMinutes: 30,
    });
    const capacities = Object.fromEntries(limits.map(({ scope, per, capacity }) => [`${scope}/${per}`, capacity]));
    expect(capacities).toMatchObject({
      'all/hour': 50,
      'all/day': 500,
      'reassign/hour': 10,
      'reassign/day': 50,
      'notify_customer/hour': 30,
      'notify_customer/day': 200,
    });
    expect(limits).toHaveLength(14);
  });

  it("the type's hour runs dry first, then its refusal says which, what is left, and when to come back", async () => {
    for (let k = 0; k < 10; k++) expect(await act()).toBe('succeeded');
    const refusal = await refused();
    expect(refusal).toMatchObject({ reason: 'limit', bucket: 'reassign/hour', left: 0 });
    // Ten an hour: one every six minutes.
    const [{ now }] = await owner<[{ now: Date }]>`select clock_timestamp() as now`;
    const wait = (Date.parse(refusal.retryAt!) - now.getTime()) / 1000;
    expect(wait).toBeGreaterThan(300);
    expect(wait).toBeLessThanOrEqual(360);
    // A refusal takes from no bucket, and other types go on.
    const left = async (scope: string, per: string): Promise<number> =>
      (await readControls(app, company.id)).limits.find((limit) => limit.scope === scope && limit.per === per)!.left;
    expect(await left('all', 'hour')).toBe(40);
    expect(await left('reassign', 'day')).toBe(40);
    expect(await act({ actionType: 'assign' })).toBe('succeeded');
    // Six minutes later there is one, and only one.
    await owner`
      update token_bucket set refilled_at = refilled_at - interval '361 seconds'
      where company_id = ${company.id} and scope = 'reassign' and per = 'hour'`;
    expect(await act()).toBe('succeeded');
    expect(await refused()).toMatchObject({ bucket: 'reassign/hour' });
  });

  it('a bucket does not fill above its capacity, nor when the clock steps back', async () => {
    await owner`
      update token_bucket set refilled_at = refilled_at - interval '10 days'
      where company_id = ${company.id} and scope = 'reassign'`;
    for (let k = 0; k < 10; k++) expect(await act()).toBe('succeeded');
    await owner`
      update token_bucket set refilled_at = clock_timestamp() + interval '10 days'
      where company_id = ${company.id} and scope = 'reassign'`;
    expect(await refused()).toMatchObject({ bucket: 'reassign/hour' });
  });

  it('a limit of zero admits nothing, ever', async () => {
    await setLimits(app, company.id, [{ scope: 'assign', per: 'day', capacity: 0 }], 'test');
    const refusal = await refused({ actionType: 'assign' });
    expect(refusal).toMatchObject({ bucket: 'assign/day', left: 0 });
    expect(refusal.retryAt).toBeUndefined();
  });

  it('a window admits N within any hour, where a bucket would refill', async () => {
    await setLimits(app, company.id, [{ scope: 'reassign', per: 'hour', kind: 'window', capacity: 3 }], 'test');
    for (let k = 0; k < 3; k++) expect(await act()).toBe('succeeded');
    const shift = (minutes: number): Promise<unknown> =>
      owner`update window_admission set at = at - make_interval(mins => ${minutes}) where company_id = ${company.id}`;
    await shift(59);
    const refusal = await refused();
    expect(refusal).toMatchObject({ bucket: 'reassign/hour', left: 0 });
    const [{ now }] = await owner<[{ now: Date }]>`select clock_timestamp() as now`;
    expect(Date.parse(refusal.retryAt!) - now.getTime()).toBeLessThanOrEqual(60_000);
    await shift(1);
    expect(await act()).toBe('succeeded');
  });

  it('a window that replaces a bucket knows what the last hour admitted', async () => {
    for (let k = 0; k < 4; k++) await act();
    await setLimits(app, company.id, [{ scope: 'reassign', per: 'hour', kind: 'window', capacity: 5 }], 'test');
    expect(await act()).toBe('succeeded');
    expect(await refused()).toMatchObject({ bucket: 'reassign/hour' });
    await setLimits(app, company.id, [{ scope: 'reassign', per: 'hour', kind: 'bucket', capacity: 5 }], 'test');
    const [{ count }] = await owner<[{ count: number }]>`
      select count(*) from window_admission where company_id = ${company.id}`;
    expect(count).toBe(0);
  });

  it('drivers may have their own buckets, which can be taken away again', async () => {
    const [one, other] = company.drivers;
    await setLimits(app, company.id, [{ scope: 'driver', per: 'hour', capacity: 2 }], 'test');
    expect(await act({ driverId: one })).toBe('succeeded');
    expect(await act({ driverId: one, actionType: 'assign' })).toBe('succeeded');
    expect(await refused({ driverId: one })).toMatchObject({ bucket: `driver/${one}/hour` });
    expect(await act({ driverId: other })).toBe('succeeded');
    expect(await act()).toBe('succeeded');
    await setLimits(app, company.id, [{ scope: 'driver', per: 'hour', capacity: null }], 'test');
    expect(await act({ driverId: one })).toBe('succeeded');
  });

  it('a larger bucket gets the difference at once, a smaller one keeps at most its capacity', async () => {
    const left = async (): Promise<number> =>
      (await readControls(app, company.id)).limits.find(({ scope, per }) => scope === 'reassign' && per === 'hour')!
        .left;
    for (let k = 0; k < 4; k++) await act();
    expect(await left()).toBe(6);
    await setLimits(app, company.id, [{ scope: 'reassign', per: 'hour', capacity: 20 }], 'test');
    expect(await left()).toBe(16);
    await setLimits(app, company.id, [{ scope: 'reassign', per: 'hour', capacity: 3 }], 'test');
    expect(await left()).toBe(3);
  });

  describe('what was taken stays taken', () => {
    const bucket = async (
      scope = 'reassign',
      per = 'hour',
    ): Promise<{ left: number; capacity: number; kind: string }> => {
      const found = (await readControls(app, company.id)).limits.find((one) => one.scope === scope && one.per === per)!;
      return { left: found.left, capacity: found.capacity, kind: found.kind };
    };
    const set = (capacity: number | null, change: Partial<LimitChange> = {}): Promise<void> =>
      setLimits(app, company.id, [{ scope: 'reassign', per: 'hour', capacity, ...change }], 'test');
    /** Acts until the limit refuses. */
    const actAll = async (changes: Partial<Intent> = {}): Promise<number> => {
      for (let k = 0; ; k++) {
        const end: unknown = await recorder.act(intent(changes), () => undefined).catch((error: unknown) => error);
        if (end instanceof Error) return k;
      }
    };

    it.each(['bucket', 'window'] as const)('through 10, 0 and 10 again, as often as one likes: %s', async (kind) => {
      await set(10, { kind });
      expect(await actAll()).toBe(10);
      for (let k = 0; k < 4; k++) {
        await set(0);
        expect(await bucket()).toEqual({ left: 0, capacity: 0, kind });
        await set(10);
        expect(await bucket()).toEqual({ left: 0, capacity: 10, kind });
      }
      expect(await actAll()).toBe(0);
    });

    it('through any way from one capacity to another, and never more than the largest in all', async () => {
      for (let k = 0; k < 4; k++) await act();
      for (const [capacity, left] of [
        [20, 16],
        [3, 3],
        [20, 16],
        [0, 0],
        [5, 1],
        [4, 1],
        [20, 16],
      ]) {
        await set(capacity);
        expect(await bucket(), String(capacity)).toMatchObject({ left, capacity });
      }
      let acted = 4;
      for (const capacity of [3, 20, 1, 20, 0, 20, 7, 20]) {
        await set(capacity);
        if (capacity < 20) acted += await actAll();
      }
      acted += await actAll();
      expect(acted).toBe(20);
    });

    it('through a change of kind, both ways', async () => {
      for (let k = 0; k < 6; k++) await act();
      for (let k = 0; k < 3; k++) {
        await set(10, { kind: 'window' });
        expect(await bucket()).toEqual({ left: 4, capacity: 10, kind: 'window' });
        await set(10, { kind: 'bucket' });
        expect(await bucket()).toEqual({ left: 4, capacity: 10, kind: 'bucket' });
      }
      await set(10, { kind: 'window' });
      expect(await actAll()).toBe(4);
      await set(10, { kind: 'bucket' });
      expect(await actAll()).toBe(0);
    });

    it('where no kind is given: it stays as it is', async () => {
      await set(3, { kind: 'window' });
      expect(await actAll()).toBe(3);
      await set(4);
      expect(await bucket()).toEqual({ left: 1, capacity: 4, kind: 'window' });
      expect(await actAll()).toBe(1);
      const [entry] = await owner<[{ detail: unknown }]>`
        select detail from audit_ledger where company_id = ${company.id} and kind = 'limit' order by seq desc limit 1`;
      expect(entry.detail).toMatchObject({ after: { kind: 'window', capacity: 4 } });
    });

    it.each(['bucket', 'window'] as const)(
      "through a drivers' limit that is taken away and set again: %s",
      async (kind) => {
        const [driverId] = company.drivers;
        await setLimits(app, company.id, [{ scope: 'driver', per: 'hour', kind, capacity: 2 }], 'test');
        expect(await actAll({ driverId })).toBe(2);
        for (let k = 0; k < 2; k++) {
          await setLimits(app, company.id, [{ scope: 'driver', per: 'hour', capacity: null }], 'test');
          await setLimits(app, company.id, [{ scope: 'driver', per: 'hour', kind, capacity: 2 }], 'test');
          expect(await refused({ driverId })).toMatchObject({ bucket: `driver/${driverId}/hour` });
        }
        await setLimits(app, company.id, [{ scope: 'driver', per: 'hour', capacity: 3 }], 'test');
        expect(await actAll({ driverId })).toBe(1);
      },
    );

    it('is forgotten in one period, and no sooner, where a smaller capacity hides it', async () => {
      expect(await actAll()).toBe(10);
      await set(0);
      const pass = (minutes: number): Promise<unknown> => owner`
        update token_bucket set refilled_at = refilled_at - make_interval(mins => ${minutes}),
          withheld_at = withheld_at - make_interval(mins => ${minutes})
        where company_id = ${company.id} and scope = 'reassign' and per = 'hour'`;
      await pass(30);
      await set(10);
      expect((await bucket()).left).toBe(5);
      await set(0);
      await pass(61);
      await set(10);
      expect((await bucket()).left).toBe(10);
    });

    // The clock that the functions read is the database's; it steps here by moving what they remember the other way.
    const step = (minutes: number): Promise<unknown> => owner`
      update token_bucket set refilled_at = refilled_at - make_interval(mins => ${minutes}),
        withheld_at = withheld_at - make_interval(mins => ${minutes}) where company_id = ${company.id}`;
    const stepWindows = (minutes: number): Promise<unknown> => owner`
      update window_admission set at = at - make_interval(mins => ${minutes}) where company_id = ${company.id}`;

    it('when the clock steps back and is right again: no span refills twice', async () => {
      expect(await actAll()).toBe(10);
      for (let k = 0; k < 3; k++) {
        await step(-60);
        expect(await refused()).toMatchObject({ bucket: 'reassign/hour' });
        // A refusal, and a change of another limit, must not move it back either.
        await set(10);
        // Other types act while the clock is wrong.
        expect(await act({ actionType: 'assign' })).toBe('succeeded');
        await step(60);
        expect(await refused()).toMatchObject({ bucket: 'reassign/hour' });
      }
      // Right again, time counts as ever: six minutes for one.
      await step(7);
      expect(await actAll()).toBe(1);
    });

    it('when the clock steps back in the middle of what is taken, too', async () => {
      for (let k = 0; k < 5; k++) await act();
      await step(-60);
      expect(await actAll()).toBe(5);
      await step(60);
      expect(await actAll()).toBe(0);
    });

    it('of a window, when the clock steps back and is right again', async () => {
      await set(4, { kind: 'window' });
      expect(await act({ actionType: 'assign' })).toBe('succeeded');
      await step(-60);
      await stepWindows(-60);
      expect(await actAll()).toBe(4);
      await step(60);
      await stepWindows(60);
      expect(await actAll()).toBe(0);
    });
  });

  it('the kill switches stop a company, and all; the order of events shows that nothing follows', async () => {
    await configure(app, company.id, { stopped: true }, 'eve');
    expect(await refused()).toMatchObject({ reason: 'kill_switch' });
    await configure(app, company.id, { stopped: false }, 'eve');
    expect(await act()).toBe('succeeded');
    expect(await stopAll(app, true, 'eve')).toBe(true);
    expect(await stopAll(app, true, 'eve')).toBe(false);
    expect(await refused({ approvedBy: 'eve' })).toMatchObject({ reason: 'kill_switch_all' });
    await stopAll(app, false, 'eve');

    // Under fire: no intent is admitted after the switch has returned.
    await owner`update token_bucket set capacity = 1000000, tokens = 1000000 where company_id = ${company.id}`;
    let stopped = false;
    let after = 0;
    const firing = Array.from({ length: 8 }, async () => {
      for (;;) {
        const begunStopped = stopped;
        try {
          await recorder.act(intent({ actionType: 'notify_customer' }), () => undefined);
          if (begunStopped) after++;
        } catch {
          return;
        }
      }
    });
    await configure(app, company.id, { stopped: true }, 'eve');
    stopped = true;
    await Promise.all(firing);
    const [{ late }] = await owner<[{ late: number }]>`
      select count(*) as late from audit_ledger l where company_id = ${company.id} and kind = 'intended'
        and seq > (select max(seq) from audit_ledger s where s.company_id = l.company_id and s.kind = 'switch')`;
    expect({ after, late }).toEqual({ after: 0, late: 0 });
  });

  it('failures in a row stop their type alone, until an admin resets it', async () => {
    await configure(app, company.id, { breakerFailures: 3 }, 'test');
    const fail = (): Promise<unknown> =>
      recorder.act(intent(), () => Promise.reject(new Error('broken'))).catch((error: unknown) => error);
    expect(await fail()).toMatchObject({ code: 'ERR_ACT_FAILED' });
    expect(await fail()).toMatchObject({ code: 'ERR_ACT_FAILED' });
    expect(await act()).toBe('succeeded');
    for (let k = 0; k < 3; k++) expect(await fail()).toMatchObject({ code: 'ERR_ACT_FAILED' });
    expect(await refused()).toMatchObject({ reason: 'breaker' });
    expect(await act({ actionType: 'assign' })).toBe('succeeded');
    expect((await readControls(app, company.id)).broken).toMatchObject([{ actionType: 'reassign', failures: 3 }]);
    expect(await resetBreaker(app, company.id, 'reassign', 'eve')).toBe(true);
    expect(await act()).toBe('succeeded');
  });

  it('a dry run decides and records, takes its tokens, and does nothing', async () => {
    expect(await act({ dryRun: true })).toBe('dry_run');
    await configure(app, company.id, { dryRun: true }, 'test');
    expect(await act()).toBe('dry_run');
    const [row] = await owner`
      select count(*) filter (where status = 'dry_run' and success is null) as dry,
        (select taken from token_bucket where company_id = ${company.id} and scope = 'all' and per = 'day') as taken
      from autonomous_action where company_id = ${company.id}`;
    expect(row).toEqual({ dry: 2, taken: 2 });
  });

  it('every change of settings, limits and switches is in the ledger, with who made it', async () => {
    await configure(app, company.id, { mode: 'SEMI_AUTO' }, 'ann');
    await configure(app, company.id, { mode: 'SEMI_AUTO' }, 'ann');
    await setLimits(app, company.id, [{ scope: 'all', per: 'hour', capacity: 7 }], 'bob');
    await configure(app, company.id, { stopped: true }, 'cid');
    const entries = await owner<{ kind: string; detail: { by: string; after: Record<string, unknown> } }[]>`
      select kind, detail from audit_ledger
      where company_id = ${company.id} and detail ->> 'by' in ('ann', 'bob', 'cid') order by seq`;
    expect(entries.map(({ kind, detail }) => [kind, detail.by])).toEqual([
      ['settings', 'ann'],
      ['limit', 'bob'],
      ['switch', 'cid'],
    ]);
    expect(entries[1].detail).toMatchObject({ bucket: 'all/hour', before: { capacity: 50 }, after: { capacity: 7 } });
  });

  it('of two who assign one booking on the same state, one acts: 20 races, each as one process and as two', async () => {
    await owner`update token_bucket set capacity = 1000000, tokens = 1000000 where company_id = ${company.id}`;
    const other = new Recorder(made.database, { deadlineMs: 20_000 });
    for (let race = 0; race < 20; race++) {
      const [{ id: bookingId }] = await owner<[{ id: number }]>`
        insert into booking (company_id) values (${company.id}) returning id`;
      const [{ since }] = await owner<[{ since: Date }]>`select clock_timestamp()::timestamptz(3) as since`;
      let acted = 0;
      const assign = (who: Recorder, k: number): Promise<unknown> =>
        who.act(
          intent({
            actionType: k === 3 ? 'reassign' : 'assign',
            bookingId,
            driverId: company.drivers[k % 3],
            idempotencyKey: `decision ${k}/${bookingId}`,
            approvedBy: `person ${k}`,
            unlessAssignedSince: new Date(since.getTime() - 1),
          }),
          () => {
            acted++;
          },
        );
      const ends = await Promise.allSettled(
        [0, 1, 2, 3].map((k) => assign(race % 2 === 0 && k > 1 ? other : recorder, k)),
      );
      expect(acted).toBe(1);
      const refusals = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as AuditError] : []));
      expect(refusals.map(({ refusal }) => refusal?.reason)).toEqual(['assigned', 'assigned', 'assigned']);
      expect(refusals[0].message).toContain(`booking ${bookingId} has been assigned since`);
    }
    await other.close();
  });

  it('a booking may be assigned on a later state, after a failure, and again under the same key', async () => {
    const [bookingId] = company.bookings;
    const since = async (): Promise<Date> => {
      const [{ at }] = await owner<[{ at: Date }]>`select clock_timestamp() + interval '1 ms' as at`;
      return at;
    };
    const at = await since();
    const first = intent({ actionType: 'assign', bookingId, idempotencyKey: 'k', unlessAssignedSince: at });
    const failing = recorder.act({ ...first, idempotencyKey: 'f' }, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toMatchObject({ code: 'ERR_ACT_FAILED' });
    expect((await recorder.act(first, () => undefined)).replayed).toBe(false);
    expect((await recorder.act(first, () => undefined)).replayed).toBe(true);
    await expect(recorder.act({ ...first, idempotencyKey: 'l' }, () => undefined)).rejects.toMatchObject({
      refusal: { reason: 'assigned' },
    });
    await setTimeout(5);
    const later = { ...first, idempotencyKey: 'm', unlessAssignedSince: await since() };
    expect((await recorder.act(later, () => undefined)).status).toBe('succeeded');
  });

  it('the data of an act is what JSON can hold, and comes back as it was', async () => {
    const data = { a: [1, 'x', null, true, { b: -0.5 }], ü: 'é😀', none: undefined };
    const { actionId } = await recorder.act(intent({ data }), () => undefined);
    const [row] = await owner<
      [{ data: unknown }]
    >`select action_data as data from autonomous_action where id = ${actionId}`;
    expect(row.data).toEqual({ a: [1, 'x', null, true, { b: -0.5 }], ü: 'é😀' });
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const bad: [unknown, RegExp][] = [
      [{ a: 10n }, /"data\.a" is 10n/],
      [{ a: { b: [0, NaN] } }, /"data\.a\.b\[1\]" is NaN/],
      [{ a: -Infinity }, /"data\.a" is -Infinity/],
      [{ a: () => 1 }, /"data\.a" is a function/],
      [{ a: Symbol('s') }, /"data\.a" is a symbol/],
      [{ a: new Map([[1, 2]]) }, /"data\.a" is a Map/],
      [{ a: new Date(0) }, /"data\.a" is a Date/],
      [{ a: [1, undefined] }, /"data\.a\[1\]" is a undefined/],
      [{ a: 'x\0' }, /"data\.a" is a text with a NUL/],
      [{ 'x\0': 1 }, /"data" is with the name/],
      [{ a: '\ud800' }, /"data\.a" is a text with half a surrogate/],
      [circular, /too deep/],
    ];
    for (const [value, message] of bad) {
      await expect(act({ data: value as Record<string, unknown> })).rejects.toMatchObject({
        code: 'ERR_FIELD',
        message: expect.stringMatching(message) as string,
      });
    }
    await expect(act({ description: 'half \udc00' })).rejects.toMatchObject({ code: 'ERR_FIELD' });
    await expect(act({ companyId: 1n as unknown as number })).rejects.toMatchObject({
      code: 'ERR_FIELD',
      message: expect.stringMatching(/"companyId" is 1n/) as string,
    });
    for (const since of [new Date(NaN), new Date(8.64e15), new Date(-1e14)]) {
      await expect(act({ unlessAssignedSince: since })).rejects.toMatchObject({ code: 'ERR_FIELD' });
    }
  });

  it('nobody is held up by locks that any login may take', async () => {
    const stranger = connect(made.database, { role: 'app', max: 1 });
    await stranger.begin(async (tx) => {
      // Those of former versions, and all locks on the tables that reading allows.
      await tx`select pg_advisory_xact_lock(7021, 0), pg_advisory_xact_lock(7022, hashint8(${company.id})), pg_advisory_xact_lock(70210001)`;
      for (const table of ['autonomy_all', 'audit_head', 'token_bucket', 'autonomy']) {
        await expect(
          tx.savepoint((inner) => inner.unsafe(`lock table ${table} in row share mode nowait`)),
        ).rejects.toThrow();
        await expect(tx.savepoint((inner) => inner.unsafe(`select from ${table} for share nowait`))).rejects.toThrow();
      }
      expect(await act()).toBe('succeeded');
      await configure(app, company.id, { stopped: true }, 'eve');
      await configure(app, company.id, { stopped: false }, 'eve');
      await stopAll(app, true, 'eve');
      await stopAll(app, false, 'eve');
      expect(await migrate(made.database)).toEqual([]);
    });
    await stranger.end();
  });

  it('bad input is refused with its field and value, and changes nothing', async () => {
    const bad: [() => Promise<unknown>, RegExp][] = [
      [() => act({ actionType: 'fly' as 'assign' }), /"actionType" is "fly"/],
      [() => act({ description: '' }), /"description"/],
      [() => act({ confidenceScore: 1.5 }), /"confidenceScore" is 1.5/],
      [() => act({ confidenceScore: NaN }), /"confidenceScore"/],
      [() => act({ companyId: 1.5 }), /"companyId" is 1.5/],
      [() => act({ data: { a: 'x\0y' } }), /NUL/],
      [() => act({ extra: 1 } as Partial<Intent>), /extra/],
      [() => configure(app, company.id, { mode: 'AUTO' as 'MANUAL' }, 'x'), /"mode" is "AUTO"/],
      [() => configure(app, company.id, { breakerFailures: -1 }, 'x'), /"breakerFailures" is -1/],
      [() => setLimits(app, company.id, [{ scope: 'all', per: 'hour', capacity: -1 }], 'x'), /"capacity" is -1/],
      [() => setLimits(app, company.id, [{ scope: 'all', per: 'hour', capacity: null }], 'x'), /cannot be removed/],
    ];
    for (const [call, message] of bad) {
      await expect(call()).rejects.toMatchObject({
        code: 'ERR_FIELD',
        message: expect.stringMatching(message) as string,
      });
    }
    await expect(act({ companyId: 999_999 })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    const elsewhere = await addCompany(owner);
    await expect(act({ bookingId: elsewhere.bookings[0] })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(act({ driverId: elsewhere.drivers[0] })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    const [{ count }] = await owner<[{ count: number }]>`
      select count(*) from autonomous_action where company_id = ${company.id}`;
    expect(count).toBe(0);
  });

  it('one bad intent does not take down those that share its statement', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, k) => {
        const bad = k % 5 === 3 ? { bookingId: 999_999 } : {};
        return recorder.act(intent({ actionType: 'assign', ...bad }), () => undefined);
      }),
    );
    expect(results.map(({ status }, k) => (status === 'rejected') === (k % 5 === 3))).toEqual(Array(20).fill(true));
  });
});
