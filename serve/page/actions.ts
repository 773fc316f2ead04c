// Actions: what was done autonomously, its figures, reviews, and the limits and switches of the company.

import uPlot from '/lib/uplot/uPlot.esm.js';
import { account, call, chooseCompany, chosenCompany } from './client.js';
import { filled, h, input, openDialog, poll, select, tell, tellFault, time } from './dom.js';

interface Action {
  readonly id: number;
  readonly created_at: string;
  readonly action_type: string;
  readonly action_description: string;
  readonly status: string;
  readonly booking_id: number | null;
  readonly driver_id: number | null;
  readonly reviewed_by_admin: boolean;
}
interface Detail extends Action {
  readonly action_data: unknown;
  readonly error_message: string | null;
  readonly execution_time_ms: number | null;
  readonly reviews: readonly { reviewer: string; notes: string | null; at: string }[];
  readonly entries: readonly { seq: number; kind: string; at: string; hash: string }[];
}
interface Page {
  readonly actions: readonly Action[];
  readonly pagination: {
    readonly total: number | null;
    readonly total_is_exact: boolean | null;
    readonly next: string | null;
  };
}
interface Figures {
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly refused: number;
  readonly unknown: number;
  readonly dryRun: number;
  readonly reviewed: number;
  readonly successRate: number | null;
  readonly meanExecutionMs: number | null;
}
interface Controls {
  readonly companyId: number;
  readonly company: string;
  readonly stoppedAll: boolean;
  readonly settings: {
    readonly mode: string;
    readonly stopped: boolean;
    readonly dryRun: boolean;
    readonly autoAssign: boolean;
  };
  readonly limits: readonly { scope: string; per: string; kind: string; capacity: number; left: number }[];
  readonly broken: readonly { actionType: string; failures: number }[];
}

const PATH = '/api/admin/autonomous-actions';
const types = ['assign', 'reassign', 'notify_customer', 'adjust_time', 'redistribute', 'reoptimize'];
const statuses = ['intended', 'succeeded', 'failed', 'refused', 'unknown', 'dry_run'];
const words = (list: readonly string[]): [string, string][] => [
  ['', 'any'],
  ...list.map((one): [string, string] => [one, one.replaceAll('_', ' ')]),
];

export function actions(main: HTMLElement): void {
  const companyForm = account()?.company === null ? companyPicker(main) : null;
  if (companyForm !== null) main.append(companyForm);
  const controls = h('section', { class: 'panel', 'aria-label': 'Limits and switches' });
  const figures = h('section', { class: 'panel', 'aria-label': 'Figures' });
  main.append(h('div', { class: 'two wider' }, h('div', {}, figures, listSection()), controls));
  statistics(figures);
  const refresh = async (): Promise<void> => drawControls(controls, await call<Controls>('GET', '/api/admin/autonomy'));
  poll(controls, 5000, refresh);
}

/** An admin of all companies says which one he looks at. */
function companyPicker(main: HTMLElement): HTMLElement {
  const form = h(
    'form',
    {
      class: 'row',
      onsubmit: (event) => {
        event.preventDefault();
        chooseCompany(Number(filled(form)['company'] ?? 1));
        main.replaceChildren();
        actions(main);
      },
    },
    input('company', 'Company', 'number', { min: 1, required: true, value: chosenCompany() ?? 1 }),
    h('button', {}, 'Look at it'),
  );
  return form;
}

function listSection(): HTMLElement {
  const body = h('tbody', {});
  const count = h('p', { class: 'muted', role: 'status' });
  const back = h('button', { type: 'button', disabled: true }, 'Newer');
  const on = h('button', { type: 'button', disabled: true }, 'Older');
  const form = h(
    'form',
    { class: 'row', 'aria-label': 'Filter' },
    select('action_type', 'Type', words(types)),
    select('status', 'Status', words(statuses)),
    select('success', 'Success', [
      ['', 'any'],
      ['true', 'succeeded'],
      ['false', 'failed'],
    ]),
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
    h('button', { type: 'reset' }, 'All'),
  );
  /** Cursors of the pages that were seen; the first page has none. */
  let cursors: (string | null)[] = [null];
  let next: string | null = null;
  const load = async (): Promise<void> => {
    const query = new URLSearchParams({ per_page: '25' });
    for (const [name, value] of Object.entries(filled(form))) {
      query.set(name, name.startsWith('date') ? new Date(value).toISOString() : value);
    }
    const cursor = cursors.at(-1);
    if (cursor !== null && cursor !== undefined) query.set('cursor', cursor);
    const page = await call<Page>('GET', `${PATH}?${query}`);
    next = page.pagination.next;
    body.replaceChildren(...page.actions.map((action) => row(action, reload)));
    const { total, total_is_exact: exact } = page.pagination;
    if (total !== null) count.textContent = `${exact === false ? 'over ' : ''}${total} actions`;
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
            ...['When', 'Type', 'What', 'Status', 'Booking', 'Driver', 'Reviewed', ''].map((name) =>
              h('th', { scope: 'col' }, name),
            ),
          ),
        ),
        body,
      ),
    ),
    h('div', { class: 'row' }, back, on),
  );
}

function row(action: Action, reload: () => void): HTMLElement {
  return h(
    'tr',
    {},
    h('td', {}, time(action.created_at)),
    h('td', {}, action.action_type.replaceAll('_', ' ')),
    h('td', { class: 'wide' }, action.action_description),
    h('td', { class: classOf(action.status) }, action.status.replaceAll('_', ' ')),
    h('td', { class: 'number' }, action.booking_id),
    h('td', { class: 'number' }, action.driver_id),
    h('td', {}, action.reviewed_by_admin ? 'yes' : 'no'),
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

function classOf(status: string): string {
  return status === 'succeeded'
    ? 'good'
    : status === 'failed' || status === 'unknown'
      ? 'bad'
      : status === 'refused'
        ? 'warn'
        : '';
}

async function details(id: number, reload: () => void): Promise<void> {
  const { action } = await call<{ action: Detail }>('GET', `${PATH}/${id}`);
  const form = h(
    'form',
    {
      onsubmit: (event) => {
        event.preventDefault();
        void call('POST', `${PATH}/${id}/review`, { notes: filled(form)['notes'] ?? null }).then(() => {
          tell(`Action ${id} reviewed.`);
          dialog.close();
          reload();
        }, tellFault);
      },
    },
    h(
      'label',
      {},
      'Notes, up to 1000 characters (no names of people)',
      h('textarea', { name: 'notes', maxlength: 1000, rows: 3 }),
    ),
    h('div', { class: 'row' }, h('button', { class: 'primary' }, 'Put review on record')),
  );
  const dialog = openDialog(
    `Action ${id}`,
    h('p', {}, action.action_description),
    h(
      'dl',
      { class: 'figures' },
      figure('status', action.status.replaceAll('_', ' ')),
      figure('asked', time(action.created_at)),
      figure('took', action.execution_time_ms === null ? '-' : `${action.execution_time_ms.toFixed(1)} ms`),
    ),
    action.error_message === null ? null : h('p', { class: 'warn' }, action.error_message),
    h('h3', {}, 'What exactly'),
    h('pre', { tabindex: 0 }, JSON.stringify(action.action_data, null, 2)),
    h('h3', {}, 'In the ledger'),
    h(
      'ul',
      {},
      ...action.entries.map(({ seq, kind, at, hash }) =>
        h('li', {}, `${seq} ${kind} at ${time(at)}, ${hash.slice(0, 16)}…`),
      ),
    ),
    h('h3', {}, 'Reviews'),
    action.reviews.length === 0
      ? h('p', { class: 'muted' }, 'None yet.')
      : h(
          'ul',
          {},
          ...action.reviews.map(({ reviewer, notes, at }) =>
            h('li', {}, `${reviewer}, ${time(at)}: ${notes ?? 'seen'}`),
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
    const { totals, series } = await call<{ totals: Figures; series: readonly (Figures & { from: string })[] }>(
      'GET',
      `${PATH}/stats?period=${chooser.value}`,
    );
    numbers.replaceChildren(
      figure('asked', String(totals.total)),
      figure('succeeded', String(totals.succeeded)),
      figure('failed', String(totals.failed)),
      figure('refused', String(totals.refused)),
      figure('unknown', String(totals.unknown)),
      figure('dry runs', String(totals.dryRun)),
      figure('success', totals.successRate === null ? '-' : `${(100 * totals.successRate).toFixed(0)}%`),
      figure('mean time', totals.meanExecutionMs === null ? '-' : `${totals.meanExecutionMs.toFixed(0)} ms`),
    );
    chart.replaceChildren();
    // One point is no line.
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
  section.append(h('h2', {}, 'Figures'), h('div', { class: 'row' }, period), numbers, chart);
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

function drawControls(section: HTMLElement, { company, settings, stoppedAll, limits, broken }: Controls): void {
  // Somebody is typing here: not now.
  if (section.contains(document.activeElement) && document.activeElement?.tagName === 'INPUT') return;
  const change = (work: Promise<unknown>, done: string): void =>
    void work.then(async () => {
      tell(done);
      drawControls(section, await call<Controls>('GET', '/api/admin/autonomy'));
    }, tellFault);
  const stop = h(
    'button',
    {
      type: 'button',
      class: settings.stopped ? 'primary' : 'danger',
      onclick: () => killSwitch(settings.stopped, change),
    },
    settings.stopped ? 'Let actions go on' : 'Stop all actions',
  );
  const mode = select(
    'mode',
    'Mode',
    ['MANUAL', 'SEMI_AUTO', 'FULLY_AUTO'].map((one) => [one, one.toLowerCase().replace('_', ' ')]),
  );
  const chooser = mode.querySelector('select')!;
  chooser.value = settings.mode;
  chooser.addEventListener('change', () =>
    change(call('PUT', '/api/admin/autonomy', { mode: chooser.value }), `Mode is ${chooser.value}.`),
  );
  section.replaceChildren(
    h('h2', {}, `Limits and switches of ${company}`),
    settings.stopped || stoppedAll
      ? h(
          'p',
          { class: 'bad', role: 'alert' },
          stoppedAll ? 'All companies are stopped.' : 'Stopped: nothing is done automatically.',
        )
      : h(
          'p',
          { class: 'good' },
          settings.mode === 'MANUAL'
            ? 'Manual: nothing is done automatically.'
            : 'Actions are let through within their limits.',
        ),
    h('div', { class: 'row' }, mode, stop),
    ...broken.map(({ actionType, failures }) =>
      h(
        'p',
        { class: 'bad' },
        `${actionType.replaceAll('_', ' ')} was stopped by ${failures} failures in a row `,
        h(
          'button',
          {
            type: 'button',
            onclick: () =>
              change(
                call('POST', '/api/admin/autonomy/breaker/reset', { action_type: actionType }),
                `${actionType} may act again.`,
              ),
          },
          'Let it act again',
        ),
      ),
    ),
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Limits' },
      h(
        'table',
        {},
        h('caption', {}, 'What is left of each limit'),
        h('thead', {}, h('tr', {}, ...['Limit', 'Left', 'Of', ''].map((name) => h('th', { scope: 'col' }, name)))),
        h('tbody', {}, ...limits.map((limit) => gauge(limit, change))),
      ),
    ),
  );
}

function gauge(limit: Controls['limits'][number], change: (work: Promise<unknown>, done: string) => void): HTMLElement {
  const { scope, per, kind, capacity, left } = limit;
  const name = `${scope.replaceAll('_', ' ')} per ${per}`;
  const value = h('input', {
    type: 'number',
    min: 0,
    max: 1_000_000,
    value: capacity,
    'aria-label': `Limit of ${name}`,
    style: 'width: 4.5rem',
  });
  return h(
    'tr',
    {},
    h('td', {}, name, h('span', { class: 'muted' }, ` ${kind}`)),
    h(
      'td',
      {},
      h('meter', {
        min: 0,
        max: Math.max(1, capacity),
        value: left,
        low: capacity * 0.2,
        'aria-label': `Left of ${name}`,
      }),
      ` ${left}`,
    ),
    h('td', { class: 'number' }, value),
    h(
      'td',
      {},
      scope.includes('/')
        ? null
        : h(
            'button',
            {
              type: 'button',
              'aria-label': `Set the limit of ${name}`,
              onclick: () =>
                change(
                  call('PUT', '/api/admin/autonomy/limits', {
                    limits: [{ scope, per, kind, capacity: Number(value.value) }],
                  }),
                  `${name}: ${value.value}.`,
                ),
            },
            'Set',
          ),
    ),
  );
}

function killSwitch(stopped: boolean, change: (work: Promise<unknown>, done: string) => void): void {
  const set = (): void => {
    change(
      call('POST', '/api/admin/autonomy/kill-switch', { stopped: !stopped }),
      stopped ? 'Actions go on.' : 'Stopped.',
    );
    dialog.close();
  };
  const dialog = openDialog(
    stopped ? 'Let actions go on?' : 'Stop all actions?',
    h(
      'p',
      {},
      stopped
        ? 'Actions are let through again, within mode, rules and limits.'
        : 'From now on nothing is done automatically, until somebody lets it go on. It is put on record who did it.',
    ),
    h(
      'div',
      { class: 'row' },
      h(
        'button',
        { type: 'button', class: stopped ? 'primary' : 'danger', onclick: set },
        stopped ? 'Yes, go on' : 'Yes, stop',
      ),
    ),
  );
}
