// Policies of your own: modules that export one. What such a module may export, how it is loaded, and what is checked of what it
// does. Threads are sent the specification and import the module themselves.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { observationKinds, shown } from '../engine/index.js';
import type { ObservationKind, Scenario, World } from '../engine/index.js';
import { PolicyError } from './policy.js';
import type { Policy } from './policy.js';

/** What the default export of a module may be: a policy, or a function that makes one for a scenario. */
export type OwnPolicyExport = Pick<Policy, 'act'> | ((scenario: Scenario) => Pick<Policy, 'act'>);

/** A policy of your own as plain data that threads can be sent; `ownPolicy` makes it. */
export interface OwnPolicySpec {
  readonly kind: 'module';
  /** The file's name without its ending; for tables, and to ask for it in the service. */
  readonly name: string;
  /** Where the module is imported from. */
  readonly url: string;
  /** SHA-256 of the file, hexadecimal. Files that it imports are not part of it. */
  readonly sha256: string;
  /** What it observes in `world.out.observations`: the module's export `observation`, default `full`. */
  readonly observation: ObservationKind;
}

const ENDINGS = ['.js', '.mjs', '.cjs', '.ts', '.mts'];

const REMEDY =
  'export default { act(world, from, to, actions) { ... } }, or a function (scenario) => such an object; see docs/training.md';

/** Seconds that a module has to load. */
const LOAD_SECONDS = 30;

/** Written before a policy is asked: what it has not written is no action. */
const UNWRITTEN = -1;

/** Whether `name` is that of a module, rather than of a rule or a run: it ends in .js, .mjs, .cjs, .ts or .mts. */
export function isModule(name: string): boolean {
  return ENDINGS.includes(extname(name));
}

/** The name of the policy of a module's file. */
export function ownPolicyName(path: string): string {
  return basename(path, extname(path));
}

/**
 * The policy that a module exports. The module is imported in a thread of its own first, so that one that does not load, or never
 * ends, is refused here. Top-level code must not depend on how often it runs.
 * @param path        the module's file
 * @param loadSeconds seconds that it has to load, default 30
 * @throws PolicyError `ERR_POLICY` naming the file, what is wrong with it, and the remedy
 */
export async function ownPolicy(path: string, loadSeconds: number = LOAD_SECONDS): Promise<OwnPolicySpec> {
  const file = resolve(path);
  if (!isModule(file)) {
    throw new PolicyError('ERR_POLICY', `policy ${path} is no module: its name must end in ${ENDINGS.join(', ')}`);
  }
  const sha256 = sha256Of(file);
  const url = pathToFileURL(file).href;
  const reply = await tryOut(url, file, loadSeconds);
  if ('fault' in reply) throw new PolicyError('ERR_POLICY', reply.fault);
  return { kind: 'module', name: ownPolicyName(file), url, sha256, observation: reply.observation };
}

function sha256Of(file: string): string {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (cause as Error).message;
    throw new PolicyError('ERR_POLICY', `policy ${file} cannot be read: ${why}`, { cause });
  }
}

/** What a trial import in a thread of its own has come to. */
export type Trial = { readonly fault: string } | { readonly observation: ObservationKind };

function tryOut(url: string, file: string, seconds: number): Promise<Trial> {
  return new Promise((done) => {
    const thread = new Worker(new URL('./own-policy-trial.js', import.meta.url), { workerData: url });
    const end = (trial: Trial): void => {
      clearTimeout(timer);
      done(trial);
      void thread.terminate();
    };
    const timer = setTimeout(
      () => end({ fault: `policy ${file} has not loaded within ${seconds} s: its top-level code must come to an end` }),
      1000 * seconds,
    );
    thread.on('message', end);
    thread.on('error', (error) => end({ fault: `policy ${file} does not load: ${error.message}` }));
    thread.on('exit', (code) =>
      end({
        fault: `policy ${file} does not load: it ended its thread with code ${code}${code === 13 ? ', as a top-level await never settles' : ''}`,
      }),
    );
  });
}

type Made = (scenario: Scenario) => Pick<Policy, 'act'>;

interface Loaded {
  readonly sha256: string;
  readonly observation: ObservationKind;
  readonly make: Made;
}

/** Modules that this thread has imported, by URL. */
const loaded = new Map<string, Loaded>();

/**
 * Imports a policy's module in this thread, once.
 * @throws PolicyError `ERR_POLICY` if it does not load, exports no policy, or has changed since `ownPolicy`
 */
export async function loadOwnPolicy(spec: OwnPolicySpec): Promise<void> {
  const known = loaded.get(spec.url);
  const sha256 = known?.sha256 ?? sha256Of(fileURLToPath(spec.url));
  if (sha256 !== spec.sha256) {
    throw new PolicyError(
      'ERR_POLICY',
      `policy ${fileURLToPath(spec.url)} has changed since it was loaded: its SHA-256 was ${spec.sha256} and is ${sha256}; start again`,
    );
  }
  if (known !== undefined) return;
  loaded.set(spec.url, { sha256, ...(await importPolicy(spec.url)) });
}

/**
 * Imports a module and checks its exports.
 * @throws PolicyError `ERR_POLICY`
 */
export async function importPolicy(url: string): Promise<Omit<Loaded, 'sha256'>> {
  const file = fileURLToPath(url);
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = (await import(url)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const where = cause instanceof SyntaxError ? placeOf(file) : '';
    throw new PolicyError('ERR_POLICY', `policy ${file} does not load: ${reasonOf(cause)}${where}`, { cause });
  }
  const { default: policy, observation = 'full' } = exported;
  if (policy === undefined) {
    const names = Object.keys(exported);
    const has = names.length === 0 ? 'it exports nothing' : `it exports ${names.join(', ')}`;
    throw new PolicyError('ERR_POLICY', `policy ${file} has no default export (${has}): ${REMEDY}`);
  }
  if (!observationKinds.some((kind) => kind === observation)) {
    throw new PolicyError(
      'ERR_POLICY',
      `policy ${file} exports observation ${shown(observation)}: choose one of ${observationKinds.join(', ')}`,
    );
  }
  if (typeof policy !== 'function') checkPolicy(policy, `the default export of policy ${file}`);
  return {
    observation: observation as ObservationKind,
    make: typeof policy === 'function' ? made(policy as (scenario: Scenario) => unknown, file) : () => policy,
  };
}

function made(factory: (scenario: Scenario) => unknown, file: string): Made {
  return (scenario) => {
    let policy: unknown;
    try {
      policy = factory(scenario);
    } catch (cause) {
      throw new PolicyError(
        'ERR_POLICY',
        `policy ${file}: its function threw for scenario "${scenario.name}": ${reasonOf(cause)}`,
        { cause },
      );
    }
    checkPolicy(policy, `what the default export of policy ${file} returns`);
    return policy;
  };
}

function checkPolicy(value: unknown, what: string): asserts value is Policy {
  if (isPromise(value)) {
    throw new PolicyError(
      'ERR_POLICY',
      `${what} is a promise: it must be the policy itself; wait with await at the top level of the module`,
    );
  }
  if (typeof value === 'object' && value !== null && typeof (value as Partial<Policy>).act === 'function') return;
  throw new PolicyError(
    'ERR_POLICY',
    `${what} is ${value === undefined ? 'undefined' : shown(value)}, which has no function "act": ${REMEDY}`,
  );
}

function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** Where a module's syntax is wrong: an import does not tell, only Node's own check of the file. */
function placeOf(file: string): string {
  const { status, stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 10_000 });
  if (status === 0) return ' (in a file that it imports)';
  const line = /:(\d+)\s*$/m.exec(stderr)?.[1];
  return line === undefined ? '' : ` (line ${line})`;
}

/** An error of somebody else's code, with its class. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return `threw ${shown(cause)}`;
  const ts = (cause as { code?: string }).code === 'ERR_UNKNOWN_FILE_EXTENSION';
  return `${cause.name}: ${cause.message}${ts ? '; compile it to JavaScript, or use a Node that runs TypeScript' : ''}`;
}

/** A policy of your own, held to its contract: it writes a legal action for each environment before it returns. */
export class OwnPolicy implements Policy {
  /** The module's file name without its ending. */
  readonly name: string;
  readonly #file: string;
  readonly #policy: Pick<Policy, 'act'>;

  /**
   * @param scenario that of the worlds it plays
   * @throws PolicyError `ERR_POLICY` if this thread has not loaded the module, or if its function fails
   */
  constructor(spec: OwnPolicySpec, scenario: Scenario) {
    const found = loaded.get(spec.url);
    this.#file = fileURLToPath(spec.url);
    if (found === undefined) {
      throw new PolicyError('ERR_POLICY', `policy ${this.#file} is not loaded here: await loadOwnPolicy(spec) first`);
    }
    this.name = spec.name;
    this.#policy = found.make(scenario);
  }

  /** @throws PolicyError `ERR_POLICY` if the policy throws, or leaves an action out, or writes an illegal one */
  act(world: World, from: number, to: number, actions: Int32Array): void {
    actions.fill(UNWRITTEN, from, to);
    let returned: unknown;
    try {
      returned = (this.#policy as { act(...given: unknown[]): unknown }).act(world, from, to, actions);
    } catch (cause) {
      throw new PolicyError('ERR_POLICY', `policy ${this.#file} threw at ${at(world, from)}: ${reasonOf(cause)}`, {
        cause,
      });
    }
    if (isPromise(returned)) {
      // Nobody waits for it: what becomes of it is of no interest.
      (returned as Promise<unknown>).then(undefined, () => undefined);
      throw new PolicyError(
        'ERR_POLICY',
        `policy ${this.#file} returned a promise at ${at(world, from)}: act must write its actions before it returns`,
      );
    }
    for (let e = from; e < to; e++) if (world.state.ended[e] === 0) this.#check(world, e, actions[e]);
  }

  #check(world: World, e: number, action: number): void {
    if (action === 0) return;
    const i = Math.floor((action - 1) / world.slots);
    const j = action - 1 - i * world.slots;
    if (action > 0 && action < world.actions && world.accepts(e, i, j)) return;
    if (action === UNWRITTEN) {
      throw new PolicyError(
        'ERR_POLICY',
        `policy ${this.#file} wrote no action (or ${UNWRITTEN}) at ${at(world, e)}: write actions[e] for every e from "from" to "to", 0 to wait`,
      );
    }
    const why =
      action > 0 && action < world.actions
        ? `driver ${i} cannot take the booking in slot ${j} now`
        : `actions are 0 to ${world.actions - 1}`;
    throw new PolicyError(
      'ERR_POLICY',
      `policy ${this.#file} wrote action ${action} at ${at(world, e)}: ${why}; choose one whose entry in world.out.actionMasks is 1, 0 to wait`,
    );
  }
}

function at(world: World, e: number): string {
  return `decision ${world.state.steps[e] + 1} of environment ${world.firstEnv + e}`;
}
