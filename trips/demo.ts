// A company that does not exist: bookings as a medical transport's days would have them, drawn from a seed.

import { Purpose, RandomStream, toDegrees } from '../engine/index.js';
import type { BookingRecord, UsableBooking } from './booking-record.js';

/** Geneva. */
const CENTRE = { longitude: 6.1432, latitude: 46.2044 };
/** Where patients go: metres east and north of the centre, and how often. */
const CLINICS: readonly (readonly [x: number, y: number, weight: number])[] = [
  [400, -1300, 6],
  [2600, -300, 3],
  [-2400, 1900, 2],
  [5200, -2600, 1],
  [-4300, -1200, 1],
];
const HOUR = 3600;

/** Bookings of the given service days, without outcomes; weekends are quiet. */
export function demoBookings(seed: number, days: readonly { day: string; weekday: number }[]): UsableBooking[] {
  const bookings: UsableBooking[] = [];
  days.forEach(({ day, weekday }, d) => {
    const random = new RandomStream(seed, Purpose.demand, 0, d);
    const count = random.integer(weekday >= 6 ? 15 : 50, weekday >= 6 ? 25 : 70);
    for (let k = 0; k < count; k++) {
      const home = placeOf(5000 * random.normal(), 4000 * random.normal());
      const clinic = clinicOf(random);
      // Two humps: appointments of the morning and of the afternoon, on the quarter hour.
      const hour = random.float() < 0.6 ? 8.75 + 1.3 * random.normal() : 14 + 1.4 * random.normal();
      const start = Math.round((Math.min(18, Math.max(6.5, hour)) * HOUR) / 900) * 900;
      const urgent = random.float() < 0.12;
      // Most are booked days before; urgent ones an hour before at most.
      const ahead = urgent
        ? random.integer(5, 50) * 60
        : random.float() < 0.65
          ? random.integer(12, 240) * HOUR
          : random.integer(45, 300) * 60;
      const skills = random.float() < 0.18 ? ['wheelchair'] : random.float() < 0.06 ? ['stretcher'] : [];
      const add = (leg: 'outbound' | 'return', windowStart: number, known: number): void => {
        const [from, to] = leg === 'outbound' ? [home, clinic] : [clinic, home];
        bookings.push({
          id: bookings.length,
          driverId: null,
          status: 'open',
          priority: urgent ? 5 : random.integer(2, 4),
          leg,
          skills,
          pickupLongitude: from.longitude,
          pickupLatitude: from.latitude,
          dropoffLongitude: to.longitude,
          dropoffLatitude: to.latitude,
          day,
          weekday,
          knownSecond: known,
          windowStartSecond: windowStart,
          windowEndSecond: windowStart + (urgent ? 20 : 30) * 60,
          pickupSecond: null,
          dropoffSecond: null,
        });
      };
      add('outbound', start, start - ahead);
      if (random.float() < 0.45) {
        const back = start + random.integer(6, 16) * 900;
        if (back < 20 * HOUR) add('return', back, Math.min(start - ahead, back - HOUR));
      }
    }
  });
  return bookings;
}

/** What goes wrong in real records: about one booking in fifty loses or garbles something, or is entered twice. */
export function spoil(seed: number, bookings: readonly BookingRecord[]): BookingRecord[] {
  const random = new RandomStream(seed, Purpose.demand, 1);
  return bookings.flatMap((b): BookingRecord[] => {
    const draw = random.float();
    if (draw > 0.02) return [b];
    if (draw < 0.004) return [{ ...b, pickupLongitude: null, pickupLatitude: null }];
    if (draw < 0.007) return [{ ...b, dropoffLongitude: 0, dropoffLatitude: 0 }];
    if (draw < 0.01) return [{ ...b, windowStartSecond: b.windowEndSecond, windowEndSecond: b.windowStartSecond }];
    if (draw < 0.013) return [{ ...b, knownSecond: null }];
    if (draw < 0.016) return [{ ...b, dropoffSecond: b.pickupSecond === null ? null : b.pickupSecond - 60 }];
    return [b, { ...b }];
  });
}

function clinicOf(random: RandomStream): { longitude: number; latitude: number } {
  let draw = random.float() * CLINICS.reduce((sum, [, , weight]) => sum + weight, 0);
  const found = CLINICS.find(([, , weight]) => (draw -= weight) < 0) ?? CLINICS[0];
  return placeOf(found[0], found[1]);
}

function placeOf(x: number, y: number): { longitude: number; latitude: number } {
  const { longitude, latitude } = toDegrees(x, y, CENTRE.longitude, CENTRE.latitude);
  return { longitude: Number(longitude.toFixed(5)), latitude: Number(latitude.toFixed(5)) };
}
