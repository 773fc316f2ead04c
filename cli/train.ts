// fleetstep train

import { constants } from 'node:os';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { observationKinds } from '../engine/index.js';
import type { ObservationKind } from '../engine/index.js';
import { networkKinds } from '../policy/index.js';
import type { NetworkKind } from '../policy/index.js';
import {
  RunFolder,
  againstBest,
  algorithm,
  algorithmNames,
  backendNames,
  defaultAlgorithm,
  defaultBackend,
  defaultRunFolder,
  defaultSteps,
  loadBackend,
  resumable,
  runCheckpoint,
  runTraining,
} from '../train/index.js';
import type { BackendName, Metrics, TrainingConfig, TrainingResult } from '../train/index.js';
import { loadScenario } from '../trips/index.js';
import { DEFAULT_HANG_SECONDS } from '../workers/index.js';
import { dataOption, jsonOption, path, real, scenarioOption, seedOption, whole, workersOption } from './options.js';
import { askedWorld } from './policies.js';
import { counted, duration, evaluationTable, printJson, progress, short, withInterval } from './print.js';

interface TrainOptions {
  readonly scenario: string;
  readonly data?: string;
  readonly steps?: number;
  readonly seed: number;
  readonly workers: number;
  readonly out?: string;
  readonly resume?: string;
  readonly algorithm: string;
  readonly backend: BackendName | 'auto';
  readonly network: NetworkKind;
  readonly observation: ObservationKind;
  readonly envs: number;
  readonly rolloutSteps: number;
  readonly epochs: number;
  readonly minibatch: number;
  readonly learningRate: number;
  readonly checkpointSeconds: number;
  readonly hangSeconds: number;
  readonly evalEpisodes?: number;
  readonly json: boolean;
}

/** Options that are settings of the algorithm, by the setting's name; those not given are the algorithm's defaults. */
const settings = {
  network: 'network',
  observation: 'observation',
  envs: 'numEnvs',
  rolloutSteps: 'rolloutSteps',
  epochs: 'epochs',
  minibatch: 'minibatchSize',
  learningRate: 'learningRate',
} as const satisfies Partial<Record<keyof TrainOptions, string>>;

/** The `train` command. */
export function trainCommand(): Command {
  const defaults = new Map<string, unknown>(Object.entries(algorithm(defaultAlgorithm).defaults));
  const described = algorithmNames.map((name) => `${name} (${algorithm(name).description})`);
  return new Command('train')
    .description('Train a dispatch policy, then compare it with the heuristics on held-out episodes.')
    .addOption(scenarioOption())
    .addOption(dataOption())
    .addOption(
      new Option(
        '--steps <n>',
        'environment steps in total (default: by scenario, a few minutes of training)',
      ).argParser(whole(1)),
    )
    .addOption(seedOption())
    .addOption(workersOption())
    .addOption(new Option('--out <folder>', 'folder of the run (default: a new one under runs/)').argParser(path))
    .addOption(
      new Option('--resume <run>', 'resume an interrupted run from its last checkpoint, with its settings')
        .argParser(path)
        .conflicts([
          'out',
          'algorithm',
          'steps',
          'seed',
          'network',
          'observation',
          'envs',
          'rolloutSteps',
          'epochs',
          'minibatch',
          'learningRate',
        ]),
    )
    .addOption(
      new Option('--algorithm <name>', `training algorithm: ${described.join('; ')}`)
        .choices(algorithmNames)
        .default(defaultAlgorithm),
    )
    .addOption(
      new Option('--backend <name>', 'what the networks learn on: our own kernels (simd), or a build of TensorFlow.js')
        .choices(['auto', ...backendNames])
        .default('auto', `${defaultBackend}; a resumed run keeps its own`),
    )
    .addOption(
      new Option('--network <kind>', 'pairs scores each legal assignment, flat maps the whole observation')
        .choices(networkKinds)
        .default(defaults.get('network')),
    )
    .addOption(
      new Option('--observation <kind>', 'what the critic and a flat network observe')
        .choices(observationKinds)
        .default(defaults.get('observation')),
    )
    .addOption(
      new Option('--envs <n>', 'parallel environments').argParser(whole(1, 65536)).default(defaults.get('numEnvs')),
    )
    .addOption(
      new Option('--rollout-steps <n>', 'steps of each environment per iteration')
        .argParser(whole(1, 65536))
        .default(defaults.get('rolloutSteps')),
    )
    .addOption(
      new Option('--epochs <n>', 'passes over each rollout').argParser(whole(1, 1000)).default(defaults.get('epochs')),
    )
    .addOption(
      new Option('--minibatch <n>', 'samples per update').argParser(whole(2)).default(defaults.get('minibatchSize')),
    )
    .addOption(
      new Option('--learning-rate <x>', "Adam's step size at the start")
        .argParser(real(0, 1))
        .default(defaults.get('learningRate')),
    )
    .addOption(new Option('--checkpoint-seconds <n>', 'seconds between checkpoints').argParser(whole(1)).default(60))
    .addOption(
      new Option('--hang-seconds <n>', 'end the run if a worker makes no step for this many seconds')
        .argParser(whole(1))
        .default(DEFAULT_HANG_SECONDS),
    )
    .addOption(
      new Option(
        '--eval-episodes <n>',
        'held-out episodes per policy after training, 0 for none (default: 200, or all days)',
      ).argParser(whole(0)),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A run that was interrupted or killed resumes from its last checkpoint with --resume, with the scenario, data and settings that
it was started with. Exit code 130 after an interrupt, 143 after a termination.

Examples:
  fleetstep train
  fleetstep train --scenario nyc-small --data ../HybridMADRL-AMoD --steps 1e6
  fleetstep train --seed 2 --out runs/two --json
  fleetstep train --resume runs/two`,
    )
    .action(async (options: TrainOptions, command: Command) => {
      await train(options, command);
    });
}

async function train(options: TrainOptions, command: Command): Promise<void> {
  const begun = options.resume === undefined ? null : runCheckpoint(options.resume);
  const compiled = begun === null ? loadScenario(options) : askedWorld(begun, options.resume!, options, command);
  const { name } = compiled.scenario;
  const resume = options.resume === undefined ? null : resumable(options.resume, compiled, options.evalEpisodes);
  /** The value given now; else the one that the run was started with. */
  const setting = <K extends 'workers' | 'checkpointSeconds' | 'hangSeconds'>(key: K): number =>
    resume === null || command.getOptionValueSource(key) === 'cli' ? options[key] : resume.settings[key];
  const evaluationEpisodes = options.evalEpisodes ?? resume?.settings.evaluationEpisodes ?? undefined;
  const evaluates = evaluationEpisodes !== 0;
  const definition = algorithm(resume?.algorithm ?? options.algorithm);
  const given = Object.keys(settings)
    .filter((option): option is keyof typeof settings => command.getOptionValueSource(option) === 'cli')
    .map((option) => [settings[option], options[option]] as const);
  const config: TrainingConfig = resume?.config ?? {
    ...definition.defaults,
    seed: options.seed,
    totalSteps: options.steps ?? defaultSteps(name),
    ...Object.fromEntries(given),
  };
  // A resumed run keeps its backend: another one would round differently.
  const backend = await loadBackend(options.backend === 'auto' ? (resume?.backend ?? defaultBackend) : options.backend);
  const out = options.resume ?? options.out ?? defaultRunFolder(name, definition.name, config.seed, new Date());
  if (resume === null) RunFolder.checkFree(out);
  const say = (text: string): void => {
    if (!options.json) process.stderr.write(`${text}\n`);
  };
  const workers = setting('workers');
  const batch = config.numEnvs * config.rolloutSteps;
  const steps = Math.ceil(config.totalSteps / batch) * batch;
  say(
    `${pc.bold(`scenario ${name}`)}: ${compiled.scenario.drivers} drivers, ${compiled.scenario.slots} slots; ${short(steps)} steps in ${config.numEnvs} environments on ${counted(Math.min(workers, config.numEnvs), 'worker')}`,
  );
  if (steps !== config.totalSteps) {
    say(
      `note: ${grouped(config.totalSteps)} asked for, rounded up to ${grouped(steps)} steps, because an iteration is ${config.numEnvs} environments x ${config.rolloutSteps} steps (--envs, --rollout-steps)`,
    );
  }
  if (workers > config.numEnvs) {
    say(`note: ${config.numEnvs} workers instead of ${workers}, because there are ${config.numEnvs} environments`);
  }
  if (resume !== null && backend.name !== resume.backend) {
    say(`note: the run was trained on ${resume.backend}; on ${backend.name} the weights will differ`);
  }
  say(`backend ${backend.name} (${backend.version})${backend.reason === '' ? '' : `; ${backend.reason}`}`);

  // The first interrupt ends the run after this iteration, with a checkpoint; the second one ends the process.
  const abort = new AbortController();
  let exitCode = 0;
  let evaluationBegun = evaluates && resume !== null && resume.steps >= config.totalSteps;
  const onInterrupt = (signal: NodeJS.Signals): void => {
    exitCode = 128 + constants.signals[signal];
    if (abort.signal.aborted) process.exit(exitCode);
    say(
      evaluationBegun
        ? `stopping: the trained network is saved, the evaluation is not; "fleetstep train --resume ${out}" evaluates again`
        : `stopping after this iteration, with a checkpoint; "fleetstep train --resume ${out}" continues; interrupt again to stop at once`,
    );
    abort.abort();
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);

  const bar = progress('training', options.json);
  const evaluating = progress('evaluating', options.json);
  const started = performance.now();
  const firstIteration = resume?.state.iteration ?? 0;
  let episodicReturn: number | null = null;
  const onMetrics = (metrics: Metrics, iterations: number): void => {
    episodicReturn = metrics['charts/episodic_return'] ?? episodicReturn;
    const passed = (performance.now() - started) / 1000;
    const eta = (passed / (metrics.iteration - firstIteration)) * (iterations - metrics.iteration);
    bar.update(
      metrics.iteration,
      iterations,
      `ETA ${duration(eta)} | return ${episodicReturn?.toFixed(1) ?? '-'} | ${short(metrics.global_step)} steps | steps/s env ${short(metrics['charts/SPS_env'])}, env+policy ${short(metrics['charts/SPS_env_policy'])}, all ${short(metrics['charts/SPS'])} | ${definition.summary(metrics)}`,
    );
    if (metrics.iteration < iterations) return;
    bar.stop();
    // The last iteration is saved at once, and nothing can interrupt that.
    evaluationBegun = evaluates;
  };
  let result: TrainingResult;
  try {
    result = await runTraining({
      compiled,
      backend,
      algorithm: definition.name,
      config,
      workers,
      out,
      resume,
      request: { scenario: options.scenario, data: options.data },
      checkpointSeconds: setting('checkpointSeconds'),
      evaluationEpisodes,
      hangSeconds: setting('hangSeconds'),
      signal: abort.signal,
      onMetrics,
      onEvaluation: (done, total) => evaluating.update(done, total, `${done}/${total} episodes`),
    });
  } finally {
    bar.stop();
    evaluating.stop();
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
  }
  // A run that finished in spite of the interrupt has succeeded.
  if (!result.finished) process.exitCode = exitCode;

  if (options.json) {
    const { evaluations, ...summary } = result;
    printJson({
      ...summary,
      heuristics: Object.fromEntries(evaluations.slice(1).map((e) => [e.policy, e.meanReturn])),
    });
    return;
  }
  const [ours, ...others] = result.evaluations;
  if (ours !== undefined) {
    process.stdout.write(
      `\n${counted(ours.episodes.length, `held-out ${ours.split} episode`)} of ${name}, the same for all policies:\n${evaluationTable(result.evaluations)}\n`,
    );
    const comparison = againstBest(ours, others);
    if (comparison !== null) {
      process.stdout.write(
        `${ours.policy} against ${comparison.against}, paired: ${comparison.meanDifference >= 0 ? '+' : ''}${withInterval(comparison.meanDifference, comparison.halfWidth)}\n`,
      );
    }
  }
  process.stdout.write(
    `\n${result.finished ? 'done' : 'interrupted'}: ${short(result.steps)} steps in ${duration(result.seconds)}, ${short(result.sps)} steps/s all in\n` +
      `run:  ${result.run}  (config.json, metrics.jsonl, checkpoint.msgpack${ours === undefined ? '' : ', evaluation.json'})\n` +
      (result.finished
        ? `next: fleetstep eval --policy ${result.run} --split test\n`
        : `next: fleetstep train --resume ${result.run}\n`),
  );
}

/** 1234567 as 1,234,567 */
function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
