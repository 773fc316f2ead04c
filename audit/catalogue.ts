// What the server's catalogue says of everything that this version ships: tables, columns, constraints, indexes, triggers,
// functions, types, rights and owners. `catalogue.json` holds what it says where only the migrations were at work; any other
// guard, function or right is a finding. Sees the names and texts that PostgreSQL 15 to 18 agree on.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Connection } from './connection.js';
import { APP_ROLE, OWNER_ROLE } from './database.js';
import { sha256 } from './digests.js';
import { fault } from './findings.js';
import type { Fault, Finding } from './findings.js';

type Properties = Readonly<Record<string, string>>;
/** By what it is and its name, as `trigger guard_update on autonomous_action`. */
export type Catalogue = Readonly<Record<string, Properties>>;

export const CATALOGUE_FILE: string = fileURLToPath(new URL('../../audit/catalogue.json', import.meta.url));

/** Stands in the file for the role that owns everything, and for what is compared with nothing. */
const OWNER = 'owner';
/** The order in which findings are told: what explains others comes first. */
const kinds = ['function', 'trigger', 'table', 'column', 'constraint', 'index', 'type'];

const pinned = [
  // Nobody's functions, operators and tables but the server's own; what is ours is written with its schema.
  'search_path = pg_catalog, pg_temp',
  // Rows that a policy hides are an error, not an answer.
  'row_security = off',
  'bytea_output = hex',
  'quote_all_identifiers = off',
  'extra_float_digits = 1',
  'standard_conforming_strings = on',
  'transform_null_equals = off',
  "TimeZone = 'UTC'",
  "DateStyle = 'ISO, YMD'",
  "IntervalStyle = 'postgres'",
  'statement_timeout = 0',
  'lock_timeout = 0',
  'idle_in_transaction_session_timeout = 0',
  'jit = off',
];
const planner = [
  // Chains are read in the order of their index, each row once, without a sort of all.
  ...['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin', 'memoize'].map((way) => `enable_${way} = off`),
  ...['nestloop', 'indexscan'].map((way) => `enable_${way} = on`),
  'max_parallel_workers_per_gather = 0',
];

/** Sets, for the transaction, what texts of the catalogue and verification as a whole depend on. */
export async function pinSession(sql: Connection): Promise<void> {
  await sql.unsafe(pinned.map((setting) => `set local ${setting}`).join('; '));
}

/** And how chains are read. */
export async function pinPlanner(sql: Connection): Promise<void> {
  await sql.unsafe(planner.map((setting) => `set local ${setting}`).join('; '));
}

export function expectedCatalogue(): Catalogue {
  return JSON.parse(readFileSync(CATALOGUE_FILE, 'utf8')) as Catalogue;
}

interface Item {
  readonly kind: string;
  readonly name: string;
  readonly properties: Record<string, string | boolean | number | null>;
}

/**
 * The catalogue of the schema `public`, without extensions; `owner` is written as such.
 * @param sql in a session that `pinSession` has set
 */
export async function readCatalogue(sql: Connection, owner: string): Promise<Catalogue> {
  const items: Item[] = [
    ...(await functions(sql)),
    ...(await triggers(sql)),
    ...(await tables(sql)),
    ...(await columns(sql)),
    ...(await constraints(sql)),
    ...(await indexes(sql)),
    ...(await types(sql)),
  ];
  return Object.fromEntries(
    items.map(({ kind, name, properties }) => [
      `${kind} ${name}`,
      Object.fromEntries(
        Object.entries(properties).map(([key, value]) => [
          key,
          key === 'owner' && value === owner ? OWNER : key === 'body' ? bodyHash(String(value)) : String(value ?? ''),
        ]),
      ),
    ]),
  );
}

function bodyHash(body: string): string {
  return body === '' ? '' : `sha256 ${sha256(body)}`;
}

/** Rights of others than the owner, but for those that let other roles read. */
const rights = (acl: string, kind: string, owner: string): string => `
  (select coalesce(string_agg(one, ' ' order by one collate "C"), '') from (
    select distinct coalesce(r.rolname::text, 'PUBLIC') || ':' || x.privilege_type || case when x.is_grantable then '*' else '' end as one
    from aclexplode(coalesce(${acl}, acldefault('${kind}', ${owner}))) as x left join pg_roles r on r.oid = x.grantee
    where x.grantee <> ${owner} and not ('${kind}' in ('r', 'c') and x.privilege_type = 'SELECT' and not x.is_grantable
      and x.grantee <> 0 and r.rolname <> '${APP_ROLE}')) as granted)`;
const notOfExtension = (catalog: string, oid: string): string => `
  not exists (select from pg_depend own where own.classid = '${catalog}'::regclass and own.objid = ${oid} and own.deptype = 'e')`;
const inPublic = `= (select oid from pg_namespace where nspname = 'public')`;

async function rowsOf(sql: Connection, kind: string, query: string): Promise<Item[]> {
  const rows = await sql.unsafe<({ name: string } & Item['properties'])[]>(query);
  return rows.map(({ name, ...properties }) => ({ kind, name, properties }));
}

function functions(sql: Connection): Promise<Item[]> {
  return rowsOf(
    sql,
    'function',
    `select p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as name, pg_get_function_arguments(p.oid) as arguments,
      pg_get_function_result(p.oid) as result, l.lanname::text as language, p.prokind::text as kind,
      case when p.prosecdef then 'definer' else 'invoker' end as security, p.provolatile::text as volatility,
      p.proparallel::text as parallel, p.proisstrict as strict, p.proleakproof as leakproof,
      coalesce(array_to_string(p.proconfig, '; '), '') as settings, case p.prokind when 'a' then '' else p.prosrc end as body,
      p.prosqlbody is not null or coalesce(p.probin, '') <> '' as other_body,
      coalesce((select concat_ws(' ', a.aggtransfn, a.aggtranstype::regtype, a.aggfinalfn, a.agginitval, a.aggkind)
        from pg_aggregate a where a.aggfnoid = p.oid), '') as aggregate,
      pg_get_userbyid(p.proowner)::text as owner, ${rights('p.proacl', 'f', 'p.proowner')} as rights
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace ${inPublic} and ${notOfExtension('pg_proc', 'p.oid')}`,
  );
}

function triggers(sql: Connection): Promise<Item[]> {
  return rowsOf(
    sql,
    'trigger',
    `select t.tgname || ' on ' || c.relname as name, pg_get_triggerdef(t.oid) as definition, t.tgtype::integer as type,
      case t.tgenabled when 'O' then 'enabled' when 'D' then 'disabled' when 'R' then 'enabled on replicas only' else 'enabled always'
        end as state
    from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where not t.tgisinternal and c.relnamespace ${inPublic}`,
  );
}

function tables(sql: Connection): Promise<Item[]> {
  return rowsOf(
    sql,
    'table',
    `select c.relname::text as name, case c.relkind when 'r' then 'table' when 'v' then 'view' when 'm' then 'materialized view'
        when 'f' then 'foreign table' when 'p' then 'partitioned table' else c.relkind::text end as kind,
      c.relpersistence::text as persistence, coalesce(m.amname::text, '') as access, c.relrowsecurity as row_security,
      c.relforcerowsecurity as forced_row_security,
      (select coalesce(string_agg(p.polname::text, ' ' order by p.polname), '') from pg_policy p where p.polrelid = c.oid) as policies,
      (select coalesce(string_agg(r.rulename::text, ' ' order by r.rulename), '') from pg_rewrite r where r.ev_class = c.oid) as rules,
      (select coalesce(string_agg(i.inhrelid::regclass::text, ' ' order by 1), '') from pg_inherits i where i.inhparent = c.oid) as children,
      (select coalesce(string_agg(i.inhparent::regclass::text, ' ' order by 1), '') from pg_inherits i where i.inhrelid = c.oid) as parents,
      (select count(*) from pg_trigger t where t.tgrelid = c.oid and t.tgisinternal and t.tgenabled <> 'O') as foreign_key_checks_disabled,
      case c.relname when 'schema_migration' then '' else pg_get_userbyid(c.relowner)::text end as owner,
      ${rights('c.relacl', 'r', 'c.relowner')} as rights
    from pg_class c left join pg_am m on m.oid = c.relam
    where c.relnamespace ${inPublic} and c.relkind in ('r', 'v', 'm', 'f', 'p') and ${notOfExtension('pg_class', 'c.oid')}`,
  );
}

function columns(sql: Connection): Promise<Item[]> {
  return rowsOf(
    sql,
    'column',
    `select c.relname || '.' || a.attname as name,
      row_number() over (partition by c.oid order by a.attnum) as place, format_type(a.atttypid, a.atttypmod) as type,
      a.attnotnull as not_null, coalesce(pg_get_expr(d.adbin, d.adrelid), '') as default, a.attidentity::text as identity,
      a.attgenerated::text as generated, coalesce((select l.collname::text from pg_collation l where l.oid = a.attcollation), '') as collation,
      case when a.attacl is null then '' else ${rights('a.attacl', 'c', 'c.relowner')} end as rights
    from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace ${inPublic} and c.relkind in ('r', 'v', 'm', 'f', 'p') and a.attnum > 0 and not a.attisdropped
      and ${notOfExtension('pg_class', 'c.oid')}`,
  );
}

/** Without those of NOT NULL, which are rows of their own from PostgreSQL 18 on: columns say that. */
function constraints(sql: Connection): Promise<Item[]> {
  return rowsOf(
    sql,
    'constraint',
    `select o.conname || ' on ' || c.relname as name, pg_get_constraintdef(o.oid) as definition, o.convalidated as validated
    from pg_constraint o join pg_class c on c.oid = o.conrelid
    where c.relnamespace ${inPublic} and o.contype <> 'n' and ${notOfExtension('pg_class', 'c.oid')}`,
  );
}

function indexes(sql: Connection): Promise<Item[]> {
  return rowsOf(
    sql,
    'index',
    `select c.relname || ' on ' || t.relname as name, pg_get_indexdef(c.oid) as definition,
      i.indisvalid and i.indisready and i.indislive as valid, i.indimmediate as immediate,
      (i.indisunique or i.indisexclusion or i.indexprs is not null) as more_than_order
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
    where t.relnamespace ${inPublic} and ${notOfExtension('pg_class', 't.oid')}`,
  );
}

function types(sql: Connection): Promise<Item[]> {
  return rowsOf(
    sql,
    'type',
    `select t.typname::text as name, t.typtype::text as kind, pg_get_userbyid(t.typowner)::text as owner,
      (select coalesce(string_agg(e.enumlabel::text, ' ' order by e.enumsortorder), '') from pg_enum e where e.enumtypid = t.oid) as labels
    from pg_type t
    where t.typnamespace ${inPublic} and t.typtype in ('e', 'd', 'r') and ${notOfExtension('pg_type', 't.oid')}`,
  );
}

/** Everything in which the catalogue differs from what this version ships. */
export async function catalogueFindings(sql: Connection, owner: string): Promise<Finding[]> {
  const findings = compare(expectedCatalogue(), await readCatalogue(sql, owner), owner);
  return [...findings, ...(await foreignFindings(sql, owner))];
}

/** Tables and columns whose rows cannot be read as what they should be. */
export function isStructural({ what }: Finding): boolean {
  return typeof what === 'string' && /^(table|column) /.test(what);
}

function compare(expected: Catalogue, found: Catalogue, owner: string): Finding[] {
  const findings: Finding[] = [];
  const names = new Set(Object.keys(expected).map(bareName));
  const ours = new Set(
    Object.keys(expected)
      .filter((key) => key.startsWith('table '))
      .map((key) => key.slice(6)),
  );
  for (const [key, properties] of Object.entries(expected)) {
    const own = found[key] as Properties | undefined;
    if (own === undefined) {
      findings.push({ what: label(key), reason: 'is missing' });
      continue;
    }
    for (const [property, value] of Object.entries(properties)) {
      const actual = own[property] ?? '';
      if (actual === value) continue;
      const wanted = property === 'owner' && value === OWNER ? owner : value;
      findings.push({ what: label(key), ...differs(property, wanted, actual) });
    }
  }
  for (const [key, properties] of Object.entries(found)) {
    if (Object.hasOwn(expected, key)) continue;
    const [kind] = key.split(' ');
    const bare = bareName(key);
    const table = / on (\S+)$/.exec(key)?.[1] ?? /^column ([^.]+)\./.exec(key)?.[1];
    if (kind === 'function') {
      const overload = names.has(bare);
      if (overload || /^function (audit|autonomy|decision)_/.test(bare)) {
        findings.push({ what: overload ? key : bare, reason: 'is not one that this version ships' });
      }
    } else if (table !== undefined && ours.has(table)) {
      // An index that only orders rows changes nothing but speed.
      if (kind === 'index' && properties['more_than_order'] === 'false') continue;
      findings.push({ what: label(key), reason: 'is not one that this version ships' });
    }
  }
  const rank = ({ what }: Finding): number => kinds.indexOf(String(what).split(' ')[0]);
  return findings.sort((a, b) => rank(a) - rank(b));
}

/** Without a function's arguments. */
function bareName(key: string): string {
  return key.startsWith('function ') ? key.replace(/\(.*$/s, '') : key;
}

function label(key: string): string {
  return bareName(key);
}

function differs(property: string, expected: string, found: string): Fault {
  if (property === 'state' && found === 'disabled') return fault('is disabled', expected, found);
  if (property === 'body') return fault('is not the one that this version ships', expected || 'none', found || 'none');
  return fault(`differs in its ${property.replaceAll('_', ' ')}`, expected || 'none', found || 'none');
}

/** What stands beside our tables and functions, and could take their part. */
async function foreignFindings(sql: Connection, owner: string): Promise<Finding[]> {
  const rows = await sql.unsafe<{ what: string; reason: string }[]>(`
    select 'function public.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as what,
      'has the name of one of the server''s own' as reason
    from pg_proc p where p.pronamespace ${inPublic} and ${notOfExtension('pg_proc', 'p.oid')}
      and exists (select from pg_proc b where b.pronamespace = 'pg_catalog'::regnamespace and b.proname = p.proname and b.oid < 16384)
    union all
    select 'operator public.' || o.oprname || ' (' || o.oprleft::regtype || ', ' || o.oprright::regtype || ')',
      'has the name of one of the server''s own'
    from pg_operator o where o.oprnamespace ${inPublic} and ${notOfExtension('pg_operator', 'o.oid')}
      and exists (select from pg_operator b where b.oprnamespace = 'pg_catalog'::regnamespace and b.oprname = o.oprname)
    union all
    select 'function ' || p.oid::regprocedure, 'was planted among the server''s own'
    from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace and p.oid >= 16384 and ${notOfExtension('pg_proc', 'p.oid')}
    union all
    select 'function ' || p.oid::regprocedure, 'of the server was replaced: language ' || l.lanname
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace = 'pg_catalog'::regnamespace and p.oid < 16384 and l.lanname <> 'internal'
      and (l.lanname not in ('sql', 'c') or p.proname in ('sha256', 'convert_to', 'encode', 'float8send', 'int8send', 'jsonb_build_array',
        'clock_timestamp', 'count', 'to_jsonb', 'jsonb_build_object', 'jsonb_to_recordset'))
    union all
    select 'function ' || p.oid::regprocedure, 'lends the rights of ' || pg_get_userbyid(p.proowner) || ', and is not one that this version ships'
    from pg_proc p
    where p.prosecdef and pg_get_userbyid(p.proowner) in ('${OWNER_ROLE}', ${literal(owner)}) and ${notOfExtension('pg_proc', 'p.oid')}
      and not (p.pronamespace ${inPublic} and p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' in (${list(shippedNames('function'))}))
      and p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
      and has_function_privilege('${APP_ROLE}', p.oid, 'execute')
    union all
    select 'table ' || c.oid::regclass, 'lends the rights of ' || pg_get_userbyid(c.relowner) || ' to ' || coalesce(g.rolname, 'PUBLIC')
      || ', and is not one that this version ships: ' || string_agg(distinct x.privilege_type, ', ' order by x.privilege_type)
    from pg_class c, aclexplode(c.relacl) as x left join pg_roles g on g.oid = x.grantee
    where c.relkind in ('v', 'm', 'f') and pg_get_userbyid(c.relowner) in ('${OWNER_ROLE}', ${literal(owner)})
      and ${notOfExtension('pg_class', 'c.oid')} and x.grantee in (0, (select oid from pg_roles where rolname = '${APP_ROLE}'))
      and x.privilege_type in ('INSERT', 'UPDATE', 'DELETE')
    group by c.oid, c.relowner, g.rolname
    union all
    select 'sequence ' || c.oid::regclass, 'may be set by ' || coalesce(g.rolname, 'PUBLIC')
    from pg_class c join pg_depend own on own.classid = 'pg_class'::regclass and own.objid = c.oid and own.deptype in ('i', 'a')
      join pg_class t on t.oid = own.refobjid, aclexplode(c.relacl) as x left join pg_roles g on g.oid = x.grantee
    where c.relkind = 'S' and t.relnamespace ${inPublic} and t.relname in (${list(shippedNames('table'))})
      and x.grantee <> c.relowner and x.privilege_type = 'UPDATE'
    union all
    select 'schema public', 'lets ' || coalesce(g.rolname, 'PUBLIC') || ' create in it'
    from pg_namespace n, aclexplode(n.nspacl) as x left join pg_roles g on g.oid = x.grantee
    where n.nspname = 'public' and x.privilege_type = 'CREATE' and g.rolname = '${APP_ROLE}'
    union all
    select 'setting session_replication_role of the server', 'takes triggers out of force: ' || reset_val
    from pg_settings where name = 'session_replication_role' and reset_val <> 'origin'
    union all
    select 'cast ' || k.castsource::regtype || ' as ' || k.casttarget::regtype, 'is not one that this version ships'
    from pg_cast k where k.oid >= 16384 and ${notOfExtension('pg_cast', 'k.oid')}
      and (k.castsource < 16384 and k.casttarget < 16384 or exists (
        select from pg_type t where t.oid in (k.castsource, k.casttarget) and t.typnamespace ${inPublic}
          and t.typname in ('ledger_kind', 'action_type', 'action_status')))
    union all
    select 'event trigger ' || e.evtname, 'is not one that this version ships: on ' || e.evtevent || ', ' || e.evtfoid::regprocedure
    from pg_event_trigger e where e.evtenabled <> 'D' and ${notOfExtension('pg_event_trigger', 'e.oid')}
    union all
    select 'role ${APP_ROLE}', 'expected no rights beyond its grants, found ' || concat_ws(', ',
      case when r.rolsuper then 'superuser' end, case when r.rolcreaterole then 'createrole' end,
      case when r.rolbypassrls then 'bypassrls' end, case when r.rolreplication then 'replication' end)
    from pg_roles r where r.rolname = '${APP_ROLE}' and (r.rolsuper or r.rolcreaterole or r.rolbypassrls or r.rolreplication)
    union all
    select 'role ${APP_ROLE}', 'is a member of ' || g.rolname
    from pg_auth_members m join pg_roles r on r.oid = m.member join pg_roles g on g.oid = m.roleid where r.rolname = '${APP_ROLE}'
    union all
    select 'default privileges of ' || r.rolname, 'were altered: ' || array_to_string(a.defaclacl, ' ')
    from pg_default_acl a join pg_roles r on r.oid = a.defaclrole where r.rolname in ('${OWNER_ROLE}', ${literal(owner)})
    union all
    select 'setting of ' || coalesce('role ' || r.rolname, 'every role') || coalesce(' in database ' || d.datname, ''),
      'takes triggers out of force: ' || setting
    from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole left join pg_database d on d.oid = s.setdatabase,
      unnest(s.setconfig) as setting
    where setting like 'session_replication_role=%' and setting <> 'session_replication_role=origin'
      and (s.setdatabase = 0 or d.datname = current_database())
    order by 1, 2`);
  return rows.map(({ what, reason }) => ({ what, reason }));
}

/** Of what this version ships of a kind. */
function shippedNames(kind: string): string[] {
  return Object.keys(expectedCatalogue())
    .filter((key) => key.startsWith(`${kind} `))
    .map((key) => key.slice(kind.length + 1));
}

function list(names: readonly string[]): string {
  return names.map(literal).join();
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
