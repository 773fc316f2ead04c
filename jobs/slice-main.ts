// The process of one slice: told by its parent what to do, it says how it goes, and ends when its parent does.

import { EngineError } from '../engine/index.js';
import { TrainError } from '../train/index.js';
import { TripsError } from '../trips/index.js';
import { JobsError } from './errors.js';
import { BEAT_SECONDS } from './slice-process.js';
import type { SliceMessage, SliceOrder } from './slice-process.js';
import { checkIdentity, runSlice, studyIdentity, worldFor } from './slice.js';

const stop = new AbortController();
const say = (message: SliceMessage): void => void process.send?.(message, () => undefined);

// A terminal sends its interrupt to all processes: the parent decides.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => stop.abort());
process.on('disconnect', () => process.exit(1));

process.once('message', (order: SliceOrder) => {
  process.on('message', () => stop.abort());
  const beat = setInterval(() => say({ kind: 'beat' }), BEAT_SECONDS * 1000);
  void run(order).finally(() => {
    clearInterval(beat);
    process.disconnect();
  });
});

async function run({ slice, identity, folder, workers }: SliceOrder): Promise<void> {
  try {
    const compiled = worldFor(slice);
    checkIdentity(identity, studyIdentity(compiled));
    const result = await runSlice(slice, {
      folder,
      compiled,
      workers,
      signal: stop.signal,
      onProgress: (progress) => say({ kind: 'progress', progress }),
    });
    await sent({ kind: 'result', result });
  } catch (error) {
    // What the order is at fault for fails each time; what the machine is at fault for may not.
    const isFinal =
      error instanceof JobsError ||
      error instanceof EngineError ||
      error instanceof TripsError ||
      (error instanceof TrainError && error.code !== 'ERR_DISK' && error.code !== 'ERR_RUN_LOCKED');
    await sent({ kind: 'error', message: (error as Error).message, isFinal });
  }
}

/** A message that has left this process. */
function sent(message: SliceMessage): Promise<void> {
  return new Promise((resolve) => process.send!(message, () => resolve()));
}
