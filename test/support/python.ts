// A Python with our package, for tests: FLEETSTEP_PYTHON names one that has it; else a venv is made with pip, once in a run of the tests.
// Where that cannot be had, the tests are skipped, and say so; in CI they fail.

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, inject } from 'vitest';
import { withFolderLock } from '#audit/folder-lock.js';
import { nycAmod } from './shared-data.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const MAKE_SECONDS = 300;

/** What a Python process of ours gets: the engine under test, and where the trips are. */
const environment: NodeJS.ProcessEnv = {
  ...process.env,
  FLEETSTEP_NODE: `'${process.execPath}' '${main}'`,
  // Not beside the sources.
  PYTHONPYCACHEPREFIX: join(inject('keptFolder'), 'bytecode'),
  PYTHONWARNINGS: 'error::ResourceWarning',
  ...(existsSync(nycAmod) ? { FLEETSTEP_NYC_AMOD: nycAmod } : {}),
};

/** The program, or why there is none. */
async function findPython(): Promise<{ readonly python: string } | { readonly reason: string }> {
  const given = process.env['FLEETSTEP_PYTHON'];
  try {
    if (given !== undefined && given !== '') {
      await run(given, ['-c', 'import fleetstep, gymnasium, numpy'], { env: environment });
      return { python: given };
    }
    const kept = join(inject('keptFolder'), 'python');
    const python = join(kept, 'bin', 'python');
    const made = join(kept, 'made');
    mkdirSync(kept, { recursive: true });
    await withFolderLock(kept, MAKE_SECONDS, async () => {
      if (existsSync(made)) return;
      // Without a pip of its own, and compiled as it is used: half the time, and a fifth of the files.
      await run('python3', ['-m', 'venv', '--without-pip', kept]);
      const install = ['install', '--quiet', '--no-compile', '--retries', '1', join(root, 'python')];
      await run('python3', ['-m', 'pip', '--python', python, ...install], { timeout: 240_000 });
      writeFileSync(made, '');
    });
    return { python };
  } catch (error) {
    const { stderr = '', message } = error as Error & { readonly stderr?: string };
    return { reason: (stderr.trim().split('\n').at(-1) ?? '') || message.split('\n')[0] };
  }
}

const found = await findPython();
if ('reason' in found) {
  if (process.env['CI'] === 'true') {
    throw new Error(`no Python with gymnasium and numpy, and in CI these tests must run: ${found.reason}`);
  }
  console.warn(
    `SKIPPED: tests of the Python package, as there is no Python with gymnasium and numpy (${found.reason}); FLEETSTEP_PYTHON may name one`,
  );
}

/** The program; for groups of tests that need it. */
export const pythonProgram: string = 'python' in found ? found.python : '';

/** A group of tests that needs Python. */
export const describeWithPython = describe.skipIf('reason' in found);

/** Runs a Python program of `python/` with our package at hand. */
export async function python(
  file: string,
  args: readonly string[] = [],
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  if ('reason' in found) throw new Error(found.reason);
  return run(found.python, [join(root, 'python', file), ...args], { env: environment, maxBuffer: 2 ** 26 });
}

/** Whether the Python can import a module. */
export async function canImport(module: string): Promise<boolean> {
  if ('reason' in found) return false;
  return run(found.python, ['-c', `import ${module}`], { env: environment }).then(
    () => true,
    () => false,
  );
}

/** Runs a file of unittest, and returns how many of its tests ran; one that fails or is skipped is an error. */
export async function unittest(file: string): Promise<number> {
  const { stderr } = await python(`tests/${file}`).catch((error: unknown) => {
    const { stdout = '', stderr: told = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`${file} failed:\n${stdout}${told}`, { cause: error });
  });
  const summary = /Ran (\d+) tests? in [\d.]+s\s+OK\s*$/.exec(stderr);
  if (summary === null) throw new Error(`${file} did not pass whole:\n${stderr}`);
  return Number(summary[1]);
}
