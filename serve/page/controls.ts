// A company's controls of autonomous actions: mode, rules, kill switch and limits.

import type { BreakerReset, CompanyControls, KillSwitchUse, LimitChanges, SettingsChange } from '../other-schemas.js';
import { call } from './client.js';
import { checkbox, column, h, openDialog, poll, redraw, select, tell, tellFault } from './dom.js';

type Settings = CompanyControls['settings'];

type LimitChange = LimitChanges['limits'][number];

const modes = Object.keys({ MANUAL: true, SEMI_AUTO: true, FULLY_AUTO: true } satisfies Record<Settings['mode'], true>);
const modeName = (mode: string): string => mode.toLowerCase().replace('_', ' ');

/** Waits for a change, says `done` or the fault, and draws the panels anew. */
type Change = (work: Promise<unknown>, done: string) => void;

/** Two panels, controls and limits, which are drawn anew when something has changed. */
export function controls(): { readonly switches: HTMLElement; readonly limits: HTMLElement } {
  const switches = h('section', { class: 'panel', 'aria-label': 'Controls', tabindex: -1 });
  const limits = h('section', { class: 'panel', 'aria-label': 'Limits', tabindex: -1 });
  let shown = '';
  const refresh = async (): Promise<void> => {
    const found = await call<CompanyControls>('GET', '/api/admin/autonomy');
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
        // Redrawn even if the change was refused, so that the page shows the state of the service.
        shown = '';
        return refresh();
      })
      .catch(tellFault);
  poll(switches, 5000, refresh);
  return { switches, limits };
}

/** Changes one setting. */
function set(setting: SettingsChange, done: string, change: Change): void {
  change(call('PUT', '/api/admin/autonomy', setting), done);
}

function switchesOf(
  { company, settings, stopped_all, broken, connector }: CompanyControls,
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
    settings.stopped ? 'Resume actions' : 'Stop all actions',
  );
  const mode = select(
    'mode',
    'Mode',
    modes.map((one) => [one, modeName(one)]),
  );
  const chooser = mode.querySelector('select')!;
  chooser.value = settings.mode;
  chooser.addEventListener('change', () =>
    set({ mode: chooser.value as Settings['mode'] }, `Mode: ${modeName(chooser.value)}.`, change),
  );
  return [
    h('h2', {}, `Controls of ${company}`),
    settings.stopped || stopped_all
      ? h(
          'p',
          { class: 'bad', role: 'alert' },
          stopped_all ? 'All companies are stopped: no autonomous actions.' : 'Stopped: no autonomous actions.',
        )
      : h(
          'p',
          { class: 'good' },
          settings.mode === 'MANUAL'
            ? 'Manual: no autonomous actions.'
            : settings.mode === 'SEMI_AUTO'
              ? 'Semi auto: actions that a person approves are carried out, within the limits.'
              : 'Fully auto: actions are carried out within rules and limits.',
        ),
    connector.dry_run || settings.dry_run
      ? h(
          'p',
          { class: 'warn' },
          connector.dry_run
            ? 'Dry run: the service was started without a webhook. Actions are decided and recorded, but not carried out.'
            : 'Dry run: actions are decided and recorded, but not carried out.',
        )
      : '',
    h('div', { class: 'row' }, mode, stop),
    ruleSet(settings, change),
    ...broken.map(({ action_type, failures }) =>
      h(
        'p',
        { class: 'bad' },
        `Actions of type ${action_type.replaceAll('_', ' ')} are stopped after ${failures} failures in a row. `,
        h(
          'button',
          {
            type: 'button',
            'aria-label': `Resume ${action_type.replaceAll('_', ' ')}`,
            onclick: () =>
              change(
                call('POST', '/api/admin/autonomy/breaker/reset', { action_type } satisfies BreakerReset),
                `Actions of type ${action_type.replaceAll('_', ' ')} are resumed.`,
              ),
          },
          'Resume',
        ),
      ),
    ),
  ];
}

function limitsOf({ company, limits }: CompanyControls, change: Change): HTMLElement[] {
  return [
    h('h2', {}, `Limits of ${company}`),
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table of limits' },
      h(
        'table',
        {},
        h('caption', {}, 'A bucket refills evenly over its period. A window counts the actions of the latest period.'),
        h(
          'thead',
          {},
          h('tr', {}, ...['Limit', 'Remaining', 'Capacity'].map((name) => column(name)), column('Set', 'unseen')),
        ),
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

/** What is allowed in mode fully auto, and how far. */
function ruleSet(settings: Settings, change: Change): HTMLElement {
  const put = <Name extends keyof SettingsChange>(name: Name, value: SettingsChange[Name], done: string): void =>
    set({ [name]: value }, done, change);
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
      h('legend', {}, 'Allowed in mode fully auto'),
      ...rules.map(([name, label]) =>
        checkbox(name, label, settings[name], (on) => put(name, on, `Rule ${label}: ${on ? 'on' : 'off'}.`)),
      ),
    ),
    number('adjust_time_max_minutes', 'Longest delay of adjust times, in minutes', 1440),
    number('breaker_failures', 'Failures in a row that stop an action type (0: never)', 1000),
    checkbox('dry_run', 'Dry run: decide and record only', settings.dry_run, (on) =>
      put('dry_run', on, `Dry run: ${on ? 'on' : 'off'}.`),
    ),
    checkbox('own_approval', 'An account may approve its own requests', settings.own_approval, (on) =>
      put('own_approval', on, `Own approval: ${on ? 'allowed' : 'not allowed'}.`),
    ),
  );
}

function gauge(limit: CompanyControls['limits'][number], change: Change): HTMLElement {
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
    h('td', {}, name, h('span', { class: 'muted kind' }, kind)),
    h(
      'td',
      { class: 'gauge' },
      h('meter', {
        min: 0,
        max: Math.max(1, capacity),
        value: left,
        low: capacity * 0.2,
        'aria-label': `Remaining of ${name}`,
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
                    limits: [{ scope: scope as LimitChange['scope'], per, kind, capacity: Number(value.value) }],
                  } satisfies LimitChanges),
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
      call('POST', '/api/admin/autonomy/kill-switch', { stopped: !stopped } satisfies KillSwitchUse),
      stopped ? 'Actions are resumed.' : 'Actions are stopped.',
    );
    dialog.close();
  };
  const dialog = openDialog(
    stopped ? 'Resume actions?' : 'Stop all actions?',
    h(
      'p',
      {},
      stopped
        ? 'Actions are carried out again, as mode, rules and limits allow. This is recorded with your account.'
        : 'No autonomous action starts until somebody resumes them. This is recorded with your account.',
    ),
    h(
      'div',
      { class: 'row' },
      h(
        'button',
        { type: 'button', class: stopped ? 'primary' : 'danger', onclick: set },
        stopped ? 'Yes, resume' : 'Yes, stop',
      ),
    ),
  );
}
