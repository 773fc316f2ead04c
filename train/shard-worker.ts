// The file that a training run's threads load to learn: one task lasts a whole phase, in which the thread waits for updates in
// shared memory and takes shards of them.

import { ppoShardLoss } from './ppo.js';
import { Control, ShardThread } from './shards.js';
import type { SampleLoss, ShardTask } from './shards.js';

/** Losses that threads know, by name. */
const losses: Readonly<Record<string, (setup: never) => SampleLoss>> = { ppo: ppoShardLoss };

/** Milliseconds of busy waiting before a thread sleeps: about what waking takes. A longer wait takes the core from who works. */
const SPIN_MS = 0.02;

/** The learner of the last phase, and this thread as each of the numbers that it had. */
let known: { readonly id: number; readonly threads: Map<number, ShardThread> } = { id: -1, threads: new Map() };

/** Takes shards until the phase is over. */
export function learn({ setup, thread, seen, beats, slot }: ShardTask): void {
  if (known.id !== setup.id) known = { id: setup.id, threads: new Map() };
  let part = known.threads.get(thread);
  if (part === undefined) {
    part = new ShardThread(setup, losses[setup.loss.name](setup.loss.setup as never), thread);
    known.threads.set(thread, part);
  }
  const { control } = setup;
  for (let last = seen; ;) {
    Atomics.add(beats, slot, 1);
    const now = awaitChange(control, Control.update, last);
    if (Atomics.load(control, Control.over) === 1) return;
    if (now === last) continue;
    last = now;
    part.work();
  }
}

/** The word's value once it is not `old` any more, or after a second. */
function awaitChange(control: Int32Array, word: number, old: number): number {
  const until = performance.now() + SPIN_MS;
  do {
    for (let k = 0; k < 100; k++) {
      const now = Atomics.load(control, word);
      if (now !== old) return now;
    }
  } while (performance.now() < until);
  Atomics.wait(control, word, old, 1000);
  return Atomics.load(control, word);
}
