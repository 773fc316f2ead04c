// A company's mode, rules, limits and switches: what software may do, and what is left of it.

import { call } from './client.js';
import { checkbox, column, h, openDialog, poll, redraw, select, tell, tellFault } from './dom.js';

interface Settings {
  readonly mode: string;
  readonly stopped: boolean;
  readonly dry_run: boolean;
  readonly auto_assign: boolean;
  readonly auto_reassign: boolean;
  readonly auto_notify_customer: boolean;
  readonly auto_adjust_time: boolean;
  readonly auto_reoptimize: boolean;
  readonly adjust_time_max_minutes: number;
  readonly breaker_failures: number;
  readonly own_approval: boolean;
}
interface Controls {
  readonly company_id: number;
  readonly company: string;
  readonly stopped_all: boolean;
  readonly settings: Settings;
  readonly connector: { readonly name: string; readonly dry_run: boolean };
  readonly limits: readonly { scope: string; per: string; kind: string; capacity: number; left: number }[];
  readonly broken: readonly { action_type: string; failures: number }[];
}

type Change = (work: Promise<unknown>, done: string) => void;

/** A company's switches and its limits, each a panel, drawn anew when something has changed. */
export function controls(): { readonly switches: HTMLElement; readonly limits: HTMLElement } {
  const switches = h('section', { class: 'panel', 'aria-label': 'Switches', tabindex: -1 });
  const limits = h('section', { class: 'panel', 'aria-label': 'Limits', tabindex: -1 });
  let shown = '';
  const refresh = async (): Promise<void> => {
    const found = await call<Controls>('GET', '/api/admin/autonomy');
    const key = JSON.stringify(found);
    const active = document.activeElement;
    const typing = active instanceof HTMLInputElement && active.type === 'number';
    if (key === shown || (typing && (switches.contains(active) || limits.contains(active)))) return;
    shown = key;
    redraw(switches, ...switchesOf(found, change));
    redraw(limits, ...limitsOf(found, change));
  };
  const change: Change = (work, done) =>
    void work
      .then(() => tell(done), tellFault)
      .then(() => {
        // What was not taken must not stay as if it were.
        shown = '';
        return refresh();
      })
      .catch(tellFault);
  poll(switches, 5000, refresh);
  return { switches, limits };
}

function switchesOf(
  { company, settings, stopped_all, broken, connector }: Controls,
  change: Change,
): (HTMLElement | '')[] {
  const stop = h(
    'button',
    {
      type: 'button',
      name: 'kill_switch',
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
  return [
    h('h2', {}, `Switches of ${company}`),
    settings.stopped || stopped_all
      ? h(
          'p',
          { class: 'bad', role: 'alert' },
          stopped_all ? 'All companies are stopped.' : 'Stopped: nothing is done automatically.',
        )
      : h(
          'p',
          { class: 'good' },
          settings.mode === 'MANUAL'
            ? 'Manual: nothing is done automatically.'
            : settings.mode === 'SEMI_AUTO'
              ? 'Semi auto: what a person approves is done, within the limits.'
              : 'Actions are let through within their limits.',
        ),
    connector.dry_run || settings.dry_run
      ? h(
          'p',
          { class: 'warn' },
          connector.dry_run
            ? 'Dry runs: the service was started without a webhook, so acts are decided and recorded, but not done.'
            : 'Dry runs: acts are decided and recorded, but not done.',
        )
      : '',
    h('div', { class: 'row' }, mode, stop),
    ruleSet(settings, change),
    ...broken.map(({ action_type, failures }) =>
      h(
        'p',
        { class: 'bad' },
        `${action_type.replaceAll('_', ' ')} was stopped by ${failures} failures in a row `,
        h(
          'button',
          {
            type: 'button',
            'aria-label': `Let it act again: ${action_type.replaceAll('_', ' ')}`,
            onclick: () =>
              change(
                call('POST', '/api/admin/autonomy/breaker/reset', { action_type: action_type }),
                `${action_type} may act again.`,
              ),
          },
          'Let it act again',
        ),
      ),
    ),
  ];
}

function limitsOf({ company, limits }: Controls, change: Change): HTMLElement[] {
  return [
    h('h2', {}, `Limits of ${company}`),
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table of limits' },
      h(
        'table',
        {},
        h('caption', {}, 'What is left of each'),
        h('thead', {}, h('tr', {}, ...['Limit', 'Left', 'Of'].map((name) => column(name)), column('Set', 'unseen'))),
        h('tbody', {}, ...limits.map((limit) => gauge(limit, change))),
      ),
    ),
  ];
}

const rules = [
  ['auto_assign', 'assign'],
  ['auto_reassign', 'reassign'],
  ['auto_notify_customer', 'notify customers'],
  ['auto_adjust_time', 'adjust times'],
  ['auto_reoptimize', 'reoptimize'],
] as const;

/** What software may decide alone, and how far. */
function ruleSet(settings: Settings, change: Change): HTMLElement {
  const put = (name: keyof Settings, value: boolean | number, done: string): void =>
    change(call('PUT', '/api/admin/autonomy', { [name]: value }), done);
  const number = (name: 'adjust_time_max_minutes' | 'breaker_failures', label: string, max: number): HTMLElement => {
    const field = h('input', { name, type: 'number', min: 0, max, value: settings[name], style: 'width: 4.5rem' });
    field.addEventListener('change', () => put(name, Number(field.value), `${label}: ${field.value}.`));
    return h('label', {}, label, field);
  };
  return h(
    'details',
    {},
    h('summary', {}, 'Rules'),
    h(
      'fieldset',
      {},
      h('legend', {}, 'Fully auto may, without asking'),
      ...rules.map(([name, label]) =>
        checkbox(name, label, settings[name], (on) => put(name, on, `Rule ${label}: ${on ? 'on' : 'off'}.`)),
      ),
    ),
    number('adjust_time_max_minutes', 'Longest delay decided alone, minutes', 1440),
    number('breaker_failures', 'Failures in a row that stop a type (0: never)', 1000),
    checkbox('dry_run', 'Dry run: decide and record, do nothing', settings.dry_run, (on) =>
      put('dry_run', on, `Dry run: ${on ? 'on' : 'off'}.`),
    ),
    checkbox('own_approval', 'Whoever asked may approve', settings.own_approval, (on) =>
      put('own_approval', on, `Own approval: ${on ? 'allowed' : 'not allowed'}.`),
    ),
  );
}

function gauge(limit: Controls['limits'][number], change: Change): HTMLElement {
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

function killSwitch(stopped: boolean, change: Change): void {
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
