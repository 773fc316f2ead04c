// Preloaded into each process while lines are counted (coverage.js): writes which lines of our files its main thread has run.
// NODE_V8_COVERAGE would do that, too, but takes half as long again for a process that is soon over: it reads and writes the source maps
// of all that is loaded, tens of megabytes where that is TensorFlow.js. Threads are left to it: only it outlives their termination.

import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { URL } from 'node:url';
import threads from 'node:worker_threads';

const folder = process.env.FLEETSTEP_COUNT_LINES;

function countMainThread() {
  const ours = new URL('../dist/', import.meta.url).href;
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  const start = () => session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  start();
  let isCounting = true;
  let written = 0;
  const write = () => {
    if (!isCounting) return;
    session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw new Error(`lines are not counted: ${error.message}`);
      const result = taken.result.filter(({ url }) => url.startsWith(ours));
      const name = `main-${process.pid}-${Date.now()}-${written++}.json`;
      writeFileSync(join(folder, name), JSON.stringify({ result }));
    });
  };
  process.on('exit', write);
  // For a process that does not end by itself: test/support/count-lines.ts. And test/support/uncounted.ts.
  globalThis[Symbol.for('fleetstep.writeLines')] = write;
  globalThis[Symbol.for('fleetstep.countNoLines')] = () => {
    write();
    session.post('Profiler.stopPreciseCoverage');
    isCounting = false;
  };
  globalThis[Symbol.for('fleetstep.countLines')] = () => {
    start();
    isCounting = true;
  };
}

function countThreads() {
  const { Worker } = threads;
  let starting = 0;
  threads.Worker = class extends Worker {
    constructor(...args) {
      // A thread looks there when it begins, some time later.
      process.env.NODE_V8_COVERAGE = folder;
      super(...args);
      starting++;
      this.once('online', () => {
        if (--starting === 0) delete process.env.NODE_V8_COVERAGE;
      });
    }
  };
  syncBuiltinESMExports();
}

// A process that was started while a thread of its parent began has the variable, and is counted by Node as a whole.
if (threads.isMainThread && folder !== undefined && process.env.NODE_V8_COVERAGE === undefined) {
  countMainThread();
  countThreads();
}
