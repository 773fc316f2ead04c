// Acting on record through every fault: nothing is done that is not on record, and nothing is done twice.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseOf } from '#audit/database.js';
import type { EmbeddedServer } from '#audit/embedded.js';
import { Recorder, Sweeper, configure, connect, readAction, sweep, verify } from '#audit/index.js';
import type { Connection, Database, Intent, Orphan } from '#audit/index.js';
import { Purpose, RandomStream } from '#engine/index.js';
import {
  addCompany,
  liftLimits,
  openServer,
  clusterFolder,
  signalServer,
  slowProxy,
  superuser,
  testDatabase,
} from './support/database.js';
import type { TestCompany, TestDatabase } from './support/database.js';
import { silentProxy } from './support/silent-proxy.js';
import { sized } from './support/size.js';

const intentOf = (companyId: number, changes: Partial<Intent> = {}): Intent => ({
  companyId,
  actionType: 'assign',
  description: 'test',
  triggerSource: 'test',
  ...changes,
});

describe('an act', () => {
  let made: TestDatabase;
  let owner: Connection;
  let recorder: Recorder;
  let company: TestCompany;
  beforeAll(async () => {
    made = await testDatabase();
    owner = superuser(made);
    recorder = new Recorder(made.database, { deadlineMs: 20_000, actTimeoutMs: 300 });
  });
  afterAll(async () => {
    await recorder.close();
    await owner.end();
    await made.remove();
  });
  beforeEach(async () => {
    company = await addCompany(owner);
    await liftLimits(owner);
  });
  const intent = (changes: Partial<Intent> = {}): Intent => intentOf(company.id, changes);

  it('finds its intent committed when it runs, and its outcome on record when it is done', async () => {
    const act = await recorder.act(
      intent({
        bookingId: company.bookings[0],
        driverId: company.drivers[1],
        data: { from: 1, to: { deep: [true, null, 'é'] } },
        confidenceScore: 0.75,
        expectedImprovementMinutes: -2.5,
        triggerSource: 'policy',
        approvedBy: 'eve',
      }),
      async ({ actionId }) => {
        // Another connection sees it already.
        const [row] = await owner`select status, success from autonomous_action where id = ${actionId}`;
        expect(row).toEqual({ status: 'intended', success: null });
        return 'done';
      },
    );
    expect(act).toMatchObject({ status: 'succeeded', value: 'done', replayed: false, outcomeRecorded: true });
    const row = await readAction(owner, act.actionId);
    expect(row).toMatchObject({
      company_id: company.id,
      booking_id: company.bookings[0],
      driver_id: company.drivers[1],
      action_type: 'assign',
      action_data: { from: 1, to: { deep: [true, null, 'é'] } },
      success: true,
      error_message: null,
      confidence_score: 0.75,
      expected_improvement_minutes: -2.5,
      trigger_source: 'policy',
      approved_by: 'eve',
      status: 'succeeded',
      reviewed_by_admin: false,
    });
    expect(row.execution_time_ms).toBeCloseTo(act.executionTimeMs!, 6);
    expect(row.entries.map(({ kind }) => kind)).toEqual(['intended', 'outcome']);
  });

  it('that throws is on record as failed, with what it said', async () => {
    const error: unknown = await recorder
      .act(intent(), () => Promise.reject(new Error('the connector answered 503\0')))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_ACT_FAILED', cause: { message: 'the connector answered 503\0' } });
    const row = await readAction(owner, (error as { actionId: number }).actionId);
    expect(row).toMatchObject({ status: 'failed', success: false, error_message: 'the connector answered 503' });
  });

  it('that does not end is told to stop, and on record as unknown', async () => {
    let aborted = false;
    const error: unknown = await recorder
      .act(intent(), ({ signal }) => new Promise<never>(() => signal.addEventListener('abort', () => (aborted = true))))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_ACT_UNKNOWN' });
    expect(aborted).toBe(true);
    expect(await readAction(owner, (error as { actionId: number }).actionId)).toMatchObject({
      status: 'unknown',
      success: null,
    });
  });

  it('is done once under one key, whoever tries again and however many at once', async () => {
    let acted = 0;
    const same = intent({ idempotencyKey: 'once', data: { a: 1 } });
    const other = new Recorder(made.database, { deadlineMs: 20_000 });
    const tries = await Promise.allSettled(
      Array.from({ length: 40 }, (_, k) => (k % 2 === 0 ? recorder : other).act(same, () => sleep(20, ++acted))),
    );
    expect(acted).toBe(1);
    for (const result of tries) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ERR_IDEMPOTENCY' });
    }
    const again = await other.act(same, () => ++acted);
    expect(again).toMatchObject({ status: 'succeeded', replayed: true });
    expect(acted).toBe(1);
    await expect(recorder.act({ ...same, data: { a: 2 } }, () => ++acted)).rejects.toMatchObject({
      code: 'ERR_IDEMPOTENCY',
      message: expect.stringMatching(/another action/) as string,
    });
    // Keys are a company's own.
    const elsewhere = await addCompany(owner);
    await recorder.act({ ...same, companyId: elsewhere.id }, () => ++acted);
    expect(acted).toBe(2);
    await other.close();
  });

  it('that failed under a key is not tried again under it, and one that was refused may be', async () => {
    const key = { idempotencyKey: 'again' };
    await recorder.act(intent(key), () => Promise.reject(new Error('no'))).catch(() => undefined);
    let acted = 0;
    await expect(recorder.act(intent(key), () => ++acted)).rejects.toMatchObject({ code: 'ERR_ACT_FAILED' });
    await configure(owner, company.id, { autoAssign: false }, 'test');
    const later = { idempotencyKey: 'later' };
    await expect(recorder.act(intent(later), () => ++acted)).rejects.toMatchObject({ code: 'ERR_REFUSED' });
    await configure(owner, company.id, { autoAssign: true }, 'test');
    await recorder.act(intent(later), () => ++acted);
    expect(acted).toBe(1);
  });

  it('whose outcome comes after the sweeper keeps `unknown`, and the late outcome is in the ledger', async () => {
    const act = await recorder.act(intent(), async ({ actionId }) => {
      await owner`update autonomous_action set status = status where id = ${actionId}`;
      await owner.begin(async (tx) => {
        await tx`set local session_replication_role = replica`;
        // As if its time had long been over; undone below, so that the record stays sound.
        await tx`update autonomous_action set act_by = act_by - interval '1 hour' where id = ${actionId}`;
      });
      expect((await sweep(owner)).map(({ id }) => id)).toContain(actionId);
      await owner.begin(async (tx) => {
        await tx`set local session_replication_role = replica`;
        await tx`update autonomous_action set act_by = act_by + interval '1 hour' where id = ${actionId}`;
      });
    });
    const row = await readAction(owner, act.actionId);
    expect(row.status).toBe('unknown');
    expect(row.entries.map(({ kind }) => kind)).toEqual(['intended', 'outcome', 'late_outcome']);
    expect(row.entries[2].detail).toMatchObject({ status: 'succeeded' });
    expect(await verify(made.database)).toMatchObject({ ok: true });
  });

  it('is refused by a closed recorder', async () => {
    const closed = new Recorder(made.database);
    await closed.close();
    await expect(closed.act(intent(), () => expect.unreachable())).rejects.toMatchObject({ code: 'ERR_DATABASE' });
  });
});

describe('with the database', () => {
  let folder: string;
  let server: EmbeddedServer;
  let database: Database;
  let owner: Connection;
  let company: TestCompany;
  beforeEach(async () => {
    folder = await clusterFolder(true);
    server = await openServer(folder);
    database = databaseOf(server);
    owner = connect(database, { role: 'owner', max: 1 });
    company = await addCompany(owner);
    await liftLimits(owner);
  });
  afterEach(async () => {
    await owner.end({ timeout: 1 });
    await server.close().catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Acts until one comes through. */
  async function recovered(recorder: Recorder): Promise<void> {
    for (;;) {
      try {
        await recorder.act(intentOf(company.id), () => undefined);
        return;
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/ERR_DATABASE|ERR_DEADLINE/) as string });
        await sleep(50);
      }
    }
  }

  async function statuses(): Promise<Record<string, number>> {
    const rows = await owner<{ status: string; count: number }[]>`
      select status, count(*) as count from autonomous_action group by status`;
    return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
  }

  it('stopped or killed: nothing is done, the refusal is typed, and it goes on by itself when the database is back', async () => {
    const recorder = new Recorder(database, { deadlineMs: 300 });
    await recorder.act(intentOf(company.id), () => undefined);
    for (const way of ['SIGINT', 'SIGKILL'] as const) {
      if (way === 'SIGINT') process.kill(server.pid, 'SIGINT');
      else signalServer(server, 'SIGKILL');
      while (existsSync(`/proc/${server.pid}/exe`)) await sleep(5);
      let acted = 0;
      const tries = await Promise.allSettled(
        Array.from({ length: 40 }, () => recorder.act(intentOf(company.id), () => ++acted)),
      );
      expect(acted).toBe(0);
      for (const result of tries) {
        expect(result).toMatchObject({
          status: 'rejected',
          reason: {
            name: 'AuditError',
            code: expect.stringMatching(/ERR_DATABASE|ERR_DEADLINE/) as string,
            message: expect.stringMatching(/nothing was done/) as string,
          },
        });
      }
      const again = await openServer(folder);
      await server.close();
      server = again;
      await recovered(recorder);
    }
    await recorder.close();
    expect(await verify(database)).toMatchObject({ ok: true });
  });

  it('frozen: refused while it is frozen, not after; and what was under way is closed as not done', async () => {
    const recorder = new Recorder(database, { deadlineMs: 300 });
    await recorder.act(intentOf(company.id), () => undefined);
    signalServer(server, 'SIGSTOP');
    let acted = 0;
    let frozen = true;
    const tries = Array.from({ length: 60 }, () =>
      recorder
        .act(intentOf(company.id), () => ++acted)
        .then(
          () => 'acted',
          (error: unknown) => (frozen ? (error as { code: string }).code : 'too late'),
        ),
    );
    expect(new Set(await Promise.all(tries))).toEqual(new Set(['ERR_DEADLINE']));
    frozen = false;
    signalServer(server, 'SIGCONT');
    await recovered(recorder);
    expect(acted).toBe(0);
    while (recorder.pending > 0) await sleep(20);
    const { intended = 0, succeeded, refused = 0 } = await statuses();
    // Those that were sent may have been committed after the thaw: then they are on record as refused.
    expect({ intended, succeeded }).toEqual({ intended: 0, succeeded: 2 });
    expect(refused).toBeLessThanOrEqual(60);
    await recorder.close();
    expect(await verify(database)).toMatchObject({ ok: true });
  });

  it('two seconds slow: nothing is done, and late permissions are closed as not done', async () => {
    const proxy = await slowProxy(Number(new URL(server.appUrl).port));
    const url = new URL(server.appUrl);
    url.port = String(proxy.port);
    const recorder = new Recorder({ ...database, appUrl: url.href }, { deadlineMs: 300 });
    await recorder.act(intentOf(company.id), () => undefined);
    proxy.delay(2000);
    let acted = 0;
    const tries = await Promise.allSettled(
      Array.from({ length: 20 }, () => recorder.act(intentOf(company.id), () => ++acted)),
    );
    expect(acted).toBe(0);
    for (const result of tries) expect(result).toMatchObject({ reason: { code: 'ERR_DEADLINE' } });
    proxy.delay(0);
    await recovered(recorder);
    while (recorder.pending > 0) await sleep(20);
    const { intended = 0, succeeded, refused = 0 } = await statuses();
    expect({ intended, succeeded }).toEqual({ intended: 0, succeeded: 2 });
    expect(refused).toBeGreaterThan(0);
    const [row] =
      await owner`select refusal ->> 'reason' as reason from autonomous_action where status = 'refused' limit 1`;
    expect(row).toEqual({ reason: 'deadline' });
    await recorder.close();
    await proxy.close();
  });

  it('slower than a deadline, though not silent: its connections are left', async () => {
    const proxy = await slowProxy(Number(new URL(server.appUrl).port));
    const url = new URL(server.appUrl);
    url.port = String(proxy.port);
    const recorder = new Recorder({ ...database, appUrl: url.href }, { deadlineMs: 300 });
    await recorder.act(intentOf(company.id), () => undefined);
    const connections = async (): Promise<number[]> => {
      const rows = await owner<{ pid: number }[]>`
        select pid from pg_stat_activity where usename = 'fleetstep_app' order by pid`;
      return rows.map(({ pid }) => pid);
    };
    const before = await connections();
    expect(before.length).toBeGreaterThan(0);
    proxy.delay(500);
    for (let k = 0; k < 5; k++) {
      await expect(recorder.act(intentOf(company.id), () => undefined)).rejects.toMatchObject({ code: 'ERR_DEADLINE' });
    }
    proxy.delay(0);
    await recovered(recorder);
    while (recorder.pending > 0) await sleep(20);
    expect(await connections()).toEqual(expect.arrayContaining(before));
    await recorder.close();
    await proxy.close();
  });

  it('silent on connections that it has: they are replaced after a few deadlines, and acts go on', async () => {
    const proxy = await silentProxy(database);
    const recorder = new Recorder(proxy.database, { deadlineMs: 500 });
    for (let round = 0; round < 2; round++) {
      await recovered(recorder);
      proxy.silence();
      let missed = 0;
      for (let acted = false; !acted;) {
        acted = await recorder
          .act(intentOf(company.id), () => undefined)
          .then(
            ({ outcomeRecorded }) => outcomeRecorded,
            (error: unknown) => {
              expect(error).toMatchObject({ code: expect.stringMatching(/ERR_DATABASE|ERR_DEADLINE/) as string });
              return false;
            },
          );
        if (!acted) missed++;
      }
      // One deadline after the other: ten of them passed when a connection was given up after five seconds more.
      expect(missed).toBeGreaterThan(0);
      expect(missed).toBeLessThanOrEqual(6);
    }
    while (recorder.pending > 0) await sleep(20);
    await recorder.close();
    await proxy.close();
    expect(await verify(database)).toMatchObject({ ok: true });
  });

  it('lost between act and outcome: the act is told, and its outcome is written when the database is back', async () => {
    const recorder = new Recorder(database, { deadlineMs: 300 });
    const act = await recorder.act(intentOf(company.id), () => {
      signalServer(server, 'SIGKILL');
      return 'done';
    });
    expect(act).toMatchObject({ status: 'succeeded', value: 'done', outcomeRecorded: false });
    const again = await openServer(folder);
    await server.close();
    server = again;
    while (recorder.pending > 0) await sleep(20);
    expect(await readAction(owner, act.actionId)).toMatchObject({ status: 'succeeded' });
    await recorder.close();
  });

  const kills = sized(2, 50);
  it(
    `killed ${kills} times under load: no acknowledged row is lost, and the record is sound`,
    { tags: ['attack'] },
    async () => {
      const recorder = new Recorder(database, { deadlineMs: 2000 });
      const acknowledged = new Set<number>();
      const ended = new Set<number>();
      let acted = 0;
      let going = true;
      const random = new RandomStream(11, Purpose.action);
      const load = Array.from({ length: 16 }, async () => {
        while (going) {
          await recorder
            .act(intentOf(company.id), ({ actionId }) => {
              acted++;
              acknowledged.add(actionId);
            })
            .then(
              (act) => act.outcomeRecorded && ended.add(act.actionId),
              () => sleep(5),
            );
        }
      });
      for (let kill = 0; kill < kills; kill++) {
        const before = acted;
        while (acted < before + 5) await sleep(2);
        await sleep(random.integer(0, 40));
        signalServer(server, 'SIGKILL');
        const again = await openServer(folder);
        await server.close();
        server = again;
      }
      going = false;
      await Promise.all(load);
      while (recorder.pending > 0) await sleep(20);
      await recorder.close();
      const rows = await owner<{ id: number; status: string }[]>`select id, status from autonomous_action`;
      const status = new Map(rows.map((row) => [row.id, row.status]));
      expect([...acknowledged].filter((id) => !status.has(id))).toEqual([]);
      expect([...ended].filter((id) => status.get(id) !== 'succeeded')).toEqual([]);
      expect(acknowledged.size).toBe(acted);
      expect(await verify(database)).toMatchObject({ ok: true, rows: rows.length });
    },
  );
});

describe('an acting process', () => {
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

  const kills = sized(24, 200);
  it(
    `killed ${kills} times: every act has its intent, none was done twice, and orphans are found and told`,
    { tags: ['attack'] },
    async () => {
      const company = await addCompany(owner);
      await liftLimits(owner);
      // Unknown outcomes count as failures; here there are many of them.
      await configure(owner, company.id, { breakerFailures: 0 }, 'test');
      const folder = mkdtempSync(join(tmpdir(), 'fleetstep-acts-'));
      const file = join(folder, 'acts');
      const random = new RandomStream(13, Purpose.action);
      const told: Orphan[] = [];
      const sweeper = new Sweeper(made.database, { everySeconds: 0.5, report: (orphans) => told.push(...orphans) });
      const killOne = async (name: string): Promise<void> => {
        const task = { database: made.database, companyId: company.id, file, name };
        const child = spawn(
          process.execPath,
          [join(import.meta.dirname, 'support', 'act-forever.js'), JSON.stringify(task)],
          {
            stdio: ['ignore', 'pipe', 'inherit'],
          },
        );
        // After so many acts, at any point of the next one.
        for (let left = 1 + random.integer(0, 4); left > 0;)
          left -= ((await once(child.stdout, 'data')) as [Buffer])[0].length;
        await sleep(random.integer(0, 10));
        child.kill('SIGKILL');
        await once(child, 'exit');
      };
      let kill = 0;
      await Promise.all(
        Array.from({ length: 4 }, async () => {
          while (kill < kills) await killOne(`p${kill++}`);
        }),
      );
      const acts = readFileSync(file, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' '));
      expect(acts.length).toBeGreaterThan(kills);
      const rows = await owner<{ id: number; key: string }[]>`select id, idempotency_key as key from autonomous_action`;
      const keys = new Map(rows.map(({ id, key }) => [id, key]));
      expect(acts.filter(([id, key]) => keys.get(Number(id)) !== key)).toEqual([]);
      expect(new Set(acts.map(([, key]) => key)).size).toBe(acts.length);
      const errors = existsSync(`${file}.errors`) ? readFileSync(`${file}.errors`, 'utf8').trimEnd().split('\n') : [];
      expect(errors.filter((line) => !line.startsWith('ERR_IDEMPOTENCY') && line !== '')).toEqual([]);

      // What the killed ones left open is resolved by the sweeper alone.
      for (;;) {
        const [{ open }] = await owner<
          [{ open: number }]
        >`select count(*) as open from autonomous_action where status = 'intended'`;
        if (open === 0) break;
        await sleep(200);
      }
      await sweeper.close();
      const unknown = await owner<{ id: number; seconds: number }[]>`
      select id, extract(epoch from updated_at - created_at)::double precision as seconds from autonomous_action where status = 'unknown'`;
      console.error('UNKNOWN', unknown.length, acts.length);
      expect(unknown.length).toBeGreaterThan(0);
      expect(new Set(told.map(({ id }) => id))).toEqual(new Set(unknown.map(({ id }) => id)));
      expect(told).toHaveLength(unknown.length);
      expect(Math.max(...unknown.map(({ seconds }) => seconds))).toBeLessThan(60);
      expect(await verify(made.database)).toMatchObject({ ok: true });
      rmSync(folder, { recursive: true, force: true });
    },
  );
});
