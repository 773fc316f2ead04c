// Reads a study's folder for its page.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StudyFolder, rankedRows, tableSoFar } from '../jobs/index.js';
import { readRun } from '../train/index.js';
import type { StudyReport } from './study-page.js';

/** Best trials whose learning curves are drawn. */
const DRAWN_TRIALS = 6;

/**
 * A study as its page shows it; null before the first result.
 * @throws JobsError `ERR_STUDY_FOLDER`; TrainError `ERR_CHECKPOINT` for a damaged run
 */
export function readStudyReport(path: string): StudyReport | null {
  const { folder, saved } = StudyFolder.open(path);
  const table = tableSoFar(saved, folder);
  const ranked = rankedRows(saved.study, table.trials);
  if (ranked.length === 0) return null;
  // Of a study that ran on other machines the runs may not be here.
  const runs = ranked
    .slice(0, DRAWN_TRIALS)
    .flatMap(({ trial }) => saved.study.seeds.map((seed) => folder.runFolder({ trial, seed })))
    .filter((run) => existsSync(join(run, 'config.json')))
    .map(readRun)
    .filter(({ metrics }) => metrics.length > 0);
  return { saved, table, ranked, isFinished: folder.table() !== null, runs };
}
