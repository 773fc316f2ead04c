// PyTorch's side of benchmarks: a Python process that answers each line of JSON with one. FLEETSTEP_PYTHON names its Python.

import { fileURLToPath } from 'node:url';
import { LineProcess } from './line-process.js';

/** A multilayer perceptron, and the rows of its batch. */
export interface Net {
  readonly widths: readonly number[];
  readonly rows: number;
}

/** What PyTorch's PPO trains: networks of one score for each legal pair and of one value, on an environment in memory. */
export interface PpoSetting {
  readonly inputs: number;
  readonly pairColumns: number;
  /** Legal pairs of each sample. */
  readonly pairs: number;
  readonly hidden: readonly number[];
  readonly criticHidden: readonly number[];
  readonly envs: number;
  readonly steps: number;
  readonly epochs: number;
  readonly minibatch: number;
}

/** PyTorch in a process of its own that runs a script of anchors/. */
export class Torch {
  /** Of torch. */
  readonly version: string;
  readonly #process: LineProcess;

  private constructor(process: LineProcess, version: string) {
    this.#process = process;
    this.version = version;
  }

  /** @returns null, with the reason given to `note`, if torch cannot be imported */
  static async start(name: 'torch_update.py' | 'torch_ppo.py', note: (text: string) => void): Promise<Torch | null> {
    // The compiled benchmark lies in dist/bench, the script beside its source.
    const script = fileURLToPath(new URL(`../../bench/anchors/${name}`, import.meta.url));
    const python = process.env['FLEETSTEP_PYTHON'] ?? 'python3';
    const torch = new LineProcess('PyTorch', python, ['-W', 'ignore', script], 'ignore');
    const first = await torch.next();
    if (first === null) {
      note(`left out: PyTorch, as ${python} cannot import torch (FLEETSTEP_PYTHON names another Python)`);
      return null;
    }
    return new Torch(torch, (JSON.parse(first) as { version: string }).version);
  }

  /** Updates of networks that learn together. */
  async updates(nets: readonly Net[], threads: number, seconds: number): Promise<{ work: number; seconds: number }> {
    const answer = await this.#process.ask<{ updates: number; seconds: number }>(
      JSON.stringify({ nets, threads, seconds }),
    );
    return { work: answer.updates, seconds: answer.seconds };
  }

  /** Steps of one iteration of PPO: acting, and learning. */
  async ppo(setting: PpoSetting, threads: number): Promise<{ work: number; seconds: number }> {
    const answer = await this.#process.ask<{ steps: number; seconds: number }>(JSON.stringify({ ...setting, threads }));
    return { work: answer.steps, seconds: answer.seconds };
  }

  /** Ends the process. */
  close(): void {
    this.#process.close();
  }
}
