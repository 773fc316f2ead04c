// The page of a study: its trials from the best on, their values, what mattered, parallel coordinates, broken constraints, and the
// learning curves of the best. One file that asks for nothing from outside.

import type { SavedStudy, StudyTable, TrialRow } from '../jobs/index.js';
import type { RunRecord } from '../train/index.js';
import { curvesOf, replicates } from './curves.js';
import { curvesHtml } from './curves-html.js';
import { escaped } from './episode-view.js';
import { figureCell, figureText, settingText, tableHtml } from './html-table.js';
import type { Cell } from './html-table.js';
import { noScript, reportHtml } from './report-frame.js';
import { frontPicture, parallelPicture, studyLegend, valuePicture } from './study-svg.js';
import { constraintText, frontsOf, settingsText, trialViews } from './study-view.js';
import type { Front, TrialView } from './study-view.js';
import type { EpisodeView } from './view.js';
import { percent, short } from './words.js';

/** Trials in the table, at most. */
const MOST_LISTED = 500;

/** A study, and what its page shows. */
export interface StudyReport {
  readonly saved: SavedStudy;
  readonly table: StudyTable;
  /** Trials that have a result, from the best to the worst; at least one. */
  readonly ranked: readonly TrialRow[];
  readonly isFinished: boolean;
  /** Runs of the best trials, whose curves are drawn; may be empty. */
  readonly runs: readonly RunRecord[];
  /** An episode of the best trial, shown on a map; default: none. */
  readonly episode?: EpisodeView | null | undefined;
  /** As of `PageData`, for a page that is served; default: a file. */
  readonly askMs?: number | undefined;
}

/** The page as HTML. */
export function studyPage({ saved, table, ranked, isFinished, runs, episode, askMs }: StudyReport): string {
  const { study, limit } = saved;
  const { objective, seeds, rungs, scenario } = study;
  const trials = trialViews(study, ranked);
  const view = curvesOf(replicates(runs));
  const best = trials[0].value !== null && trials[0].broken.length === 0 ? trials[0] : null;
  const state = isFinished ? 'finished' : `not finished: ${ranked.length} of at most ${limit} trials have a result`;
  return reportHtml({
    title: `Study ${study.name}`,
    subtitle: `${scenario}; ${objective.direction} ${objective.metric} over ${objective.episodes} validation episodes; ${ranked.length} trials with ${seeds.length} ${seeds.length === 1 ? 'seed' : 'seeds'}; rungs at ${rungs.map(short).join(', ')} steps; ${state}`,
    curves: view,
    episode: episode ?? null,
    askMs: askMs ?? null,
    sections: `<section>
<h2>Best</h2>
<p>${best === null ? 'No trial has a result that keeps the constraints.' : escaped(bestText(objective.metric, best))}</p>
</section>
<div class="pair">
<section>
<h2>Values</h2>
<div class="wide" tabindex="0" role="region" aria-label="Picture of values">
${valuePicture(study, trials)}
</div>
${studyLegend}
</section>
<section>
<h2>Importance of parameters</h2>
${importanceTable(table)}
</section>
</div>
<section>
<h2>Parallel coordinates</h2>
<div class="wide" tabindex="0" role="region" aria-label="Picture of parallel coordinates">
${parallelPicture(study, trials)}
</div>
<ul class="parts"><li><i class="good"></i>best quarter</li><li><i class="rest"></i>others</li><li><i class="bad"></i>breaks a constraint, or failed</li></ul>
</section>
${constraintSection(saved, trials)}
${frontsOf(study, ranked)
  .map((front) => frontSection(saved, trials, front))
  .join('\n')}
<section>
<h2>Trials</h2>
${trials.length > MOST_LISTED ? `<p>The best ${MOST_LISTED} of ${trials.length}; results.json has all.</p>` : ''}
${trialTable(saved, trials.slice(0, MOST_LISTED))}
</section>
${runs.length === 0 ? '' : `${noScript}\n<h2>Curves of the best trials</h2>\n${curvesHtml(view)}`}`,
  });
}

function bestText(metric: string, { trial, value, steps, config }: TrialView): string {
  return `Trial ${trial}: ${metric} ${figureText(value)} at ${short(steps)} steps, with ${settingsText(config)}.`;
}

function importanceTable({ importances }: StudyTable): string {
  if (importances === null) {
    return '<p>Nothing can be said: it takes at least 8 trials, and a parameter that tells them apart.</p>';
  }
  const rows = Object.entries(importances).sort(([, a], [, b]) => b - a);
  return tableHtml({
    name: 'importance of parameters',
    head: ['Parameter', { number: 'Importance' }, 'As a bar'],
    rows: rows.map(([name, share]): Cell[] => [
      name,
      { number: percent(share) },
      {
        html: `<svg class="bar" viewBox="0 0 200 14" width="200" height="14" aria-hidden="true"><rect class="part0" width="${(200 * share).toFixed(1)}" height="14"/></svg>`,
      },
    ]),
  });
}

function constraintSection({ study: { objective } }: SavedStudy, trials: readonly TrialView[]): string {
  if (objective.constraints.length === 0) return '';
  const rows = objective.constraints.map((one, k): Cell[] => {
    const breaking = trials.filter(({ broken }) => broken.includes(k)).map(({ trial }) => trial);
    const listed = [...breaking].sort((a, b) => a - b).slice(0, 50);
    const more = breaking.length > listed.length ? `, and ${breaking.length - listed.length} more` : '';
    return [
      constraintText(one),
      { number: `${breaking.length} of ${trials.length}` },
      breaking.length === 0 ? 'none' : `${listed.join(', ')}${more}`,
    ];
  });
  return `<section>
<h2>Constraints</h2>
${tableHtml({ name: 'constraints', head: ['Constraint', { number: 'Broken by' }, 'Trials, at their last rung'], rows })}
</section>`;
}

function frontSection({ study }: SavedStudy, trials: readonly TrialView[], front: Front): string {
  const { metric, points } = front;
  const { objective } = study;
  const rows = points.filter(({ isFront }) => isFront).sort((a, b) => a.x - b.x);
  const others = trials.length - points.length;
  return `<section>
<h2>Pareto front: ${escaped(objective.metric)} and ${escaped(metric)}</h2>
<div class="pair">
<div>
<div class="wide" tabindex="0" role="region" aria-label="${escaped(`Picture of the front of ${objective.metric} and ${metric}`)}">
${frontPicture(study, trials, front)}
</div>
<p class="hint">On the line: trials that no other trial beats in both (${escaped(`${objective.metric}: ${objective.direction}, ${metric}: ${front.direction}`)}).${others === 0 ? '' : ` ${others} failed, or have no such figure.`}</p>
</div>
${tableHtml({
  name: `front of ${objective.metric} and ${metric}`,
  head: [{ number: 'Trial' }, { number: objective.metric }, { number: metric }, 'Settings'],
  rows: rows.map(({ trial, x, y }): Cell[] => [
    { number: String(trial) },
    figureCell(y),
    figureCell(x),
    settingsText(trials.find((one) => one.trial === trial)!.config),
  ]),
})}
</div>
</section>`;
}

function trialTable({ study: { space, rungs, objective } }: SavedStudy, trials: readonly TrialView[]): string {
  const names = Object.keys(space);
  const hasConstraints = objective.constraints.length > 0;
  return tableHtml({
    name: 'trials',
    head: [
      { number: 'Place' },
      { number: 'Trial' },
      ...rungs.map((steps) => ({ number: `${objective.metric} at ${short(steps)}` })),
      ...(hasConstraints ? ['Breaks'] : []),
      ...names.map((name) => ({ number: name })),
    ],
    rows: trials.map(({ trial, rank, values, broken, config }): Cell[] => [
      { number: String(rank + 1) },
      { number: String(trial) },
      ...values.map((value) => (value === null ? { number: 'failed' } : value === undefined ? '' : figureCell(value))),
      ...(hasConstraints ? [broken.map((k) => constraintText(objective.constraints[k])).join('; ')] : []),
      ...names.map((name) => ({ number: settingText(config[name]) })),
    ]),
  });
}
