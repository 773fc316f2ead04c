// Many tries at the limits from 16 connections of one process: intents in batches of 1 to 20 over several companies and
// types, with outcomes in between. Prints what it met.

import { randomUUID } from 'node:crypto';
import { connect } from '#audit/index.js';

const { database, companies, tries, seed } = JSON.parse(process.argv[2]);
const sql = connect(database, { role: 'app', max: 16 });
const types = ['assign', 'reassign', 'notify_customer', 'reoptimize'];
let state = seed;
/** A number in [0, n), of the high bits: the low ones go round in small circles. */
const draw = (n) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 12) % n;
const result = { tried: 0, intended: 0, refused: 0, errors: [] };

async function work() {
  while (result.tried < tries) {
    const size = Math.min(tries - result.tried, 1 + draw(20));
    result.tried += size;
    const intents = Array.from({ length: size }, (_, n) => ({
      n,
      // Half of all tries at one company.
      company: companies[draw(2) === 0 ? 0 : draw(companies.length)],
      type: types[draw(types.length)],
      key: randomUUID(),
      attempt: randomUUID(),
      description: 'try',
      data: {},
      trigger: 'test',
      dryRun: false,
      actSeconds: 600,
    }));
    try {
      const rows = await sql`select id, status from autonomy_intend(${sql.json(intents)})`;
      const taken = rows.filter(({ status }) => status === 'intended');
      result.intended += taken.length;
      result.refused += rows.length - taken.length;
      const outcomes = taken.map(({ id }) => ({
        id,
        status: draw(10) === 0 ? 'failed' : 'succeeded',
        ms: 1,
        error: null,
      }));
      if (outcomes.length > 0) await sql`select autonomy_outcomes(${sql.json(outcomes)})`;
    } catch (error) {
      result.errors.push(`${error.code} ${error.message}`);
    }
  }
}

await Promise.all(Array.from({ length: 16 }, work));
await sql.end();
process.stdout.write(JSON.stringify({ ...result, errors: result.errors.slice(0, 5), faults: result.errors.length }));
