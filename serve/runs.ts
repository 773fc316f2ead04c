// Reads training runs from their folders: config.json, metrics.jsonl, evaluation.json. A run may be in progress.

import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { presetNames } from '../engine/index.js';
import { ServeError } from './errors.js';

/** A run in the list. */
export interface RunSummary {
  /** Name of its folder. */
  readonly name: string;
  /** Time of the latest change of its files. */
  readonly changedAt: Date;
  /** Name of the scenario; null if it has none. */
  readonly scenario: string | null;
  /** Environment steps that were requested; null if unknown. */
  readonly totalSteps: number | null;
  /** Whether it has an evaluation. */
  readonly finished: boolean;
}

/** The members of a run's config.json that are used here. */
interface RunConfig {
  readonly company?: unknown;
  readonly scenario?: { readonly name?: string; readonly demand?: { readonly kind?: string } };
  readonly config?: { readonly totalSteps?: number };
}

/** A run with the content of its files. */
export interface RunDetail {
  /** As in the list. */
  readonly summary: RunSummary;
  /** Content of config.json. */
  readonly config: unknown;
  /** Lines of metrics.jsonl, one for each iteration. */
  readonly metrics: readonly unknown[];
  /** Content of evaluation.json; null until it is there. */
  readonly evaluation: unknown;
}

/** Reads the runs of a folder. */
export class RunsReader {
  readonly #folder: string;

  /** @param folder path; it may be missing */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Lists runs, newest first; none if the folder is missing.
   * @param companyId only runs on this company's data, and on synthetic or public data; undefined: all
   */
  async list(companyId: number | undefined): Promise<RunSummary[]> {
    const entries = await readdir(this.#folder, { withFileTypes: true }).catch(() => []);
    const found = await Promise.all(
      entries.filter((entry) => entry.isDirectory()).map(({ name }) => this.#summary(name, companyId)),
    );
    return found
      .filter((run) => run !== null)
      .sort((a, b) => b.changedAt.getTime() - a.changedAt.getTime() || (a.name < b.name ? -1 : 1));
  }

  /**
   * Reads a run.
   * @param name      of its folder
   * @param after     only metrics of later iterations; -1: all
   * @param companyId as in `list`
   * @throws ServeError `ERR_NOT_FOUND`, also for runs that the company may not see
   */
  async read(name: string, after: number, companyId: number | undefined): Promise<RunDetail> {
    // A name, never a path.
    const isName = /^[\w.-]+$/.test(name) && !name.startsWith('.');
    const summary = isName ? await this.#summary(name, companyId) : null;
    if (summary === null) throw new ServeError('ERR_NOT_FOUND', `run "${name}" is not known`);
    const lines = await readFile(join(this.#folder, name, 'metrics.jsonl'), 'utf8').catch(() => '');
    const metrics: unknown[] = [];
    for (const line of lines.split('\n')) {
      const parsed = json(line) as { iteration?: number } | null;
      // The last line may be incomplete.
      if (parsed !== null && (parsed.iteration ?? 0) > after) metrics.push(parsed);
    }
    const [config, evaluation] = await Promise.all([
      this.#json(name, 'config.json'),
      this.#json(name, 'evaluation.json'),
    ]);
    return { summary, config, metrics, evaluation };
  }

  /** Null if the folder is no run, or one that the company may not see. */
  async #summary(name: string, companyId: number | undefined): Promise<RunSummary | null> {
    const config = (await this.#json(name, 'config.json')) as RunConfig | null;
    if (config === null) return null;
    if (companyId !== undefined && !isFor(config, companyId)) return null;
    const files = ['metrics.jsonl', 'evaluation.json', 'config.json'];
    const times = await Promise.all(
      files.map((file) =>
        stat(join(this.#folder, name, file)).then(
          ({ mtime }) => mtime.getTime(),
          () => 0,
        ),
      ),
    );
    return {
      name,
      changedAt: new Date(Math.max(...times)),
      scenario: config.scenario?.name ?? null,
      totalSteps: config.config?.totalSteps ?? null,
      finished: times[1] > 0,
    };
  }

  async #json(name: string, file: string): Promise<unknown> {
    return json(await readFile(join(this.#folder, name, file), 'utf8').catch(() => ''));
  }
}

/**
 * A run on recorded trips belongs to their company, which `fleetstep collect` writes into the scenario's name. A run on synthetic
 * demand, or on a public data set, is visible to all.
 */
function isFor({ company, scenario }: RunConfig, companyId: number): boolean {
  if (company !== undefined) return company === companyId;
  const [, id] = /^company-(\d+)$/.exec(scenario?.name ?? '') ?? [];
  if (id !== undefined) return Number(id) === companyId;
  return scenario?.demand?.kind === 'synthetic' || presetNames.includes(scenario?.name ?? '');
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
