// How often a run has met the test episodes: each look makes their figures flatter it a little more. The count lies in the run's
// folder, a line for each use.

import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Name of the file within a run's folder. */
const USES_FILE = 'test-uses.jsonl';

/**
 * Counts a use of the test split.
 * @param run     a run's folder, or a file in it; anything else is no run, and is not counted
 * @param command that uses it
 * @returns uses so far, this one included; null for what is no run
 */
export function countTestUse(run: string, command: string, episodes: number, now: Date): number | null {
  const found = statSync(run, { throwIfNoEntry: false });
  if (found === undefined) return null;
  const folder = found.isDirectory() ? run : dirname(run);
  if (!existsSync(join(folder, 'config.json')) && !existsSync(join(folder, 'distill.json'))) return null;
  const file = join(folder, USES_FILE);
  const before = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).length : 0;
  try {
    appendFileSync(file, `${JSON.stringify({ at: now.toISOString(), command, episodes })}\n`);
  } catch (error) {
    process.stderr.write(`fleetstep: this use of the test split is not counted: ${(error as Error).message}\n`);
  }
  return before + 1;
}
