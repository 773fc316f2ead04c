// A company's fleet and bookings, as `fleetstep collect` reads them.

import type { Connection } from './connection.js';
import { connect, databaseError } from './database.js';
import type { Database } from './database.js';
import { AuditError } from './errors.js';

export interface FleetRow {
  readonly companyId: number;
  readonly timeZone: string;
  /** Active ones; regular before emergency, by id. */
  readonly drivers: readonly {
    readonly id: number;
    readonly kind: 'REGULAR' | 'EMERGENCY';
    readonly skills: readonly string[];
  }[];
}

/** One booking as it is stored. Times are instants, seconds since 1970-01-01T00:00:00Z: infinite ones and such of any year come, too. */
export interface BookingRow {
  /** Text where a number would not be exact. */
  readonly id: number | string;
  readonly driverId: number | string | null;
  readonly status: string;
  readonly priority: number;
  readonly leg: 'outbound' | 'return';
  readonly skills: readonly string[];
  readonly pickupLongitude: number | null;
  readonly pickupLatitude: number | null;
  readonly dropoffLongitude: number | null;
  readonly dropoffLatitude: number | null;
  readonly knownAt: number | null;
  readonly windowStart: number | null;
  readonly windowEnd: number | null;
  readonly pickedUpAt: number | null;
  readonly droppedOffAt: number | null;
}

/**
 * The fleet of a company; without an id, of the only one there is.
 * @throws AuditError `ERR_NOT_FOUND`, `ERR_FIELD` if there are several
 */
export async function readFleet(connection: Connection, companyId?: number): Promise<FleetRow> {
  try {
    const companies = await connection<{ id: number; timeZone: string }[]>`
      select id, time_zone as "timeZone" from company
      ${companyId === undefined ? connection`` : connection`where id = ${companyId}`} order by id`;
    const [company, second] = companies;
    if (company === undefined) {
      throw new AuditError(
        'ERR_NOT_FOUND',
        companyId === undefined
          ? 'there is no company: "fleetstep seed-demo" makes one to try'
          : `company ${companyId} is not known`,
      );
    }
    if (second !== undefined) {
      throw new AuditError(
        'ERR_FIELD',
        `there are ${companies.length} companies: give one with --company (${companies
          .slice(0, 5)
          .map(({ id }) => id)
          .join(', ')}${companies.length > 5 ? ', ...' : ''})`,
      );
    }
    const drivers = await connection<FleetRow['drivers'][number][]>`
      select id, kind, to_jsonb(skills) as skills from driver where company_id = ${company.id} and active order by kind desc, id`;
    return { companyId: company.id, timeZone: company.timeZone, drivers: [...drivers] };
  } catch (error) {
    throw databaseError(error);
  }
}

/** Years before `from` and after `to` beyond which a time says nothing about when a booking was. */
const YEARS_BEFORE = 20;
const YEARS_AFTER = 2;
/** Rows that are in memory at once. */
const BATCH = 1000;

/**
 * Bookings whose window starts from the instant `from` to the instant `to` (exclusive), by id and in batches. Where that
 * start is missing or absurd, the call decides, or when the row was entered; where all are absurd, the booking comes too.
 */
export async function* readBookings(
  connection: Connection,
  companyId: number,
  { from, to }: { readonly from: number; readonly to: number },
): AsyncGenerator<BookingRow[], void, undefined> {
  // Numbers alone cross the wire: each is one that JavaScript can hold, whatever the column holds.
  const batches = connection<BookingRow[]>`
    with span as (
      select to_timestamp(${from}) as first, to_timestamp(${to}) as last,
        to_timestamp(${from}) - make_interval(years => ${YEARS_BEFORE}) as earliest,
        to_timestamp(${to}) + make_interval(years => ${YEARS_AFTER}) as latest
    )
    select id::text as id, driver_id::text as "driverId", status, priority, leg, to_jsonb(skills) as skills,
      pickup_longitude as "pickupLongitude", pickup_latitude as "pickupLatitude",
      dropoff_longitude as "dropoffLongitude", dropoff_latitude as "dropoffLatitude",
      extract(epoch from known_at)::float8 as "knownAt", extract(epoch from window_start)::float8 as "windowStart",
      extract(epoch from window_end)::float8 as "windowEnd", extract(epoch from picked_up_at)::float8 as "pickedUpAt",
      extract(epoch from dropped_off_at)::float8 as "droppedOffAt"
    from booking, span,
      lateral (select coalesce(
        case when window_start between earliest and latest then window_start end,
        case when known_at between earliest and latest then known_at end,
        case when booking.created_at between earliest and latest then booking.created_at end,
        first) as at) as placed
    where company_id = ${companyId} and at >= first and at < last
    order by booking.id`.cursor(BATCH);
  try {
    for await (const rows of batches) {
      yield rows.map((row) => ({
        ...row,
        id: exactId(row.id),
        driverId: row.driverId === null ? null : exactId(row.driverId),
      }));
    }
  } catch (error) {
    throw databaseError(error);
  }
}

function exactId(text: number | string): number | string {
  const id = Number(text);
  return Number.isSafeInteger(id) ? id : String(text);
}

/** Companies, or one of them; up to 1,000. */
export async function listCompanies(
  connection: Connection,
  companyId?: number,
): Promise<{ readonly id: number; readonly name: string }[]> {
  try {
    return await connection<{ id: number; name: string }[]>`
      select id, name from company
      where true ${companyId === undefined ? connection`` : connection`and id = ${companyId}`} order by id limit 1000`;
  } catch (error) {
    throw databaseError(error);
  }
}

/** Id of the company that was there first; made, under a plain name, if there is none yet. */
export async function firstCompany(database: Database): Promise<number> {
  const owner = connect(database, { role: 'owner', max: 1 });
  try {
    const [found] = await owner<{ id: number }[]>`select id from company order by id limit 1`;
    if (found !== undefined) return found.id;
    const [made] = await owner<{ id: number }[]>`insert into company (name) values ('my company') returning id`;
    return made.id;
  } catch (error) {
    throw databaseError(error);
  } finally {
    await owner.end({ timeout: 5 });
  }
}
