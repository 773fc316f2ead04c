// Pictures of a study: values by trial, and parallel coordinates. Their colours come from the page.

import type { Study } from '../jobs/index.js';
import { escaped } from './episode-view.js';
import { figureText, settingText } from './html-table.js';
import { placeOn, settingsText, ticksOf } from './study-view.js';
import type { Front, TrialView } from './study-view.js';

/** Trials in a picture, at most: the best ones. */
const MOST_DRAWN = 1000;
/** Share of the trials that stand out. */
const GOOD_SHARE = 0.25;

/** What the marks of both pictures mean, for the page. */
export const studyLegend = `<ul class="parts">
<li><svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true"><circle class="mark whole" r="5"/></svg> came to the last rung</li>
<li><svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true"><circle class="mark" r="5"/></svg> ended before</li>
<li><svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">${cross(0, 0, 4)}</svg> breaks a constraint</li>
<li><svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true"><path class="mark failed" d="M-5,3H5L0,-5Z"/></svg> failed</li>
</ul>`;

function cross(x: number, y: number, r: number): string {
  return `<path class="mark broken" d="M${x - r},${y - r}l${2 * r},${2 * r}M${x - r},${y + r}l${2 * r},${-2 * r}"/>`;
}

/** Values between which a picture lies, and where each of them is. */
interface Axis {
  readonly low: number;
  readonly high: number;
  /** From 0 at `low` to 1 at `high`. */
  readonly place: (value: number) => number;
}

function valueAxis(trials: readonly TrialView[]): Axis {
  return axisOf(trials.flatMap(({ value }) => value ?? []));
}

function axisOf(values: readonly number[]): Axis {
  const [least, most] = values.length === 0 ? [0, 1] : [Math.min(...values), Math.max(...values)];
  const margin = least === most ? Math.abs(least) * 0.1 || 1 : 0.04 * (most - least);
  const [low, high] = [least - margin, most + margin];
  return { low, high, place: (value) => (value - low) / (high - low) };
}

/** What is drawn of trials in a plane. */
interface Scatter {
  readonly label: string;
  readonly xName: string;
  readonly x: Axis;
  readonly y: Axis;
  /** Round numbers along x that have a label. */
  readonly ticks: readonly number[];
  /** Where a trial is; y is null of one that failed, which lies at the bottom. */
  readonly points: readonly { readonly one: TrialView; readonly x: number; readonly y: number | null }[];
  /** Joined by a line, in this order. */
  readonly line?: readonly { readonly x: number; readonly y: number }[];
}

function scatter({ label, xName, x, y, ticks, points, line = [] }: Scatter): string {
  const [width, height, left, right, top, bottom] = [720, 300, 70, 16, 14, 40];
  const px = (value: number): number => left + x.place(value) * (width - left - right);
  const py = (value: number): number => height - bottom - y.place(value) * (height - top - bottom);
  const grid = roundSteps(y.low, y.high).map((value) => {
    return `<line class="grid" x1="${left}" x2="${width - right}" y1="${at(py(value))}" y2="${at(py(value))}"/><text class="end" x="${left - 6}" y="${at(py(value) + 4)}">${figureText(value)}</text>`;
  });
  const labels = ticks.map(
    (value) => `<text class="middle" x="${at(px(value))}" y="${height - 20}">${figureText(value)}</text>`,
  );
  const joined = line.map((point, k) => `${k === 0 ? 'M' : 'L'}${at(px(point.x))},${at(py(point.y))}`).join('');
  const marks = points.map(({ one, ...point }) => {
    const [cx, cy] = [px(point.x), point.y === null ? height - bottom : py(point.y)];
    const mark =
      point.y === null
        ? `<path class="mark failed" d="M${at(cx - 5)},${at(cy + 3)}h10l-5,-8Z"/>`
        : one.broken.length > 0
          ? cross(Math.round(cx), Math.round(cy), 4)
          : `<circle class="mark${one.isWhole ? ' whole' : ''}" cx="${at(cx)}" cy="${at(cy)}" r="5"/>`;
    return `<g>${mark}<title>${escaped(storyOf(one))}</title></g>`;
  });
  return `<svg class="study" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}">
${grid.join('')}
${labels.join('')}
<text class="middle" x="${(left + width - right) / 2}" y="${height - 4}">${escaped(xName)}</text>
${joined === '' ? '' : `<path class="front" d="${joined}"/>`}
${marks.join('\n')}
</svg>`;
}

/** The value of each trial over its number. */
export function valuePicture({ objective }: Study, all: readonly TrialView[]): string {
  const trials = all.slice(0, MOST_DRAWN);
  const last = Math.max(1, ...trials.map(({ trial }) => trial));
  return scatter({
    label: `${objective.metric} of ${trials.length} trials over their numbers; the table of trials has the same`,
    xName: 'trial',
    x: { low: 0, high: last, place: (trial) => trial / last },
    y: valueAxis(trials),
    ticks: roundSteps(0, last).filter(Number.isInteger),
    points: trials.map((one) => ({ one, x: one.trial, y: one.value })),
  });
}

/** The objective over another figure, and the line of those that none beats in both. */
export function frontPicture({ objective }: Study, all: readonly TrialView[], { metric, points }: Front): string {
  const views = new Map(all.map((one) => [one.trial, one]));
  const line = points.filter(({ isFront }) => isFront).sort((a, b) => a.x - b.x);
  const drawn = [...line, ...points.filter(({ isFront }) => !isFront)].slice(0, MOST_DRAWN);
  const x = axisOf(drawn.map((point) => point.x));
  return scatter({
    label: `${objective.metric} over ${metric} of ${drawn.length} trials; the table below has those on the front`,
    xName: metric,
    x,
    y: axisOf(drawn.map((point) => point.y)),
    ticks: roundSteps(x.low, x.high),
    points: drawn.map((point) => ({ one: views.get(point.trial)!, x: point.x, y: point.y })),
    line,
  });
}

/** About five round numbers from `low` to `high`. */
function roundSteps(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

function storyOf({ trial, rank, value, steps, config }: TrialView): string {
  return `trial ${trial}, place ${rank + 1}: ${value === null ? 'failed' : figureText(value)} at ${steps} steps; ${settingsText(config)}`;
}

/** An axis for each parameter and one for the value; a line for each trial, the best ones on top. */
export function parallelPicture({ space, objective }: Study, all: readonly TrialView[]): string {
  const parameters = Object.entries(space);
  const [left, right, top, axisHeight, below] = [70, 70, 40, 260, 46];
  const gap = parameters.length < 5 ? 200 : 150;
  const [width, height] = [left + right + gap * parameters.length, top + axisHeight + below];
  const trials = all.slice(0, MOST_DRAWN);
  const axis = valueAxis(trials);
  const y = (place: number): number => top + (1 - place) * axisHeight;
  const unused = y(0) + 22;
  const good = Math.max(1, Math.ceil(GOOD_SHARE * trials.length));
  const lines = [...trials].reverse().map((one) => {
    const places = parameters.map(([name, parameter]) => placeOn(parameter, one.config[name]));
    const heights = [
      ...places.map((place) => (place === null ? unused : y(place))),
      one.value === null ? unused : y(axis.place(one.value)),
    ];
    const path = heights.map((each, k) => `${k === 0 ? 'M' : 'L'}${left + gap * k},${at(each)}`).join('');
    const kind = one.broken.length > 0 || one.value === null ? 'broken' : one.rank < good ? 'good' : '';
    return `<path class="trial ${kind}" d="${path}"><title>${escaped(storyOf(one))}</title></path>`;
  });
  const isConditional =
    parameters.some(([, { when }]) => when !== undefined) || trials.some(({ value }) => value === null);
  const values = [0, 0.5, 1].map((place) => ({ place, value: figureText(axis.low + place * (axis.high - axis.low)) }));
  const axes = [
    ...parameters.map(([name, parameter]) => ({
      name,
      ticks: ticksOf(parameter).map(({ place, value }) => ({ place, value: settingText(value) })),
    })),
    { name: objective.metric, ticks: values },
  ].map(({ name, ticks }, k) => {
    const px = left + gap * k;
    const labels = ticks.map(({ place, value }) => {
      const text = value.length > 14 ? `${value.slice(0, 12)}...` : value;
      return `<line class="axis" x1="${px - 4}" x2="${px + 4}" y1="${at(y(place))}" y2="${at(y(place))}"/><text class="halo" x="${px + 8}" y="${at(y(place) + 4)}">${escaped(text)}</text>`;
    });
    return `<line class="axis" x1="${px}" x2="${px}" y1="${y(1)}" y2="${y(0)}"/>${labels.join('')}<text class="middle name" x="${px}" y="${k % 2 === 0 ? 16 : 30}">${escaped(settingText(name))}</text>`;
  });
  const note = isConditional
    ? `<text class="muted" x="${left + 8}" y="${unused + 18}">at this height: not a setting of that trial, or failed</text>`
    : '';
  const label = `Parallel coordinates: the settings of ${trials.length} trials and their ${objective.metric}; the table of trials has the same`;
  return `<svg class="study parallel" viewBox="0 0 ${width} ${height}" style="min-width:${width}px" role="img" aria-label="${escaped(label)}">
${lines.join('\n')}
${axes.join('\n')}
${note}
</svg>`;
}

function at(value: number): string {
  return value.toFixed(1);
}
