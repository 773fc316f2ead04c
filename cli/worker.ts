// fleetstep worker

import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { runQueueWorker } from '../jobs/index.js';
import { interrupts } from './interrupt.js';
import { path, whole } from './options.js';
import { openQueue, queueOption, workerName } from './queue.js';

/** Seconds without a sign of life after which a worker's slices are given to others. */
export const leaseOption = (): Option =>
  new Option('--lease-seconds <n>', 'take work from a worker that is silent for this long; the same for all workers')
    .argParser(whole(2, 3600))
    .default(30);

interface WorkerOptions {
  readonly queue: string | true;
  readonly parallel: number;
  readonly workers: number;
  readonly data?: string;
  readonly dir?: string;
  readonly leaseSeconds: number;
}

/** The `worker` command. */
export function workerCommand(): Command {
  return new Command('worker')
    .description('Do the work of sweeps that go through a queue, on this machine, until it is interrupted.')
    .addOption(
      queueOption('PostgreSQL of the queue (default: the embedded one in FLEETSTEP_DATA or ./data)').default(true),
    )
    .addOption(
      new Option('--parallel <n>', 'trainings at the same time')
        .argParser(whole(1, 256))
        .default(availableParallelism(), 'one per core'),
    )
    .addOption(new Option('--workers <n>', 'worker threads of each training').argParser(whole(1, 256)).default(1))
    .addOption(
      new Option('--data <path>', 'recorded trips on this machine, if they lie elsewhere here').argParser(path),
    )
    .addOption(
      new Option('--dir <folder>', 'where its runs lie, for this worker alone (default: a temporary folder)').argParser(
        path,
      ),
    )
    .addOption(leaseOption())
    .addHelpText(
      'after',
      `
"fleetstep sweep study.json --queue URL" puts the work there and collects the results, which do not depend on who does what. A
worker with another version, or other data, than the sweep refuses its work and says why. An interrupt saves checkpoints and gives
the work back; a second one ends at once. A worker that dies or hangs loses its work to another one after --lease-seconds.

Examples:
  fleetstep worker --queue postgres://me:secret@db.example:5432/fleetstep
  fleetstep worker --queue postgres://db.example/fleetstep --parallel 8 --data /srv/trips
  fleetstep worker`,
    )
    .action(async (options: WorkerOptions) => {
      const say = (text: string): void => void process.stderr.write(`fleetstep worker: ${text}\n`);
      const interrupted = interrupts(() =>
        say('leaving: trainings save a checkpoint and are given back; interrupt again to stop at once'),
      );
      const queue = await openQueue(options.queue, say);
      const folder = options.dir ?? mkdtempSync(join(tmpdir(), 'fleetstep-worker-'));
      const name = workerName();
      try {
        say(`${name} asks for work; its runs lie in ${folder}`);
        let done = 0;
        const { parallel, workers, data, leaseSeconds } = options;
        await runQueueWorker({
          ...{ store: queue.store, deliveries: queue.deliveries },
          ...{ name, folder, parallel, workers, data, leaseSeconds },
          signal: interrupted.signal,
          report: say,
          onDone: ({ trial, seed, toSteps }) => say(`${++done} done: trial ${trial}, seed ${seed}, to step ${toSteps}`),
        });
      } finally {
        if (options.dir === undefined) rmSync(folder, { recursive: true, force: true });
        await queue.close();
        interrupted.close();
      }
      process.exitCode = interrupted.exitCode;
    });
}
