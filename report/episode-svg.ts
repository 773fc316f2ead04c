// A still picture of an episode: a row for each driver with its approaches, waits and rides over time, how late pickups were, and
// below how many bookings were open and which were lost. Light or dark as the reader's system is.

import { clockOf, escaped } from './episode-view.js';
import type { EpisodeView, LegView } from './view.js';

/** What the picture looks like; the page gives its own colours. */
const style = `
.gantt { --ink: #1b1f24; --muted: #57606a; --paper: #ffffff; --line: #d0d7de; --row: #f4f6f8; --ride: #0b5cad; --approach: #a9c7e8; --wait: #dfe4ea; --bad: #b42318; --open: #8a5a00; }
@media (prefers-color-scheme: dark) { .gantt { --ink: #e6edf3; --muted: #9da7b1; --paper: #0f1419; --line: #3a444f; --row: #1a2129; --ride: #6cb2ff; --approach: #2c5683; --wait: #3a444f; --bad: #ff8a80; --open: #e8b34b; } }`;

/** How the parts of the picture are drawn; they take their colours from the variables above. */
export const ganttRules = `
.gantt { font: 12px system-ui, sans-serif; }
.gantt text { fill: var(--ink); }
.gantt .muted { fill: var(--muted); }
.gantt .title { font-size: 15px; font-weight: 600; }
.gantt .paper { fill: var(--paper); }
.gantt .row { fill: var(--row); }
.gantt .grid { stroke: var(--line); stroke-width: 1; }
.gantt .approach { fill: var(--approach); }
.gantt .wait { fill: var(--wait); }
.gantt .approach, .gantt .wait, .gantt .ride { stroke: var(--paper); stroke-width: 0.75; }
.gantt .ride { fill: var(--ride); }
.gantt .late { fill: var(--bad); }
.gantt .number { fill: var(--paper); font-size: 10px; }
.gantt .area { fill: var(--open); fill-opacity: 0.3; stroke: var(--open); stroke-width: 1; }
.gantt .lost { stroke: var(--bad); stroke-width: 2; }
.gantt .now { stroke: var(--ink); stroke-width: 1.5; }`;

/** Where things lie, in px. */
const LEFT = 96;
const RIGHT = 20;
const TOP = 92;
const WIDTH = 1200;
const STRIP = 60;
/** Longest line of lost bookings. */
const LOST_LONGEST = 18;
/** Narrowest bar that still has the booking's number in it. */
const NUMBERED = 22;

/** How the picture is scaled, for whoever draws a line of time into it. */
export interface GanttScale {
  readonly left: number;
  readonly width: number;
  readonly height: number;
}

/** The picture's time axis and height. */
export function ganttScale(view: EpisodeView): GanttScale {
  return { left: LEFT, width: WIDTH - LEFT - RIGHT, height: TOP + view.drivers.length * rowOf(view) + STRIP + 50 };
}

/** A row's height: less for large fleets. */
function rowOf({ drivers }: EpisodeView): number {
  return drivers.length > 40 ? 12 : 24;
}

/** The picture as a file of its own. */
export function episodeSvg(view: EpisodeView): string {
  const drawn = gantt(view).replace('<rect', `<style>${style}${ganttRules}</style>\n<rect`);
  return `${drawn.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ')}\n`;
}

/** The picture as a part of a page, without colours and with a line that the page moves. */
export function gantt(view: EpisodeView): string {
  const { height } = ganttScale(view);
  const row = rowOf(view);
  const end = TOP + view.drivers.length * row;
  const title = `${view.scenario}, episode ${view.id}, policy ${view.policy}`;
  const { kpis } = view;
  const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
  const line =
    `return ${view.return.toFixed(2)}; ${kpis.created} bookings, ${kpis.accepted} accepted, ` +
    `${percent(kpis.onTimeRate)} of them on time, ${kpis.expired + kpis.refused} lost`;
  return [
    `<svg class="gantt" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(`${title}: ${line}. A row for each driver, with approaches, waits and rides over time.`)}">`,
    `<rect class="paper" width="${WIDTH}" height="${height}"/>`,
    `<text class="title" x="12" y="24">${escaped(title)}</text>`,
    `<text class="muted" x="12" y="43">${escaped(line)}</text>`,
    ...legend(),
    ...rowsOf(view, row),
    ...axis(view, end + STRIP + 26),
    ...view.legs.map((leg) => bars(view, leg, row)),
    ...strip(view, end + 26),
    '</svg>',
  ].join('\n');
}

function xOf(view: EpisodeView, second: number): number {
  const share = Math.min(Math.max(second, 0), view.horizonSeconds) / view.horizonSeconds;
  return Math.round((LEFT + share * (WIDTH - LEFT - RIGHT)) * 10) / 10;
}

function legend(): string[] {
  const entries = [
    ['approach', 'to the pickup'],
    ['wait', 'waits there'],
    ['ride', 'with passengers'],
    ['late', 'late pickup: after the end of the window'],
  ] as const;
  let x = 12;
  return entries.map(([kind, text]) => {
    const box = kind === 'late' ? `y="62" height="4"` : `y="54" height="12"`;
    const entry = `<rect class="${kind}" x="${x}" width="18" ${box}/><text class="muted" x="${x + 24}" y="64">${text}</text>`;
    x += 56 + text.length * 6;
    return entry;
  });
}

function rowsOf({ drivers }: EpisodeView, row: number): string[] {
  return drivers.flatMap(({ type }, i) => {
    const y = TOP + i * row;
    const back = i % 2 === 0 ? [`<rect class="row" x="0" y="${y}" width="${WIDTH}" height="${row}"/>`] : [];
    const name = `driver ${i}${type === 'EMERGENCY' ? ' (E)' : ''}`;
    return [...back, `<text class="muted" x="12" y="${y + row / 2 + 4}">${name}</text>`];
  });
}

/** Lines and times, about ten of them, on whole parts of an hour. */
function axis(view: EpisodeView, bottom: number): string[] {
  const steps = [300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
  const step = steps.find((seconds) => view.horizonSeconds / seconds <= 12) ?? 86400;
  const first = (step - (view.startSecondOfDay % step)) % step;
  const marks: string[] = [];
  for (let second = first; second <= view.horizonSeconds; second += step) {
    const x = xOf(view, second);
    marks.push(`<line class="grid" x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${bottom}"/>`);
    marks.push(`<text class="muted" x="${x}" y="${bottom + 16}" text-anchor="middle">${clockOf(view, second)}</text>`);
  }
  return marks;
}

/** One assignment in its driver's row; what lies beyond the horizon is cut off. */
function bars(view: EpisodeView, leg: LegView, row: number): string {
  const y = TOP + leg.driver * row;
  const thick = row - 8;
  const bar = (kind: string, from: number, to: number, top: number, height: number): string => {
    const x = xOf(view, from);
    const width = Math.round((xOf(view, to) - x) * 10) / 10;
    return width > 0 ? `<rect class="${kind}" x="${x}" y="${top}" width="${width}" height="${height}"/>` : '';
  };
  const rideX = xOf(view, leg.pickupAt);
  const rideWidth = xOf(view, leg.dropoffAt) - rideX;
  const isNumbered = row >= 24 && rideWidth >= NUMBERED;
  const late = leg.lateSeconds > 0 ? `, ${Math.ceil(leg.lateSeconds / 60)} min late` : '';
  const told = `booking ${leg.booking} by driver ${leg.driver}: leaves ${clockOf(view, leg.departAt)}, pickup ${clockOf(view, leg.pickupAt)}${late}, done ${clockOf(view, leg.dropoffAt)}`;
  return [
    `<g><title>${told}</title>`,
    bar('approach', leg.departAt, leg.arriveAt, y + 4, thick),
    bar('wait', leg.arriveAt, leg.pickupAt, y + 4, thick),
    bar('ride', leg.pickupAt, leg.dropoffAt, y + 4, thick),
    leg.lateSeconds > 0 ? bar('late', leg.pickupAt - leg.lateSeconds, leg.pickupAt, y + row - 4, 3) : '',
    isNumbered
      ? `<text class="number" x="${Math.round((rideX + rideWidth / 2) * 10) / 10}" y="${y + row / 2 + 3.5}" text-anchor="middle">${leg.booking}</text>`
      : '',
    '</g>',
  ].join('');
}

/** How many bookings were open, and when one was lost. */
function strip(view: EpisodeView, top: number): string[] {
  const changes = view.bookings
    .flatMap(({ knownAt, openUntil }) => [[Math.max(0, knownAt), 1] as const, [openUntil, -1] as const])
    .sort((a, b) => a[0] - b[0]);
  const counts: { second: number; count: number }[] = [];
  let count = 0;
  let most = 0;
  for (const [second, by] of changes) {
    count += by;
    if (counts.at(-1)?.second === second) counts.at(-1)!.count = count;
    else counts.push({ second, count });
  }
  for (const step of counts) most = Math.max(most, step.count);
  const yOf = (open: number): number => Math.round((top + STRIP - (open / Math.max(1, most)) * (STRIP - 8)) * 10) / 10;
  let path = `M${xOf(view, 0)} ${yOf(0)}`;
  for (const step of counts) path += `H${xOf(view, step.second)}V${yOf(step.count)}`;
  path += `H${xOf(view, view.horizonSeconds)}V${yOf(0)}Z`;
  const lostAt = new Map<number, string[]>();
  for (const [booking, { fate, openUntil, priority }] of view.bookings.entries()) {
    if (fate !== 'expired' && fate !== 'refused') continue;
    const told = `booking ${booking}, priority ${priority}, ${fate} at ${clockOf(view, openUntil)}`;
    lostAt.set(openUntil, [...(lostAt.get(openUntil) ?? []), told]);
  }
  const lost = [...lostAt].map(([second, told]) => {
    const x = xOf(view, second);
    // The more at once, the longer.
    const length = Math.min(LOST_LONGEST, 4 + 3 * told.length);
    return `<line class="lost" x1="${x}" x2="${x}" y1="${top - 2 - length}" y2="${top - 2}"><title>${told.join('\n')}</title></line>`;
  });
  return [
    `<text class="muted" x="12" y="${top - 3}">lost</text>`,
    ...lost,
    `<text class="muted" x="12" y="${top + STRIP - 4}">${most === 0 ? 'none open between ticks' : `open (to ${most})`}</text>`,
    `<path class="area" d="${path}"/>`,
  ];
}
