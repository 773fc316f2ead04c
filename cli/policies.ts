// Policies to ask: from runs' folders to networks that the service knows.

import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Option } from 'commander';
import { compileScenario } from '../engine/index.js';
import type { CompiledScenario } from '../engine/index.js';
import { Policies } from '../serve/index.js';
import type { TrainedNetwork } from '../serve/index.js';
import { TrainError, checkScenario, readCheckpoint } from '../train/index.js';
import type { Checkpoint } from '../train/index.js';
import { loadScenario } from '../trips/index.js';

export interface PolicyOptions {
  readonly run?: readonly string[];
  readonly scenario: string;
  readonly data?: string;
}

export const runOption = (): Option =>
  new Option('--run <folder...>', 'training runs to serve; the first decides unless a request names another');

/**
 * Rules, and the networks of the given runs; the scenario is the rules' world.
 * @throws TrainError, ServeError, EngineError, TripsError
 */
export function loadPolicies({ run = [], ...request }: PolicyOptions): Policies {
  const base = loadScenario(request);
  return new Policies(
    run.map((path) => networkOf(path, base)),
    base,
  );
}

function networkOf(path: string, base: CompiledScenario): TrainedNetwork {
  const checkpoint = readCheckpoint(path);
  const { shape, state, config, seconds, backend } = checkpoint;
  return {
    name: basename(resolve(path)),
    shape,
    weights: state.weights,
    observation: config.observation,
    compiled: worldOf(checkpoint, base, path),
    training: {
      steps: state.iteration * config.numEnvs * config.rolloutSteps,
      seconds: Math.round(seconds),
      backend,
      config,
      evaluation: evaluationOf(path),
    },
  };
}

/** A network that was trained on recorded trips needs them: they come with the scenario that is served. */
function worldOf(checkpoint: Checkpoint, base: CompiledScenario, path: string): CompiledScenario {
  if (checkpoint.scenario.demand.kind !== 'trace') return compileScenario(checkpoint.scenario);
  try {
    checkScenario(checkpoint, base, path);
  } catch (cause) {
    if (!(cause instanceof TrainError)) throw cause;
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${cause.message}: serve it with --scenario and the file it was trained on`,
      {
        cause,
      },
    );
  }
  return base;
}

/** The table that training wrote at its end, if it got there. */
function evaluationOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(join(path, 'evaluation.json'), 'utf8')) as unknown;
  } catch {
    return null;
  }
}
