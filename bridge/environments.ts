// The environments that one server steps, and which of their bytes the client sees: outputs of the engine as they lie in memory, then
// rows of `pairs` if they were asked for. The file has the same layout, so that what has changed is written in a few ranges.

import {
  PAIR_COLUMNS,
  PairWriter,
  VectorDispatchEnv,
  allocate,
  episodeSource,
  kpiNames,
  observationBounds,
  observationShape,
  outputSpec,
  pairColumns,
  viewsOf,
} from '../engine/index.js';
import type { CompiledScenario, EpisodeSource, FieldKind, LayoutOf, LayoutSpec } from '../engine/index.js';
import { heldOutSeed } from '../workers/evaluate.js';
import { GO_ON, LEAVE } from './protocol.js';
import type { Request } from './protocol.js';
import type { SharedFile } from './shared-file.js';

/** Rows of legal actions: those of environment e are rows `offsets[e]` to `offsets[e + 1]`; of final ones `finalCounts[e]` from `e * actions` on. */
interface PairViews {
  readonly pairOffsets: Int32Array;
  readonly pairActions: Int32Array;
  readonly pairFeatures: Float32Array;
  readonly finalPairCounts: Int32Array;
  readonly finalPairActions: Int32Array;
  readonly finalPairFeatures: Float32Array;
}

/** Where an array lies in the shared file. */
export interface FieldPlace {
  readonly kind: FieldKind;
  readonly offset: number;
  readonly shape: readonly number[];
}

/** A vector environment, and what of it the client sees. */
export class Environments {
  readonly #env: VectorDispatchEnv;
  readonly #request: Request;
  readonly #outBytes: Uint8Array;
  /** Outputs before this byte are written by each step. */
  readonly #stepEnd: number;
  readonly #pairs: PairViews | null;
  readonly #pairBytes: Uint8Array;
  readonly #pairWriter: PairWriter | null;
  /** Number of environments. */
  readonly numEnvs: number;
  /** Bytes of the shared file. */
  readonly bytes: number;

  /** @throws EngineError for what the engine refuses, such as more held-out environments than there are days */
  constructor(compiled: CompiledScenario, request: Request) {
    const { numEnvs, firstEnv, observation, autoresetMode, pairs } = request;
    const spec = outputSpec(compiled, numEnvs, observation);
    const outputs = allocate(spec);
    const finalPairs = pairs && autoresetMode === 'SAME_STEP';
    this.#env = new VectorDispatchEnv({
      scenario: compiled,
      ...{ numEnvs, firstEnv, observation, autoresetMode, finalPairs },
      source: sourceOf(compiled, request),
      outputBuffer: outputs,
    });
    this.#request = request;
    this.numEnvs = numEnvs;
    this.#outBytes = new Uint8Array(outputs);
    this.#stepEnd = this.#env.infos.finalObservations.byteOffset;
    const { actions } = this.#env.world;
    const pairSpec = pairLayout(pairs ? numEnvs : 0, actions, finalPairs);
    const pairBuffer = allocate(pairSpec);
    this.#pairs = pairs ? viewsOf<PairViews>(pairSpec, pairBuffer) : null;
    this.#pairBytes = new Uint8Array(pairBuffer);
    this.#pairWriter = pairs ? new PairWriter(this.#env.world) : null;
    this.bytes = this.#outBytes.length + this.#pairBytes.length;
  }

  /** Everything that the client must know of them: spaces, names of columns and figures, places in the file. */
  describe(): Readonly<Record<string, unknown>> {
    const { world, numEnvs, singleActionSpace } = this.#env;
    const { compiled } = world;
    const { low, high } = observationBounds(compiled, this.#request.observation);
    return {
      scenario: compiled.scenario,
      observationSpace: { low: [...low], high: [...high] },
      actionSpace: { n: singleActionSpace.n },
      observationShape: observationShape(compiled.scenario, this.#request.observation),
      kpiNames,
      pairColumns,
      numEnvs,
      bytes: this.bytes,
      fields: this.#places(),
    };
  }

  /** Resets where `seeds` has one, or `GO_ON`; leaves alone where it has `LEAVE`. */
  reset(seeds: Float64Array): void {
    const masks = new Map<number, Uint8Array>();
    seeds.forEach((seed, e) => {
      if (seed === LEAVE) return;
      let mask = masks.get(seed);
      if (mask === undefined) masks.set(seed, (mask = new Uint8Array(seeds.length)));
      mask[e] = 1;
    });
    for (const [seed, resetMask] of masks) {
      if (seed === GO_ON) this.#env.reset({ options: { resetMask } });
      else this.#env.reset({ seed: this.#seedOf(seed), options: { resetMask } });
    }
    if (this.#env.world.state.started.includes(0)) return;
    this.#writePairs();
  }

  /** One step. @returns whether an episode has ended */
  step(actions: Int32Array): boolean {
    this.#env.step(actions);
    this.#writePairs();
    const { terminations, truncations } = this.#env.world.out;
    return terminations.includes(1) || truncations.includes(1);
  }

  /** Starts anew from `seed` and plays all steps of the tape, `[steps, numEnvs]`. @returns seconds that the steps took */
  replay(seed: number, tape: Int32Array): number {
    const { numEnvs } = this;
    const steps = Array.from({ length: tape.length / numEnvs }, (_, t) =>
      tape.subarray(t * numEnvs, (t + 1) * numEnvs),
    );
    this.#env.reset({ seed: this.#seedOf(seed) });
    const started = performance.now();
    for (const actions of steps) this.#env.step(actions);
    const seconds = (performance.now() - started) / 1000;
    this.#writePairs();
    return seconds;
  }

  /** Brings into the file what a step or a reset has changed. @param ended whether final arrays have, too */
  publish(file: SharedFile, ended: boolean): void {
    file.write(this.#outBytes, 0, this.#stepEnd, 0);
    const pairs = this.#pairs;
    if (pairs !== null) {
      const rows = pairs.pairOffsets[this.numEnvs];
      this.#publishPairs(file, pairs.pairOffsets, 0, pairs.pairOffsets.length);
      this.#publishPairs(file, pairs.pairActions, 0, rows);
      this.#publishPairs(file, pairs.pairFeatures, 0, rows * PAIR_COLUMNS);
    }
    if (ended) this.#publishFinal(file);
  }

  /** Final rows of environments that have just ended, and all figures. */
  #publishFinal(file: SharedFile): void {
    const { world, numEnvs, infos } = this.#env;
    const { terminations, truncations } = world.out;
    const { observationSize: size, actions } = world;
    const finalPairs = infos.finalPairs;
    for (let e = 0; e < numEnvs; e++) {
      if ((terminations[e] | truncations[e]) === 0) continue;
      this.#publishOut(file, infos.finalObservations, e * size, (e + 1) * size);
      this.#publishOut(file, infos.finalActionMasks, e * actions, (e + 1) * actions);
      if (finalPairs === null) continue;
      const to = e * actions + finalPairs.counts[e];
      const { finalPairCounts, finalPairActions, finalPairFeatures } = this.#pairs!;
      finalPairCounts[e] = finalPairs.counts[e];
      const [first, last] = [e * actions * PAIR_COLUMNS, to * PAIR_COLUMNS];
      finalPairActions.set(finalPairs.actions.subarray(e * actions, to), e * actions);
      finalPairFeatures.set(finalPairs.features.subarray(first, last), first);
      this.#publishPairs(file, finalPairCounts, e, e + 1);
      this.#publishPairs(file, finalPairActions, e * actions, to);
      this.#publishPairs(file, finalPairFeatures, first, last);
    }
    file.write(this.#outBytes, infos.episodeReturns.byteOffset, this.#outBytes.length, 0);
  }

  #publishOut(file: SharedFile, array: Float32Array | Uint8Array, from: number, to: number): void {
    const { byteOffset, BYTES_PER_ELEMENT: width } = array;
    file.write(this.#outBytes, byteOffset + from * width, byteOffset + to * width, 0);
  }

  #publishPairs(file: SharedFile, array: Int32Array | Float32Array, from: number, to: number): void {
    const { byteOffset, BYTES_PER_ELEMENT: width } = array;
    file.write(this.#pairBytes, byteOffset + from * width, byteOffset + to * width, this.#outBytes.length);
  }

  #writePairs(): void {
    const pairs = this.#pairs;
    if (pairs === null) return;
    let rows = 0;
    for (let e = 0; e < this.numEnvs; e++) {
      rows += this.#pairWriter!.write(e, pairs.pairActions, pairs.pairFeatures, rows);
      pairs.pairOffsets[e + 1] = rows;
    }
  }

  #seedOf(seed: number): number {
    const { split } = this.#request;
    return split === 'training' ? seed : heldOutSeed(seed, split);
  }

  #places(): Readonly<Record<string, FieldPlace>> {
    const { world, numEnvs, infos } = this.#env;
    const { compiled, observationSize, actions } = world;
    const places: Record<string, FieldPlace> = {};
    const add = (spec: LayoutSpec, views: object, base: number, widths: Readonly<Record<string, number[]>>): void => {
      for (const [name, [kind, count]] of Object.entries(spec)) {
        const { byteOffset } = (views as Record<string, Int32Array>)[name];
        places[name] = { kind, offset: base + byteOffset, shape: widths[name] ?? [count] };
      }
    };
    const rows = [numEnvs, observationSize];
    const masks = [numEnvs, actions];
    add(outputSpec(compiled, numEnvs, this.#request.observation), { ...world.out, ...infos }, 0, {
      observations: rows,
      finalObservations: rows,
      actionMasks: masks,
      finalActionMasks: masks,
      episodeKpis: [numEnvs, kpiNames.length],
    });
    if (this.#pairs !== null) {
      const spec = pairLayout(numEnvs, actions, infos.finalPairs !== null);
      add(spec, this.#pairs, this.#outBytes.length, {
        pairFeatures: [spec.pairActions[1], PAIR_COLUMNS],
        finalPairFeatures: [spec.finalPairActions[1], PAIR_COLUMNS],
      });
    }
    return places;
  }
}

/** Held-out episodes are those of `fleetstep eval`: environment i plays the split's episode i. */
function sourceOf({ dataset }: CompiledScenario, { split, firstEnv, numEnvs }: Request): EpisodeSource {
  if (split === 'training') return episodeSource(dataset, split, 'sampled');
  const { mode, days } = episodeSource(dataset, split, 'listed');
  return { mode, days: days.slice(firstEnv, firstEnv + numEnvs) };
}

function pairLayout(n: number, actions: number, finalPairs: boolean): LayoutOf<PairViews> & LayoutSpec {
  const rows = n * actions;
  const finalRows = finalPairs ? rows : 0;
  return {
    pairOffsets: ['i32', n === 0 ? 0 : n + 1],
    pairActions: ['i32', rows],
    pairFeatures: ['f32', rows * PAIR_COLUMNS],
    finalPairCounts: ['i32', finalPairs ? n : 0],
    finalPairActions: ['i32', finalRows],
    finalPairFeatures: ['f32', finalRows * PAIR_COLUMNS],
  };
}
