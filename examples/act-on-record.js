// An act of software, on record: permission and intent are committed before anything is done, limits and the kill switch hold,
// and what happened can be proved. Starts a PostgreSQL server of its own. Run it after a build: node examples/act-on-record.js

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Recorder,
  configure,
  connect,
  insertDemo,
  listActions,
  migrate,
  openDatabase,
  setLimits,
  verify,
} from 'fleetstep/audit';

const folder = mkdtempSync(join(tmpdir(), 'act-on-record-'));
// Where root starts the server, it runs as another user, who must get there.
chmodSync(folder, 0o755);
const database = await openDatabase({ dataFolder: folder });
await migrate(database);
const owner = connect(database, { role: 'owner', max: 1 });
const recorder = new Recorder(database, { deadlineMs: 5000 });
try {
  // A company that lets software act; a new one does not.
  const drivers = [{ kind: 'REGULAR', skills: [] }];
  const demo = { name: 'Example Transports', timeZone: 'Europe/Zurich', drivers, bookings: [], seed: 1 };
  const companyId = await insertDemo(database, demo);
  await setLimits(owner, companyId, [{ scope: 'notify_customer', per: 'hour', capacity: 2 }], 'example');

  const sent = [];
  const notify = async (key) => {
    const intent = {
      companyId,
      actionType: 'notify_customer',
      description: 'Tell the passenger of a delay of 12 minutes',
      triggerSource: 'example',
      idempotencyKey: key,
    };
    try {
      const { status, replayed } = await recorder.act(intent, () => sent.push(key));
      console.log(`${key}: ${status}${replayed ? ', by the earlier try' : ''}`);
    } catch (error) {
      if (error.code !== 'ERR_REFUSED') throw error;
      console.log(`${key}: refused (${error.refusal.reason})`);
    }
  };
  await notify('ride 1');
  await notify('ride 1');
  await notify('ride 2');
  await notify('ride 3');
  await configure(owner, companyId, { stopped: true }, 'example');
  await notify('ride 4');

  console.log(`sent: ${sent.join(', ')}`);
  const { actions } = await listActions(owner, { companyId });
  console.log(`on record: ${actions.map(({ status }) => status).join(', ')}`);
  const { ok, rows, entries } = await verify(database);
  console.log(`verify: ${ok ? 'ok' : 'not ok'}, ${rows} actions, ${entries} entries`);
} finally {
  await recorder.close();
  await owner.end();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
}
