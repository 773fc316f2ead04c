// Where and with what a run is worked on: for the record, results do not depend on it. No names of machines or people.

import { spawnSync } from 'node:child_process';
import { version } from './identity.js';
import { machine } from './machine.js';
import type { Machine } from './machine.js';

/** A start of a run, or a resumption of one. */
export interface StartRecord {
  /** ISO 8601, UTC */
  readonly at: string;
  /** Environment steps done before. */
  readonly step: number;
  /** Version of fleetstep. */
  readonly fleetstep: string;
  readonly machine: Machine;
  readonly workers: number;
  readonly backend: string;
  /** Commit of the folder that the command ran in, with `-dirty` after it where files have changed; null outside a repository. */
  readonly commit: string | null;
}

/** The record of a start now. */
export function startRecord(step: number, workers: number, backend: string): StartRecord {
  return {
    at: new Date().toISOString(),
    step,
    fleetstep: version,
    machine: machine(),
    workers,
    backend,
    commit: commitHere(),
  };
}

function commitHere(): string | null {
  const args = ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'];
  const { status, stdout } = spawnSync('git', args, {
    encoding: 'utf8',
    timeout: 2000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() : null;
}
