// A company to try everything on: its fleet, its bookings with what became of them, and a record of autonomous actions.

import { randomUUID } from 'node:crypto';
import type { Connection } from './connection.js';
import { configure, setLimits } from './controls.js';
import { connect, databaseError } from './database.js';
import type { Database } from './database.js';
import type { BookingRow } from './fleet.js';
import { periods } from './vocabulary.js';

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

/** What `insertDemo` makes. */
export interface DemoCompany {
  readonly name: string;
  readonly timeZone: string;
  readonly drivers: readonly { readonly kind: 'REGULAR' | 'EMERGENCY'; readonly skills: readonly string[] }[];
  /** Ids are given anew. */
  readonly bookings: readonly DemoBooking[];
  /** Seeds the choice of actions. */
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
  await insertActions(tx, id, demo.seed);
  return id;
}

/** So many actions at most, of the bookings that came last. */
const MOST_ACTIONS = 300;
/** Room for them within an hour, and for as many more; `reassign` keeps its limit, and so some are refused. */
const LIMITED_TYPES = ['all', 'assign', 'notify_customer', 'adjust_time', 'reoptimize'] as const;

const DESCRIPTIONS = {
  assign: 'Assign the booking to the driver who is there first',
  reassign: 'Move the booking to a driver who is nearer',
  notify_customer: 'Tell the passenger of the delay',
  adjust_time: 'Move the pickup by a few minutes',
  reoptimize: 'Plan the coming two hours anew',
} as const;

/** One action of the demo, drawn at random for a booking. */
interface DrawnAction {
  readonly booking: number;
  readonly driver: number;
  readonly type: keyof typeof DESCRIPTIONS;
  readonly delayMinutes: number;
  readonly confidence: number;
  readonly improvement: number;
  readonly outcome: 'succeeded' | 'failed' | 'unknown';
  readonly ms: number;
}

/**
 * One booking in five gets an action, now and by the statements that every action goes through: limits and rules refuse some,
 * some fail. So the record of the demo is a record like any other.
 */
async function insertActions(tx: Connection, companyId: number, seed: number): Promise<void> {
  const by = 'seed-demo';
  await configure(
    tx,
    companyId,
    {
      mode: 'FULLY_AUTO',
      autoAssign: true,
      autoReassign: true,
      autoNotifyCustomer: true,
      autoAdjustTime: true,
      autoReoptimize: true,
    },
    by,
  );
  const limits = LIMITED_TYPES.flatMap((scope) => periods.map((per) => ({ scope, per, capacity: 2 * MOST_ACTIONS })));
  await setLimits(tx, companyId, limits, by);
  const drawn = await drawActions(tx, companyId, seed);
  const intents = drawn.map((action, n) => ({
    n,
    company: companyId,
    type: action.type,
    key: `demo-${action.booking}`,
    attempt: randomUUID(),
    description: DESCRIPTIONS[action.type],
    booking: action.booking,
    driver: action.driver,
    data: action.type === 'adjust_time' ? { delayMinutes: action.delayMinutes } : {},
    delay: action.delayMinutes,
    confidence: action.confidence,
    improvement: action.improvement,
    trigger: 'policy',
    dryRun: false,
    actSeconds: 60,
  }));
  const verdicts = await tx<{ n: number; id: number; status: string }[]>`
    select n, id, status from public.autonomy_intend(${tx.json(intents)}) order by n`;
  const outcomes = verdicts
    .filter(({ status }) => status === 'intended')
    .map(({ n, id }) => {
      const { outcome, ms } = drawn[n];
      const errors = {
        succeeded: null,
        failed: 'the connector answered 503',
        unknown: 'no outcome on record in time: whether it happened is not known',
      };
      return { id, status: outcome, ms: outcome === 'unknown' ? null : ms, error: errors[outcome] };
    });
  await tx`select public.autonomy_outcomes(${tx.json(outcomes)})`;
  await tx`
    select public.autonomy_review(id, 'demo admin', case when success then null else 'seen, the connector was down' end) from (
      select id, success from public.autonomous_action where company_id = ${companyId} and status <> 'refused'
      order by success nulls first, id limit 40) as seen`;
}

/** What is done to which booking, and what comes of it, by the seed. Delays go up to 45 minutes: the rule allows 30. */
async function drawActions(tx: Connection, companyId: number, seed: number): Promise<DrawnAction[]> {
  await tx`select setseed(${(seed % 1000) / 1000})`;
  return tx<DrawnAction[]>`
    select booking, driver,
      (array['assign', 'assign', 'reassign', 'notify_customer', 'notify_customer', 'adjust_time', 'reoptimize'])
        [1 + floor(7 * kind)::integer] as type,
      5 + floor(40 * delay)::integer as "delayMinutes", round((0.6 + 0.4 * a)::numeric, 3)::float8 as confidence,
      round((15 * b)::numeric, 1)::float8 as improvement,
      case when luck < 0.9 then 'succeeded' when luck < 0.97 then 'failed' else 'unknown' end as outcome,
      exp(3 + 0.7 * (a + b + c + d - 2)) as ms
    from (
      select id as booking, driver_id as driver, window_start, random() as chosen, random() as luck, random() as kind,
        random() as delay, random() as a, random() as b, random() as c, random() as d
      from (select * from booking where company_id = ${companyId} order by id) as own
    ) as drawn
    where chosen < 0.2 and driver is not null and window_start is not null
    order by window_start desc, booking desc limit ${MOST_ACTIONS}`;
}
