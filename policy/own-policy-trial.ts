// The thread in which a policy of your own is imported for the first time: what it does there, ending the thread included, does no
// harm to whoever asked.

import { parentPort, workerData } from 'node:worker_threads';
import { importPolicy } from './own-policy.js';
import type { Trial } from './own-policy.js';

let trial: Trial;
try {
  trial = { observation: (await importPolicy(workerData as string)).observation };
} catch (error) {
  trial = { fault: (error as Error).message };
}
parentPort!.postMessage(trial);
