// Decisions on record: whole, never changed, of one company only, also many at once.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DecisionLog, addDecisionEvent, connect, listDecisions, readDecision } from '#audit/index.js';
import type { Connection, DecisionRow } from '#audit/index.js';
import { addCompany, superuser, testDatabase } from './support/database.js';
import type { TestDatabase } from './support/database.js';

let made: TestDatabase;
let app: Connection;
let owner: Connection;

beforeAll(async () => {
  made = await testDatabase();
  owner = superuser(made);
  app = connect(made.database, { role: 'app', max: 2 });
});

afterAll(async () => {
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
