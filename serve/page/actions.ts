// The section Actions: the record of autonomous actions with statistics and reviews, and beside it the company's controls.

import uPlot from '/lib/uplot/uPlot.esm.js';
import type { Action, Actions, ActionStatistics, Review } from '../other-schemas.js';
import { call } from './client.js';
import { controls } from './controls.js';
import { column, filled, h, input, openDialog, redraw, select, tell, tellFault, time } from './dom.js';

type Row = Actions['actions'][number];
const PATH = '/api/admin/autonomous-actions';
// As objects, so that the compiler misses a name that the service adds.
const types = Object.keys({
  assign: true,
  reassign: true,
  notify_customer: true,
  adjust_time: true,
  redistribute: true,
  reoptimize: true,
} satisfies Record<Row['action_type'], true>);
const statuses = Object.keys({
  intended: true,
  succeeded: true,
  failed: true,
  refused: true,
  unknown: true,
  dry_run: true,
} satisfies Record<Row['status'], true>);
const words = (list: readonly string[]): [string, string][] => [
  ['', 'any'],
  ...list.map((one): [string, string] => [one, one.replaceAll('_', ' ')]),
];

/** Draws the section. */
export function actions(main: HTMLElement): void {
  const figures = h('section', { class: 'panel', 'aria-label': 'Statistics' });
  const { switches, limits } = controls();
  // In one column, the controls come first.
  main.append(h('div', { class: 'two acts' }, switches, h('div', { class: 'left' }, figures, listSection()), limits));
  statistics(figures);
}

function listSection(): HTMLElement {
  const body = h('tbody', { tabindex: -1 });
  const count = h('p', { class: 'muted', role: 'status' });
  const back = h('button', { type: 'button', disabled: true }, 'Newer');
  const on = h('button', { type: 'button', disabled: true }, 'Older');
  const form = h(
    'form',
    { class: 'row', 'aria-label': 'Filter' },
    select('action_type', 'Type', words(types)),
    select('status', 'Status', words(statuses)),
    select('reviewed', 'Reviewed', [
      ['', 'any'],
      ['true', 'yes'],
      ['false', 'no'],
    ]),
    input('booking_id', 'Booking', 'number', { min: 1 }),
    input('driver_id', 'Driver', 'number', { min: 1 }),
    input('date_from', 'From', 'datetime-local'),
    input('date_to', 'To', 'datetime-local'),
    h('button', { class: 'primary' }, 'Filter'),
    h('button', { type: 'reset' }, 'Clear'),
  );
  /** Cursors of the pages so far; the first page has none. */
  let cursors: (string | null)[] = [null];
  let next: string | null = null;
  const load = async (): Promise<void> => {
    const query = new URLSearchParams({ per_page: '25' });
    for (const [name, value] of Object.entries(filled(form))) {
      query.set(name, name.startsWith('date') ? new Date(value).toISOString() : value);
    }
    const cursor = cursors.at(-1);
    if (cursor !== null && cursor !== undefined) query.set('cursor', cursor);
    const page = await call<Actions>('GET', `${PATH}?${query}`);
    next = page.pagination.next;
    redraw(body, ...page.actions.map((action) => row(action, reload)));
    const { total, total_is_exact: exact } = page.pagination;
    if (total !== null) {
      count.textContent = `${exact === false ? 'more than ' : ''}${total} action${total === 1 ? '' : 's'}`;
    }
    back.disabled = cursors.length === 1;
    on.disabled = next === null;
  };
  const reload = (): void => void load().catch(tellFault);
  const again = (): void => {
    cursors = [null];
    reload();
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    again();
  });
  form.addEventListener('reset', () => setTimeout(again));
  back.addEventListener('click', () => {
    cursors.pop();
    reload();
  });
  on.addEventListener('click', () => {
    cursors.push(next);
    reload();
  });
  reload();
  return h(
    'section',
    { class: 'panel' },
    h('h2', {}, 'Autonomous actions'),
    form,
    count,
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Actions' },
      h(
        'table',
        {},
        h('caption', {}, 'Newest first'),
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            column('When'),
            column('Type', 'spare'),
            column('Description'),
            column('Status'),
            column('Booking', 'spare'),
            column('Driver', 'spare'),
            column('Reviewed', 'spare'),
            column('Details', 'unseen'),
          ),
        ),
        body,
      ),
    ),
    h('div', { class: 'row' }, back, on),
  );
}

function row(action: Row, reload: () => void): HTMLElement {
  return h(
    'tr',
    {},
    h('td', {}, time(action.created_at)),
    h('td', { class: 'spare' }, action.action_type.replaceAll('_', ' ')),
    h('td', { class: 'wide' }, action.action_description),
    h('td', { class: classOf(action.status) }, action.status.replaceAll('_', ' ')),
    h('td', { class: 'spare number' }, action.booking_id),
    h('td', { class: 'spare number' }, action.driver_id),
    h('td', { class: 'spare' }, action.reviewed_by_admin ? 'yes' : 'no'),
    h(
      'td',
      {},
      h(
        'button',
        {
          type: 'button',
          'aria-label': `Details of action ${action.id}`,
          onclick: () => void details(action.id, reload).catch(tellFault),
        },
        'Details',
      ),
    ),
  );
}

function classOf(status: Row['status']): string {
  return status === 'succeeded'
    ? 'good'
    : status === 'failed' || status === 'unknown'
      ? 'bad'
      : status === 'refused'
        ? 'warn'
        : '';
}

async function details(id: number, reload: () => void): Promise<void> {
  const { action } = await call<Action>('GET', `${PATH}/${id}`);
  const form = h(
    'form',
    {
      onsubmit: (event) => {
        event.preventDefault();
        const review: Review = { notes: filled(form)['notes'] ?? null };
        void call('POST', `${PATH}/${id}/review`, review).then(() => {
          dialog.close();
          tell(`Action ${id} reviewed.`);
          reload();
        }, tellFault);
      },
    },
    h(
      'label',
      {},
      'Notes, up to 1,000 characters (no names of people)',
      h('textarea', { name: 'notes', maxlength: 1000, rows: 3 }),
    ),
    h('div', { class: 'row' }, h('button', { class: 'primary' }, 'Record review')),
  );
  const dialog = openDialog(
    `Action ${id}`,
    h('p', {}, action.action_description),
    h(
      'dl',
      { class: 'figures' },
      figure('type', action.action_type.replaceAll('_', ' ')),
      figure('status', action.status.replaceAll('_', ' ')),
      figure('booking', String(action.booking_id ?? '-')),
      figure('driver', String(action.driver_id ?? '-')),
      figure('requested', time(action.created_at)),
      figure('duration', action.execution_time_ms === null ? '-' : `${action.execution_time_ms.toFixed(1)} ms`),
    ),
    action.error_message === null ? null : h('p', { class: 'warn' }, action.error_message),
    h('h3', {}, 'Data'),
    h('pre', { tabindex: 0 }, JSON.stringify(action.action_data, null, 2)),
    h('h3', {}, 'Ledger entries'),
    h(
      'ul',
      {},
      ...action.entries.map(({ seq, kind, at, hash }) =>
        h('li', {}, `${seq}: ${kind.replaceAll('_', ' ')} at ${time(at)}, hash ${hash.slice(0, 16)}…`),
      ),
    ),
    h(
      'h3',
      {},
      action.review_count > action.reviews.length
        ? `Reviews (the latest ${action.reviews.length} of ${action.review_count})`
        : 'Reviews',
    ),
    action.reviews.length === 0
      ? h('p', { class: 'muted' }, 'None yet.')
      : h(
          'ul',
          {},
          ...action.reviews.map(({ reviewer, notes, at }) =>
            h('li', {}, `${reviewer}, ${time(at)}: ${notes ?? 'no notes'}`),
          ),
        ),
    form,
  );
}

function figure(name: string, value: string): HTMLElement {
  return h('div', {}, h('dt', {}, name), h('dd', {}, value));
}

function statistics(section: HTMLElement): void {
  const numbers = h('dl', { class: 'figures' });
  const chart = h('div', { class: 'chart', role: 'img', 'aria-label': 'Actions over the period' });
  const period = select('period', 'Period', [
    ['hour', 'hour'],
    ['day', 'day'],
    ['week', 'week'],
    ['month', 'month'],
  ]);
  const chooser = period.querySelector('select')!;
  chooser.value = 'day';
  const load = async (): Promise<void> => {
    const { totals, series } = await call<ActionStatistics>('GET', `${PATH}/stats?period=${chooser.value}`);
    numbers.replaceChildren(
      figure('total', String(totals.total)),
      figure('succeeded', String(totals.succeeded)),
      figure('failed', String(totals.failed)),
      figure('refused', String(totals.refused)),
      figure('unknown', String(totals.unknown)),
      figure('dry runs', String(totals.dry_run)),
      figure('success rate', totals.success_rate === null ? '-' : `${(100 * totals.success_rate).toFixed(0)}%`),
      figure('mean duration', totals.mean_execution_ms === null ? '-' : `${totals.mean_execution_ms.toFixed(0)} ms`),
    );
    chart.replaceChildren();
    // A line needs two points.
    chart.hidden = series.length < 2;
    if (chart.hidden) return;
    bars(
      chart,
      series.map(({ from }) => new Date(from).getTime() / 1000),
      [
        ['succeeded', '#2f9e5a', series.map(({ succeeded }) => succeeded)],
        ['refused', '#c08a1e', series.map(({ refused }) => refused)],
        ['failed', '#d64545', series.map(({ failed, unknown }) => failed + unknown)],
      ],
    );
  };
  const reload = (): void => void load().catch(tellFault);
  chooser.addEventListener('change', reload);
  section.append(h('h2', {}, 'Statistics'), h('div', { class: 'row' }, period), numbers, chart);
  reload();
}

function bars(box: HTMLElement, at: number[], lines: readonly (readonly [string, string, number[]])[]): void {
  const ink = getComputedStyle(document.body).color;
  const axis = { stroke: ink, grid: { stroke: '#8884', width: 1 } };
  new uPlot(
    {
      width: Math.max(260, box.clientWidth),
      height: 220,
      axes: [axis, axis],
      series: [{}, ...lines.map(([label, stroke]) => ({ label, stroke, width: 2, points: { size: 5 } }))],
    },
    [at, ...lines.map(([, , values]) => values)],
    box,
  );
}
