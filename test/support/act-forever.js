// Acts one after the other until it is killed. Each act first writes its row's id to a file: proof that it ran. Tries
// every key twice. Writes a dot when it is ready and after each act.

import { appendFileSync } from 'node:fs';
import { Recorder } from '#audit/index.js';

const { database, companyId, file, name } = JSON.parse(process.argv[2]);
const recorder = new Recorder(database, { deadlineMs: 5000, actTimeoutMs: 200 });
process.stdout.write('.');
for (let k = 0; ; k++) {
  for (let attempt = 0; attempt < 2; attempt++) {
    await recorder
      .act(
        { companyId, actionType: 'assign', description: 'act', triggerSource: 'test', idempotencyKey: `${name}-${k}` },
        ({ actionId }) => appendFileSync(file, `${actionId} ${name}-${k}\n`),
      )
      .catch((error) => appendFileSync(`${file}.errors`, `${error.code} ${error.message}\n`));
  }
  process.stdout.write('.');
}
