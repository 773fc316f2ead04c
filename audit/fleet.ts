// A company's fleet and bookings, as `fleetstep collect` reads them.

import { connect, databaseError } from './database.js';
import type { Connection, Database } from './database.js';
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

/** One booking. Times are seconds of the company's wall clock since midnight of the service day, the window's first. */
export interface BookingRow {
  readonly id: number;
  readonly driverId: number | null;
  readonly status: string;
  readonly priority: number;
  readonly leg: 'outbound' | 'return';
  readonly skills: readonly string[];
  readonly pickupLongitude: number | null;
  readonly pickupLatitude: number | null;
  readonly dropoffLongitude: number | null;
  readonly dropoffLatitude: number | null;
  /** YYYY-MM-DD, and 1 Monday to 7 Sunday; null without a window. */
  readonly day: string | null;
  readonly weekday: number | null;
  readonly knownSecond: number | null;
  readonly windowStartSecond: number | null;
  readonly windowEndSecond: number | null;
  readonly pickupSecond: number | null;
  readonly dropoffSecond: number | null;
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

/** Bookings of the last `days` service days before today, and those without a window that were entered in that time. */
export async function readBookings(connection: Connection, fleet: FleetRow, days: number): Promise<BookingRow[]> {
  try {
    return await connection<BookingRow[]>`
      with span as (
        select date_trunc('day', clock_timestamp() at time zone ${fleet.timeZone}) as today
      ), local as (
        select b.*, date_trunc('day', window_start at time zone ${fleet.timeZone}) as midnight
        from booking b, span
        where company_id = ${fleet.companyId}
          and coalesce(window_start, known_at, created_at) < today at time zone ${fleet.timeZone}
          and coalesce(window_start, known_at, created_at) >= (today - make_interval(days => ${days})) at time zone ${fleet.timeZone}
      )
      select id, driver_id as "driverId", status, priority, leg, to_jsonb(skills) as skills,
        pickup_longitude as "pickupLongitude", pickup_latitude as "pickupLatitude",
        dropoff_longitude as "dropoffLongitude", dropoff_latitude as "dropoffLatitude",
        to_char(midnight, 'YYYY-MM-DD') as day, extract(isodow from midnight)::integer as weekday,
        extract(epoch from known_at at time zone ${fleet.timeZone} - midnight)::integer as "knownSecond",
        extract(epoch from window_start at time zone ${fleet.timeZone} - midnight)::integer as "windowStartSecond",
        extract(epoch from window_end at time zone ${fleet.timeZone} - midnight)::integer as "windowEndSecond",
        extract(epoch from picked_up_at at time zone ${fleet.timeZone} - midnight)::integer as "pickupSecond",
        extract(epoch from dropped_off_at at time zone ${fleet.timeZone} - midnight)::integer as "dropoffSecond"
      from local order by id`;
  } catch (error) {
    throw databaseError(error);
  }
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
