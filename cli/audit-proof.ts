// fleetstep audit verify | heads | sweep

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { exportHeads, signingKey, sweep, verify } from '../audit/index.js';
import type { Finding } from '../audit/index.js';
import { withConnection } from './database.js';
import { jsonOption } from './options.js';
import { printJson, progress } from './print.js';

/** Where heads and their key lie if nothing else is said. */
const folder = (): string => process.env['FLEETSTEP_DATA'] ?? 'data';
const defaultHeads = (): string => join(folder(), 'audit-heads.jsonl');
/** Path of the signing key where none is given. */
export const defaultKey = (): string => join(folder(), 'audit-key.pem');

/** The `audit verify` command. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('Check that the record is as it was written. Exit code 1 if it is not.')
    .addOption(new Option('--heads <file>', 'signed heads to compare with (default: those in the data folder, if any)'))
    .addOption(new Option('--public-key <file>', 'the key that signed them (default: the one in the data folder)'))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  fleetstep audit verify
  fleetstep audit verify --heads heads.jsonl --public-key operator.pub --json`,
    )
    .action(async (options: { heads?: string; publicKey?: string; json: boolean }) => {
      const file = options.heads ?? (existsSync(defaultHeads()) ? defaultHeads() : undefined);
      const heads = file === undefined ? undefined : { file, publicKey: options.publicKey ?? `${defaultKey()}.pub` };
      const bar = progress('verifying', options.json);
      const result = await withConnection((_, database) =>
        verify(database, {
          heads,
          progress: (done, total) => bar.update(done, total, `${done}/${total} entries`),
        }),
      ).finally(() => bar.stop());
      if (options.json) printJson(result);
      else if (result.ok) {
        process.stdout.write(
          `ok: ${result.rows} actions, ${result.entries} entries, ${result.decisions} decisions and events${heads === undefined ? '' : `, ${result.heads} signed heads of ${heads.file}`}\n` +
            (heads === undefined
              ? 'no signed heads to compare with: a chain that was cut off or written anew with all that hangs on it would not show ("fleetstep audit heads" writes them)\n'
              : ''),
        );
      } else process.stdout.write(result.findings.map(findingLine).join(''));
      if (!result.ok) process.exitCode = 1;
    });
}

function findingLine({ what, reason, expected, actual, companyId }: Finding): string {
  const where = typeof what === 'number' ? `action ${what}` : what;
  const whose = companyId === undefined || where.startsWith('company ') ? '' : ` of company ${companyId}`;
  const told = expected === undefined ? '' : ` (expected ${expected}, found ${actual ?? 'none'})`;
  return `BROKEN: ${where}${whose}: ${reason}${told}\n`;
}

/** The `audit heads` command. */
export function headsCommand(): Command {
  return new Command('heads')
    .description("Append the signed heads of all chains to a file. Keep it where the database's admins cannot write.")
    .addOption(new Option('--out <file>', 'default: audit-heads.jsonl in the data folder'))
    .addOption(
      new Option(
        '--key <file>',
        'Ed25519 private key (PEM); made if missing (default: audit-key.pem in the data folder)',
      ),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample: fleetstep audit heads --out /mnt/worm/heads.jsonl --key /etc/fleetstep/audit-key.pem',
    )
    .action(async (options: { out?: string; key?: string; json: boolean }) => {
      const { out = defaultHeads(), key = defaultKey(), json } = options;
      const heads = await withConnection((connection) => exportHeads(connection, out, signingKey(key)));
      if (json) printJson({ file: out, heads });
      else process.stdout.write(`${heads.length} heads signed into ${out}; the public key is ${key}.pub\n`);
    });
}

/** The `audit sweep` command. */
export function sweepCommand(): Command {
  return new Command('sweep')
    .description('Mark intents whose outcome is overdue as unknown, and list them. Servers do this by themselves.')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep audit sweep')
    .action(async ({ json }: { json: boolean }) => {
      const orphans = await withConnection((connection) => sweep(connection));
      if (json) printJson({ orphans });
      else {
        process.stdout.write(
          `${orphans.length} overdue\n${orphans.map(({ id, companyId, actionType }) => `act ${id} of company ${companyId}: ${actionType}, outcome unknown\n`).join('')}`,
        );
      }
    });
}
