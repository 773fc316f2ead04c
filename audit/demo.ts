// A company to try everything on: its fleet, its bookings with what became of them, and a record of autonomous acts.

import type { Connection } from './connection.js';
import { connect, databaseError } from './database.js';
import type { Database } from './database.js';
import type { BookingRow } from './fleet.js';
import { appendHistory, createHistoryTable } from './history.js';

/** A booking by the company's clock: times are seconds since midnight of the service day. `driverId` is an index into `drivers`. */
export interface DemoBooking extends Omit<
  BookingRow,
  'id' | 'knownAt' | 'windowStart' | 'windowEnd' | 'pickedUpAt' | 'droppedOffAt'
> {
  readonly day: string | null;
  readonly knownSecond: number | null;
  readonly windowStartSecond: number | null;
  readonly windowEndSecond: number | null;
  readonly pickupSecond: number | null;
  readonly dropoffSecond: number | null;
}

export interface DemoCompany {
  readonly name: string;
  readonly timeZone: string;
  readonly drivers: readonly { readonly kind: 'REGULAR' | 'EMERGENCY'; readonly skills: readonly string[] }[];
  /** Ids are given anew. */
  readonly bookings: readonly DemoBooking[];
  /** Seeds the choice of acts. */
  readonly seed: number;
}

/** Inserts the company, whole or not at all; gives its id. */
export async function insertDemo(database: Database, demo: DemoCompany): Promise<number> {
  const pool = connect(database, { role: 'owner', max: 1 });
  try {
    return await pool.begin((transaction) => insert(transaction as unknown as Connection, demo));
  } catch (error) {
    throw databaseError(error);
  } finally {
    await pool.end({ timeout: 5 });
  }
}

async function insert(tx: Connection, demo: DemoCompany): Promise<number> {
  const [{ id }] = await tx<[{ id: number }]>`
    insert into company (name, time_zone) values (${demo.name}, ${demo.timeZone}) returning id`;
  const rows = await tx<{ id: number }[]>`
    insert into driver (company_id, kind, skills)
    select ${id}, kind, skills from jsonb_to_recordset(${tx.json(demo.drivers)}) as d (kind text, skills text[])
    returning id`;
  const drivers = rows.map((row) => row.id);
  const bookings = demo.bookings.map((b) => ({
    ...b,
    driverId: b.driverId === null ? null : drivers[Number(b.driverId)],
  }));
  await tx`
    insert into booking (company_id, driver_id, status, priority, leg, skills, pickup_longitude, pickup_latitude,
      dropoff_longitude, dropoff_latitude, known_at, window_start, window_end, assigned_at, picked_up_at, dropped_off_at, created_at)
    select ${id}, "driverId", status, priority, leg, skills, "pickupLongitude", "pickupLatitude", "dropoffLongitude",
      "dropoffLatitude", known, (midnight + "windowStartSecond" * second) at time zone zone,
      (midnight + "windowEndSecond" * second) at time zone zone, case when "driverId" is not null then known end,
      (midnight + "pickupSecond" * second) at time zone zone, (midnight + "dropoffSecond" * second) at time zone zone,
      coalesce(known, midnight at time zone zone)
    from jsonb_to_recordset(${tx.json(bookings)}) as b (
      "driverId" bigint, status text, priority smallint, leg text, skills text[], "pickupLongitude" double precision,
      "pickupLatitude" double precision, "dropoffLongitude" double precision, "dropoffLatitude" double precision,
      day timestamp, "knownSecond" integer, "windowStartSecond" integer, "windowEndSecond" integer, "pickupSecond" integer,
      "dropoffSecond" integer),
      lateral (values (${demo.timeZone}, day, interval '1 second')) as clock (zone, midnight, second),
      lateral (values ((midnight + "knownSecond" * second) at time zone zone)) as call (known)`;
  await insertActs(tx, id, demo.seed);
  return id;
}

/** One booking in five was touched by software: mostly well, some refused, some failed. */
async function insertActs(tx: Connection, companyId: number, seed: number): Promise<void> {
  await createHistoryTable(tx);
  await tx`select setseed(${(seed % 1000) / 1000})`;
  await tx`
    insert into history (company_id, booking_id, driver_id, action_type, description, data, status, ms, error, refusal,
      confidence, improvement, trigger, at)
    select ${companyId}, id, driver_id, type::action_type,
      case type
        when 'assign' then 'Assign the booking to the driver who is there first'
        when 'reassign' then 'Move the booking to a driver who is nearer'
        when 'notify_customer' then 'Tell the passenger of the delay'
        when 'adjust_time' then 'Move the pickup by a few minutes'
        else 'Plan the coming two hours anew'
      end,
      case type when 'adjust_time' then jsonb_build_object('delayMinutes', 5 + floor(20 * delay)) else '{}' end,
      status::action_status, case when status in ('succeeded', 'failed') then exp(3 + 0.7 * (a + b + c + d - 2)) end,
      case status
        when 'failed' then 'the connector answered 503'
        when 'refused' then 'limit ' || type || '/hour is reached'
        when 'unknown' then 'no outcome on record in time: whether it happened is not known'
      end,
      case status when 'refused' then jsonb_build_object('reason', 'limit', 'bucket', type || '/hour', 'left', 0,
        'message', 'limit ' || type || '/hour is reached') end,
      round((0.6 + 0.4 * a)::numeric, 3), round((15 * b)::numeric, 1), 'policy', at
    from (
      select id, driver_id, random() as a, random() as b, random() as c, random() as d, random() as delay,
        (array['assign', 'assign', 'reassign', 'notify_customer', 'notify_customer', 'adjust_time', 'reoptimize'])
          [1 + floor(7 * random())::integer] as type,
        case when luck < 0.86 then 'succeeded' when luck < 0.92 then 'failed' when luck < 0.98 then 'refused' else 'unknown' end as status,
        coalesce(picked_up_at, window_start) - make_interval(secs => 3000 * random()) as at
      from (select *, random() as luck, random() as chosen from booking where company_id = ${companyId} order by id) as drawn
      where chosen < 0.2 and driver_id is not null and window_start is not null
    ) as act`;
  await appendHistory(tx);
  await tx`
    select autonomy_review(id, 'demo admin', case when success then null else 'seen, the connector was down' end) from (
      select id, success from autonomous_action where company_id = ${companyId} and status <> 'refused'
      order by success nulls first, id limit 40) as seen`;
  await tx`
    select autonomy_configure(${companyId}, ${tx.json({
      mode: 'FULLY_AUTO',
      auto_assign: true,
      auto_reassign: true,
      auto_notify_customer: true,
      auto_adjust_time: true,
      auto_reoptimize: true,
    })}, 'seed-demo')`;
}
