// fleetstep audit prune

import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Command, Option } from 'commander';
import { AuditError, migrate, prune, signingKey } from '../audit/index.js';
import type { Pruned } from '../audit/index.js';
import { defaultKey } from './audit-proof.js';
import { byOption, withDatabase } from './database.js';
import { jsonOption, whole } from './options.js';
import { printJson } from './print.js';

interface PruneCommandOptions {
  readonly before: string;
  readonly company: number;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly allowUnderSixMonths: boolean;
  readonly key?: string;
  readonly by: string;
  readonly json: boolean;
}

/** The `audit prune` command. */
export function pruneCommand(): Command {
  return new Command('prune')
    .description(
      "Take a company's oldest actions, decisions and entries off the record, for good; a signed entry stands for them, and the rest verifies.",
    )
    .addOption(
      new Option(
        '--before <time>',
        'what is from before: a day, such as 2026-01-31, or a time with zone',
      ).makeOptionMandatory(),
    )
    .addOption(new Option('--company <id>', 'of this company').argParser(whole(1)).makeOptionMandatory())
    .addOption(new Option('--dry-run', 'only tell what would go').default(false))
    .addOption(new Option('--yes', 'do not ask').default(false))
    .addOption(new Option('--allow-under-six-months', 'also what is younger than six months').default(false))
    .addOption(
      new Option(
        '--key <file>',
        'Ed25519 private key of the signed heads (default: audit-key.pem in the data folder, made if missing)',
      ),
    )
    .addOption(byOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep audit prune --company 1 --before 2026-01-01 --dry-run')
    .action(async (options: PruneCommandOptions) => {
      const { before, company: companyId, by, json } = options;
      await withDatabase(async (database) => {
        if (database.kind === 'embedded') await migrate(database);
        const keyFile = givenKey(options.key) ?? defaultKey();
        const asked = { companyId, before, by, allowYoung: options.allowUnderSixMonths };
        let result = await prune(database, { ...asked, dryRun: true });
        if (!options.dryRun && (result.entries > 0 || result.decisions > 0)) {
          if (!options.yes) await confirm(describe(result));
          result = await prune(database, { ...asked, key: signingKey(keyFile) });
        }
        if (json) printJson(result);
        else process.stdout.write(describe(result));
      });
    });
}

/**
 * A key that is named must be there: what is pruned under a new one that a slip of the pen made would look to whoever holds
 * signed heads like a forgery, for ever.
 */
function givenKey(file: string | undefined): string | undefined {
  if (file === undefined || existsSync(file)) return file;
  throw new AuditError(
    'ERR_HEADS',
    `--key is ${file}, which is not there: name the key that signs the heads; "fleetstep audit heads --key ${file}" makes a new one`,
  );
}

/** So many held actions are named in text; JSON names all. */
const NAMED = 20;

function describe(pruned: Pruned): string {
  const { companyId, entries, acts, decisions, from, through, firstAt, lastAt, held, before, dryRun } = pruned;
  const span =
    entries === 0 ? '' : `, entries ${from} to ${through} of ${firstAt!.toISOString()} to ${lastAt!.toISOString()}`;
  const more = held.length > NAMED ? ` and ${held.length - NAMED} more` : '';
  return (
    `company ${companyId}: ${dryRun ? 'would go' : 'gone'}: ${acts} actions, ${entries} entries, ${decisions} decisions with their events, from before ${before.toISOString()}${span}\n` +
    (held.length === 0
      ? ''
      : `${held.length} ${held.length === 1 ? 'action from before then stays, as it is unfinished or has' : 'actions from before then stay, as they are unfinished or have'} an entry since (a review, for example): ${held.slice(0, NAMED).join(', ')}${more}. See one with "fleetstep audit show <id>"\n`)
  );
}

async function confirm(plan: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new AuditError('ERR_FIELD', 'nothing was pruned: say --yes, as nobody can be asked here');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${plan}This cannot be taken back. Type "prune" to go on: `);
    if (answer.trim() !== 'prune') throw new AuditError('ERR_FIELD', 'nothing was pruned: not confirmed');
  } finally {
    terminal.close();
  }
}
