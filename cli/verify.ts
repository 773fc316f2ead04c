// fleetstep verify

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { VerifyError, ruleMeaning, verifyLog } from '../verify/index.js';
import { jsonOption, path } from './options.js';
import { counted, printJson } from './print.js';

/** Findings that are printed; `--json` has all. */
const SHOWN = 20;

/** The `verify` command. */
export function verifyCommand(): Command {
  const rules = Object.entries(ruleMeaning).map(([name, meaning]) => `  ${name.padEnd(13)} ${meaning}`);
  return new Command('verify')
    .description(
      'Check the log of an episode: that all of it can have happened under its rules, and that the reward adds up.',
    )
    .argument('<file>', 'what "fleetstep simulate --events FILE" wrote', path)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Rules:
${rules.join('\n')}

Exit code: 0 if nothing is wrong, 1 if a rule is broken, 2 if the file cannot be read.

Examples:
  fleetstep simulate --policy edf --events episode.jsonl
  fleetstep verify episode.jsonl
  fleetstep verify episode.jsonl --json`,
    )
    .action((file: string, { json }: { readonly json: boolean }) => {
      const log = verified(file);
      process.exitCode = log.ok ? 0 : 1;
      if (json) {
        printJson({ file, ...log });
        return;
      }
      for (const { line, rule, subject, found, expected } of log.findings.slice(0, SHOWN)) {
        process.stdout.write(`${file}:${line}: ${rule}: ${subject}: found ${found}, expected ${expected}\n`);
      }
      const more = log.findings.length - SHOWN;
      if (more > 0) process.stdout.write(`... and ${more} more: --json has all\n`);
      const what = `${log.scenario}, episode ${log.id}, policy ${log.policy}`;
      const size = `${counted(log.ticks, 'tick')}, ${counted(log.bookings, 'booking')}, ${counted(log.assignments, 'assignment')}`;
      process.stdout.write(
        log.ok
          ? `${file}: ${what}: every rule holds; ${size}, return ${log.return!.toFixed(2)}\n`
          : `${file}: ${what}: ${counted(log.findings.length, 'finding')}; ${size}\n`,
      );
    });
}

function verified(file: string): ReturnType<typeof verifyLog> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new VerifyError('ERR_LOG', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
  try {
    return verifyLog(text);
  } catch (cause) {
    if (!(cause instanceof VerifyError)) throw cause;
    throw new VerifyError(cause.code, `${file}: ${cause.message}`, { cause });
  }
}
