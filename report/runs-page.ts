// The page of one or more training runs: what they are, their learning curves, their evaluations beside the rules', where time went,
// how their settings differ, and where they ran. One file that asks for nothing from outside.

import { readFileSync } from 'node:fs';
import type { RunRecord } from '../train/index.js';
import { curvesOf, replicates } from './curves.js';
import { curvesHtml } from './curves-html.js';
import { escaped } from './episode-view.js';
import { pageHtml } from './page-html.js';
import {
  evaluated,
  evaluationTable,
  figureMeanings,
  runTable,
  settingsTable,
  startTable,
  timeTable,
} from './run-tables.js';
import { uplot } from './uplot.js';

/** What report pages look like beside what all pages have. */
export function reportStyle(): string {
  return readFileSync(new URL('../../report/page/report.css', import.meta.url), 'utf8');
}

/** What is said where the page's code does not run. */
export const noScript = '<noscript><p>The curves need JavaScript. The tables below them do not.</p></noscript>';

/** The page as HTML. @param runs at least one, each with metrics */
export function runsPage(runs: readonly RunRecord[]): string {
  const groups = replicates(runs);
  const view = curvesOf(groups);
  const scenarios = [...new Set(runs.map(({ scenario }) => scenario ?? 'unknown scenario'))];
  const title = groups.length === 1 ? `Training run ${groups[0].name}` : `${runs.length} training runs`;
  const sets = evaluated(groups);
  const evaluations =
    sets.length === 0
      ? '<p>None of the runs has an evaluation: it is made when all steps are done.</p>'
      : `${sets.map((set) => `<h3>${escaped(set.name)}</h3>\n${evaluationTable(set)}`).join('\n')}
<p class="hint">Means with 95% intervals: of a policy over its episodes, of replicates over their seeds. Runs are set off from rules.</p>
${figureMeanings()}`;
  return pageHtml({
    title,
    module: 'curves',
    style: reportStyle(),
    data: view,
    library: uplot(),
    body: `<header>
<h1>${escaped(title)}</h1>
<p>${escaped(scenarios.join(', '))}</p>
</header>
<main>
${noScript}
<section>
<h2>Runs</h2>
${runTable(runs)}
</section>
<section>
<h2>Evaluation</h2>
${evaluations}
</section>
${curvesHtml(view)}
<section>
<h2>Split of time</h2>
${timeTable(runs)}
<ul class="parts"><li><i class="part0"></i>environment</li><li><i class="part1"></i>policy, waiting for threads, and of DQN the updates that are made meanwhile</li><li><i class="part2"></i>learner</li></ul>
</section>
<section>
<h2>${runs.length > 1 ? 'Settings that differ' : 'Settings'}</h2>
${settingsTable(runs)}
</section>
<section>
<h2>Starts</h2>
${startTable(runs)}
</section>
</main>`,
  });
}
