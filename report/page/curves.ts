// The curves of a report: a chart for each figure, drawn by uPlot, which the page carries before this code. The legend switches
// curves on and off in all charts.

import type UPlot from 'uplot';
import { byId } from './dom.js';
import type { ChartView, CurveView, CurvesView } from '../curves-view.js';

declare const uPlot: typeof UPlot;

const CHART_HEIGHT = 220;
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 });
const tiny = new Intl.NumberFormat('en', { notation: 'scientific', maximumSignificantDigits: 3 });

function numberText(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? tiny.format(value) : compact.format(value);
}

/** A colour of the style sheet, as it is now: light or dark. */
function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The switch of a curve in the legend. */
function boxOf(group: number): HTMLInputElement {
  return document.querySelector<HTMLInputElement>(`input[data-group="${group}"]`)!;
}

function isShown(group: number): boolean {
  return boxOf(group).checked;
}

/** Draws all charts. Returns what takes them away again. */
export function drawCurves(curves: CurvesView): () => void {
  const plots = curves.charts.map((chart, k) => plotOf(curves, chart, k));
  for (const group of curves.groups.keys()) {
    const show = (): void => showGroup(curves, plots, group);
    boxOf(group).addEventListener('change', show);
    if (!isShown(group)) show();
  }
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const redraw = (): void => plots.forEach(({ plot }) => plot.redraw(false, true));
  dark.addEventListener('change', redraw);
  return () => {
    dark.removeEventListener('change', redraw);
    for (const { plot, resizes } of plots) {
      resizes.disconnect();
      plot.destroy();
    }
  };
}

/** A chart that is drawn. */
interface Plot {
  readonly plot: UPlot;
  readonly resizes: ResizeObserver;
}

/** Shows or hides the curves of a group as the legend says. */
function showGroup({ charts }: CurvesView, plots: readonly Plot[], group: number): void {
  for (const [k, chart] of charts.entries()) {
    let series = 1;
    for (const curve of chart.curves) {
      const count = curve.range === null ? 1 : 3;
      for (let j = 0; j < count && curve.group === group; j++) {
        plots[k].plot.setSeries(series + j, { show: isShown(group) });
      }
      series += count;
    }
  }
}

/** The series of a curve, in the order of its data: mean, and of replicates their highest and lowest. */
function seriesOf({ groups, dashes }: CurvesView, curve: CurveView): UPlot.Series[] {
  const { group, range } = curve;
  const name = `--curve-${group % 8}`;
  // A single point makes no line.
  const isPoint = curve.mean.filter((value) => value !== null).length === 1;
  const mean: UPlot.Series = {
    label: groups[group],
    stroke: () => colour(name),
    width: 2,
    dash: [...dashes[Math.floor(group / 8) % dashes.length]],
    points: { show: isPoint },
  };
  if (range === null) return [mean];
  const edge: UPlot.Series = { stroke: () => `${colour(name)}55`, width: 1, points: { show: false } };
  return [mean, edge, { ...edge }];
}

function plotOf(curves: CurvesView, chart: ChartView, k: number): Plot {
  const box = byId<HTMLElement>(`plot-${k}`);
  const series: UPlot.Series[] = [{}];
  const bands: UPlot.Band[] = [];
  const data: (readonly (number | null)[])[] = [chart.steps];
  for (const curve of chart.curves) {
    series.push(...seriesOf(curves, curve));
    data.push(curve.mean);
    if (curve.range === null) continue;
    data.push(curve.range.high, curve.range.low);
    bands.push({ series: [data.length - 2, data.length - 1], fill: () => `${colour(`--curve-${curve.group % 8}`)}2e` });
  }
  const axis: UPlot.Axis = {
    stroke: () => colour('--muted'),
    grid: { stroke: () => colour('--line'), width: 1 },
    ticks: { stroke: () => colour('--line'), width: 1 },
    values: (_, splits) => splits.map(numberText),
  };
  const plot = new uPlot(
    {
      width: box.clientWidth,
      height: CHART_HEIGHT,
      scales: { x: { time: false } },
      legend: { show: false },
      cursor: { y: false, points: { show: false } },
      axes: [
        { ...axis, size: 34 },
        { ...axis, size: 62 },
      ],
      series,
      bands,
      hooks: { setCursor: [(self) => readOut(self, curves, chart, k)] },
    },
    data as UPlot.AlignedData,
    box,
  );
  const resizes = new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: CHART_HEIGHT }));
  resizes.observe(box);
  return { plot, resizes };
}

/** Writes the numbers under the pointer below the chart. */
function readOut(plot: UPlot, { groups }: CurvesView, chart: ChartView, k: number): void {
  const at = plot.cursor.idx;
  const line = byId(`readout-${k}`);
  if (at === null || at === undefined) {
    line.textContent = '\u00a0';
    return;
  }
  const shown = chart.curves.filter(({ group, mean }) => isShown(group) && mean[at] !== null && mean[at] !== undefined);
  const parts = shown.map(({ group, mean }) => `${groups[group]} ${numberText(mean[at]!)}`);
  line.textContent = `${chart.steps[at].toLocaleString('en')} steps: ${parts.join('; ')}`;
}
