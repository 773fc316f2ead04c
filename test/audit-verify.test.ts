// Tampering, as a superuser would: all of it must show.

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Recorder,
  configure,
  exportHeads,
  resetBreaker,
  reviewAction,
  setLimits,
  signingKey,
  stopAll,
  verify,
  verifyWithin,
} from '#audit/index.js';
import type { Connection, VerifyResult } from '#audit/index.js';
import { RandomStream, Purpose } from '#engine/index.js';
import { addCompany, liftLimits, superuser, testDatabase } from './support/database.js';
import type { TestDatabase } from './support/database.js';
import { sized, told } from './support/size.js';

let made: TestDatabase;
let owner: Connection;
let folder: string;
const companies: number[] = [];

beforeAll(async () => {
  made = await testDatabase();
  owner = superuser(made);
  folder = mkdtempSync(join(tmpdir(), 'fleetstep-heads-'));
  for (let k = 0; k < 3; k++) companies.push((await addCompany(owner)).id);
  await liftLimits(owner);
  for (const id of companies) await configure(owner, id, { breakerFailures: 0 }, 'test');
  const recorder = new Recorder(made.database, { deadlineMs: 20_000 });
  const random = new RandomStream(3, Purpose.action);
  for (let k = 0; k < 120; k++) {
    const companyId = companies[random.integer(0, 2)];
    const draw = random.float();
    await recorder
      .act(
        {
          companyId,
          actionType: draw < 0.1 ? 'redistribute' : 'assign',
          description: `act ${k}`,
          triggerSource: 'test',
          data: { k },
          confidenceScore: random.float(),
          dryRun: draw > 0.9,
        },
        () => {
          if (draw < 0.3) throw new Error(`broken ${k}`);
        },
      )
      .catch(() => undefined);
  }
  await recorder.close();
  for (const companyId of companies) {
    await configure(owner, companyId, { adjustTimeMaxMinutes: 20 }, 'test');
    await setLimits(owner, companyId, [{ scope: 'all', per: 'day', capacity: 900 }], 'test');
  }
  const rows = await owner<{ id: number }[]>`select id from autonomous_action order by id limit 20`;
  for (const { id } of rows) await reviewAction(owner, id, { reviewer: 'ann', notes: `seen ${id}` });
  await reviewAction(owner, rows[0].id, { reviewer: 'bob' });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await owner.end();
  await made.remove();
});

/** What `verify` says after `tamper`, which is then undone. */
async function after(
  tamper: (tx: Connection) => Promise<unknown>,
  heads?: { file: string; publicKey: string },
): Promise<VerifyResult> {
  let result: VerifyResult | undefined;
  const undo = new Error('undone');
  await owner
    .begin(async (transaction) => {
      const tx = transaction as unknown as Connection;
      // Guards and foreign keys do not bind a superuser.
      await tx`set local session_replication_role = replica`;
      await tamper(tx);
      result = await verifyWithin([tx], { heads });
      throw undo;
    })
    .catch((error: unknown) => {
      if (error !== undo) throw error;
    });
  return result!;
}

/** Values that differ from `value`, by its type. */
function different(value: unknown, type: string, random: RandomStream): unknown {
  switch (type) {
    case 'bigint':
      return value === null ? 1 : (value as number) + 100_000;
    case 'boolean':
      return value === null ? true : !(value as boolean);
    case 'double precision':
      return value === null ? 0.5 : (value as number) + 2 ** -30;
    case 'jsonb':
      return { forged: random.integer(0, 1e9) };
    case 'bytea': {
      const bytes = Buffer.from(value as Buffer);
      bytes[random.integer(0, bytes.length - 1)] ^= 1;
      return bytes;
    }
    case 'uuid':
      return '00000000-0000-4000-8000-000000000000';
    case 'action_type':
      return value === 'assign' ? 'reassign' : 'assign';
    case 'action_status':
      return value === 'succeeded' ? 'unknown' : 'succeeded';
    case 'ledger_kind':
      return value === 'review' ? 'outcome' : 'review';
    default:
      if (type.startsWith('timestamp')) {
        return value === null ? new Date(0) : new Date((value as Date).getTime() + 1);
      }
      return `${(value as string | null) ?? ''}.`;
  }
}

interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
}

describe('verify', () => {
  it('finds an untouched record sound', async () => {
    const result = await verify(made.database);
    expect(result).toMatchObject({ ok: true, rows: 120 });
    expect(result.entries).toBeGreaterThan(200);
    expect(result.firstBad).toBeUndefined();
  });

  it('finds an edit of any column of any table of the record', { tags: ['attack'] }, async () => {
    const columns = await owner<Column[]>`
      select relname as table, attname as name, format_type(atttypid, null) as type
      from pg_attribute join pg_class c on c.oid = attrelid
      where relname in ('autonomous_action', 'audit_ledger', 'audit_head', 'action_review') and attnum > 0
        -- An identity column cannot be updated; deleting and inserting anew is tried below.
        and attidentity = '' order by 1, attnum`;
    const random = new RandomStream(5, Purpose.action);
    const missed: string[] = [];
    for (const { table, name, type } of columns) {
      // Each kind of act has its own entries, and so its own way of being found out.
      const kind = table === 'autonomous_action' ? owner`t.status` : owner`0`;
      const rows = await owner`
        select ctid::text as ctid, value from (
          select t.ctid, ${owner(name)} as value, row_number() over (partition by ${kind} order by random()) as n
          from ${owner(table)} t
        ) as drawn where n <= ${sized(1, 3)}`;
      for (const row of rows) {
        const result = await after(
          (tx) =>
            tx`update ${tx(table)} set ${tx({ [name]: different(row['value'], type, random) })} where ctid = ${row['ctid'] as string}::tid`,
        );
        if (result.ok) missed.push(`${table}.${name} at ${String(row['ctid'])}`);
      }
    }
    // What a refusal's or an intent's entry does not use is still compared.
    expect(missed).toEqual([]);
    expect(columns.length).toBeGreaterThan(40);
  });

  const edits = sized(100, 1000);
  it(`finds ${told(edits)} random edits, deletions, swaps and truncations`, { tags: ['attack'] }, async () => {
    const random = new RandomStream(7, Purpose.action);
    const columns = await owner<Column[]>`
      select relname as table, attname as name, format_type(atttypid, null) as type
      from pg_attribute join pg_class c on c.oid = attrelid
      where relname in ('autonomous_action', 'audit_ledger', 'action_review') and attnum > 0 and attname not in ('id')
      order by 1, attnum`;
    const missed: string[] = [];
    const wrong: string[] = [];
    for (let k = 0; k < edits; k++) {
      const way = random.integer(0, 4);
      let what = '';
      let victim: number | undefined;
      const result = await after(async (tx) => {
        const pick = async (table: string, count: number): Promise<{ ctid: string; id: number }[]> => {
          const id = table === 'autonomous_action' ? tx`id` : tx`action_id`;
          const rows = await tx<
            { ctid: string; id: number }[]
          >`select ctid::text, ${id} as id from ${tx(table)} order by ctid`;
          return Array.from({ length: count }, () => rows[random.integer(0, rows.length - 1)]);
        };
        const tables = ['autonomous_action', 'audit_ledger', 'action_review'];
        if (way === 0) {
          const { table, name, type } = columns[random.integer(0, columns.length - 1)];
          const [{ ctid, id }] = await pick(table, 1);
          what = `edit ${table}.${name}`;
          if (table === 'autonomous_action') victim = id;
          const [{ value }] = await tx`select ${tx(name)} as value from ${tx(table)} where ctid = ${ctid}::tid`;
          await tx`update ${tx(table)} set ${tx({ [name]: different(value, type, random) })} where ctid = ${ctid}::tid`;
        } else if (way === 1) {
          const table = tables[random.integer(0, 2)];
          const [{ ctid, id }] = await pick(table, 1);
          what = `delete of ${table}`;
          if (table === 'autonomous_action') victim = id;
          await tx`delete from ${tx(table)} where ctid = ${ctid}::tid`;
        } else if (way === 2) {
          // Two acts change places under their ids: each is in itself well formed.
          let one = { id: 0 };
          let other = { id: 0 };
          while (one.id === other.id) [one, other] = await pick('autonomous_action', 2);
          what = 'swap of acts';
          await tx`
            update autonomous_action a set action_description = b.action_description, action_data = b.action_data,
              created_at = b.created_at, confidence_score = b.confidence_score, seq = b.seq, company_id = b.company_id
            from autonomous_action b where (a.id, b.id) in ((${one.id}, ${other.id}), (${other.id}, ${one.id}))`;
        } else if (way === 3) {
          // Two entries of a chain change places.
          const company = companies[random.integer(0, 2)];
          const [{ last }] = await tx<
            [{ last: number }]
          >`select max(seq) as last from audit_ledger where company_id = ${company}`;
          const seq = random.integer(1, last - 1);
          what = 'swap of entries';
          await tx`update audit_ledger set seq = -1 where company_id = ${company} and seq = ${seq}`;
          await tx`update audit_ledger set seq = ${seq} where company_id = ${company} and seq = ${seq + 1}`;
          await tx`update audit_ledger set seq = ${seq + 1} where company_id = ${company} and seq = -1`;
        } else {
          const company = companies[random.integer(0, 2)];
          const [{ last }] = await tx<
            [{ last: number }]
          >`select max(seq) as last from audit_ledger where company_id = ${company}`;
          const from = random.integer(1, last);
          what = `truncation at ${from} of ${last}`;
          await tx`delete from audit_ledger where company_id = ${company} and seq >= ${from}`;
          if (random.float() < 0.5) {
            const gone =
              await tx`delete from autonomous_action where company_id = ${company} and seq >= ${from} returning id`;
            what += `, ${gone.length} acts`;
          }
        }
      });
      if (result.ok) missed.push(what);
      else if (victim !== undefined && result.firstBad !== victim)
        wrong.push(`${what}: ${victim}, told ${String(result.firstBad)}`);
    }
    expect(missed).toEqual([]);
    // A single act that was edited or deleted is named; only where it was moved to another company or entry may its neighbour be.
    expect(wrong.filter((text) => !/company_id|\.(outcome_|review_)?seq/.test(text))).toEqual([]);
  });

  it('finds acts and reviews that nobody did, and removed or changed guards and functions', async () => {
    const forged = await after(
      (tx) => tx`
        insert into autonomous_action (company_id, action_type, action_description, trigger_source, created_at, updated_at,
          status, idempotency_key, attempt, act_by, seq)
        select company_id, action_type, 'forged', trigger_source, created_at, updated_at, status, 'forged', attempt, act_by, seq
        from autonomous_action where status = 'dry_run' limit 1`,
    );
    expect(forged).toMatchObject({ ok: false, reason: 'the action has no entry' });
    const review = await after(
      (tx) =>
        tx`insert into action_review (action_id, reviewer, at) select min(id), 'forged', now() from autonomous_action`,
    );
    expect(review).toMatchObject({ ok: false, reason: 'a review has no entry' });
    const tampered: [string, string][] = [
      [`alter table autonomous_action disable trigger guard_update`, 'trigger guard_update on autonomous_action'],
      [`alter table audit_ledger disable trigger all`, 'trigger guard_change on audit_ledger'],
      [`drop trigger guard_truncate on audit_ledger`, 'trigger guard_truncate on audit_ledger'],
      [
        `create or replace function audit_chain(previous bytea, seq bigint, digest bytea) returns bytea language sql immutable as $$ select digest $$`,
        'function audit_chain',
      ],
      [`drop function audit_guard_append_only cascade`, 'function audit_guard_append_only'],
      [`create function audit_extra() returns integer language sql as $$ select 1 $$`, 'function audit_extra'],
    ];
    for (const [statement, firstBad] of tampered) {
      expect(await after((tx) => tx.unsafe(statement)), statement).toMatchObject({ ok: false, firstBad });
    }
    expect(await verify(made.database)).toMatchObject({ ok: true });
  });

  it('finds whatever lends the owner’s rights to the application, wherever it stands, and under whatever name', async () => {
    const definer = (name: string): string =>
      `create function ${name}() returns void language sql security definer as $$ update public.autonomy set stopped = false $$;
       alter function ${name}() owner to fleetstep_owner`;
    const lent: [string, string, RegExp][] = [
      [definer('public.helper'), 'function public.helper()', /^lends the rights of fleetstep_owner, and is not one/],
      [
        `create schema aside; grant usage on schema aside to public; ${definer('aside.helper')}`,
        'function aside.helper()',
        /^lends the rights of fleetstep_owner/,
      ],
      [
        `create view public.handy as select * from public.autonomy; alter view public.handy owner to fleetstep_owner;
         grant select, update on public.handy to fleetstep_app`,
        'table public.handy',
        /^lends the rights of fleetstep_owner to fleetstep_app, .*: UPDATE$/,
      ],
      [
        `grant all on sequence public.autonomous_action_id_seq to fleetstep_app`,
        'sequence public.autonomous_action_id_seq',
        /^may be set by fleetstep_app$/,
      ],
      [`grant create on schema public to fleetstep_app`, 'schema public', /^lets fleetstep_app create in it$/],
    ];
    for (const [statement, what, reason] of lent) {
      const { ok, findings } = await after((tx) => tx.unsafe(statement));
      expect(ok, statement).toBe(false);
      expect(findings, statement).toContainEqual(
        expect.objectContaining({ what, reason: expect.stringMatching(reason) as string }),
      );
    }
    // What others make for themselves is theirs.
    const own = `create role reader; create view public.mine as select count(*) from public.autonomous_action;
      create function public.mine() returns void language sql security definer as $$ select 1 $$;
      create function public.no_lender() returns integer language sql as $$ select 1 $$;
      alter function public.no_lender() owner to fleetstep_owner; grant select on public.mine to reader`;
    expect(await after((tx) => tx.unsafe(own))).toMatchObject({ ok: true });
  });

  it('misses decisions that were bound, also where an entry says that their numbers begin anew', async () => {
    const [companyId] = companies;
    const begin = (rows: string): string => `
      select audit_note(${companyId}, 'settings', jsonb_build_object('origin', 'migration 0007', 'state',
        audit_state(${companyId}) || jsonb_build_object('decisions', jsonb_build_object('rows', ${rows},
          'hash', encode(sha256('fleetstep'), 'hex')))))`;
    const sealed = `
      select decision_record(json_build_array(json_build_object('id', gen_random_uuid(), 'companyId', ${companyId}, 'requestedBy', 'x',
        'mode', 'recommend', 'policy', 'x', 'policyHash', 'x', 'stateHash', 'x', 'assigned', 0, 'waiting', 0, 'unassigned', 0,
        'requestAt', 1, 'answerAt', 1, 'endAt', 1)), '');
      select audit_seal_decisions()`;
    expect(await after((tx) => tx.unsafe(sealed))).toMatchObject({ ok: true });
    const gone = `${sealed}; set local fleetstep.prune = '${companyId}'; delete from decision where company_id = ${companyId};
      update decision_head set seq = 0, sealed = 0, hour = null, hash = sha256('fleetstep') where company_id = ${companyId};
      ${begin('0')}`;
    const { ok, findings } = await after((tx) => tx.unsafe(gone));
    expect(ok).toBe(false);
    expect(findings).toContainEqual(
      expect.objectContaining({
        what: `company ${companyId}, decisions and events`,
        reason: 'had been taken away before their numbers began anew',
        actual: '0',
      }),
    );
  });

  it('finds, and is not stopped by, contents that no entry, bucket or act can have', async () => {
    const [companyId] = companies;
    const note = (chain: number, kind: string, detail: unknown): [string, string] => [
      `select audit_note(${chain}, '${kind}', '${JSON.stringify(detail)}')`,
      `says nothing that an entry of kind ${kind} can say`,
    ];
    const forged: [string, string][] = [
      note(companyId, 'settings', { state: { limits: { a: null }, settings: [1], breakers: { b: 3 } } }),
      note(companyId, 'settings', { state: { limits: 5 } }),
      note(companyId, 'settings', { state: { decisions: 'x' } }),
      note(companyId, 'settings', { after: null }),
      note(companyId, 'settings', { origin: 5, state: {} }),
      note(companyId, 'limit', { bucket: 'all/hour', after: 'x' }),
      note(companyId, 'limit', { bucket: 7 }),
      note(companyId, 'breaker', { actionType: {} }),
      note(companyId, 'decisions', { through: 'x', hash: null }),
      note(companyId, 'pruned', {}),
      note(companyId, 'pruned', null),
      note(0, 'settings', { company: {}, state: {} }),
      note(0, 'settings', { company: companyId, state: { limits: null, settings: null } }),
      note(0, 'settings', { state: { owner: 5, companies: {} } }),
      note(0, 'switch', { stopped: 'no' }),
      [`update token_bucket set tokens = 'NaN' where company_id = ${companyId}`, 'limit all/hour was edited'],
      [`update token_bucket set refilled_at = 'infinity' where company_id = ${companyId}`, 'limit all/hour was edited'],
      [
        `update token_bucket set refilled_at = '-infinity' where company_id = ${companyId}`,
        'limit all/hour was edited',
      ],
      [`update autonomous_action set refusal = 'null' where status = 'succeeded'`, 'the action was edited'],
      [`alter table audit_ledger enable row level security`, 'differs in its row security'],
    ];
    for (const [statement, reason] of forged) {
      const { ok, findings } = await after((tx) => tx.unsafe(statement));
      expect(ok, statement).toBe(false);
      expect(findings, statement).toContainEqual(expect.objectContaining({ reason }));
    }
  });

  it('is not blinded by functions and operators that were planted beside the tables', async () => {
    const [{ id }] = await owner<[{ id: number }]>`
      select id from autonomous_action where status = 'succeeded' order by id limit 1`;
    const plant = `
      create function public.convert_to(text, text) returns bytea language sql as $$ select ''::bytea $$;
      create function public.sha256(text) returns bytea language sql as $$ select ''::bytea $$;
      create function public.count(integer) returns bigint language sql as $$ select 0::bigint $$;
      create function public.same(bytea, text) returns boolean language sql as $$ select true $$;
      create operator public.= (leftarg = bytea, rightarg = text, function = public.same);
      create operator public.<> (leftarg = bytea, rightarg = text, function = public.same);
      update autonomous_action set action_description = 'forged' where id = ${id}`;
    // Also where the session looks in `public` first.
    const { ok, findings } = await after((tx) => tx.unsafe(`set local search_path = public, pg_catalog; ${plant}`));
    expect(ok).toBe(false);
    expect(findings).toContainEqual(expect.objectContaining({ what: id, reason: 'the action was edited' }));
    expect(findings).toContainEqual(expect.objectContaining({ what: 'function public.sha256(text)' }));
  });

  it('finds edits of settings, limits, switches and breakers that are on no entry, and of those that were put back before the next change', async () => {
    const [, company] = companies;
    const edits: [string, RegExp, string?, string?][] = [
      [
        `update autonomy set mode = 'MANUAL' where company_id = ${company}`,
        /setting mode was edited/,
        'FULLY_AUTO',
        'MANUAL',
      ],
      [`update autonomy set stopped = true where company_id = ${company}`, /setting stopped was edited/],
      [
        `update autonomy set breaker_failures = 1000 where company_id = ${company}`,
        /setting breaker_failures was edited/,
        '0',
        '1000',
      ],
      [
        `update autonomy set own_approval = true where company_id = ${company}`,
        /setting own_approval was edited/,
        'false',
        'true',
      ],
      [`delete from autonomy where company_id = ${company}`, /the settings are missing/],
      [
        `update token_bucket set capacity = 50000 where company_id = ${company} and scope = 'all' and per = 'day'`,
        /limit all\/day was edited/,
        '{"kind":"bucket","capacity":900}',
        '{"kind":"bucket","capacity":50000}',
      ],
      [
        `update token_bucket set kind = 'window' where company_id = ${company} and scope = 'assign'`,
        /limit assign\/(hour|day) was edited/,
      ],
      [
        `delete from token_bucket where company_id = ${company} and scope = 'assign'`,
        /limit assign\/(hour|day) was edited/,
      ],
      [
        `insert into token_bucket (company_id, scope, per, capacity, tokens) values (${company}, 'driver', 'hour', 5, 5)`,
        /limit driver\/hour was edited/,
      ],
      [
        `insert into token_bucket (company_id, scope, per, capacity, tokens) values (${company}, 'driver/7', 'hour', 5, 5)`,
        /limit driver\/7\/hour was edited/,
      ],
      ['update breaker set failures = failures + 1', /breaker assign was edited/],
      ['update breaker set stopped_at = clock_timestamp()', /breaker assign was edited/],
      ['update autonomy_all set stopped = true', /switch of all companies was edited/],
      ['delete from autonomy_all', /switch of all companies was edited/],
      [
        `update autonomy set dry_run = true where company_id = ${company};
         select autonomy_configure(${company}, '{"adjust_time_max_minutes": 5}', 'test');
         select autonomy_configure(${company}, '{"dry_run": false}', 'test')`,
        /settings had been edited before the entry that changed them/,
      ],
      [
        `update token_bucket set capacity = 7 where company_id = ${company} and scope = 'all' and per = 'hour';
         select autonomy_limit(${company}, 'all', 'hour', 'bucket', 8, 'test')`,
        /limit all\/hour had been edited/,
      ],
    ];
    for (const [statement, reason, expected, actual] of edits) {
      const { ok, findings } = await after((tx) => tx.unsafe(statement));
      expect([ok, findings.map((finding) => finding.reason).join('; ')], statement).toEqual([
        false,
        expect.stringMatching(reason),
      ]);
      if (expected !== undefined) expect(findings).toContainEqual(expect.objectContaining({ expected, actual }));
    }
  });

  it('misses a company that was deleted with all that was its own, without signed heads and with them', async () => {
    const erase = async (tx: Connection, company: number): Promise<void> => {
      await tx`delete from action_review where action_id in (select id from autonomous_action where company_id = ${company})`;
      for (const table of [
        ...['autonomous_action', 'audit_ledger', 'audit_head', 'decision_event', 'decision', 'decision_head'],
        ...['window_admission', 'token_bucket', 'breaker', 'autonomy', 'booking', 'driver'],
      ]) {
        await tx`delete from ${tx(table)} where company_id = ${company}`;
      }
      await tx`delete from company where id = ${company}`;
    };
    const file = join(folder, 'deleted.jsonl');
    await exportHeads(owner, file, signingKey(join(folder, 'key.pem')));
    const heads = { file, publicKey: join(folder, 'key.pem.pub') };
    const [, company] = companies;
    const bare = await after((tx) => erase(tx, company));
    expect(bare).toMatchObject({ ok: false, companyId: company });
    expect(bare.findings).toContainEqual({ what: `company ${company}`, reason: 'is missing', companyId: company });
    // Chain 0 written anew as well: only the signature knows.
    const everywhere = async (tx: Connection): Promise<void> => {
      await erase(tx, company);
      await tx`delete from audit_ledger where company_id = 0 and (detail ->> 'company')::bigint = ${company}`;
      await tx`
        update audit_ledger l set seq = n.seq, hash = n.hash from (
          select seq as old, number as seq, audit_chain_over(sha256('fleetstep'), number, digest) over (order by number) as hash
          from (select *, row_number() over (order by seq) as number from audit_ledger where company_id = 0) as numbered) as n
        where l.company_id = 0 and l.seq = n.old`;
      await tx`
        update audit_head set (seq, hash) = (select seq, hash from audit_ledger where company_id = 0 order by seq desc limit 1)
        where company_id = 0`;
    };
    expect(await after(everywhere)).toMatchObject({ ok: true });
    const signed = await after(everywhere, heads);
    expect(signed.findings.map(({ what, reason }) => `${what} ${reason}`)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(new RegExp(`^company ${company}, entry \\d+ was signed, and is gone$`)),
        expect.stringMatching(/^company 0, entry \d+ was signed, and is gone$/),
      ]),
    );
  });

  it('finds with signed heads what a chain alone cannot show: an end cut off with its head, and a chain written anew', async () => {
    const company = companies[1];
    const recorder = new Recorder(made.database, { deadlineMs: 20_000 });
    for (let k = 0; k < 8; k++) {
      const intent = { companyId: company, description: 'tail', triggerSource: 'test', dryRun: true } as const;
      await recorder.act({ ...intent, actionType: 'assign' }, () => undefined);
    }
    await recorder.close();
    const [{ last }] = await owner<
      [{ last: number }]
    >`select seq as last from audit_head where company_id = ${company}`;
    const file = join(folder, 'heads.jsonl');
    const keyFile = join(folder, 'key.pem');
    const key = signingKey(keyFile);
    await exportHeads(owner, file, key);
    await exportHeads(owner, file, key);
    const heads = { file, publicKey: `${keyFile}.pub` };
    expect(await verify(made.database, { heads })).toMatchObject({ ok: true, heads: 8 });
    // Eight dry runs: nothing else is as it is because of them.
    const cutOff = async (tx: Connection): Promise<void> => {
      await tx`delete from autonomous_action where company_id = ${company} and seq > ${last - 8}`;
      await tx`delete from audit_ledger where company_id = ${company} and seq > ${last - 8}`;
      await tx`
        update audit_head set (seq, hash) = (select seq, hash from audit_ledger where company_id = ${company} order by seq desc limit 1)
        where company_id = ${company}`;
    };
    expect(await after(cutOff)).toMatchObject({ ok: true });
    expect(await after(cutOff, heads)).toMatchObject({
      ok: false,
      companyId: company,
      reason: 'was signed, and is gone',
    });
    const rewritten = async (tx: Connection): Promise<void> => {
      await tx`
        with entry as (
          select seq, digest, audit_chain_over(sha256('fleetstep'), seq, case seq when 1 then sha256('forged') else digest end)
            over (order by seq) as hash
          from audit_ledger where company_id = 0 or company_id = ${company})
        update audit_ledger l set hash = entry.hash from entry where l.company_id = ${company} and l.seq = entry.seq`;
    };
    expect(await after(rewritten, heads)).toMatchObject({ ok: false });

    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const forgedFile = join(folder, 'forged.jsonl');
    writeFileSync(forgedFile, `${lines[0]}\n${lines[1].replace(/"seq":(\d+)/, '"seq":1')}\n`);
    await expect(verify(made.database, { heads: { ...heads, file: forgedFile } })).rejects.toMatchObject({
      code: 'ERR_HEADS',
      message: expect.stringMatching(/line 2: no valid signature/) as string,
    });
    const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
    writeFileSync(join(folder, 'other.pub'), other);
    await expect(verify(made.database, { heads: { file, publicKey: join(folder, 'other.pub') } })).rejects.toThrow(
      /line 1/,
    );
    writeFileSync(join(folder, 'rsa.pem'), 'no key');
    expect(() => signingKey(join(folder, 'rsa.pem'))).toThrow(/rsa.pem cannot be read as a key/);
    expect(() => signingKey(keyFile)).not.toThrow();
  });

  it('follows every change that was made as it should be', async () => {
    const { id } = await addCompany(owner, 'changed');
    await setLimits(owner, id, [{ scope: 'driver', per: 'hour', capacity: 3 }], 'test');
    await setLimits(owner, id, [{ scope: 'driver', per: 'hour', capacity: null }], 'test');
    await setLimits(owner, id, [{ scope: 'reassign', per: 'day', kind: 'window', capacity: 2 }], 'test');
    await configure(owner, id, { adjustTimeMaxMinutes: 0.1, breakerFailures: 2 }, 'test');
    await stopAll(owner, true, 'test');
    expect(await verify(made.database)).toMatchObject({ ok: true, findings: [] });
    await stopAll(owner, false, 'test');
    const recorder = new Recorder(made.database, { deadlineMs: 20_000 });
    const intent = { companyId: id, actionType: 'assign', description: 'fails', triggerSource: 'test' } as const;
    for (let k = 0; k < 2; k++) {
      await expect(recorder.act(intent, () => Promise.reject(new Error('broken')))).rejects.toThrow();
    }
    expect(await verify(made.database)).toMatchObject({ ok: true, findings: [] });
    const lifted = await after((tx) => tx`update breaker set failures = 0, stopped_at = null where company_id = ${id}`);
    expect(lifted).toMatchObject({
      ok: false,
      reason: 'breaker assign was edited',
      expected: '{"failures":2,"stopped":true}',
      actual: '{"failures":0,"stopped":false}',
    });
    await resetBreaker(owner, id, 'assign', 'test');
    await recorder.act(intent, () => undefined);
    await recorder.close();
    expect(await verify(made.database)).toMatchObject({ ok: true, findings: [] });
  });
});
