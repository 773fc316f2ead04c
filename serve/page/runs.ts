// The section Runs: training curves and evaluation tables, updated while a run is in progress.

import uPlot from '/lib/uplot/uPlot.esm.js';
import type { Run, Runs } from '../other-schemas.js';
import { call } from './client.js';
import { column, h, poll, redraw, tellFault, time } from './dom.js';

/** A line of metrics.jsonl: figures by name, as `train/` writes them. */
type Metrics = Readonly<Record<string, number | null>>;
/** A policy in evaluation.json. */
interface Evaluation {
  readonly policy: string;
  readonly meanReturn: number;
  readonly kpis: Readonly<Record<string, number>>;
}
const charts = [
  ['charts/episodic_return', 'Return per episode'],
  ['losses/entropy', 'Entropy'],
  ['losses/explained_variance', 'Explained variance'],
  ['charts/SPS', 'Steps per second'],
] as const;

/** Draws the section. */
export function runs(main: HTMLElement): void {
  const list = h('ul', { class: 'cards', tabindex: -1 });
  const detail = h('section', { class: 'panel', 'aria-label': 'Run' });
  main.append(h('div', { class: 'two' }, detail, h('section', { class: 'panel' }, h('h2', {}, 'Training runs'), list)));
  let chosen: string | null = null;
  let stopShown: (() => void) | null = null;
  const choose = (name: string): void => {
    chosen = name;
    stopShown?.();
    stopShown = show(detail, name);
    void refresh().catch(tellFault);
  };
  const refresh = async (): Promise<void> => {
    const { runs: found } = await call<Runs>('GET', '/v1/runs');
    if (found.length === 0) {
      list.replaceChildren(h('li', { class: 'card' }, 'No runs yet. "fleetstep train" creates one.'));
      detail.replaceChildren(h('h2', {}, 'No run selected'));
      return;
    }
    if (chosen === null) {
      choose(found[0].name);
      return;
    }
    redraw(
      list,
      ...found.map(({ name, scenario, finished, changed_at }) =>
        h(
          'li',
          { class: 'card' },
          h(
            'button',
            {
              type: 'button',
              'aria-pressed': name === chosen ? 'true' : 'false',
              onclick: () => choose(name),
            },
            name,
          ),
          h(
            'div',
            { class: 'muted' },
            `${scenario ?? 'unknown scenario'}, ${finished ? 'finished' : 'in progress or stopped'}, ${time(changed_at)}`,
          ),
        ),
      ),
    );
  };
  poll(list, 5000, refresh);
}

/** Draws a run, and adds new metrics as they appear. @returns a function that ends this */
function show(detail: HTMLElement, name: string): () => void {
  const boxes = charts.map(([, title]) =>
    h('div', { class: 'chart', role: 'img', 'aria-label': `${title} over environment steps` }),
  );
  const progress = h('p', { class: 'muted' });
  const evaluation = h('div', { class: 'scroll' });
  const headings = charts.map(([, title]) => h('h3', {}, title));
  const curves = headings.map((heading, k) => h('div', {}, heading, boxes[k]));
  const here = h('div', {}, h('h2', {}, name), progress, evaluation, h('div', { class: 'charts' }, ...curves));
  detail.replaceChildren(here);
  const metrics: Metrics[] = [];
  const plots = new Map<string, uPlot>();
  poll(here, 3000, async () => {
    const after = metrics.at(-1)?.['iteration'] ?? -1;
    const run = await call<Run>('GET', `/v1/runs/${encodeURIComponent(name)}?after=${Math.max(0, after)}`);
    metrics.push(...(run.metrics as readonly Metrics[]).filter((one) => (one['iteration'] ?? 0) > after));
    const steps = metrics.at(-1)?.['global_step'] ?? 0;
    const share =
      run.total_steps === null
        ? ''
        : ` of ${run.total_steps.toLocaleString()} (${Math.min(100, (100 * steps) / run.total_steps).toFixed(0)}%)`;
    progress.textContent = `${steps.toLocaleString()} steps${share}`;
    charts.forEach(([key, title], k) => {
      draw(plots, boxes[k], key, metrics);
      const last = metrics.at(-1)?.[key] ?? null;
      headings[k].textContent =
        last === null ? title : `${title}: ${last.toLocaleString(undefined, { maximumSignificantDigits: 4 })}`;
    });
    if (run.evaluation !== null) evaluation.replaceChildren(evaluationTable(run.evaluation as readonly Evaluation[]));
  });
  return () => here.remove();
}

function draw(plots: Map<string, uPlot>, box: HTMLElement, key: string, metrics: readonly Metrics[]): void {
  const data: [number[], (number | null)[]] = [
    metrics.map((one) => one['global_step'] ?? 0),
    metrics.map((one) => one[key] ?? null),
  ];
  const plot = plots.get(key);
  if (plot !== undefined) {
    plot.setData(data);
    return;
  }
  const style = getComputedStyle(document.body);
  const axis = { stroke: style.color, grid: { stroke: '#8884', width: 1 } };
  const accent = style.getPropertyValue('--accent').trim();
  plots.set(
    key,
    new uPlot(
      {
        width: Math.max(260, box.clientWidth),
        height: 200,
        scales: { x: { time: false } },
        axes: [axis, { ...axis, size: 60 }],
        series: [{ label: 'steps' }, { label: key, stroke: accent === '' ? '#2f81f7' : accent, width: 2 }],
      },
      data,
      box,
    ),
  );
}

function evaluationTable(rows: readonly Evaluation[]): HTMLElement {
  const sorted = [...rows].sort((a, b) => b.meanReturn - a.meanReturn);
  const percent = (value: number | undefined): string => (value === undefined ? '-' : `${(100 * value).toFixed(1)}%`);
  return h(
    'table',
    {},
    h('caption', {}, 'Evaluation on held-out episodes, best first'),
    h(
      'thead',
      {},
      h('tr', {}, column('Policy'), ...['Return', 'Served', 'On time', 'Empty'].map((name) => column(name, 'number'))),
    ),
    h(
      'tbody',
      {},
      ...sorted.map(({ policy, meanReturn, kpis }) =>
        h(
          'tr',
          {},
          h('td', {}, policy),
          h('td', { class: 'number' }, meanReturn.toFixed(2)),
          h('td', { class: 'number' }, percent(kpis['serviceRate'])),
          h('td', { class: 'number' }, percent(kpis['onTimeRate'])),
          h('td', { class: 'number' }, percent(kpis['emptyShare'])),
        ),
      ),
    ),
  );
}
