// Training runs as their folders show them: config.json, metrics.jsonl, evaluation.json. Read-only, and a run may be going on.

import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { presetNames } from '../engine/index.js';
import { ServeError } from './errors.js';

export interface RunSummary {
  readonly name: string;
  /** Of the last change. */
  readonly changedAt: Date;
  readonly scenario: string | null;
  /** Steps asked for. */
  readonly totalSteps: number | null;
  readonly finished: boolean;
}

/** What is looked at of a run's config.json. */
interface RunConfig {
  readonly company?: unknown;
  readonly scenario?: { readonly name?: string; readonly demand?: { readonly kind?: string } };
  readonly config?: { readonly totalSteps?: number };
}

export interface RunDetail {
  readonly summary: RunSummary;
  /** What is in its files, as it is there. */
  readonly config: unknown;
  readonly metrics: readonly unknown[];
  readonly evaluation: unknown;
}

export class RunsReader {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Newest first; a folder that is missing has no runs.
   * @param companyId whoever is of one company sees its runs, and those in which there is nothing of any; undefined: all
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

  /** @throws ServeError `ERR_NOT_FOUND` */
  async read(name: string, after: number, companyId: number | undefined): Promise<RunDetail> {
    // A name, never a path.
    const sound = /^[\w.-]+$/.test(name) && !name.startsWith('.');
    const summary = sound ? await this.#summary(name, companyId) : null;
    if (summary === null) throw new ServeError('ERR_NOT_FOUND', `run "${name}" is not known`);
    const lines = await readFile(join(this.#folder, name, 'metrics.jsonl'), 'utf8').catch(() => '');
    const metrics: unknown[] = [];
    for (const line of lines.split('\n')) {
      const parsed = json(line) as { iteration?: number } | null;
      // The last line may be half written.
      if (parsed !== null && (parsed.iteration ?? 0) > after) metrics.push(parsed);
    }
    const [config, evaluation] = await Promise.all([
      this.#json(name, 'config.json'),
      this.#json(name, 'evaluation.json'),
    ]);
    return { summary, config, metrics, evaluation };
  }

  /** Null for what is no run, or one that is not for this company's eyes. */
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
 * A run on trips that somebody has recorded is that company's, as `fleetstep collect` names its scenarios; one on invented
 * demand, or on a data set that is everybody's, is for all to see.
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
