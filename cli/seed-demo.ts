// fleetstep seed-demo

import { Command, Option } from 'commander';
import { insertDemo, migrate } from '../audit/index.js';
import type { DemoCompany } from '../audit/index.js';
import { compileScenario } from '../engine/index.js';
import { collectTrips, demoBookings, spoil } from '../trips/index.js';
import type { UsableBooking } from '../trips/index.js';
import { simulate } from '../workers/index.js';
import { withDatabase } from './database.js';
import { jsonOption, seedOption, whole } from './options.js';
import { printJson, progress } from './print.js';

const TIME_ZONE = 'Europe/Zurich';

interface SeedOptions {
  readonly days: number;
  readonly drivers: number;
  readonly seed: number;
  readonly json: boolean;
}

/** The `seed-demo` command. */
export function seedDemoCommand(): Command {
  return new Command('seed-demo')
    .description('Fill the database with an invented company: fleet, bookings, and a record of autonomous actions.')
    .addOption(new Option('--days <n>', 'service days up to yesterday').argParser(whole(1, 1000)).default(90))
    .addOption(new Option('--drivers <n>', 'size of the fleet').argParser(whole(1, 200)).default(10))
    .addOption(seedOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep seed-demo --days 30')
    .action(async ({ days, drivers: count, seed, json }: SeedOptions) => {
      const drivers = Array.from({ length: count }, (_, k) => ({
        kind: k < Math.ceil(0.75 * count) ? ('REGULAR' as const) : ('EMERGENCY' as const),
        skills: [...(k % 2 === 0 ? ['wheelchair'] : []), ...(k % 5 === 0 ? ['stretcher'] : [])],
      }));
      const bookings = demoBookings(seed, serviceDays(days));
      const bar = progress('driving', json);
      const driven = drive(bookings, drivers, seed, (done) => bar.update(done, days, `${done}/${days} days`));
      bar.stop();
      const demo: DemoCompany = {
        name: 'Demo Transports (synthetic)',
        timeZone: TIME_ZONE,
        drivers,
        seed,
        bookings: spoil(seed, driven),
      };
      const companyId = await withDatabase(async (database) => {
        if (database.kind === 'embedded') await migrate(database);
        return insertDemo(database, demo);
      });
      if (json) printJson({ companyId, days, drivers: count, bookings: demo.bookings.length });
      else {
        process.stdout.write(
          `company ${companyId}: ${count} drivers, ${demo.bookings.length} bookings of ${days} days\n` +
            `look at it:  fleetstep audit list --company ${companyId}\n` +
            `collect it:  fleetstep collect --company ${companyId} --out collected\n`,
        );
      }
    });
}

/** The last days before today, oldest first. */
function serviceDays(days: number): { day: string; weekday: number }[] {
  const today = new Intl.DateTimeFormat('sv-SE', { timeZone: TIME_ZONE }).format(new Date());
  return Array.from({ length: days }, (_, k) => {
    const date = new Date(`${today}T00:00:00Z`);
    date.setUTCDate(date.getUTCDate() - days + k);
    return { day: date.toISOString().slice(0, 10), weekday: date.getUTCDay() === 0 ? 7 : date.getUTCDay() };
  });
}

/** What became of the bookings, had a dispatcher always sent the nearest driver: each day played in the engine. */
function drive(
  bookings: readonly UsableBooking[],
  drivers: DemoCompany['drivers'],
  seed: number,
  progress: (done: number) => void,
): UsableBooking[] {
  const { scenario, dataset, order } = collectTrips(
    bookings,
    { drivers },
    { name: 'demo', decimals: 5, lookaheadSeconds: 7200 },
  );
  const { days, dayStart } = dataset.trace;
  const all = { training: [], validation: days.map((_, d) => d), test: [] };
  const compiled = compileScenario(scenario, { ...dataset, splits: all });
  const driven = bookings.map((b) => ({ ...b, status: 'refused' }));
  for (let d = 0; d < days.length; d++) {
    const { events } = simulate({
      compiled,
      policy: { kind: 'heuristic', name: 'nearest' },
      split: 'validation',
      episode: d,
      seed,
    });
    for (const { second, kind, booking, driver } of events) {
      if (booking < 0) continue;
      const k = order[dayStart[d] + booking];
      const at = second + scenario.startSecondOfDay;
      if (kind === 'assigned') driven[k] = { ...driven[k], status: 'completed', driverId: driver };
      else if (kind === 'pickedUp') driven[k] = { ...driven[k], pickupSecond: at };
      else if (kind === 'completed') driven[k] = { ...driven[k], dropoffSecond: at };
      else if (kind === 'expired') driven[k] = { ...driven[k], status: 'expired' };
    }
    progress(d + 1);
  }
  return driven;
}
