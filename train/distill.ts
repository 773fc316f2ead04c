// Distillation: what look-ahead finds out is put into the network that it looks ahead with (approximate policy iteration by
// rollouts, Lagoudakis and Parr 2003). Readable from top to bottom: settings, a round (label, fit, judge), the job.
//
// Each round the network plays training episodes; at each of its states, look-ahead measures by how much each probable action is
// better than what the network does. Then the new network p maximises the mean of p's advantage A less a temperature times its
// divergence from the old network q, KL(p, q): the exact improvement of a step of policy iteration that stays near (as in maximum a
// posteriori policy optimisation, Abdolmaleki et al. 2018). The objective is linear in A, so noise in single advantages averages
// out. The round counts only if the new network wins on validation.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PAIR_COLUMNS, Purpose, RandomStream } from '../engine/index.js';
import type { CompiledScenario } from '../engine/index.js';
import { SealError, openSealed, writeSealed } from '../files/index.js';
import { halfWidth, logSumExp, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { beatsOf, closeThreads, evaluatePolicies, openThreads, runAll } from '../workers/index.js';
import type { NetworkSpec } from '../workers/index.js';
import { Adam } from './adam.js';
import type { Backend } from './backend.js';
import { policyOf, weightsSha256, writeCheckpoint } from './checkpoint.js';
import type { Checkpoint } from './checkpoint.js';
import { joinedRows } from './distill-worker.js';
import type { LabelTask, Labels } from './distill-worker.js';
import { TrainError } from './errors.js';
import { check } from './fields.js';
import { shuffle } from './minibatch.js';
import { RunFolder, onDisk } from './run-folder.js';

/** Settings of a distillation; a resumed one keeps them. */
export interface DistillSettings {
  /** Rounds in all. */
  readonly rounds: number;
  /** Training episodes that are labelled in a round. */
  readonly episodes: number;
  /** Most futures in which an action is tried. */
  readonly futures: number;
  /** Return that counts as a factor of e in probability; null for 30 where rewards are weighted sums, 0.3 for fares. */
  readonly temperature: number | null;
  /** Widths of the actor's hidden layers, to which it is widened at the start without changing what it computes; null: as they are. */
  readonly hidden: readonly number[] | null;
  /** Times that each label is learnt from in a round. */
  readonly epochs: number;
  /** Of Adam; it falls to 0 within a round. */
  readonly learningRate: number;
  /** Held-out episodes on which a round is judged; null for 200, or all days. */
  readonly evaluationEpisodes: number | null;
  /** Base seed. */
  readonly seed: number;
}

/** The defaults. */
export const distillDefaults: DistillSettings = {
  rounds: 3,
  episodes: 400,
  futures: 32,
  temperature: null,
  hidden: null,
  epochs: 40,
  learningRate: 1e-3,
  evaluationEpisodes: null,
  seed: 1,
};

/** What a round has come to. */
export interface DistillRound {
  /** 1 first. */
  readonly round: number;
  /** States with a choice that were labelled. */
  readonly states: number;
  /** Return that the new network gains in a labelled state by its labels, on average. */
  readonly expectedGain: number;
  /** The new network's mean return on validation. */
  readonly meanReturn: number;
  /** Less that of the network before it, paired by episode. */
  readonly difference: number;
  /** Half width of the difference's 95% interval. */
  readonly halfWidth: number | null;
  /** Whether the new network took the other's place. */
  readonly accepted: boolean;
}

/** One distillation. */
export interface DistillJob {
  /** The policy to begin with: of a new distillation the run's, of a resumed one that in `out`. */
  readonly checkpoint: Checkpoint;
  /** The run that it is from, for people. */
  readonly from: string;
  readonly compiled: CompiledScenario;
  readonly backend: Backend;
  readonly settings: DistillSettings;
  readonly workers: number;
  /** Folder of the result. */
  readonly out: string;
  /** Goes on in `out`. */
  readonly resume: boolean;
  /** Ends it after the labels under way; it can be resumed. */
  readonly signal: AbortSignal;
  /** Called as episodes are labelled. */
  readonly onLabels: (round: number, done: number, total: number) => void;
  /** Called when a round has been judged. */
  readonly onRound: (round: DistillRound) => void;
}

/** What it has come to. */
export interface DistillResult {
  /** Folder. */
  readonly run: string;
  readonly scenario: string;
  /** Whether all rounds are done. */
  readonly finished: boolean;
  readonly rounds: readonly DistillRound[];
  /** Rounds whose network was taken. */
  readonly accepted: number;
  /** SHA-256 of the weights. */
  readonly weightsSha256: string;
}

/** Progress in the folder, beside the checkpoint. */
interface Progress {
  readonly from: string;
  readonly settings: DistillSettings;
  readonly rounds: readonly DistillRound[];
}

const PROGRESS = 'distill.json';
const LABELS = 'fleetstep-labels-1';
/** Episodes of a task: few, so that an interruption loses little. */
const PART = 5;
/** States of a minibatch. */
const BATCH = 256;

/** Log-probabilities below this are all the same: such an action is never taken. */
const FLOOR = -15;

const worker = fileURLToPath(new URL('./distill-worker.js', import.meta.url));

/** The settings of a distillation in a folder, and the run that it is from. @throws TrainError `ERR_CHECKPOINT` if there is none */
export function distillProgress(out: string): { readonly from: string; readonly settings: DistillSettings } {
  return readProgress(out);
}

function readProgress(out: string): Progress {
  const file = join(out, PROGRESS);
  if (!existsSync(file)) {
    throw new TrainError('ERR_CHECKPOINT', `${out} holds no ${PROGRESS}: it is no distillation`);
  }
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Progress;
  } catch (cause) {
    throw new TrainError('ERR_CHECKPOINT', `${file} is damaged: ${(cause as Error).message}`, { cause });
  }
}

/** @throws TrainError `ERR_TRAIN_OPTION` naming what is out of range */
export function checkDistillSettings(settings: DistillSettings): void {
  check.whole('rounds', settings.rounds, 1, 100);
  check.whole('episodes', settings.episodes, 1, 1e6);
  check.whole('futures', settings.futures, 2, 1e5);
  check.whole('epochs', settings.epochs, 1, 1e4);
  check.whole('seed', settings.seed, 0);
  for (const name of ['temperature', 'learningRate'] as const) {
    const value = settings[name];
    if (value === null || (value > 0 && value < Infinity)) continue;
    throw new TrainError('ERR_TRAIN_OPTION', `${name} is ${value}: it must be a number above 0`);
  }
}

/**
 * Distils until all rounds are done or the signal aborts. The folder holds the best policy so far as a checkpoint that plays, and
 * starts others (`--init`).
 * @throws TrainError `ERR_TRAIN_OPTION` for a flat network; TrainError, WorkerError
 */
export async function distill(job: DistillJob): Promise<DistillResult> {
  const { compiled, settings, out, signal } = job;
  checkDistillSettings(settings);
  const { shape } = job.checkpoint;
  if (shape.kind !== 'pairs') {
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `${job.from} has a network of kind "${shape.kind}": those of kind "pairs" are distilled`,
    );
  }
  const folder = job.resume ? RunFolder.open(out) : RunFolder.create(out);
  let teacher = job.checkpoint;
  let rounds: readonly DistillRound[] = [];
  try {
    if (job.resume) {
      ({ rounds } = readProgress(out));
    } else {
      const widened = widen(job.checkpoint, settings);
      teacher = writeCheckpoint(out, distilledFrom(job, widened, widened.state.weights, 0));
      folder.writeJson(PROGRESS, { from: job.from, settings, rounds } satisfies Progress);
    }
    while (rounds.length < settings.rounds && !signal.aborted) {
      const round = rounds.length + 1;
      // Labels of rounds that were not accepted are of the same network, and count on.
      const first = 1 + rounds.findLastIndex(({ accepted }) => accepted);
      const parts: Labels[] = [];
      for (let r = first + 1; r <= round; r++) {
        const labels = await labelled(job, policySpec(teacher), r, r === round);
        if (labels === null) break;
        parts.push(...labels);
      }
      if (signal.aborted) break;
      const samples = joined(parts, temperatureOf(job));
      const fitted = fit(job, teacher, samples, round);
      const spec = { ...policySpec(teacher), name: 'new', weights: fitted.weights };
      const evaluations = await evaluatePolicies({
        compiled,
        policies: [spec, policySpec(teacher)],
        split: 'validation',
        episodes: settings.evaluationEpisodes ?? undefined,
        seed: 1,
        workers: job.workers,
        signal,
      });
      if (evaluations.length === 0) break;
      const [ours, theirs] = evaluations;
      const differences = ours.episodes.map((episode, k) => episode.return - theirs.episodes[k].return);
      const difference = ours.meanReturn - theirs.meanReturn;
      const result: DistillRound = {
        round,
        states: samples.starts.length - 1,
        expectedGain: fitted.expectedGain,
        meanReturn: ours.meanReturn,
        difference,
        halfWidth: halfWidth(differences),
        accepted: difference > 0,
      };
      // The checkpoint first: a process that dies in between judges the round again, against itself, and does not accept it.
      if (result.accepted) teacher = writeCheckpoint(out, distilledFrom(job, teacher, fitted.weights, round));
      rounds = [...rounds, result];
      folder.writeJson(PROGRESS, { from: job.from, settings, rounds } satisfies Progress);
      if (result.accepted) forget(out, settings, round);
      job.onRound(result);
    }
    if (rounds.length >= settings.rounds) forget(out, settings, rounds.length);
    return {
      run: out,
      scenario: compiled.scenario.name,
      finished: rounds.length >= settings.rounds,
      rounds,
      accepted: rounds.filter(({ accepted }) => accepted).length,
      weightsSha256: weightsSha256(teacher.state.weights),
    };
  } finally {
    folder.close();
  }
}

function temperatureOf({ compiled, settings }: DistillJob): number {
  return settings.temperature ?? (compiled.scenario.reward.kind === 'weighted' ? 30 : 0.3);
}

function policySpec(checkpoint: Checkpoint): NetworkSpec {
  return policyOf(checkpoint, 'old') as NetworkSpec;
}

/** The checkpoint of a distilled policy: it plays, and is not trained on. */
function distilledFrom(job: DistillJob, before: Checkpoint, weights: Float32Array, round: number): Checkpoint {
  const { selection: _, replayFile: __, ...kept } = before;
  return {
    ...kept,
    state: { iteration: before.state.iteration, weights },
    distilled: round,
    origin: before.distilled === undefined ? originOf(job) : before.origin,
  };
}

function originOf({ from, checkpoint }: DistillJob): Checkpoint['origin'] {
  return {
    run: from,
    scenario: checkpoint.scenario.name,
    steps: checkpoint.steps,
    weightsSha256: weightsSha256(checkpoint.state.weights),
    parts: ['actor', 'critic'],
  };
}

// ---------------------------------------------------------------- labels

function labelsFile(out: string, round: number, part: number): string {
  return join(out, `labels-${round}-${part}.msgpack`);
}

function partsOf({ episodes }: DistillSettings): number {
  return Math.ceil(episodes / PART);
}

/** The labels of a round, those in the folder and those that are missing there; null if the signal aborted. */
async function labelled(
  { compiled, settings, out, workers, signal, onLabels }: DistillJob,
  policy: NetworkSpec,
  round: number,
  reports: boolean,
): Promise<Labels[] | null> {
  const { episodes, futures, seed } = settings;
  const found = Array.from({ length: partsOf(settings) }, (_, part) =>
    readLabels(labelsFile(out, round, part), policy),
  );
  const missing = found.flatMap((labels, part) => (labels === null ? [part] : []));
  let done = episodes - missing.reduce((sum, part) => sum + Math.min(PART, episodes - part * PART), 0);
  if (reports) onLabels(round, done, episodes);
  if (missing.length > 0) {
    const pool = openThreads(Math.min(workers, missing.length), null);
    const stop = (): void => void closeThreads(pool);
    signal.addEventListener('abort', stop);
    try {
      const beats = beatsOf(missing.length);
      const tasks = missing.map((part, slot): LabelTask => {
        const from = (round - 1) * episodes + part * PART;
        const to = Math.min(round * episodes, from + PART);
        return { compiled, policy, from, to, seed, futures, beats, slot };
      });
      const write = (labels: Labels): void => {
        const part = (labels.from - (round - 1) * episodes) / PART;
        const file = labelsFile(out, round, part);
        onDisk(file, () => writeSealed(file, LABELS, { weights: weightsSha256(policy.weights), labels }));
        found[part] = labels;
        if (reports) onLabels(round, (done += labels.to - labels.from), episodes);
      };
      await runAll<LabelTask, Labels>(pool, 'label', tasks, { filename: worker, beats, done: write });
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      await closeThreads(pool);
    }
  }
  return found as Labels[];
}

/** Null for a file that is not there, or not of these weights: its labels are made anew. */
function readLabels(file: string, { weights }: NetworkSpec): Labels | null {
  if (!existsSync(file)) return null;
  try {
    const found = openSealed(readFileSync(file), LABELS) as { readonly weights: string; readonly labels: Labels };
    return found.weights === weightsSha256(weights) ? found.labels : null;
  } catch (error) {
    if (error instanceof SealError) return null;
    throw error;
  }
}

function forget(out: string, settings: DistillSettings, upTo: number): void {
  for (let round = 1; round <= upTo; round++) {
    for (let part = 0; part < partsOf(settings); part++) rmSync(labelsFile(out, round, part), { force: true });
  }
}

/** Labels as one table: state r has rows `starts[r]` to `starts[r + 1]` (exclusive). */
interface Samples {
  readonly starts: Int32Array;
  /** `[rows, PAIR_COLUMNS]` */
  readonly features: Float32Array;
  /** `[rows]` log-probabilities of the teacher */
  readonly old: Float32Array;
  /** `[rows]` advantage over what the teacher does, over the temperature; 0 where nothing was tried */
  readonly advantages: Float32Array;
}

function joined(parts: readonly Labels[], temperature: number): Samples {
  const counts = parts.flatMap((part) => Array.from(part.counts));
  const starts = new Int32Array(counts.length + 1);
  counts.forEach((count, r) => (starts[r + 1] = starts[r] + count));
  const old = joinedRows(parts.map(({ logProbabilities }) => logProbabilities));
  const advantages = joinedRows(parts.map(({ gains }) => gains));
  const futures = parts.flatMap((part) => Array.from(part.futures));
  for (let r = 0; r < counts.length; r++) {
    let mean = 0;
    let all = 0;
    for (let k = starts[r]; k < starts[r + 1]; k++) {
      if (futures[k] === 0) continue;
      mean += Math.exp(old[k]) * advantages[k];
      all += Math.exp(old[k]);
    }
    mean /= all;
    for (let k = starts[r]; k < starts[r + 1]; k++) {
      advantages[k] = futures[k] === 0 ? 0 : (advantages[k] - mean) / temperature;
    }
  }
  for (let k = 0; k < old.length; k++) old[k] = Math.max(FLOOR, old[k]);
  return { starts, features: joinedRows(parts.map(({ features }) => features)), old, advantages };
}

// ---------------------------------------------------------------- network

/** The checkpoint with an actor of these hidden widths, which computes the same: the new units have no effect yet. */
function widen(checkpoint: Checkpoint, { hidden, seed }: DistillSettings): Checkpoint {
  const { shape, state } = checkpoint;
  if (hidden === null) return checkpoint;
  if (hidden.length !== shape.hidden.length || hidden.some((width, k) => width < shape.hidden[k])) {
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `hidden is ${hidden.join(',')}: the network has ${shape.hidden.join(',')}, and can be made wider only, layer by layer`,
    );
  }
  const wide: NetworkShape = { ...shape, hidden };
  const [from, to] = [networkLayout(shape), networkLayout(wide)];
  const weights = new Float32Array(to.size);
  const stream = new RandomStream(seed, Purpose.weights);
  from.actor.forEach((old, k) => {
    const layer = to.actor[k];
    const scale = Math.sqrt(0.5 / layer.inputs);
    for (let i = 0; i < layer.inputs; i++) {
      for (let o = 0; o < layer.outputs; o++) {
        const isOld = i < old.inputs && o < old.outputs;
        // From a new unit nothing goes to an old one.
        weights[layer.weights + i * layer.outputs + o] = isOld
          ? state.weights[old.weights + i * old.outputs + o]
          : o < old.outputs
            ? 0
            : scale * stream.normal();
      }
    }
    weights.set(state.weights.subarray(old.biases, old.biases + old.outputs), layer.biases);
  });
  weights.set(state.weights.subarray(from.critic[0].weights), to.critic[0].weights);
  const config = { ...checkpoint.config, hidden } as Checkpoint['config'];
  return { ...checkpoint, config, shape: wide, state: { ...state, weights } };
}

// ---------------------------------------------------------------- fit

/** Fits a copy of the teacher's actor to the labels. */
function fit(
  job: DistillJob,
  { shape, state }: Checkpoint,
  samples: Samples,
  round: number,
): { readonly weights: Float32Array; readonly expectedGain: number } {
  const { backend, settings } = job;
  const { epochs, learningRate, seed } = settings;
  const temperature = temperatureOf(job);
  const weights = state.weights.slice();
  const states = samples.starts.length - 1;
  if (states === 0) return { weights, expectedGain: 0 };
  const { actor: layers, critic } = networkLayout(shape);
  // The actor's numbers come first.
  const size = critic[0].weights;
  const actor = weights.subarray(0, size);
  const gradient = new Float32Array(size);
  const adam = new Adam(size);
  const mlp = backend.mlp(layers);
  const batch = new FitBatch(BATCH);
  const order = Int32Array.from({ length: states }, (_, k) => k);
  const updates = epochs * Math.ceil(states / BATCH);
  let update = 0;
  let gain = 0;
  try {
    mlp.load(actor);
    for (let epoch = 0; epoch < epochs; epoch++) {
      shuffle(order, states, new RandomStream(seed, Purpose.shuffle, round, epoch));
      gain = 0;
      for (let first = 0; first < states; first += BATCH) {
        const rows = Math.min(BATCH, states - first);
        batch.gather(samples, order, first, rows);
        gain += batch.derive(mlp.forward(batch.features, batch.starts[rows]), rows);
        mlp.backward(batch.derivatives, gradient);
        adam.update(actor, gradient, learningRate * (1 - update++ / updates), 1);
        mlp.load(actor);
      }
    }
    if (!Number.isFinite(gain)) {
      throw new TrainError('ERR_DIVERGED', `round ${round} has diverged: lower learningRate, which is ${learningRate}`);
    }
    return { weights, expectedGain: (temperature * gain) / states };
  } finally {
    mlp.dispose();
  }
}

/** Some states, gathered for the network; memory is reused. */
export class FitBatch {
  /** `[states + 1]` first row of each state */
  readonly starts: Int32Array;
  /** `[rows, PAIR_COLUMNS]` */
  features: Float32Array = new Float32Array(0);
  /** `[rows]` of the loss with respect to the logits */
  derivatives: Float32Array = new Float32Array(0);
  #old = new Float32Array(0);
  #advantages = new Float32Array(0);

  /** @param states most that are gathered at once */
  constructor(states: number) {
    this.starts = new Int32Array(states + 1);
  }

  /** Takes states `order[first]` to `order[first + states]` (exclusive). */
  gather({ starts, features, old, advantages }: Samples, order: Int32Array, first: number, states: number): void {
    let rows = 0;
    for (let r = 0; r < states; r++) rows += starts[order[first + r] + 1] - starts[order[first + r]];
    if (this.#old.length < rows) {
      const room = Math.ceil(1.25 * rows);
      this.features = new Float32Array(room * PAIR_COLUMNS);
      this.derivatives = new Float32Array(room);
      this.#old = new Float32Array(room);
      this.#advantages = new Float32Array(room);
    }
    let at = 0;
    for (let r = 0; r < states; r++) {
      this.starts[r] = at;
      const [from, to] = [starts[order[first + r]], starts[order[first + r] + 1]];
      this.features.set(features.subarray(from * PAIR_COLUMNS, to * PAIR_COLUMNS), at * PAIR_COLUMNS);
      this.#old.set(old.subarray(from, to), at);
      this.#advantages.set(advantages.subarray(from, to), at);
      at += to - from;
    }
    this.starts[states] = at;
  }

  /**
   * Derivatives of the mean over the states of KL(p, q) - sum p A, p being the softmax of the logits.
   * @returns the sum over the states of the sum of p A
   */
  derive(logits: Float32Array, states: number): number {
    const { starts, derivatives } = this;
    const old = this.#old;
    const advantages = this.#advantages;
    let gain = 0;
    for (let r = 0; r < states; r++) {
      const [from, to] = [starts[r], starts[r + 1]];
      const all = logSumExp(logits, from, to);
      let mean = 0;
      for (let k = from; k < to; k++) {
        const p = Math.exp(logits[k] - all);
        mean += p * (logits[k] - all - old[k] - advantages[k]);
        gain += p * advantages[k];
      }
      for (let k = from; k < to; k++) {
        const p = Math.exp(logits[k] - all);
        derivatives[k] = (p * (logits[k] - all - old[k] - advantages[k] - mean)) / states;
      }
    }
    return gain;
  }
}
