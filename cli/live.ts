// --ui of train and sweep: the report of what is under way, served on this machine.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { serveLive } from '../report/live.js';
import type { LivePage } from '../report/live.js';
import { readStudyReport, runsPage, studyPage } from '../report/index.js';
import { readRun } from '../train/index.js';

/** Size and time of files, as text; those that are not there are left out. */
function stampOf(files: readonly string[]): string {
  const stats = files.map((file) => statSync(file, { throwIfNoEntry: false }));
  return stats.map((stat) => (stat === undefined ? '-' : `${stat.size}.${Math.round(stat.mtimeMs)}`)).join(' ');
}

/** Serves the report of runs whose folders are made while it is served. */
export async function liveRuns(ui: number | true, folders: readonly string[]): Promise<LivePage> {
  return served(
    await serveLive(
      {
        title: 'Training',
        stamp: () =>
          stampOf(folders.flatMap((one) => ['metrics.jsonl', 'evaluation.json'].map((file) => join(one, file)))),
        page: (askMs) => {
          const begun = folders.filter((folder) => existsSync(join(folder, 'config.json'))).map(readRun);
          const runs = begun.filter(({ metrics }) => metrics.length > 0);
          return runs.length === 0 ? null : runsPage(runs, { askMs });
        },
      },
      ui === true ? 0 : ui,
    ),
  );
}

/** Serves the report of a study. @param folder of the study, which may not be there yet */
export async function liveStudy(ui: number | true, folder: string): Promise<LivePage> {
  return served(
    await serveLive(
      {
        title: 'Study',
        stamp: () => {
          const results = join(folder, 'results');
          return `${existsSync(results) ? readdirSync(results).length : 0} ${stampOf([join(folder, 'results.json')])}`;
        },
        page: (askMs) => {
          if (!existsSync(join(folder, 'study.json'))) return null;
          const report = readStudyReport(folder);
          return report === null ? null : studyPage({ ...report, askMs });
        },
      },
      ui === true ? 0 : ui,
    ),
  );
}

/** Says where it is, also where nothing else is said. */
function served(page: LivePage): LivePage {
  process.stderr.write(`the page is at ${page.url}\n`);
  return page;
}
