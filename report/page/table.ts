// The events as a table: what the map shows, for those who do not see it, and for looking things up. A time leads to its second.

import { byId, element } from './dom.js';
import { clock } from './moment.js';
import type { Moments } from './moment.js';
import type { EventView } from '../view.js';

const names: Readonly<Record<string, string>> = {
  created: 'known',
  refused: 'refused',
  assigned: 'assigned',
  pickedUp: 'picked up',
  completed: 'completed',
  expired: 'expired',
  invalid: 'illegal action',
};

/** Fills the table and its choices; `seek` leads to a second. */
export function eventTable(moments: Moments, seek: (second: number) => void): void {
  const { view } = moments;
  const kind = byId<HTMLSelectElement>('event-kind');
  const driver = byId<HTMLSelectElement>('event-driver');
  const body = byId<HTMLTableSectionElement>('events');
  const kinds = new Set(view.events.map((event) => event.kind));
  for (const name of Object.keys(names)) {
    if (kinds.has(name)) kind.append(element('option', { value: name }, names[name]));
  }
  for (const i of view.drivers.keys()) driver.append(element('option', { value: String(i) }, `driver ${i}`));

  const fill = (): void => {
    const shown = view.events.filter(
      (event) =>
        (kind.value === '' || event.kind === kind.value) &&
        (driver.value === '' || String(event.driver) === driver.value),
    );
    body.replaceChildren(...shown.map((event) => rowOf(moments, event, seek)));
    byId('event-count').textContent = `${shown.length} of ${view.events.length} events`;
  };
  kind.addEventListener('change', fill);
  driver.addEventListener('change', fill);
  fill();
}

function rowOf(moments: Moments, event: EventView, seek: (second: number) => void): HTMLTableRowElement {
  const time = element('button', { type: 'button', class: 'link' }, clock(moments.view, event.second));
  time.addEventListener('click', () => seek(Math.max(0, event.second)));
  const cell = (value: number): HTMLTableCellElement => element('td', {}, value < 0 ? '' : String(value));
  return element(
    'tr',
    {},
    element('td', {}, time),
    element('td', {}, names[event.kind] ?? event.kind),
    cell(event.booking),
    cell(event.driver),
    element('td', {}, detailOf(moments, event)),
  );
}

function detailOf(moments: Moments, { kind, booking }: EventView): string {
  const { view } = moments;
  const about = view.bookings[booking];
  if (about === undefined) return '';
  if (kind === 'created') {
    return `priority ${about.priority}, window ${clock(view, about.windowStart)} to ${clock(view, about.windowEnd)}`;
  }
  const leg = moments.legOf(booking);
  if (leg === undefined) return `priority ${about.priority}`;
  const late = leg.lateSeconds > 0 ? `${Math.ceil(leg.lateSeconds / 60)} min late` : 'on time';
  if (kind === 'assigned') return `pickup ${clock(view, leg.pickupAt)}, ${late}, reward ${leg.reward.toFixed(2)}`;
  return kind === 'pickedUp' ? late : '';
}
