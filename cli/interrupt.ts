// Work that an interrupt ends in order: the first one stops it, the second one ends the process.

import { constants } from 'node:os';

/** Interrupts of one piece of work. */
export interface Interrupts {
  /** Aborts at the first interrupt. */
  readonly signal: AbortSignal;
  /** 128 and the number of the signal; 0 without an interrupt. */
  readonly exitCode: number;
  /** Stops listening. */
  close(): void;
}

/** Listens to SIGINT and SIGTERM. @param onFirst called at the first one, to say what follows */
export function interrupts(onFirst: () => void): Interrupts {
  const stop = new AbortController();
  let exitCode = 0;
  const onInterrupt = (signal: NodeJS.Signals): void => {
    exitCode = 128 + constants.signals[signal];
    if (stop.signal.aborted) process.exit(exitCode);
    onFirst();
    stop.abort();
  };
  process.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt);
  return {
    signal: stop.signal,
    get exitCode() {
      return exitCode;
    },
    close: () => void process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt),
  };
}
