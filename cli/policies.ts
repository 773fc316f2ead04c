// Policies to ask: from runs' folders to networks that the service knows.

import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { CompiledScenario } from '../engine/index.js';
import { PolicyError, isHeuristic, isModule, loadOwnPolicy, ownPolicy } from '../policy/index.js';
import { LOOKAHEAD, Policies } from '../advise/index.js';
import type { TrainedNetwork } from '../advise/index.js';
import {
  TrainError,
  checkFits,
  checkWorld,
  policyOf,
  readCheckpoint,
  shippedCard,
  shippedFolder,
  shippedNames,
  worldOf,
} from '../train/index.js';
import type { Checkpoint } from '../train/index.js';
import { loadScenario } from '../trips/index.js';
import type { PolicySpec } from '../workers/index.js';

/** What a command says about the policies to serve. */
export interface PolicyOptions {
  readonly run?: readonly string[];
  /** Files of modules. */
  readonly own?: readonly string[];
  readonly scenario: string;
  readonly data?: string;
}

/** `--run <folder...>`: training runs whose networks are served. */
export const runOption = (): Option =>
  new Option('--run <folder...>', 'training runs to serve; the first decides unless a request names another');

/**
 * Rules, the networks of the given runs, and modules of the user's own; the scenario is the rules' world.
 * @throws TrainError, AdviseError, EngineError, TripsError, PolicyError
 */
export async function loadPolicies({ run = [], own = [], ...request }: PolicyOptions): Promise<Policies> {
  const base = loadScenario(request);
  const networks = run.map((path) => networkOf(path, base));
  // Those that come with the package stand by, unless they are asked for as runs.
  for (const name of shippedNames()) {
    if (networks.some((network) => network.name === name)) continue;
    // By its folder: a run of that name may lie where the command runs.
    const { training, ...network } = networkOf(shippedFolder(name)!, base);
    networks.push({ ...network, training: { ...training, card: shippedCard(name) }, isShipped: true });
  }
  const specs = [];
  for (const file of own) {
    const spec = await ownPolicy(file);
    await loadOwnPolicy(spec);
    specs.push(spec);
  }
  const policies = new Policies(networks, base, specs);
  policies.report = (fault) => void process.stderr.write(`fleetstep: ${fault}\n`);
  return policies;
}

function networkOf(path: string, base: CompiledScenario): TrainedNetwork {
  const checkpoint = readCheckpoint(path);
  const { shape, state, config, steps, seconds, backend } = checkpoint;
  return {
    name: basename(resolve(path)),
    shape,
    weights: state.weights,
    observation: config.observation,
    compiled: servedWorld(checkpoint, base, path),
    training: {
      steps,
      seconds: Math.round(seconds),
      backend,
      config,
      evaluation: evaluationOf(path),
    },
  };
}

/** The world that the run was trained in: what is served, where it is the same; else the run's own, with its data. */
function servedWorld(checkpoint: Checkpoint, base: CompiledScenario, path: string): CompiledScenario {
  try {
    checkWorld(checkpoint, base, path);
    return base;
  } catch (error) {
    if (!(error instanceof TrainError)) throw error;
    return worldOf(checkpoint, path);
  }
}

/** What a command says about the one policy to play. */
export interface AskedOptions {
  readonly policy: string;
  readonly scenario: string;
  readonly data?: string;
  readonly json: boolean;
}

/**
 * A heuristic by name, a module of the user's own by its file, or a trained network by its run, and the scenario to play. A
 * network plays what it was trained on, which need not be said, or another scenario that it fits.
 * @param command tells what was given from what is default
 */
export async function askedPolicy(
  options: AskedOptions,
  command: Command,
): Promise<{ readonly compiled: CompiledScenario; readonly policy: PolicySpec }> {
  const { policy } = options;
  if (isModule(policy)) return { compiled: loadScenario(options), policy: await ownPolicy(policy) };
  if (isHeuristic(policy)) return { compiled: loadScenario(options), policy: { kind: 'heuristic', name: policy } };
  if (policy === LOOKAHEAD) return { compiled: loadScenario(options), policy: { kind: 'lookahead', name: policy } };
  if (policy.startsWith(`${LOOKAHEAD}:`)) return askedLookahead(policy.slice(LOOKAHEAD.length + 1), options, command);
  const checkpoint = readCheckpoint(policy);
  return { compiled: playableWorld(checkpoint, policy, options, command), policy: policyOf(checkpoint, policy) };
}

/** Look-ahead on a rule or a run. @throws PolicyError `ERR_POLICY` for another base */
async function askedLookahead(
  base: string,
  options: AskedOptions,
  command: Command,
): Promise<{ readonly compiled: CompiledScenario; readonly policy: PolicySpec }> {
  const asked = await askedPolicy({ ...options, policy: base }, command);
  const { policy } = asked;
  if (policy.kind !== 'heuristic' && policy.kind !== 'network') {
    throw new PolicyError('ERR_POLICY', `the base of ${LOOKAHEAD}:${base} is a ${policy.kind}: give a rule or a run`);
  }
  return { ...asked, policy: { kind: 'lookahead', name: `${LOOKAHEAD}:${policy.name}`, base: policy } };
}

/**
 * The run's world; or the one that was asked for, which its network must fit. A scenario of the same name is taken for the run's own,
 * and must be the same.
 */
function playableWorld(checkpoint: Checkpoint, run: string, options: AskedOptions, command: Command): CompiledScenario {
  const own = checkpoint.scenario;
  if (command.getOptionValueSource('scenario') !== 'default' && options.scenario !== own.name) {
    const compiled = loadScenario(options);
    const { name, drivers, slots } = compiled.scenario;
    if (name !== own.name) {
      checkFits(checkpoint, compiled, run);
      if (!options.json) {
        process.stderr.write(
          `note: ${run} was trained on ${own.name} (${own.drivers} drivers, ${own.slots} slots) and plays ${name} (${drivers}, ${slots})\n`,
        );
      }
      return compiled;
    }
  }
  return askedWorld(checkpoint, run, options, command);
}

/** The run's world, or the one that was asked for, which must be the same. */
export function askedWorld(
  checkpoint: Checkpoint,
  run: string,
  options: { readonly scenario: string; readonly data?: string },
  command: Command,
): CompiledScenario {
  if (command.getOptionValueSource('scenario') === 'default') return worldOf(checkpoint, run, options.data);
  const request = checkpoint.identity.data?.request;
  const same = request?.scenario === options.scenario || request?.scenario === resolve(options.scenario);
  // Where the data lies need not be said again.
  const compiled = loadScenario({
    scenario: options.scenario,
    data: options.data ?? (same ? request?.data : undefined),
  });
  checkWorld(checkpoint, compiled, run);
  return compiled;
}

/** The table that training wrote at its end, if it got there. */
function evaluationOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(join(path, 'evaluation.json'), 'utf8')) as unknown;
  } catch {
    return null;
  }
}
