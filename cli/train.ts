// fleetstep train

import { Command, Option } from 'commander';
import pc from 'picocolors';
import { observationKinds } from '../engine/index.js';
import type { ObservationKind } from '../engine/index.js';
import { networkKinds } from '../policy/index.js';
import type { NetworkKind } from '../policy/index.js';
import {
  RunFolder,
  againstBest,
  backendNames,
  defaultRunFolder,
  defaultSteps,
  loadBackend,
  loadFastestBackend,
  ppoDefaults,
  resumable,
  runTraining,
} from '../train/index.js';
import type { BackendName, PpoConfig, PpoMetrics, TrainingResult } from '../train/index.js';
import { loadScenario } from '../trips/index.js';
import { dataOption, jsonOption, real, scenarioOption, seedOption, whole, workersOption } from './options.js';
import { counted, duration, evaluationTable, printJson, progress, short, withInterval } from './print.js';

interface TrainOptions {
  readonly scenario: string;
  readonly data?: string;
  readonly steps?: number;
  readonly seed: number;
  readonly workers: number;
  readonly out?: string;
  readonly resume?: string;
  readonly backend: BackendName | 'auto';
  readonly network: NetworkKind;
  readonly observation: ObservationKind;
  readonly envs: number;
  readonly rolloutSteps: number;
  readonly epochs: number;
  readonly minibatch: number;
  readonly learningRate: number;
  readonly checkpointSeconds: number;
  readonly evalEpisodes?: number;
  readonly json: boolean;
}

export function trainCommand(): Command {
  return new Command('train')
    .description('Train a dispatch policy with masked PPO, then compare it with the heuristics on held-out episodes.')
    .addOption(scenarioOption())
    .addOption(dataOption())
    .addOption(
      new Option('--steps <n>', 'environment steps in all (default: a few minutes of them)').argParser(whole(1)),
    )
    .addOption(seedOption())
    .addOption(workersOption())
    .addOption(new Option('--out <folder>', 'folder of the run (default: a new one under runs/)'))
    .addOption(
      new Option('--resume <run>', 'go on from the checkpoint of an interrupted run, with its settings').conflicts([
        'out',
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
      new Option('--backend <name>', 'TensorFlow.js backend')
        .choices(['auto', ...backendNames])
        .default('auto', 'the fastest that loads'),
    )
    .addOption(
      new Option('--network <kind>', 'pairs scores each legal assignment, flat maps the whole observation')
        .choices(networkKinds)
        .default(ppoDefaults.network),
    )
    .addOption(
      new Option('--observation <kind>', 'what the critic sees, and a flat network')
        .choices(observationKinds)
        .default(ppoDefaults.observation),
    )
    .addOption(
      new Option('--envs <n>', 'parallel environments').argParser(whole(1, 65536)).default(ppoDefaults.numEnvs),
    )
    .addOption(
      new Option('--rollout-steps <n>', 'steps of each environment per iteration')
        .argParser(whole(1, 65536))
        .default(ppoDefaults.rolloutSteps),
    )
    .addOption(
      new Option('--epochs <n>', 'passes over each rollout').argParser(whole(1, 1000)).default(ppoDefaults.epochs),
    )
    .addOption(
      new Option('--minibatch <n>', 'samples per update').argParser(whole(2)).default(ppoDefaults.minibatchSize),
    )
    .addOption(
      new Option('--learning-rate <x>', "Adam's step size at the start")
        .argParser(real(0, 1))
        .default(ppoDefaults.learningRate),
    )
    .addOption(new Option('--checkpoint-seconds <n>', 'seconds between checkpoints').argParser(whole(1)).default(60))
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
Examples:
  fleetstep train
  fleetstep train --scenario nyc-small --data ../HybridMADRL-AMoD --steps 1e6
  fleetstep train --seed 2 --out runs/two --json
  fleetstep train --resume runs/two`,
    )
    .action(async (options: TrainOptions) => {
      await train(options);
    });
}

async function train(options: TrainOptions): Promise<void> {
  const compiled = loadScenario(options);
  const { name } = compiled.scenario;
  const resume = options.resume === undefined ? null : resumable(options.resume, compiled);
  const config: PpoConfig = resume?.config ?? {
    ...ppoDefaults,
    seed: options.seed,
    totalSteps: options.steps ?? defaultSteps(name),
    network: options.network,
    observation: options.observation,
    numEnvs: options.envs,
    rolloutSteps: options.rolloutSteps,
    epochs: options.epochs,
    minibatchSize: options.minibatch,
    learningRate: options.learningRate,
  };
  // A resumed run goes on where it was, or its numbers would round differently.
  const chosen = options.backend === 'auto' ? resume?.backend : options.backend;
  const backend = chosen === undefined ? await loadFastestBackend() : await loadBackend(chosen);
  const out = options.resume ?? options.out ?? defaultRunFolder(name, config.seed, new Date());
  if (resume === null) RunFolder.checkFree(out);
  const say = (text: string): void => {
    if (!options.json) process.stderr.write(`${text}\n`);
  };
  say(
    `${pc.bold(`scenario ${name}`)}: ${compiled.scenario.drivers} drivers, ${compiled.scenario.slots} slots; ${short(config.totalSteps)} steps in ${config.numEnvs} environments on ${options.workers} workers`,
  );
  if (resume !== null && backend.name !== resume.backend) {
    say(`note: the run was trained on ${resume.backend}; on ${backend.name} it will not end with the same bytes`);
  }
  say(`backend ${backend.name} (${backend.version})${backend.reason === '' ? '' : `; ${backend.reason}`}`);

  // The first interrupt ends the run after this iteration, with a checkpoint; the second one ends the process.
  const abort = new AbortController();
  const onInterrupt = (): void => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
    say('stopping as soon as this iteration is saved; interrupt again to quit at once');
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);

  const bar = progress('training', options.json);
  const evaluating = progress('evaluating', options.json);
  const started = performance.now();
  const firstIteration = resume?.state.iteration ?? 0;
  let episodicReturn: number | null = null;
  const onMetrics = (metrics: PpoMetrics, iterations: number): void => {
    episodicReturn = metrics['charts/episodic_return'] ?? episodicReturn;
    const passed = (performance.now() - started) / 1000;
    const eta = (passed / (metrics.iteration - firstIteration)) * (iterations - metrics.iteration);
    bar.update(
      metrics.iteration,
      iterations,
      `ETA ${duration(eta)} | return ${episodicReturn?.toFixed(1) ?? '-'} | ${short(metrics.global_step)} steps | steps/s env ${short(metrics['charts/SPS_env'])}, env+policy ${short(metrics['charts/SPS_env_policy'])}, all ${short(metrics['charts/SPS'])} | loss pi ${metrics['losses/policy_loss'].toFixed(4)} v ${metrics['losses/value_loss'].toFixed(3)} H ${metrics['losses/entropy'].toFixed(2)}`,
    );
    if (metrics.iteration === iterations) bar.stop();
  };
  let result: TrainingResult;
  try {
    result = await runTraining({
      compiled,
      backend,
      config,
      workers: options.workers,
      out,
      resume,
      checkpointSeconds: options.checkpointSeconds,
      evaluationEpisodes: options.evalEpisodes,
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
        `ppo against ${comparison.against}, paired: ${comparison.meanDifference >= 0 ? '+' : ''}${withInterval(comparison.meanDifference, comparison.halfWidth)}\n`,
      );
    }
  }
  process.stdout.write(
    `\n${result.finished ? 'done' : 'interrupted'}: ${short(result.steps)} steps in ${duration(result.seconds)}, ${short(result.sps)} steps/s all in\n` +
      `run:  ${result.run}  (config.json, metrics.jsonl, checkpoint.msgpack${ours === undefined ? '' : ', evaluation.json'})\n` +
      (result.finished
        ? `next: fleetstep eval --policy ${result.run} --scenario ${options.scenario}${options.data === undefined ? '' : ` --data ${options.data}`} --split test\n`
        : `next: fleetstep train --resume ${result.run} --scenario ${options.scenario}${options.data === undefined ? '' : ` --data ${options.data}`}\n`),
  );
}
