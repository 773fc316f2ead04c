// What a chain says about the present: a company's settings, limits and breakers, and in chain 0 the switch and the list of
// all companies. An edit of those tables that went through no function has no entry, and differs from this.

import { isDeepStrictEqual } from 'node:util';
import type { Connection } from './connection.js';
import { fault } from './findings.js';
import type { Fault, Finding } from './findings.js';

interface Limit {
  readonly kind: string;
  readonly capacity: number;
}

interface Breaker {
  readonly failures: number;
  readonly stopped: boolean;
}

/** How everything stood at an entry: when a company began, when its record was upgraded, after actions were imported, or pruned. */
export interface State {
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, Limit>>;
  readonly breakers?: Readonly<Record<string, Breaker>>;
  readonly stoppedAll?: boolean;
  readonly companies?: readonly number[];
}

interface Detail {
  readonly state?: State;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly bucket?: string;
  readonly actionType?: string;
  readonly stopped?: boolean;
  readonly company?: number;
  /** Who or what made an entry that tells how everything stands. */
  readonly origin?: string;
}

/** What a bucket can hold at most: as if it had been full when its limit was last set. */
interface Level {
  readonly tokens: number;
  /** Unix time of its last action, in milliseconds. */
  readonly at: number;
}

/** A limit with what is left of it. */
interface Gauge extends Limit {
  readonly tokens: number;
  readonly refilledAt: Date;
}

const PERIOD_MS: Readonly<Record<string, number>> = { hour: 3_600_000, day: 86_400_000 };

/** The present, as the tables have it. */
export interface Present {
  readonly settings: Readonly<Record<string, unknown>> | undefined;
  readonly limits: ReadonlyMap<string, Gauge>;
  readonly breakers: ReadonlyMap<string, Breaker>;
}

/** How everything stands after the entries that have been noted, in the order of their numbers; compared with the tables at the end. */
export class BoundState {
  readonly #companyId: number;
  readonly #findings: Fault[] = [];
  #settings: Readonly<Record<string, unknown>> | undefined;
  #limits: Map<string, Limit> | undefined;
  #breakers: Map<string, Breaker> | undefined;
  readonly #levels = new Map<string, Level>();
  #stoppedAll = false;
  readonly #companies = new Map<number, State | undefined>();

  constructor(companyId: number) {
    this.#companyId = companyId;
  }

  /** Companies that chain 0 says have been opened, with how they stood then. */
  get companies(): ReadonlyMap<number, State | undefined> {
    return this.#companies;
  }

  /**
   * What an entry without a row of its own says.
   * @throws TypeError for a content that no such entry can have: whoever forges may put anything there
   */
  note(kind: string, content: unknown): void {
    if (content === null || typeof content !== 'object') return;
    const detail = content as Detail;
    checkDetail(kind, detail);
    if (kind === 'settings' && detail.company !== undefined) this.#companies.set(detail.company, detail.state);
    else if ((kind === 'settings' || kind === 'pruned') && detail.state !== undefined) {
      // A migration may come after a rollback that has put everything back to its defaults.
      if (detail.origin?.startsWith('migration ') === true) this.#forget();
      this.begin(detail.state);
    } else if (this.#companyId === 0 && kind === 'switch') this.#stoppedAll = detail.stopped === true;
    else if (kind === 'settings' || kind === 'switch') {
      this.#follows('settings', this.#settings, detail.before);
      this.#settings = detail.after as Record<string, unknown>;
    } else if (kind === 'limit' && detail.bucket !== undefined) {
      if (this.#limits === undefined) return;
      for (const bucket of [...this.#levels.keys()]) {
        if (companyWide(bucket) === detail.bucket) this.#levels.delete(bucket);
      }
      this.#follows(`limit ${detail.bucket}`, this.#limits.get(detail.bucket) ?? null, detail.before ?? null);
      if (detail.after === null || detail.after === undefined) this.#limits.delete(detail.bucket);
      else this.#limits.set(detail.bucket, detail.after as Limit);
    } else if (kind === 'breaker' && detail.actionType !== undefined) {
      const failures = detail.stopped === true ? (this.#breakers?.get(detail.actionType)?.failures ?? 0) : 0;
      this.#breakers?.set(detail.actionType, { failures, stopped: detail.stopped === true });
    }
  }

  /** An action was admitted, and has taken from every bucket that it needs. */
  admitted(type: string, driver: number | undefined, at: number): void {
    if (this.#limits === undefined) return;
    for (const scope of driver === undefined ? ['all', type] : ['all', type, `driver/${driver}`]) {
      for (const per of Object.keys(PERIOD_MS)) {
        const bucket = `${scope}/${per}`;
        const limit = this.#limits.get(companyWide(bucket));
        if (limit !== undefined) this.#levels.set(bucket, filled(limit, per, this.#levels.get(bucket), at, 1));
      }
    }
  }

  /** An action has ended: failures in a row are counted as the breaker counts them. */
  ended(type: string, status: string): void {
    const { failures, stopped } = this.#breakers?.get(type) ?? { failures: 0, stopped: false };
    if (status === 'failed' || status === 'unknown') this.#breakers?.set(type, { failures: failures + 1, stopped });
    else if (status === 'succeeded' && !stopped) this.#breakers?.set(type, { failures: 0, stopped });
  }

  #forget(): void {
    this.#settings = undefined;
    this.#limits = undefined;
    this.#breakers = undefined;
  }

  /** From here on everything stands as `state` says. */
  begin({ settings, limits, breakers, stoppedAll, companies }: State): void {
    if (settings !== undefined) {
      this.#follows('settings', this.#settings, settings);
      this.#settings = settings;
    }
    if (limits !== undefined) {
      this.#levels.clear();
      const all = new Map(Object.entries(limits));
      for (const bucket of this.#limits === undefined ? [] : new Set([...this.#limits.keys(), ...all.keys()])) {
        this.#follows(`limit ${bucket}`, this.#limits?.get(bucket) ?? null, all.get(bucket) ?? null);
      }
      this.#limits = all;
    }
    if (breakers !== undefined) this.#breakers = new Map(Object.entries(breakers));
    if (stoppedAll !== undefined) this.#stoppedAll = stoppedAll;
    for (const id of companies ?? []) this.#companies.set(id, undefined);
  }

  /** A change begins where the one before it ended: else there was one in between that is on no entry. */
  #follows(what: string, expected: unknown, before: unknown): void {
    if (expected !== undefined && !includes(before, expected)) {
      this.#findings.push(fault(`${what} had been edited before the entry that changed them`, expected, before));
    }
  }

  /** What is not as the chain says. */
  compare(present: Present): Fault[] {
    const found = [...this.#findings];
    const { settings } = present;
    if (this.#settings === undefined) found.push(fault('no entry says what the settings are'));
    else if (settings === undefined) found.push(fault('the settings are missing', this.#settings, null));
    else {
      for (const [name, value] of Object.entries(this.#settings)) {
        if (!isDeepStrictEqual(settings[name], value)) {
          found.push(fault(`setting ${name} was edited`, value, settings[name]));
        }
      }
    }
    const limits = this.#limits ?? new Map<string, Limit>();
    for (const [bucket, limit] of limits) {
      const own = present.limits.get(bucket);
      if (!sameLimit(own, limit)) {
        found.push(fault(`limit ${bucket} was edited`, limit, own === undefined ? null : bare(own)));
      }
    }
    for (const [bucket, limit] of present.limits) {
      // A driver's own bucket is as the company's `driver` limit says.
      const as = companyWide(bucket);
      const expected = limits.get(as);
      if (as === bucket ? expected === undefined : !sameLimit(limit, expected)) {
        found.push(fault(`limit ${bucket} was edited`, expected, bare(limit)));
      } else found.push(...this.#levelFaults(bucket, limit));
    }
    for (const bucket of this.#levels.keys()) {
      if (!present.limits.has(bucket) && limits.has(companyWide(bucket))) {
        found.push(fault(`limit ${bucket} is missing`, limits.get(companyWide(bucket)), null));
      }
    }
    for (const type of new Set([...(this.#breakers?.keys() ?? []), ...present.breakers.keys()])) {
      const none: Breaker = { failures: 0, stopped: false };
      const expected = this.#breakers?.get(type) ?? none;
      const own = present.breakers.get(type) ?? none;
      if (!isDeepStrictEqual(own, expected)) {
        found.push(fault(`breaker ${type} was edited`, expected, own));
      }
    }
    return found;
  }

  /** Whether a bucket holds more than it can after what it has admitted. */
  #levelFaults(bucket: string, { tokens, refilledAt, ...limit }: Gauge): Fault[] {
    if (limit.kind !== 'bucket') return [];
    const per = bucket.slice(bucket.lastIndexOf('/') + 1);
    const level = this.#levels.get(bucket);
    const last = refilledAt.getTime();
    // The driver's times are whole milliseconds.
    if (level !== undefined && last < level.at - 1) {
      const expected = new Date(level.at).toISOString();
      return [fault(`limit ${bucket} was edited: last refilled`, expected, refilledAt.toISOString())];
    }
    if (!Number.isFinite(last) || !Number.isFinite(tokens)) {
      const found = { tokens: String(tokens), refilledAt: String(refilledAt) };
      return [fault(`limit ${bucket} was edited`, 'a number of tokens, and a time', found)];
    }
    const most = filled(limit, per, level, last + 2, 0).tokens + 1e-9 * limit.capacity + 1e-6;
    return tokens > most || tokens < 0 ? [fault(`limit ${bucket} was edited: tokens`, `at most ${most}`, tokens)] : [];
  }

  /** The same for chain 0. */
  compareAll(switches: readonly boolean[]): Fault[] {
    const found = [...this.#findings];
    if (switches.length !== 1 || switches[0] !== this.#stoppedAll) {
      found.push(
        fault('the switch of all companies was edited', { stopped: [this.#stoppedAll] }, { stopped: switches }),
      );
    }
    return found;
  }
}

function checkDetail(kind: string, { state, after, bucket, actionType, company, origin, ...rest }: Detail): void {
  if (state !== undefined) checkState(state);
  if ((kind === 'settings' || kind === 'switch') && after !== undefined) requireRecord(after);
  if (kind === 'limit' && after !== undefined && after !== null) requireRecord(after);
  for (const name of [bucket, actionType, origin]) if (name !== undefined && typeof name !== 'string') refuse();
  if (company !== undefined && !Number.isSafeInteger(company)) refuse();
  if (kind === 'settings' && state === undefined && after === undefined) refuse();
  if (kind === 'switch' && after === undefined && typeof rest.stopped !== 'boolean') refuse();
}

function checkState(state: State): void {
  requireRecord(state);
  const { settings, limits, breakers, companies } = state;
  if (settings !== undefined) requireRecord(settings);
  for (const all of [limits, breakers]) {
    if (all === undefined) continue;
    requireRecord(all);
    for (const one of Object.values(all)) requireRecord(one);
  }
  if (companies !== undefined && !(Array.isArray(companies) && companies.every(Number.isSafeInteger))) refuse();
}

function requireRecord(value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse();
}

function refuse(): never {
  throw new TypeError('no content of such an entry');
}

/** A driver's own bucket is as the company's for all drivers. */
function companyWide(bucket: string): string {
  return bucket.replace(/^driver\/\d+\//, 'driver/');
}

function bare({ kind, capacity }: Limit): Limit {
  return { kind, capacity };
}

function sameLimit(own: Limit | undefined, expected: Limit | undefined): boolean {
  return own?.kind === expected?.kind && own?.capacity === expected?.capacity;
}

/** What is left at a time after `taken` more, and when that was. A clock that steps back fills nothing. */
function filled({ capacity }: Limit, per: string, level: Level | undefined, at: number, taken: number): Level {
  if (level === undefined) return { tokens: capacity - taken, at };
  const more = (Math.max(0, at - level.at) * capacity) / PERIOD_MS[per];
  return { tokens: Math.min(capacity, level.tokens + more) - taken, at: Math.max(at, level.at) };
}

/** Columns that a later version added are not in what an earlier one wrote, nor those that a rollback took away in what came after it. */
function includes(found: unknown, expected: unknown): boolean {
  if (found === null || expected === null || typeof found !== 'object' || typeof expected !== 'object') {
    return isDeepStrictEqual(found, expected);
  }
  return Object.entries(expected).every(([name, value]) => {
    return !Object.hasOwn(found, name) || isDeepStrictEqual((found as Record<string, unknown>)[name], value);
  });
}

/** The present of all companies, read once. */
export interface PresentTables {
  readonly companies: ReadonlySet<number>;
  readonly switches: readonly boolean[];
  readonly of: (companyId: number) => Present;
}

/** All companies' settings, limits and breakers. */
export async function readPresent(sql: Connection): Promise<PresentTables> {
  const companies = await sql<{ id: number }[]>`select id from public.company`;
  const switches = await sql<{ stopped: boolean }[]>`select stopped from public.autonomy_all`;
  const settings = await sql<({ company_id: number } & Record<string, unknown>)[]>`select * from public.autonomy`;
  const limits = await sql<(Gauge & { company: number; scope: string; per: string })[]>`
    select company_id as company, scope, per, kind, capacity, tokens, refilled_at as "refilledAt" from public.token_bucket`;
  const breakers = await sql<{ company: number; type: string; failures: number; stopped: boolean }[]>`
    select company_id as company, action_type as type, failures, stopped_at is not null as stopped from public.breaker`;
  const settingsOf = new Map(settings.map(({ company_id: id, ...rest }) => [id, rest]));
  const limitsOf = new Map<number, Map<string, Gauge>>();
  for (const { company, scope, per, ...gauge } of limits) {
    const own = limitsOf.get(company) ?? new Map<string, Gauge>();
    limitsOf.set(company, own.set(`${scope}/${per}`, gauge));
  }
  const breakersOf = new Map<number, Map<string, Breaker>>();
  for (const { company, type, failures, stopped } of breakers) {
    const own = breakersOf.get(company) ?? new Map<string, Breaker>();
    breakersOf.set(company, own.set(type, { failures, stopped }));
  }
  return {
    companies: new Set(companies.map(({ id }) => id)),
    switches: switches.map(({ stopped }) => stopped),
    of: (id) => ({
      settings: settingsOf.get(id),
      limits: limitsOf.get(id) ?? new Map<string, Gauge>(),
      breakers: breakersOf.get(id) ?? new Map<string, Breaker>(),
    }),
  };
}

/** Findings of one chain about the present. */
export function stateFindings(state: BoundState, companyId: number, present: PresentTables): Finding[] {
  const faults = companyId === 0 ? state.compareAll(present.switches) : state.compare(present.of(companyId));
  return faults.map((found) => ({ what: `company ${companyId}, settings`, ...found, companyId }));
}
