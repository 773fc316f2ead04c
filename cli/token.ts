// fleetstep token

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { KeyRing, ServeError, addKey, algorithms, roles } from '../serve/index.js';
import type { Algorithm, Caller, Role } from '../serve/index.js';
import { accountName } from './database.js';
import { jsonOption, whole } from './options.js';
import { printJson } from './print.js';

interface TokenOptions {
  readonly role: Role;
  readonly company?: number;
  readonly subject: string;
  readonly hours: number;
  readonly keys: string;
  readonly newKey?: Algorithm | true;
  readonly json: boolean;
}

/** FLEETSTEP_KEYS, else keys.json beside the embedded database. */
export const keysOption = (): Option =>
  new Option('--keys <file>', 'key file, a JWK set')
    .env('FLEETSTEP_KEYS')
    .default(join(process.env['FLEETSTEP_DATA'] ?? 'data', 'keys.json'));

/** The `token` command. */
export function tokenCommand(): Command {
  return new Command('token')
    .description('A token for development, or a new key. In production, tokens come from who knows your people.')
    .addOption(new Option('--role <role>', 'what its holder may do').choices([...roles]).default('dispatcher'))
    .addOption(new Option('--company <id>', 'the company it is limited to; an admin may have none').argParser(whole(1)))
    .addOption(new Option('--subject <name>', 'whose it is, for the record').default(accountName(), 'your account'))
    .addOption(new Option('--hours <n>', 'how long it holds').argParser(whole(1, 24 * 31)).default(8))
    .addOption(keysOption())
    .addOption(new Option('--new-key [alg]', 'add a key to the file first').choices([...algorithms]))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  fleetstep token --role dispatcher --company 1
  fleetstep token --role admin --hours 1 --json
  fleetstep token --new-key EdDSA`,
    )
    .action(async ({ role, company, subject, hours, keys, newKey, json }: TokenOptions, command: Command) => {
      if (newKey === undefined) prepareKeys(keys, command);
      else process.stderr.write(`new key ${addKey(keys, newKey === true ? 'EdDSA' : newKey)} in ${keys}\n`);
      // Who only wants a key has not said for whom.
      if (newKey !== undefined && company === undefined && role !== 'admin') return;
      const token = await issueToken(keys, { role, companyId: company ?? null, subject }, hours * 3600);
      if (json) printJson({ token, role, company: company ?? null, subject, hours });
      else process.stdout.write(`${token}\n`);
    });
}

/**
 * Makes a key file where nobody has named one: a name that is mistyped must not become a file of its own.
 * @throws ServeError `ERR_SERVICE`
 */
export function prepareKeys(keys: string, command: Command): void {
  if (existsSync(keys)) return;
  if (command.getOptionValueSource('keys') !== 'default') {
    throw new ServeError(
      'ERR_SERVICE',
      `there is no key file ${keys}: make one with "fleetstep token --new-key --keys ${keys}"`,
    );
  }
  process.stderr.write(`new key ${addKey(keys)} in ${keys}\n`);
}

/** @throws ServeError `ERR_SERVICE` */
export async function issueToken(keys: string, caller: Caller, seconds: number): Promise<string> {
  if (caller.companyId === null && caller.role !== 'admin') {
    throw new ServeError('ERR_SERVICE', `a ${caller.role} belongs to one company: give --company`);
  }
  return new KeyRing(keys).issue(caller, seconds);
}
