// A slice in a process of its own: it can be killed, or die, and the study goes on.

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { debuglog } from 'node:util';
import { JobsError } from './errors.js';
import type { Slice, SliceProgress, SliceResult, StudyIdentity } from './slice.js';

const log = debuglog('fleetstep:jobs');

/** What the process is told first. */
export interface SliceOrder {
  readonly slice: Slice;
  readonly identity: StudyIdentity;
  readonly folder: string;
  readonly workers: number;
}

/** What it says. */
export type SliceMessage =
  | { readonly kind: 'beat' }
  | { readonly kind: 'progress'; readonly progress: SliceProgress }
  | { readonly kind: 'result'; readonly result: SliceResult | null }
  | { readonly kind: 'error'; readonly message: string; readonly isFinal: boolean };

/** Seconds between signs of life of a slice's process. */
export const BEAT_SECONDS = 2;

/** How a slice's process is watched. */
export interface SliceProcessOptions {
  /** Stops the slice with a checkpoint. */
  readonly signal: AbortSignal;
  /** Seconds without a sign of life after which the process is killed. */
  readonly silentSeconds: number;
  readonly onProgress: (progress: SliceProgress) => void;
  /** Called with the process's number, for tests and for people who look for it. */
  readonly onStart?: ((pid: number) => void) | undefined;
}

/** Times that a slice is tried, if its process dies or falls silent. */
const TRIES = 4;

/**
 * Runs a slice in another process, again if that dies. Null if the signal has stopped it.
 * @throws JobsError `ERR_SLICE` with what the process said last, or if it died again and again
 */
export async function runInProcess(order: SliceOrder, options: SliceProcessOptions): Promise<SliceResult | null> {
  let last = '';
  for (let tries = 1; tries <= TRIES; tries++) {
    if (options.signal.aborted) return null;
    const end = await runOnce(order, options);
    if ('result' in end) return end.result;
    if (options.signal.aborted) return null;
    if (end.isFinal)
      throw new JobsError('ERR_SLICE', `trial ${order.slice.trial}, seed ${order.slice.seed}: ${end.message}`);
    last = end.message;
    log('trial %d, seed %d, try %d: %s', order.slice.trial, order.slice.seed, tries, last);
  }
  throw new JobsError(
    'ERR_SLICE',
    `trial ${order.slice.trial}, seed ${order.slice.seed} failed ${TRIES} times, the last time as ${last}; its checkpoint is kept in ${order.folder}`,
  );
}

type End = { readonly result: SliceResult | null } | { readonly message: string; readonly isFinal: boolean };

function runOnce(order: SliceOrder, options: SliceProcessOptions): Promise<End> {
  const { signal, silentSeconds, onProgress, onStart } = options;
  const child: ChildProcess = fork(fileURLToPath(new URL('slice-main.js', import.meta.url)), [], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  return new Promise((resolve) => {
    let end: End | null = null;
    let errors = '';
    let isSilent = false;
    let watch = setTimeout(onSilence, silentSeconds * 1000);
    function onSilence(): void {
      isSilent = true;
      child.kill('SIGKILL');
    }
    const stop = (): void => void child.send({ kind: 'stop' }, () => undefined);
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-2000);
    });
    child.on('message', (message: SliceMessage) => {
      clearTimeout(watch);
      watch = setTimeout(onSilence, silentSeconds * 1000);
      if (message.kind === 'progress') onProgress(message.progress);
      if (message.kind === 'result') end = { result: message.result };
      if (message.kind === 'error') end = { message: message.message, isFinal: message.isFinal };
    });
    child.on('error', (error) => {
      end ??= { message: `it could not be started: ${error.message}`, isFinal: false };
      if (child.pid === undefined) finish(null, null);
    });
    function finish(code: number | null, killer: NodeJS.Signals | null): void {
      clearTimeout(watch);
      signal.removeEventListener('abort', stop);
      const why = isSilent
        ? `its process gave no sign of life for ${silentSeconds} s`
        : `its process ended with ${killer ?? `exit code ${code}`}${errors === '' ? '' : `: ${errors.trim().split('\n').at(-1)}`}`;
      resolve(end ?? { message: why, isFinal: false });
    }
    child.on('close', finish);
    if (child.pid === undefined) return;
    onStart?.(child.pid);
    child.send(order, (error) => {
      if (error !== null) log('process %d: %s', child.pid, error.message);
    });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}
