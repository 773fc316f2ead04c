// The page of one or more training runs: what they are, their learning curves, their evaluations beside the rules', where time went,
// how their settings differ, where they ran, and an episode. One file that asks for nothing from outside.

import type { RunRecord } from '../train/index.js';
import { curvesOf, replicates } from './curves.js';
import { curvesHtml } from './curves-html.js';
import { escaped } from './episode-view.js';
import { noScript, reportHtml } from './report-frame.js';
import {
  evaluated,
  evaluationTable,
  figureMeanings,
  runTable,
  settingsTable,
  startTable,
  timeTable,
  verdictList,
} from './run-tables.js';
import type { EpisodeView } from './view.js';

/** What a page has beside what the runs' folders hold. */
export interface RunsPageExtras {
  /** An episode of one of them, shown on a map; default: none. */
  readonly episode?: EpisodeView | null | undefined;
  /** Why there is no episode, for people; default: nothing is said. */
  readonly withoutEpisode?: string | undefined;
  /** The bound of perfect foresight by the name of a set of evaluations; default: none is known. */
  readonly bounds?: ReadonlyMap<string, number> | undefined;
  /** As of `PageData`, for a page that is served; default: a file. */
  readonly askMs?: number | undefined;
}

/** The page as HTML. @param runs at least one, each with metrics */
export function runsPage(runs: readonly RunRecord[], extras: RunsPageExtras = {}): string {
  const groups = replicates(runs);
  const view = curvesOf(groups);
  const scenarios = [...new Set(runs.map(({ scenario }) => scenario ?? 'unknown scenario'))];
  const title = groups.length === 1 ? `Training run ${groups[0].name}` : `${runs.length} training runs`;
  const sets = evaluated(groups);
  const evaluations =
    sets.length === 0
      ? '<p>None of the runs has an evaluation: it is made when all steps are done.</p>'
      : `${sets.map((set) => `<h3>${escaped(set.name)}</h3>\n${verdictList(set)}\n${evaluationTable(set, extras.bounds?.get(set.name) ?? null)}`).join('\n')}
<p class="hint">Means with 95% intervals: of a policy over its episodes, of replicates over their seeds. Runs are set off from rules. The verdict is
about the difference from the rule with the highest mean return, paired, with its 95% bootstrap interval over seeds and episodes.${extras.bounds === undefined || extras.bounds.size === 0 ? '' : ' No policy can earn more than hindsight; the way there is counted from greedy.'}</p>
${figureMeanings()}`;
  return reportHtml({
    title,
    subtitle: scenarios.join(', '),
    curves: view,
    episode: extras.episode ?? null,
    askMs: extras.askMs ?? null,
    sections: `${noScript}
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
</section>${extras.withoutEpisode === undefined ? '' : `\n<section>\n<h2>Episode</h2>\n<p>${escaped(extras.withoutEpisode)}</p>\n</section>`}`,
  });
}
