// Old acts and decisions leave the record, and the rest still proves itself.

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  DecisionLog,
  Recorder,
  addDecisionEvent,
  connect,
  exportHeads,
  prune,
  readAction,
  reviewAction,
  rollback,
  signingKey,
  verify,
  verifyWithin,
} from '#audit/index.js';
import type { Connection, DecisionRow, PruneOptions, Pruned } from '#audit/index.js';
import { recordPast } from '#bench/past.js';
import { shippedMigrations } from '#audit/migrate.js';
import { addManualCompany, letAct, superuser, testDatabase } from './support/database.js';
import type { TestCompany, TestDatabase } from './support/database.js';

let made: TestDatabase;
let owner: Connection;
let folder: string;
let company: TestCompany;
beforeAll(async () => {
  made = await testDatabase();
  owner = superuser(made);
  folder = mkdtempSync(join(tmpdir(), 'fleetstep-prune-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await owner.end();
  await made.remove();
});

const DAY = 86_400_000;
const NOW = Math.floor(Date.now() / 1000) * 1000;
const daysAgo = (days: number): Date => new Date(NOW - days * DAY);

/** One action a day of the driver, so many days back, the oldest first. */
async function history(days: readonly number[], driverId = company.drivers[0]): Promise<void> {
  const of = { companyId: company.id, driverId, actionType: 'assign', status: 'succeeded', ms: 1 } as const;
  await recordPast(
    owner,
    days.map((age) => ({ ...of, at: daysAgo(age) })),
  );
}

/** A decision and what became of it, as the service puts them on record. */
async function decide(log: DecisionLog, app: Connection): Promise<void> {
  const row: DecisionRow = {
    id: randomUUID(),
    companyId: company.id,
    requestedBy: 'eve',
    idempotencyKey: null,
    mode: 'advise',
    policy: 'p',
    policyHash: 'h',
    stateHash: 's',
    fallback: null,
    assigned: 0,
    waiting: 0,
    unassigned: 0,
    request: new Uint8Array([1]),
    answer: new Uint8Array([2]),
  };
  await log.record(row);
  await addDecisionEvent(app, row, { kind: 'outcome', by: 'eve', detail: {} });
}

/** A moment after everything that is on record. */
async function now(): Promise<Date> {
  await sleep(5);
  const [{ at }] = await owner<[{ at: Date }]>`select clock_timestamp() as at`;
  return at;
}

const heads = (): { file: string; publicKey: string } => ({
  file: join(folder, 'heads.jsonl'),
  publicKey: join(folder, 'key.pem.pub'),
});

function pruned(changes: Partial<PruneOptions> = {}): Promise<Pruned> {
  return prune(made.database, {
    companyId: company.id,
    before: daysAgo(200),
    by: 'eve',
    key: signingKey(join(folder, 'key.pem')),
    ...changes,
  });
}

async function counts(): Promise<{ acts: number; entries: number; decisions: number }> {
  const [row] = await owner<[{ acts: number; entries: number; decisions: number }]>`
    select (select count(*) from autonomous_action where company_id = ${company.id}) as acts,
      (select count(*) from audit_ledger where company_id = ${company.id}) as entries,
      (select count(*) from decision where company_id = ${company.id}) as decisions`;
  return row;
}

/** Does `work` with the guards taken away, and takes it back; gives what is found first, or `ok`. */
async function tampered(work: (tx: Connection) => Promise<unknown>): Promise<string> {
  const undo = new Error('undone');
  let found = '';
  await owner
    .begin(async (transaction) => {
      const tx = transaction as unknown as Connection;
      for (const action of ['disable', 'enable']) {
        for (const table of ['audit_ledger', 'autonomous_action'])
          await tx.unsafe(`alter table ${table} ${action} trigger all`);
        if (action === 'disable') await work(tx);
      }
      found = String((await verifyWithin([tx], { heads: heads() })).firstBad ?? 'ok');
      throw undo;
    })
    .catch((error: unknown) => {
      if (error !== undo) throw error;
    });
  return found;
}

beforeEach(async () => {
  // Nothing is on its record yet: what comes first is the oldest.
  company = await addManualCompany(owner);
});

describe('pruning', () => {
  it('takes the oldest entries with their acts, and the rest verifies, signed heads included', async () => {
    await history([400, 300, 250, 100, 50, 10]);
    const before = await counts();
    await exportHeads(owner, heads().file, signingKey(join(folder, 'key.pem')));
    const plan = await pruned({ dryRun: true });
    expect(plan).toMatchObject({ acts: 3, dryRun: true, held: [] });
    expect(plan.firstAt).toEqual(daysAgo(400));
    expect(await counts()).toEqual(before);

    expect(await pruned()).toEqual({ ...plan, dryRun: false });
    expect(await counts()).toEqual({ ...before, acts: 3, entries: before.entries - plan.entries + 1 });
    expect(await verify(made.database)).toMatchObject({ ok: true });
    expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });
    const [stone] = await owner<[{ detail: Record<string, unknown> }]>`
      select detail from audit_ledger where company_id = ${company.id} and kind = 'pruned'`;
    expect(stone.detail).toMatchObject({ by: 'eve', from: plan.from, through: plan.through, acts: 3 });

    // The record goes on, and is pruned again, what stands for the first time included.
    await letAct(owner, company.id);
    const recorder = new Recorder(made.database, { deadlineMs: 20_000 });
    const act = (): Promise<unknown> =>
      recorder.act(
        { companyId: company.id, actionType: 'assign', description: 'x', triggerSource: 'test' },
        () => undefined,
      );
    await act();
    const again = await pruned({ before: daysAgo(30), allowYoung: true });
    expect(again).toMatchObject({ acts: 2, from: plan.through! + 1 });
    expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });
    await act();
    await recorder.close();
    const all = await pruned({ before: await now(), allowYoung: true });
    expect(all).toMatchObject({ acts: 3 });
    expect(await counts()).toEqual({ acts: 0, entries: 1, decisions: 0 });
    expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });
    expect(await pruned()).toMatchObject({ entries: 0, acts: 0, from: null, through: null });
    expect(await counts()).toEqual({ acts: 0, entries: 1, decisions: 0 });
  });

  it('takes decisions with what became of them, up to where the ledger speaks of them', async () => {
    const app = connect(made.database, { role: 'app', max: 1 });
    const log = new DecisionLog(made.database, { deadlineMs: 20_000 });
    await decide(log, app);
    await decide(log, app);
    const key = signingKey(join(folder, 'key.pem'));
    await exportHeads(owner, heads().file, key);
    expect(await pruned()).toMatchObject({ decisions: 0 });
    expect((await counts()).decisions).toBe(2);
    expect(await pruned({ before: await now(), allowYoung: true })).toMatchObject({ decisions: 4 });
    expect((await counts()).decisions).toBe(0);
    expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });
    await decide(log, app);
    expect((await counts()).decisions).toBe(1);
    await exportHeads(owner, heads().file, key);
    expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });
    expect(await pruned({ before: await now(), allowYoung: true })).toMatchObject({ decisions: 2 });
    expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });
    await log.close();
    await app.end();
  });

  it('lets a driver go whose acts are gone', async () => {
    await history([300, 299], company.drivers[2]);
    await history([5], company.drivers[0]);
    const remove = (id: number): Promise<unknown> => owner`delete from driver where id = ${id}`.then(() => 'gone');
    await expect(remove(company.drivers[2])).rejects.toThrow(/foreign key/);
    await pruned();
    expect(await remove(company.drivers[2])).toBe('gone');
    await expect(remove(company.drivers[0])).rejects.toThrow(/foreign key/);
  });

  it('keeps what is unfinished, or was reviewed since, whole; everything else goes', async () => {
    await history([400, 300]);
    await history([260]);
    await history([250, 240]);
    const rows = await owner<{ id: number }[]>`
      select id from autonomous_action where company_id = ${company.id} order by seq`;
    const { id } = rows[2];
    await reviewAction(owner, id, { reviewer: 'ann' });
    await exportHeads(owner, heads().file, signingKey(join(folder, 'key.pem')));
    const reviewed = await readAction(owner, id);
    const before = await counts();
    const plan = await pruned({ dryRun: true });
    expect(plan).toMatchObject({ acts: 4, held: [id] });
    expect(await pruned()).toEqual({ ...plan, dryRun: false });
    // All of its entries are there, and those of no other.
    expect(await counts()).toEqual({ ...before, acts: 1, entries: before.entries - plan.entries + 1 });
    expect(await readAction(owner, id)).toEqual(reviewed);
    expect(reviewed.entries.map(({ kind }) => kind)).toEqual(['intended', 'outcome', 'review']);
    expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });
    expect(await pruned()).toMatchObject({ acts: 0, entries: 0, held: [id] });
    expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });

    await letAct(owner, company.id);
    const recorder = new Recorder(made.database, { deadlineMs: 20_000 });
    let during: Pruned | undefined;
    await recorder.act(
      { companyId: company.id, actionType: 'assign', description: 'x', triggerSource: 'test' },
      async ({ actionId }) => {
        during = await pruned({ before: await now(), allowYoung: true });
        expect(during.held).toEqual([actionId]);
        expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });
      },
    );
    await recorder.close();
    // The one that was reviewed has no entry since, and goes as well.
    expect(during).toMatchObject({ acts: 1 });
    expect((await counts()).acts).toBe(1);
    expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });
    expect(await pruned({ before: await now(), allowYoung: true })).toMatchObject({ acts: 1, held: [] });
    expect(await verify(made.database, { heads: heads() })).toMatchObject({ ok: true });
  });

  it('takes what lies between those that stay, before them and after them', async () => {
    await history([400, 390, 380, 370, 360, 350, 340, 330]);
    const all = await owner<{ id: number }[]>`
      select id from autonomous_action where company_id = ${company.id} order by seq`;
    const [first, , third, , , sixth] = all.map(({ id }) => id);
    const held = [first, third, sixth];
    for (const id of held) await reviewAction(owner, id, { reviewer: 'ann' });
    expect(await pruned({ before: daysAgo(335) })).toMatchObject({ acts: 4, held });
    expect(await verify(made.database)).toMatchObject({ ok: true });
    // What stays may be reviewed again, as ever.
    await reviewAction(owner, third, { reviewer: 'bob' });
    expect(await verify(made.database)).toMatchObject({ ok: true });
    const before = await now();
    await reviewAction(owner, third, { reviewer: 'cid' });
    expect(await pruned({ before, allowYoung: true })).toMatchObject({ acts: 3, held: [third] });
    expect(await verify(made.database)).toMatchObject({ ok: true });
  });

  it('finds every change of what it has left', async () => {
    await history([400, 300, 250, 100]);
    const rows = await owner<{ id: number }[]>`
      select id from autonomous_action where company_id = ${company.id} order by seq`;
    await reviewAction(owner, rows[1].id, { reviewer: 'ann' });
    await pruned();
    const [{ seq }] = await owner<[{ seq: number }]>`
      select min(seq) as seq from audit_ledger where company_id = ${company.id}`;
    const at = (tx: Connection): ReturnType<Connection> => tx`company_id = ${company.id} and seq = ${seq}`;
    const about = `entries up to`;
    expect(await tampered((tx) => tx`update audit_ledger set hash = sha256('x') where ${at(tx)}`)).toMatch(about);
    expect(await tampered((tx) => tx`delete from audit_ledger where ${at(tx)}`)).toMatch(about);
    expect(await tampered((tx) => tx`update audit_ledger set at = at + interval '1 s' where ${at(tx)}`)).toBe(
      String(rows[1].id),
    );
    expect(
      await tampered(async (tx) => {
        await tx`update autonomous_action set action_description = 'other' where id = ${rows[1].id}`;
        await tx`
          update audit_ledger set digest = audit_birth_digest(kind, a) from autonomous_action a
          where a.id = ${rows[1].id} and audit_ledger.company_id = ${company.id} and audit_ledger.seq = ${seq}`;
      }),
    ).toMatch(about);
  });

  it('is done by nobody but the owner, for no other company, and only for what is old enough', async () => {
    await history([400, 100]);
    const other = company;
    company = await addManualCompany(owner);
    await history([400, 100]);
    await expect(pruned({ before: daysAgo(150) })).rejects.toMatchObject({
      code: 'ERR_FIELD',
      message: expect.stringMatching(/"before" is .*six months/) as string,
    });
    await expect(pruned({ companyId: 999_999 })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(pruned({ before: '2020-02-30' })).rejects.toMatchObject({ code: 'ERR_FIELD' });
    await expect(pruned({ before: new Date(Date.now() + DAY), allowYoung: true })).rejects.toMatchObject({
      code: 'ERR_FIELD',
      message: expect.stringMatching(/"before" is .*: that has not come/) as string,
    });
    await expect(pruned({ key: undefined })).rejects.toMatchObject({ code: 'ERR_HEADS' });
    expect(await pruned({ key: undefined, dryRun: true })).toMatchObject({ acts: 1 });
    await expect(pruned({ by: '' })).rejects.toMatchObject({ code: 'ERR_FIELD' });
    const database = { ...made.database, ownerUrl: made.database.appUrl };
    await expect(
      prune(database, {
        companyId: company.id,
        before: daysAgo(200),
        by: 'x',
        key: signingKey(join(folder, 'key.pem')),
      }),
    ).rejects.toMatchObject({ code: 'ERR_NOT_MIGRATED' });
    expect((await counts()).acts).toBe(2);
    await pruned();
    expect((await counts()).acts).toBe(1);
    company = other;
    expect((await counts()).acts).toBe(2);
    // Its name alone opens no other company's rows.
    await expect(
      owner.begin(async (tx) => {
        await tx`select set_config('fleetstep.prune', '999', true)`;
        await tx`delete from autonomous_action where company_id = ${company.id}`;
      }),
    ).rejects.toMatchObject({ code: 'FS403' });
  });

  it('shows what was done to what stands for it, or without it', async () => {
    await history([400, 300, 10]);
    await exportHeads(owner, heads().file, signingKey(join(folder, 'key.pem')));
    await pruned();
    expect(await tampered(() => Promise.resolve())).toBe('ok');
    const stone = (tx: Connection, change: string): Promise<unknown> =>
      tx.unsafe(`update audit_ledger set detail = ${change} where company_id = ${company.id} and kind = 'pruned'`);
    expect(await tampered((tx) => stone(tx, `detail || '{"acts": 1}'`))).not.toBe('ok');
    expect(await tampered((tx) => stone(tx, `detail || '{"through": 1}'`))).not.toBe('ok');
    expect(await tampered((tx) => stone(tx, `detail || '{"firstAt": null}'`))).not.toBe('ok');
    expect(
      await tampered((tx) => tx`delete from audit_ledger where company_id = ${company.id} and kind = 'pruned'`),
    ).not.toBe('ok');
    // One that is chained as it should be, but not signed by whoever signs the heads.
    const forged = async (tx: Connection): Promise<void> => {
      await stone(tx, `detail || '{"by": "mallory"}'`);
      await tx`
        update audit_ledger set digest = audit_detail_digest(kind, action_id, detail, at)
        where company_id = ${company.id} and kind = 'pruned'`;
      await tx`
        update audit_ledger l set hash = audit_chain(p.hash, l.seq, l.digest) from audit_ledger p
        where l.company_id = ${company.id} and l.kind = 'pruned' and p.company_id = l.company_id and p.seq = l.seq - 1`;
      await tx`
        update audit_head h set hash = l.hash from audit_ledger l
        where l.company_id = ${company.id} and l.kind = 'pruned' and h.company_id = l.company_id`;
    };
    expect(await tampered(forged)).not.toBe('ok');
    // A record that does not verify is not pruned.
    await owner`alter table autonomous_action disable trigger guard_update`;
    try {
      await expect(pruned()).rejects.toThrow(/not as it was written/);
    } finally {
      await owner`alter table autonomous_action enable trigger guard_update`;
    }
  });

  it('is not forgotten by a rollback', async () => {
    await history([400]);
    await pruned();
    const steps = shippedMigrations().length - 5;
    await expect(rollback(made.database, steps, false)).rejects.toMatchObject({ code: 'ERR_MIGRATION' });
  });
});
