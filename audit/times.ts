// Times that callers pass in: ISO 8601 with a zone, and no other way of writing them, as a guess at what is meant shifts a
// day or swaps day and month.

import { AuditError } from './errors.js';
import { shown } from './fields.js';

/** What the database, the driver and JavaScript all take and give back as it was. */
const EARLIEST = Date.UTC(1900, 0, 1);
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:[.,]\d{1,9})?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/**
 * The moment that `value` names: a Date, a day (its midnight in UTC), or a day with time and zone.
 * @throws AuditError `ERR_FIELD` naming field and value
 */
export function timeOf(field: string, value: Date | string): Date {
  const time = value instanceof Date ? value : parse(field, value);
  if (Number.isNaN(time.getTime())) throw fault(field, value);
  if (!isStorable(time)) throw fault(field, value, 'it must be of the years 1900 to 9999');
  return time;
}

/** Whether the database, the driver and JavaScript all give the time back as it was: the years 1900 to 9999, UTC. */
export function isStorable(time: Date): boolean {
  return time.getTime() >= EARLIEST && time.getTime() <= LATEST;
}

function parse(field: string, text: string): Date {
  // Whoever calls from plain JavaScript may pass anything.
  const found = typeof text === 'string' ? ISO.exec(text) : null;
  if (found === null) throw fault(field, text);
  const [, year, month, day, hours, minutes, seconds = '00', zone] = found;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // The 30th of February would be the 2nd of March.
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) {
    throw fault(field, text, `there is no such day`);
  }
  if (hours === undefined) return date;
  if (zone === undefined) throw fault(field, text, 'it has no zone, add Z or an offset such as +02:00');
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) {
    throw fault(field, text, 'there is no such time of day');
  }
  const offset = /^([+-])(\d\d):?(\d\d)?$/.exec(zone);
  const [, sign = '+', offsetHours = '00', offsetMinutes = '00'] = offset ?? [];
  if (Number(offsetHours) > 15 || Number(offsetMinutes) > 59) throw fault(field, text, 'there is no such zone');
  const fraction = /[.,](\d+)/.exec(text)?.[1] ?? '';
  const local = date.setUTCHours(
    Number(hours),
    Number(minutes),
    Number(seconds),
    Number(fraction.padEnd(3, '0').slice(0, 3)),
  );
  const shift = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000;
  return new Date(sign === '+' ? local - shift : local + shift);
}

function fault(field: string, value: unknown, why?: string): AuditError {
  return new AuditError(
    'ERR_FIELD',
    `field "${field}" is ${shown(value)}: ${why === undefined ? '' : `${why}; `}expected a time in ISO 8601, such as 2026-01-31T08:00:00Z`,
  );
}
