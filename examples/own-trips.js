// Own trips, from a CSV file to a simulated day: makes a week of rides of a town that does not exist, imports them, and
// lets two policies drive its held-out day. Run it after a build: node examples/own-trips.js

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RandomStream, VectorDispatchEnv, episodeSource, kpisOf } from 'fleetstep/engine';
import { heuristic } from 'fleetstep/policy';
import { importOwnTrips, loadScenario } from 'fleetstep/trips';

const folder = mkdtempSync(join(tmpdir(), 'own-trips-'));
try {
  // A file as another program may have exported it: its own names of columns, times of the town's clock.
  const csv = join(folder, 'rides.csv');
  writeFileSync(csv, ridesOfAWeek());

  // From the file to a folder with scenario.json and trips.msgpack. Faulty trips are counted, sound ones imported.
  const out = join(folder, 'town');
  const { trips } = importOwnTrips(
    csv,
    { name: 'town', timeZone: 'Europe/Zurich', map: { pickup_time: 'start', dropoff_time: 'end' } },
    out,
  );
  console.log(`${trips.report.usable} of ${trips.report.bookings} trips can be used`);

  // The folder is what `fleetstep train --scenario town/scenario.json` takes, too.
  const compiled = loadScenario({ scenario: join(out, 'scenario.json') });
  const { drivers, horizonSeconds, tickSeconds } = compiled.scenario;
  console.log(`${drivers} drivers, ${horizonSeconds / 3600} hours in ticks of ${tickSeconds} seconds`);

  for (const name of ['random', 'hungarian']) {
    const source = episodeSource(compiled.dataset, 'test', 'listed');
    const env = new VectorDispatchEnv({
      scenario: compiled,
      numEnvs: source.days.length,
      source,
      autoresetMode: 'DISABLED',
    });
    const policy = heuristic(name);
    const actions = new Int32Array(env.numEnvs);
    let { infos } = env.reset({ seed: 1 });
    while (env.world.state.ended.includes(0)) {
      policy.act(env.world, 0, env.numEnvs, actions);
      ({ infos } = env.step(actions));
    }
    const { serviceRate, onTimeRate } = kpisOf(infos.episodeKpis, 0);
    const percent = (share) => `${(100 * share).toFixed(1)}%`;
    console.log(`${name}: ${percent(serviceRate)} served, ${percent(onTimeRate)} of these on time`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Seven days of 120 rides between places within three kilometres, and one ride that went wrong. */
function ridesOfAWeek() {
  const random = new RandomStream(1, 0);
  const lines = ['start,end,pickup_longitude,pickup_latitude,dropoff_longitude,dropoff_latitude'];
  const clock = (minute) =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
  const place = () =>
    `${(7.45 + 0.04 * (random.float() - 0.5)).toFixed(4)},${(46.95 + 0.03 * (random.float() - 0.5)).toFixed(4)}`;
  for (let day = 2; day <= 8; day++) {
    for (let ride = 0; ride < 120; ride++) {
      const minute = random.integer(7 * 60, 19 * 60);
      const date = `2026-03-0${day}`;
      lines.push(`${date} ${clock(minute)},${date} ${clock(minute + random.integer(4, 15))},${place()},${place()}`);
    }
  }
  lines.push('2026-03-05 10:00,2026-03-05 09:00,7.45,46.95,7.46,46.96');
  return lines.join('\n');
}
