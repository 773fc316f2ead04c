// The charts of a page as HTML: a frame for each curve that the page's code draws, its numbers as a table, and the legend.

import type { ChartView, CurveView, CurvesView } from './curves-view.js';
import { escaped } from './episode-view.js';
import { figureCell, figureText, tableHtml } from './html-table.js';
import { short } from './words.js';

/** Rows of a chart's table. */
const ROWS = 9;
/** Curves that a chart's description tells of. */
const TOLD = 6;

const headings: readonly (readonly [ChartView['section'], string])[] = [
  ['learning', 'Learning curves'],
  ['losses', 'Losses'],
  ['other', 'Other figures'],
];

/** The sections of curves, with one legend for all. */
export function curvesHtml(view: CurvesView): string {
  const groups = view.groups.map(
    (name, k) =>
      `<li><label><input type="checkbox" checked data-group="${k}"><svg width="30" height="12" aria-hidden="true"><line class="curve-${k % 8}" x1="1" x2="29" y1="6" y2="6" stroke-dasharray="${dashOf(view, k).join(' ')}"/></svg>${escaped(name)}</label></li>`,
  );
  const sections = headings.flatMap(([section, heading]) => {
    const charts = view.charts.flatMap((chart, k) => (chart.section === section ? [chartHtml(view, chart, k)] : []));
    if (charts.length === 0) return [];
    return [`<section>\n<h2>${heading}</h2>\n<div class="charts">\n${charts.join('\n')}\n</div>\n</section>`];
  });
  const hasRange = view.charts.some(({ curves }) => curves.some(({ range }) => range !== null));
  const hints = [
    hasRange ? 'Of several seeds: their mean, and a band from the lowest to the highest.' : '',
    view.isThinned ? 'Of long runs: a point is the mean of the iterations about it.' : '',
    'Drag across a chart to look closer, double-click to go back.',
  ];
  return `<section class="curves-legend" aria-label="Curves">
<ul>${groups.join('\n')}</ul>
<p class="hint">${hints.filter((hint) => hint !== '').join(' ')}</p>
</section>
${sections.join('\n')}`;
}

/** Strokes of a group's lines; none for a whole line. */
function dashOf({ dashes }: CurvesView, group: number): readonly number[] {
  return dashes[Math.floor(group / 8) % dashes.length];
}

function chartHtml(view: CurvesView, chart: ChartView, k: number): string {
  const told = chart.curves.slice(0, TOLD).map((curve) => `${view.groups[curve.group]}: ${storyOf(chart, curve)}`);
  const more = chart.curves.length > TOLD ? `; ${chart.curves.length - TOLD} more in the table` : '';
  const label = `${chart.title} over environment steps. ${told.join('; ')}${more}.`;
  return `<div class="chart">
<h3>${escaped(chart.title)}</h3>
<div class="plot" id="plot-${k}" role="img" aria-label="${escaped(label)}"></div>
<p class="readout" id="readout-${k}">&#160;</p>
<details><summary>Numbers<span class="hidden"> of ${escaped(chart.title)}</span></summary>
${numbersOf(view, chart)}
</details>
</div>`;
}

/** `from 349.4 to 5,617 at 106k steps` */
function storyOf({ steps }: ChartView, { mean }: CurveView): string {
  const there = mean.flatMap((value, k) => (value === null ? [] : [k]));
  const [first, last] = [there[0], there.at(-1)!];
  return `from ${figureText(mean[first])} to ${figureText(mean[last])} at ${short(steps[last])} steps`;
}

function numbersOf({ groups }: CurvesView, { title, steps, curves }: ChartView): string {
  const rows = Math.min(ROWS, steps.length);
  const at = Array.from({ length: rows }, (_, k) => Math.round((k * (steps.length - 1)) / Math.max(1, rows - 1)));
  return tableHtml({
    name: title,
    head: [{ number: 'Steps' }, ...curves.map(({ group }) => ({ number: groups[group] }))],
    rows: at.map((k) => [
      figureCell(steps[k]),
      ...curves.map(({ mean, range }) => {
        if (range === null || range.low[k] === range.high[k]) return figureCell(mean[k]);
        return { number: `${figureText(mean[k])} (${figureText(range.low[k])} to ${figureText(range.high[k])})` };
      }),
    ]),
  });
}
