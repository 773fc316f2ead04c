// Decisions on record: whole, never changed, of one company only, also many at once.

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DecisionLog,
  addDecisionEvent,
  connect,
  exportHeads,
  listDecisions,
  migrate,
  readDecision,
  rollback,
  signingKey,
  verify,
  verifyWithin,
} from '#audit/index.js';
import type { Connection, DecisionRow, VerifyResult } from '#audit/index.js';
import { shippedMigrations } from '#audit/migrate.js';
import { addCompany, superuser, testDatabase } from './support/database.js';
import type { TestDatabase } from './support/database.js';
import { silentProxy } from './support/silent-proxy.js';

let made: TestDatabase;
let app: Connection;
let owner: Connection;
let folder: string;

beforeAll(async () => {
  made = await testDatabase();
  owner = superuser(made);
  folder = mkdtempSync(join(tmpdir(), 'fleetstep-decisions-'));
  app = connect(made.database, { role: 'app', max: 2 });
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await app.end();
  await owner.end();
  await made.remove();
});

function decision(companyId: number, more: Partial<DecisionRow> = {}): DecisionRow {
  return {
    id: randomUUID(),
    companyId,
    requestedBy: 'tester',
    idempotencyKey: null,
    mode: 'recommend',
    policy: 'hungarian',
    policyHash: 'a'.repeat(64),
    stateHash: 'b'.repeat(64),
    fallback: null,
    assigned: 3,
    waiting: 2,
    unassigned: 1,
    request: Uint8Array.from({ length: 3000 }, (_, k) => k),
    answer: new Uint8Array([0, 255, 10, 92]),
    ...more,
  };
}

describe('the log of decisions', () => {
  it('keeps every byte, with what became of it, and only for its company', async () => {
    const { id: company } = await addCompany(owner, 'one');
    const { id: other } = await addCompany(owner, 'two');
    const log = new DecisionLog(made.database, { deadlineMs: 20_000 });
    const row = decision(company);
    await log.record(row);
    await addDecisionEvent(app, row, { kind: 'outcome', by: 'dispatcher', detail: { shipment: 7, accepted: true } });
    const read = await readDecision(app, row.id, company);
    expect({ ...read, request: new Uint8Array(read.request), answer: new Uint8Array(read.answer) }).toMatchObject(row);
    expect(read.events).toMatchObject([{ kind: 'outcome', by: 'dispatcher', detail: { shipment: 7, accepted: true } }]);
    await expect(readDecision(app, row.id, other)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await expect(
      addDecisionEvent(app, { id: row.id, companyId: other }, { kind: 'outcome', by: 'x', detail: {} }),
    ).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    await log.close();
  });

  it('takes many at once, and one of an unknown company does not void the others', async () => {
    const { id: company } = await addCompany(owner, 'many');
    const log = new DecisionLog(made.database, { deadlineMs: 20_000 });
    const rows = Array.from({ length: 100 }, (_, k) => decision(k === 40 ? 999_999 : company));
    const results = await Promise.allSettled(rows.map((row) => log.record(row)));
    expect(results.map(({ status }) => status)).toEqual(rows.map((_, k) => (k === 40 ? 'rejected' : 'fulfilled')));
    expect((results[40] as PromiseRejectedResult).reason).toMatchObject({ code: 'ERR_NOT_FOUND' });
    const [first, second] = [await listDecisions(app, { companyId: company, limit: 60 }), [] as unknown[]];
    second.push(...(await listDecisions(app, { companyId: company, limit: 60, before: first.at(-1)!.id })));
    expect([first.length, second.length]).toEqual([60, 39]);
    await log.close();
  });

  it('is bound to the ledger: what is edited, deleted or added shows, in hours that are over and in the one under way', async () => {
    const { id: company } = await addCompany(owner, 'bound');
    const log = new DecisionLog(made.database, { deadlineMs: 20_000 });
    const made3 = async (): Promise<DecisionRow[]> => {
      const rows = [decision(company), decision(company, { idempotencyKey: randomUUID() }), decision(company)];
      for (const row of rows) await log.record(row);
      await addDecisionEvent(app, rows[1], { kind: 'outcome', by: 'dispatcher', detail: { shipment: '"7\u00e9\n' } });
      return rows;
    };
    const old = await made3();
    // An hour ago, by the head's clock; the next one closes that hour.
    await owner`update decision_head set hour = hour - interval '1 hour' where company_id = ${company}`;
    const young = await made3();
    await log.close();
    const seals = await owner<{ detail: object }[]>`
      select detail from audit_ledger where company_id = ${company} and kind = 'decisions'`;
    expect(seals.map(({ detail }) => detail)).toMatchObject([{ from: 1, through: 4 }]);
    const sound = await verify(made.database);
    expect(sound).toMatchObject({ ok: true, findings: [] });
    expect(sound.decisions).toBeGreaterThanOrEqual(8);

    const file = join(folder, 'heads.jsonl');
    const keyFile = join(folder, 'key.pem');
    const after = async (tamper: (tx: Connection) => Promise<unknown>, signed = false): Promise<VerifyResult> => {
      let result: VerifyResult | undefined;
      const undo = new Error('undone');
      await owner
        .begin(async (transaction) => {
          const tx = transaction as unknown as Connection;
          await tx`set local session_replication_role = replica`;
          await tamper(tx);
          result = await verifyWithin([tx], signed ? { heads: { file, publicKey: `${keyFile}.pub` } } : {});
          throw undo;
        })
        .catch((error: unknown) => {
          if (error !== undo) throw error;
        });
      return result!;
    };
    const columns = await owner<{ name: string; type: string }[]>`
      select attname as name, format_type(atttypid, null) as type from pg_attribute
      where attrelid = 'decision'::regclass and attnum > 0 and not attisdropped`;
    const other: Record<string, string> = {
      uuid: `'00000000-0000-4000-8000-000000000000'`,
      bigint: '99',
      integer: '99',
      bytea: `'\\x00'`,
      text: `'forged'`,
    };
    for (const [row, span] of [
      [old[1], 'decisions 1 to 4 of'],
      [young[1], 'decisions 5 to 8 of the hour under way'],
    ] as const) {
      const found = { ok: false, companyId: company, firstBad: expect.stringContaining(span) as string };
      for (const { name, type } of columns) {
        const value = other[type] ?? `"${name}" + interval '1 millisecond'`;
        const result = await after((tx) =>
          tx.unsafe(`update decision set "${name}" = ${value} where id = '${row.id}'`),
        );
        expect(result.ok, name).toBe(false);
        if (name !== 'company_id' && name !== 'seq') expect(result).toMatchObject(found);
      }
      expect(await after((tx) => tx`delete from decision where id = ${row.id}`)).toMatchObject({
        ...found,
        reason: 'are missing',
        expected: '4 decisions and events',
        actual: '3',
      });
      for (const change of [`detail = '{}'`, `by = 'x'`, `kind = 'acts'`, `at = at + interval '1 millisecond'`]) {
        expect(
          await after((tx) => tx.unsafe(`update decision_event set ${change} where decision_id = '${row.id}'`)),
        ).toMatchObject(found);
      }
      expect(await after((tx) => tx`delete from decision_event where decision_id = ${row.id}`)).toMatchObject(found);
    }
    const swap = (tx: Connection): Promise<unknown> =>
      tx.unsafe(`
        update decision set seq = -seq where company_id = ${company} and seq in (5, 6);
        update decision set seq = 11 + seq where company_id = ${company} and seq < 0`);
    expect(await after(swap)).toMatchObject({ ok: false, reason: 'were edited' });
    const forge = (seq: string) => (tx: Connection) =>
      tx.unsafe(`
        insert into decision (id, company_id, requested_by, mode, policy, policy_hash, state_hash, assigned, waiting, unassigned, request,
          answer, seq)
        values ('${randomUUID()}', ${company}, 'x', 'x', 'x', 'x', 'x', 0, 0, 0, '', '', ${seq})`);
    expect(await after(forge('9'))).toMatchObject({ ok: false, reason: 'are beyond what the head says' });
    expect(await after(forge('null'))).toMatchObject({ ok: false, reason: 'are not as many' });
    expect(await after((tx) => tx`delete from decision_head where company_id = ${company}`)).toMatchObject({
      ok: false,
    });

    // Who may do anything can also put the head back: then only what was signed knows, which is why heads are exported.
    await exportHeads(owner, file, signingKey(keyFile));
    const cut = (tx: Connection): Promise<unknown> =>
      tx.unsafe(`
        delete from decision where company_id = ${company}; delete from decision_event where company_id = ${company};
        delete from audit_ledger where company_id = ${company} and kind = 'decisions';
        update decision_head set seq = 0, hash = sha256('fleetstep'), sealed = 0, hour = null where company_id = ${company};
        update audit_head h set (seq, hash) = (select seq, hash from audit_ledger l where l.company_id = ${company} order by seq desc limit 1)
        where company_id = ${company}`);
    expect(await after(cut)).toMatchObject({ ok: true });
    expect(await after(cut, true)).toMatchObject({ ok: false, reason: 'was signed, and is gone', companyId: company });
    expect(await verify(made.database, { heads: { file, publicKey: `${keyFile}.pub` } })).toMatchObject({ ok: true });
  });

  it('binds decisions from before they were numbered', async () => {
    const upgraded = await testDatabase({ migrated: false });
    const superOwner = superuser(upgraded);
    try {
      await migrate(upgraded.database);
      await rollback(upgraded.database, shippedMigrations().length - 5, true);
      const [{ id: company }] = await superOwner<[{ id: number }]>`
        insert into company (name) values ('early') returning id`;
      const ids = [randomUUID(), randomUUID(), randomUUID()];
      for (const id of ids) {
        await superOwner`
          insert into decision (id, company_id, requested_by, mode, policy, policy_hash, state_hash, assigned, waiting,
            unassigned, request, answer)
          values (${id}, ${company}, 'x', 'x', 'x', 'x', 'x', 1, 2, 3, ${Buffer.from([1, 2])}, ${Buffer.from([])})`;
      }
      await superOwner`
        insert into decision_event (decision_id, company_id, kind, by, detail) values (${ids[0]}, ${company}, 'acts', 'x', '{}')`;
      await migrate(upgraded.database);
      expect(await verify(upgraded.database)).toMatchObject({ ok: true, decisions: 4 });
      const log = new DecisionLog(upgraded.database, { deadlineMs: 20_000 });
      await log.record(decision(company));
      await log.close();
      expect(await verify(upgraded.database)).toMatchObject({ ok: true, decisions: 5 });
      await superOwner`set session_replication_role = replica`;
      await superOwner`update decision set answer = 'x' where id = ${ids[1]}`;
      expect(await verify(upgraded.database)).toMatchObject({ ok: false, reason: 'were edited', companyId: company });
    } finally {
      await superOwner.end();
      await upgraded.remove();
    }
  });

  it('replaces connections that have gone silent after a few deadlines, and goes on', async () => {
    const { id: company } = await addCompany(owner, 'silent');
    const proxy = await silentProxy(made.database);
    const log = new DecisionLog(proxy.database, { deadlineMs: 500 });
    /** Deadlines that pass, one after the other, until a decision is on record. */
    const missed = async (): Promise<number> => {
      for (let count = 0; ; count++) {
        const recorded = await log.record(decision(company)).then(
          () => true,
          (error: unknown) => {
            expect(error).toMatchObject({ code: expect.stringMatching(/ERR_DATABASE|ERR_DEADLINE/) as string });
            return false;
          },
        );
        if (recorded) return count;
      }
    };
    await missed();
    proxy.silence();
    const count = await missed();
    // Eleven pass when a connection is given up five seconds after its deadline.
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(6);
    await log.close();
    await proxy.close();
  });

  it('is changed by nobody: not by the application, not by the owner', async () => {
    const { id: company } = await addCompany(owner, 'guarded');
    const log = new DecisionLog(made.database, { deadlineMs: 20_000 });
    await log.record(decision(company));
    await log.close();
    for (const table of ['decision', 'decision_event']) {
      for (const statement of [
        `delete from ${table}`,
        `truncate ${table} cascade`,
        `update ${table} set company_id = 1`,
      ]) {
        await expect(app.unsafe(statement), statement).rejects.toThrow(/permission denied|append-only/);
        await expect(owner.unsafe(statement), statement).rejects.toThrow(/append-only|never|not/);
      }
    }
    await expect(app.unsafe(`insert into decision select * from decision`)).rejects.toThrow('permission denied');
  });
});
