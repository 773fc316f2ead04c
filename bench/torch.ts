// PyTorch's side of benchmarks: a Python process that answers each line of JSON with one. FLEETSTEP_PYTHON names its Python.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

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
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, version: string) {
    this.#child = child;
    this.#lines = lines;
    this.version = version;
  }

  /** @returns null, with the reason given to `note`, if torch cannot be imported */
  static async start(name: 'torch_update.py' | 'torch_ppo.py', note: (text: string) => void): Promise<Torch | null> {
    // The compiled benchmark lies in dist/bench, the script beside its source.
    const script = fileURLToPath(new URL(`../../bench/anchors/${name}`, import.meta.url));
    const python = process.env['FLEETSTEP_PYTHON'] ?? 'python3';
    const child = spawn(python, ['-W', 'ignore', script], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.on('error', () => undefined);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done === true) {
      note(`left out: PyTorch, as ${python} cannot import torch (FLEETSTEP_PYTHON names another Python)`);
      return null;
    }
    return new Torch(child, lines, (JSON.parse(first.value) as { version: string }).version);
  }

  /** Updates of networks that learn together. */
  async updates(nets: readonly Net[], threads: number, seconds: number): Promise<{ work: number; seconds: number }> {
    const answer = await this.#ask<{ updates: number; seconds: number }>({ nets, threads, seconds });
    return { work: answer.updates, seconds: answer.seconds };
  }

  /** Steps of one iteration of PPO: acting, and learning. */
  async ppo(setting: PpoSetting, threads: number): Promise<{ work: number; seconds: number }> {
    const answer = await this.#ask<{ steps: number; seconds: number }>({ ...setting, threads });
    return { work: answer.steps, seconds: answer.seconds };
  }

  async #ask<T>(question: object): Promise<T> {
    this.#child.stdin!.write(`${JSON.stringify(question)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('PyTorch ended before its answer');
    return JSON.parse(line.value) as T;
  }

  /** Ends the process. */
  close(): void {
    this.#child.kill();
  }
}
