// fleetstep train

import { Command, Option } from 'commander';
import pc from 'picocolors';
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
  networkSettings,
  readCheckpoint,
  readRunConfig,
  resumable,
  runCheckpoint,
  runFields,
  runTraining,
  schedulesOf,
  worldOf,
} from '../train/index.js';
import type { BackendName, Metrics, TrainingConfig, TrainingResult } from '../train/index.js';
import { loadScenario } from '../trips/index.js';
import { DEFAULT_HANG_SECONDS } from '../workers/index.js';
import { dataOption, jsonOption, path, scenarioOption, seedOption, uiOption, whole, workersOption } from './options.js';
import { foresightLine, foresightOf } from './hindsight.js';
import { interrupts } from './interrupt.js';
import { askedWorld } from './policies.js';
import { counted, duration, evaluationTable, printJson, progress, short, withInterval } from './print.js';
import { seedList, trainReplicates } from './replicates.js';
import { givenSettings, settingOptions, trainSettings } from './settings.js';

interface TrainOptions {
  readonly scenario: string;
  readonly data?: string;
  readonly steps?: number;
  readonly seed: number;
  readonly workers: number;
  readonly out?: string;
  readonly resume?: string;
  readonly config?: string;
  readonly printConfig?: boolean;
  readonly algorithm: string;
  readonly backend: BackendName | 'auto';
  readonly checkpointSeconds: number;
  readonly hangSeconds: number;
  readonly evalEpisodes?: number;
  readonly evalEvery: number;
  readonly earlyStop: number;
  readonly keepEvery: number;
  readonly init?: string;
  readonly seeds?: readonly number[];
  readonly supervise?: number | true;
  readonly memoryLimit?: number;
  readonly ui?: number | true;
  readonly json: boolean;
}

/** Restarts in a row without a step more, where nothing else is said. */
const RESTARTS = 5;

/** The `train` command. */
export function trainCommand(): Command {
  const described = algorithmNames.map((name) => `${name} (${algorithm(name).description})`);
  const command = new Command('train')
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
    .addOption(
      new Option('--seeds <list>', 'train with each of these seeds, such as 1..5 or 1,2,3, and show mean and interval')
        .argParser(seedList)
        .conflicts(['seed', 'printConfig']),
    )
    .addOption(
      new Option(
        '--init <run>',
        'start from the weights of this run, or of a checkpoint file of one, on its scenario or another one',
      ),
    )
    .addOption(workersOption())
    .addOption(new Option('--out <folder>', 'folder of the run (default: a new one under runs/)').argParser(path))
    .addOption(
      new Option(
        '--resume <run>',
        'resume an interrupted run from its last checkpoint, with its settings; with --steps a finished one, too, to more steps',
      )
        .argParser(path)
        .conflicts([
          'out',
          'config',
          'printConfig',
          'algorithm',
          'seed',
          'seeds',
          'init',
          ...trainSettings.map(({ attribute }) => attribute),
        ]),
    )
    .addOption(new Option('--config <file.json>', 'options and settings from a file, where they are not given here'))
    .addOption(new Option('--print-config', 'print all options and settings as such a file, and end'))
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
    .addOption(new Option('--checkpoint-seconds <n>', 'seconds between checkpoints').argParser(whole(1)).default(60))
    .addOption(
      new Option('--hang-seconds <n>', 'replace the threads if one makes no step for this many seconds')
        .argParser(whole(1))
        .default(DEFAULT_HANG_SECONDS),
    )
    .addOption(
      new Option(
        '--eval-episodes <n>',
        'held-out episodes per policy after training, 0 for none (default: 200, or all days)',
      ).argParser(whole(0)),
    )
    .addOption(
      new Option(
        '--eval-every <n>',
        'steps between evaluations on the validation episodes; the best policy is kept as best.msgpack; 0: none',
      )
        .argParser(whole(0))
        .default(runFields.evalEvery.default),
    )
    .addOption(
      new Option('--early-stop <n>', 'end the training after this many evaluations without gain, 0: never')
        .argParser(whole(0))
        .default(runFields.earlyStop.default),
    )
    .addOption(
      new Option('--keep-every <n>', 'steps between checkpoints that are kept, as checkpoint-<steps>.msgpack; 0: none')
        .argParser(whole(0))
        .default(runFields.keepEvery.default),
    )
    .addOption(
      new Option(
        '--supervise [n]',
        'start the run again from its checkpoint if its process dies or fails, at most n times in a row without a step more (default: 5)',
      ).argParser(whole(0, 1000)),
    )
    .addOption(
      new Option('--memory-limit <MiB>', 'with --supervise: start it again, too, once it holds more memory').argParser(
        whole(1),
      ),
    )
    .addOption(uiOption())
    .addOption(jsonOption());
  for (const option of settingOptions()) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
A run that was interrupted or killed resumes from its last checkpoint with --resume, with the scenario, data and settings that
it was started with. Exit code 130 after an interrupt, 143 after a termination.

Examples:
  fleetstep train
  fleetstep train --scenario nyc-small --data ../HybridMADRL-AMoD --steps 1e6
  fleetstep train --seed 2 --out runs/two --json
  fleetstep train --algorithm dqn --steps 400000
  fleetstep train --gamma 0.98 --print-config > run.json && fleetstep train --config run.json --seed 2
  fleetstep train --resume runs/two
  fleetstep train --resume runs/two --steps 3e6
  fleetstep train --init runs/two --scenario small.json --steps 200000
  fleetstep train --seeds 1..5 --out runs/geneva
  fleetstep train --ui`,
    )
    .action(async (options: TrainOptions, command: Command) => {
      const { seeds, out, json } = options;
      if (options.memoryLimit !== undefined && options.supervise === undefined) {
        command.error('error: --memory-limit ends and restarts a run: give --supervise, too');
      }
      if (options.supervise !== undefined) {
        const folder = options.resume ?? out;
        if (folder === undefined || seeds !== undefined) {
          command.error('error: --supervise restarts one run from its folder: give --out or --resume, and no --seeds');
        }
        const { supervise, unsupervised } = await import('./supervise.js');
        process.exitCode = await supervise({
          args: unsupervised(process.argv.slice(2)),
          out: folder,
          restarts: options.supervise === true ? RESTARTS : options.supervise,
          memoryLimit: options.memoryLimit,
        });
        return;
      }
      // Now, not when its turn comes.
      if (out !== undefined) for (const seed of seeds ?? []) RunFolder.checkFree(`${out}-s${seed}`);
      const folders: string[] = [];
      const page =
        options.ui === undefined || options.printConfig === true
          ? null
          : await (await import('./live.js')).liveRuns(options.ui, folders);
      try {
        const follow = (folder: string): void => void folders.push(folder);
        const now = new Date();
        if (seeds === undefined) await train(options, command, follow);
        else
          await trainReplicates(seeds, json, async (seed) => (await train(options, command, follow, { seed, now }))!);
      } finally {
        await page?.close();
      }
    });
}

/** One of several runs that differ in their seed only. */
interface Replicate {
  readonly seed: number;
  /** When the first of them began, for their folders' names. */
  readonly now: Date;
}

/**
 * @param follow    told of the run's folder, before it is made
 * @param replicate where there are several: each says little, and the caller prints what they come to
 */
async function train(
  options: TrainOptions,
  command: Command,
  follow: (folder: string) => void,
  replicate?: Replicate,
): Promise<TrainingResult | null> {
  const begun = options.resume === undefined ? null : runCheckpoint(options.resume);
  const given = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  const file =
    options.config === undefined
      ? {}
      : readRunConfig(options.config, given('algorithm') ? options.algorithm : undefined);
  // An option, the config file, the default: in this order.
  const asked: TrainOptions = {
    ...options,
    ...Object.fromEntries(
      [...Object.keys(runFields), 'scenario', 'data']
        .filter((name) => !given(name) && file[name] !== undefined)
        .map((name) => [name, file[name]]),
    ),
  };
  const init =
    options.init === undefined ? undefined : { path: options.init, checkpoint: readCheckpoint(options.init) };
  const named = given('algorithm') || file.algorithm !== undefined ? asked.algorithm : undefined;
  const definition = algorithm(begun?.algorithm ?? named ?? init?.checkpoint.algorithm ?? asked.algorithm);
  const settings = {
    ...definition.defaults,
    // A run that starts from another has its network, unless told otherwise, which is refused where it does not fit.
    ...(init?.checkpoint.algorithm === definition.name ? networkSettings(init.checkpoint.config) : {}),
    ...Object.fromEntries(Object.entries(file).filter(([name]) => Object.hasOwn(definition.fields, name))),
    ...givenSettings({ ...options }, command, definition.name),
  };
  if (options.printConfig === true) {
    printConfig(asked, settings, given('workers') || file.workers !== undefined);
    return null;
  }
  // Where nothing else is said, a run that starts from another is trained on the other's scenario.
  const origin = given('scenario') || file.scenario !== undefined ? undefined : init;
  const compiled =
    begun !== null
      ? askedWorld(begun, options.resume!, options, command)
      : origin !== undefined
        ? worldOf(origin.checkpoint, origin.path, asked.data)
        : loadScenario(asked);
  const { name } = compiled.scenario;
  const resume =
    options.resume === undefined ? null : resumable(options.resume, compiled, options.evalEpisodes, options.steps);
  /** The value given now; else the one that the run was started with. */
  const setting = <K extends 'workers' | 'checkpointSeconds' | 'hangSeconds'>(key: K): number =>
    resume === null || given(key) ? asked[key] : resume.settings[key];
  const evaluationEpisodes = asked.evalEpisodes ?? resume?.settings.evaluationEpisodes ?? undefined;
  const evaluateEvery = resume === null || given('evalEvery') ? asked.evalEvery : resume.settings.evaluateEvery;
  const earlyStop = resume === null || given('earlyStop') ? asked.earlyStop : resume.settings.earlyStop;
  const evaluates = evaluationEpisodes !== 0;
  const keepEvery = resume === null || given('keepEvery') ? asked.keepEvery : resume.settings.keepEvery;
  const config: TrainingConfig = resume?.config ?? {
    ...settings,
    seed: replicate?.seed ?? asked.seed,
    totalSteps: asked.steps ?? defaultSteps(name, definition.name),
  };
  // A resumed run keeps its backend: another one would round differently.
  const backend = await loadBackend(asked.backend === 'auto' ? (resume?.backend ?? defaultBackend) : asked.backend);
  const now = replicate?.now ?? new Date();
  const folder = options.resume ?? options.out ?? defaultRunFolder(name, definition.name, config.seed, now);
  // Named by the user, the runs of several seeds are told apart here.
  const out = replicate === undefined || options.out === undefined ? folder : `${folder}-s${config.seed}`;
  if (resume === null) RunFolder.checkFree(out);
  follow(out);
  const say = (text: string): void => {
    if (!options.json) process.stderr.write(`${text}\n`);
  };
  const workers = setting('workers');
  const batch = config.numEnvs * config.rolloutSteps;
  // Of whole episodes it is not known before how many steps they take.
  const steps = batch === 0 ? config.totalSteps : Math.ceil(config.totalSteps / batch) * batch;
  say(
    `${pc.bold(`scenario ${name}`)}: ${compiled.scenario.drivers} drivers, ${compiled.scenario.slots} slots; ${short(steps)} steps in ${config.numEnvs} environments on ${counted(Math.min(workers, config.numEnvs), 'worker')}`,
  );
  if (steps !== config.totalSteps) {
    say(
      `note: ${grouped(config.totalSteps)} asked for, rounded up to ${grouped(steps)} steps, because an iteration is ${config.numEnvs} environments x ${config.rolloutSteps} steps (--envs, --rollout-steps)`,
    );
  }
  if (begun !== null && config.totalSteps !== begun.config.totalSteps) {
    const schedules = schedulesOf(definition.name, config);
    say(
      `note: ${config.totalSteps > begun.config.totalSteps ? 'extended' : 'shortened'} from ${grouped(begun.config.totalSteps)} to ${grouped(config.totalSteps)} steps; ${schedules.length === 0 ? 'it ends as if it had been started with these' : `${schedules.join(', ')} ${schedules.length === 1 ? 'follows' : 'follow'} the share of all steps that are done, so it does not end as if it had been started with these`}`,
    );
  }
  if (init !== undefined) {
    const { scenario, steps: trained } = init.checkpoint;
    say(`starts from ${init.path}, trained on ${scenario.name} for ${grouped(trained)} steps`);
  }
  if (batch > 0 && workers > config.numEnvs) {
    say(`note: ${config.numEnvs} workers instead of ${workers}, because there are ${config.numEnvs} environments`);
  }
  if (resume !== null && backend.name !== resume.backend) {
    say(`note: the run was trained on ${resume.backend}; on ${backend.name} the weights will differ`);
  }
  say(`backend ${backend.name} (${backend.version})${backend.reason === '' ? '' : `; ${backend.reason}`}`);

  // The first interrupt ends the run after this iteration, with a checkpoint; the second one ends the process.
  let evaluationBegun = evaluates && resume !== null && resume.steps >= config.totalSteps;
  const interrupted = interrupts(() =>
    say(
      evaluationBegun
        ? `stopping: the trained network is saved, the evaluation is not; "fleetstep train --resume ${out}" evaluates again`
        : `stopping after this iteration, with a checkpoint; "fleetstep train --resume ${out}" continues; interrupt again to stop at once`,
    ),
  );

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
      request: {
        scenario: origin?.checkpoint.identity.data?.request?.scenario ?? asked.scenario,
        data: asked.data ?? origin?.checkpoint.identity.data?.request?.data,
      },
      checkpointSeconds: setting('checkpointSeconds'),
      evaluationEpisodes,
      hangSeconds: setting('hangSeconds'),
      evaluateEvery,
      earlyStop,
      keepEvery,
      init,
      signal: interrupted.signal,
      onMetrics,
      onEvaluation: (done, total) => evaluating.update(done, total, `${done}/${total} episodes`),
      // Below the bar's own line.
      onReplaced: (told) => say(`\nnote: ${told}`),
    });
  } finally {
    bar.stop();
    evaluating.stop();
    interrupted.close();
  }
  // A run that finished in spite of the interrupt has succeeded.
  if (!result.finished) process.exitCode = interrupted.exitCode;

  if (replicate !== undefined && options.json) return result;
  const foresight =
    result.evaluations.length === 0 ? null : await foresightOf(compiled, result.evaluations, workers, options.json);
  if (options.json) {
    const { evaluations, ...summary } = result;
    printJson({
      ...summary,
      heuristics: Object.fromEntries(evaluations.slice(1).map((e) => [e.policy, e.meanReturn])),
      ...(foresight === null ? {} : { hindsight: foresight }),
    });
    return result;
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
  if (foresight !== null) process.stdout.write(`${foresightLine(foresight)}\n`);
  process.stdout.write(
    `\n${result.finished ? 'done' : 'interrupted'}: ${short(result.steps)} steps in ${duration(result.seconds)}, ${short(result.sps)} steps/s all in\n` +
      `run:  ${result.run}  (config.json, metrics.jsonl, checkpoint.msgpack${ours === undefined ? '' : ', evaluation.json'})\n` +
      (result.finished
        ? `next: fleetstep eval --policy ${result.run} --split test\n`
        : `next: fleetstep train --resume ${result.run}\n`),
  );
  return result;
}

/** Everything that makes the run, as a config file. */
function printConfig(asked: TrainOptions, settings: object, withWorkers: boolean): void {
  const { algorithm: name, scenario, data, seed, workers, backend, checkpointSeconds, hangSeconds } = asked;
  const { evalEpisodes, evalEvery, earlyStop, keepEvery } = asked;
  // The scenario says how many steps it takes, and may need its data for that.
  const steps = asked.steps ?? defaultSteps(loadScenario(asked).scenario.name, name);
  const resolved = {
    ...{ algorithm: name, scenario, data, seed, steps, backend, checkpointSeconds, hangSeconds },
    ...{ evalEpisodes, evalEvery, earlyStop, keepEvery },
    // One per core, unless somebody wants it otherwise.
    workers: withWorkers ? workers : undefined,
    ...settings,
  };
  process.stdout.write(`${JSON.stringify(resolved, null, 2)}\n`);
}

/** 1234567 as 1,234,567 */
function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
