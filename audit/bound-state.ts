// What a chain says about the present: a company's settings, limits and breakers, and in chain 0 the switch and the list of
// all companies. An edit of those tables that went through no function has no entry, and differs from this.

import { isDeepStrictEqual } from 'node:util';
import type { Connection } from './database.js';
import { fault } from './chain-check.js';
import type { Fault, Finding } from './chain-check.js';

interface Limit {
  readonly kind: string;
  readonly capacity: number;
}

interface Breaker {
  readonly failures: number;
  readonly stopped: boolean;
}

/** How everything stood at an entry: when a company began, when its record was upgraded, after acts were imported, or pruned. */
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

/** The present, as the tables have it. */
export interface Present {
  readonly settings: Readonly<Record<string, unknown>> | undefined;
  readonly limits: ReadonlyMap<string, Limit>;
  readonly breakers: ReadonlyMap<string, Breaker>;
}

export class BoundState {
  readonly #companyId: number;
  readonly #findings: Fault[] = [];
  #settings: Readonly<Record<string, unknown>> | undefined;
  #limits: Map<string, Limit> | undefined;
  #breakers: Map<string, Breaker> | undefined;
  #stoppedAll = false;
  readonly #companies = new Map<number, State | undefined>();

  constructor(companyId: number) {
    this.#companyId = companyId;
  }

  /** Companies that chain 0 says have been opened, with how they stood then. */
  get companies(): ReadonlyMap<number, State | undefined> {
    return this.#companies;
  }

  /** What an entry without a row of its own says. */
  note(kind: string, content: unknown): void {
    if (content === null || typeof content !== 'object') return;
    const detail = content as Detail;
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
      this.#follows(`limit ${detail.bucket}`, this.#limits.get(detail.bucket) ?? null, detail.before ?? null);
      if (detail.after === null || detail.after === undefined) this.#limits.delete(detail.bucket);
      else this.#limits.set(detail.bucket, detail.after as Limit);
    } else if (kind === 'breaker' && detail.actionType !== undefined) {
      const failures = detail.stopped === true ? (this.#breakers?.get(detail.actionType)?.failures ?? 0) : 0;
      this.#breakers?.set(detail.actionType, { failures, stopped: detail.stopped === true });
    }
  }

  /** An act has ended: failures in a row are counted as the breaker counts them. */
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
      if (!isDeepStrictEqual(own, limit)) {
        found.push(fault(`limit ${bucket} was edited`, limit, own));
      }
    }
    for (const [bucket, limit] of present.limits) {
      // A driver's own bucket is as the company's `driver` limit says.
      const as = bucket.replace(/^driver\/\d+\//, 'driver/');
      if (as === bucket ? !limits.has(as) : !isDeepStrictEqual(limits.get(as), limit)) {
        found.push(fault(`limit ${bucket} was edited`, limits.get(as), limit));
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

/** Columns that a later version added are not in what an earlier one wrote. */
function includes(found: unknown, expected: unknown): boolean {
  if (found === null || expected === null || typeof found !== 'object' || typeof expected !== 'object') {
    return isDeepStrictEqual(found, expected);
  }
  return Object.entries(expected).every(([name, value]) => {
    return isDeepStrictEqual((found as Record<string, unknown>)[name], value);
  });
}

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
  const limits = await sql<{ company: number; scope: string; per: string; kind: string; capacity: number }[]>`
    select company_id as company, scope, per, kind, capacity from public.token_bucket`;
  const breakers = await sql<{ company: number; type: string; failures: number; stopped: boolean }[]>`
    select company_id as company, action_type as type, failures, stopped_at is not null as stopped from public.breaker`;
  const settingsOf = new Map(settings.map(({ company_id: id, ...rest }) => [id, rest]));
  const limitsOf = new Map<number, Map<string, Limit>>();
  for (const { company, scope, per, kind, capacity } of limits) {
    const own = limitsOf.get(company) ?? new Map<string, Limit>();
    limitsOf.set(company, own.set(`${scope}/${per}`, { kind, capacity }));
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
      limits: limitsOf.get(id) ?? new Map<string, Limit>(),
      breakers: breakersOf.get(id) ?? new Map<string, Breaker>(),
    }),
  };
}

/** Findings of one chain about the present. */
export function stateFindings(state: BoundState, companyId: number, present: PresentTables): Finding[] {
  const faults = companyId === 0 ? state.compareAll(present.switches) : state.compare(present.of(companyId));
  return faults.map((found) => ({ what: `company ${companyId}, settings`, ...found, companyId }));
}
