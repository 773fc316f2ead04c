// Trained policies that come with the package: folders in `models/`, each with a checkpoint, which plays as a run's does, and a card.
// Written by scripts/ship-model.js.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ComparisonResult } from './comparison.js';

/** What a policy that comes with the package is, and how it was judged. */
export interface ModelCard {
  /** As policies are named. */
  readonly name: string;
  /** Name of the scenario that it was trained on. */
  readonly scenario: string;
  /** What it was trained on. */
  readonly data: string;
  /** Commands that make it. */
  readonly commands: readonly string[];
  /** Algorithm, and its seed. */
  readonly algorithm: string;
  readonly seed: number;
  /** Environment steps of training. */
  readonly steps: number;
  /** Rounds of distillation that were taken after it; 0 for none. */
  readonly distilled: number;
  /** SHA-256 of the weights. */
  readonly weightsSha256: string;
  /** What it is not made for. */
  readonly limits: readonly string[];
  /** How it was judged: first on validation episodes, on which it was also chosen, then on test episodes. */
  readonly gates: readonly Gate[];
  /** Mean return over its first validation episodes, to the bit: a replay must come to the same. */
  readonly replay: { readonly episodes: number; readonly meanReturn: number };
}

/** One comparison with the strongest simple rule, by `comparePolicies`. */
export type Gate = Pick<
  ComparisonResult,
  'split' | 'episodes' | 'verdict' | 'baseline' | 'entries' | 'differences' | 'guardrails'
>;

const FOLDER = fileURLToPath(new URL('../../models/', import.meta.url));
const CARD = 'card.json';

/** Names of the policies that come with the package. */
export function shippedNames(): readonly string[] {
  if (!existsSync(FOLDER)) return [];
  return readdirSync(FOLDER)
    .filter((name) => existsSync(join(FOLDER, name, CARD)))
    .sort();
}

/** The folder of a policy that comes with the package; null for another name. */
export function shippedFolder(name: string): string | null {
  return shippedNames().includes(name) ? join(FOLDER, name) : null;
}

/** The card of a policy that comes with the package; null for another name. */
export function shippedCard(name: string): ModelCard | null {
  const folder = shippedFolder(name);
  return folder === null ? null : (JSON.parse(readFileSync(join(folder, CARD), 'utf8')) as ModelCard);
}
