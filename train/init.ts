// From a trained run to a new one: its weights as the start of another training, on another scenario too, and more steps than it was
// started with. What fits what is decided here.

import { observationShape } from '../engine/index.js';
import type { CompiledScenario, Scenario } from '../engine/index.js';
import { fleetColumns, networkLayout } from '../policy/index.js';
import type { Algorithm, TrainingConfig, TrainingState } from './algorithm.js';
import { weightsSha256 } from './checkpoint.js';
import type { Checkpoint, Origin } from './checkpoint.js';
import { TrainError } from './errors.js';
import { canonical } from './identity.js';
import { algorithm } from './registry.js';

/** A trained policy to start from. */
export interface InitialPolicy {
  /** The run, or one of its files, as it was named. */
  readonly path: string;
  /** What was read there. */
  readonly checkpoint: Checkpoint;
}

/** Settings that give a network its form and its outputs their meaning: a run that starts from another keeps its own. */
const ofNetwork = ['network', 'observation', 'hidden', 'criticHidden', 'dueling', 'duelingBaseline'] as const;

/** The settings of `config` that a run which starts from it takes over. */
export function networkSettings(config: TrainingConfig): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(config).filter(([name]) => ofNetwork.some((each) => each === name)));
}

/** Whether observations of the two scenarios have the same numbers at the same places. */
function observeAlike(a: Scenario, b: Scenario): boolean {
  const form = (scenario: Scenario): string =>
    canonical([scenario.drivers, scenario.slots, observationShape(scenario, 'full')]);
  return form(a) === form(b);
}

/**
 * Checks that a run's network can play a scenario. A `pairs` network scores single pairs, so it plays any number of drivers and
 * slots; a `matching` one does so in any world of as many zones; a `flat` one has an input for each of its own.
 * @throws TrainError `ERR_CHECKPOINT` naming both sizes
 */
export function checkFits(checkpoint: Checkpoint, compiled: CompiledScenario, path: string): void {
  const own = checkpoint.scenario;
  const { scenario } = compiled;
  const { kind, inputs } = checkpoint.shape;
  if (kind === 'matching') {
    const columns = fleetColumns(compiled);
    if (columns === inputs) return;
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${path} scores rows of ${inputs} numbers ("${own.name}"): those of "${scenario.name}" have ${columns}, as it has another number of zones or another kind of reward`,
    );
  }
  if (kind === 'pairs' || observeAlike(own, scenario)) return;
  const size = ({ drivers, slots, skills }: Scenario): string =>
    `${drivers} drivers, ${slots} slots and ${skills.length} skills`;
  throw new TrainError(
    'ERR_CHECKPOINT',
    `${path} is a flat network for ${size(own)} ("${own.name}"): it cannot play "${scenario.name}", which has ${size(scenario)}; a network trained with --network pairs plays any size`,
  );
}

/**
 * Gives a training that has not begun the weights of a trained policy. Optimiser, target network and replay start afresh. The
 * critic is taken over where it observes the same, and else starts anew.
 * @throws TrainError `ERR_TRAIN_OPTION` naming the setting in which the two networks differ, `ERR_CHECKPOINT` if a flat network
 *   does not fit the scenario
 */
export function startFrom(
  learning: Algorithm,
  algorithmName: string,
  compiled: CompiledScenario,
  { path, checkpoint }: InitialPolicy,
): Origin {
  if (checkpoint.algorithm !== algorithmName) {
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `${path} was trained by ${checkpoint.algorithm}, whose outputs mean something else to ${algorithmName}: give --algorithm ${checkpoint.algorithm}`,
    );
  }
  if (checkpoint.shape.kind === 'matching') {
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `${path} was trained by rollout, which starts from the matching on what assignments earn: leave --init out`,
    );
  }
  checkFits(checkpoint, compiled, path);
  const theirs = networkSettings(checkpoint.config);
  const ours = networkSettings(learning.config);
  const critic =
    canonical([theirs['observation'], theirs['criticHidden']]) ===
      canonical([ours['observation'], ours['criticHidden']]) && observeAlike(checkpoint.scenario, compiled.scenario);
  for (const name of ofNetwork) {
    // A pairs network's actor does not look at the observation, and a critic can start anew.
    if (name === 'criticHidden' || (name === 'observation' && ours['network'] === 'pairs')) continue;
    if (canonical(theirs[name]) === canonical(ours[name])) continue;
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `${name} is ${canonical(ours[name])}, and ${canonical(theirs[name])} in ${path}: a run that starts from it must have the same`,
    );
  }
  const from = networkLayout(checkpoint.shape);
  const into = networkLayout(learning.shape);
  const weights = learning.weights.slice();
  weights.set(checkpoint.state.weights.subarray(0, from.critic[0].weights));
  if (critic) weights.set(checkpoint.state.weights.subarray(from.critic[0].weights), into.critic[0].weights);
  const state: TrainingState = learning.snapshot();
  const copies = ['weights', 'targetWeights', 'actingWeights'].filter((name) => name in state);
  learning.restore({ ...state, ...Object.fromEntries(copies.map((name) => [name, weights])) });
  return {
    run: path,
    scenario: checkpoint.scenario.name,
    steps: checkpoint.steps,
    weightsSha256: weightsSha256(checkpoint.state.weights),
    parts: critic ? ['actor', 'critic'] : ['actor'],
  };
}

/**
 * A run's checkpoint, to be continued to another number of steps. If it has stopped early, it waits for a gain anew.
 * @throws TrainError `ERR_CHECKPOINT` if it has done more than that
 */
export function extended(checkpoint: Checkpoint, run: string, totalSteps: number): Checkpoint {
  const { config, steps, selection } = checkpoint;
  if (totalSteps === config.totalSteps) return checkpoint;
  if (totalSteps < steps) {
    throw new TrainError(
      'ERR_CHECKPOINT',
      `--steps is ${totalSteps}, and ${run} has done ${steps}: give more to go on, or leave it out`,
    );
  }
  return {
    ...checkpoint,
    config: { ...config, totalSteps },
    ...(selection === undefined ? {} : { selection: { ...selection, withoutGain: 0 } }),
  };
}

/**
 * Settings that change with the share of all steps that are done: with one of them, a run that is extended differs from one that
 * was started with as many steps.
 */
export function schedulesOf(algorithmName: string, config: TrainingConfig): readonly string[] {
  return algorithm(algorithmName).schedules?.(config) ?? [];
}
