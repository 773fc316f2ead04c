// The section Live: the latest request as a map, and its recommendation with the buttons that record a person's outcome.

import * as L from '/lib/leaflet/leaflet-src.esm.js';
import type { Assignment } from '../../advise/answer.js';
import type { ShipmentInput, VehicleInput } from '../../advise/request.js';
import type { ActResult, AnswerWithActs } from '../act-schema.js';
import type { Analyzed, Live, Outcome as OutcomeBody, RecordedOutcome } from '../other-schemas.js';
import { account, call } from './client.js';
import { checkbox, clock, column, filled, h, openDialog, poll, redraw, select, tell, tellFault } from './dom.js';

type Last = NonNullable<Live['last']>;
/** What is shown: the latest request, or an example that exists in this browser alone. */
type View = Last & { readonly example?: boolean };
type Outcome = Last['outcomes'][number];
type WhatIf = NonNullable<Assignment['what_if']>;
type Estimate = WhatIf['candidates'][number]['late'];
/** Longitude, latitude. */
type Place = NonNullable<VehicleInput['start']>;
/** What the example's files hold. */
interface Example {
  readonly request: Last['request'];
  readonly answer: AnswerWithActs;
}

/** The section Live: a map, and beside it the recommendation with its buttons. */
export async function live(main: HTMLElement): Promise<void> {
  const mapBox = h('div', {
    id: 'map',
    role: 'group',
    'aria-label': 'Map of vehicles and pickups. The list beside it has the same content.',
  });
  const lists = h('div', { tabindex: -1 });
  /** Updates are paused. */
  let held = false;
  /** An example is shown in place of the latest request. */
  let example = false;
  const ask = h(
    'button',
    {
      type: 'button',
      onclick: () => void showExample().catch(tellFault),
    },
    'Show an example',
  );
  const back = h(
    'button',
    {
      type: 'button',
      hidden: true,
      onclick: () => {
        example = false;
        back.hidden = true;
        shown = '';
        void refresh().catch(tellFault);
      },
    },
    'Back to live',
  );
  main.append(
    h(
      'div',
      { class: 'two' },
      h(
        'section',
        { 'aria-label': 'Map' },
        mapBox,
        h(
          'p',
          { class: 'muted' },
          'Squares are vehicles: ',
          ...legend(['vehicle', 'available'], ['vehicle busy', 'busy'], ['vehicle offline', 'offline']),
          '. Circles are pickups: ',
          ...legend(
            ['assigned', 'assigned'],
            ['locked', 'promised'],
            ['waiting', 'waiting'],
            ['unserved', 'not served'],
          ),
          '. Grey lines lead to the place where a busy vehicle becomes free. Blue lines are recommended trips; a dashed line is a drive without a passenger.',
        ),
        h(
          'div',
          { class: 'row' },
          checkbox('hold', 'Pause updates', false, (on) => {
            held = on;
            if (!on) void refresh().catch(tellFault);
          }),
          ask,
          back,
        ),
      ),
      lists,
    ),
  );
  const map = await mapIn(mapBox);
  const layer = L.layerGroup().addTo(map);
  let shown = '';
  let onMap: string | undefined;
  const refresh = async (): Promise<void> => {
    if (held || example) return;
    const { last } = await call<Live>('GET', '/v1/live');
    const decision = last?.answer.provenance.decision_id;
    const key = JSON.stringify([decision, last?.outcomes, last?.answer.acts]);
    if (key === shown) return;
    // Again: one of them may have been set while the answer was on its way.
    if (held || example) return;
    shown = key;
    if (last === null) {
      redraw(
        lists,
        h(
          'section',
          { class: 'panel' },
          h('h2', {}, 'No requests yet'),
          h('p', {}, 'The next request to POST /v1/recommend appears here.'),
        ),
      );
      return;
    }
    if (decision !== onMap) draw(map, layer, last);
    onMap = decision;
    redraw(lists, recommendations(last));
  };
  async function showExample(): Promise<void> {
    const file = async <Name extends keyof Example>(name: string): Promise<Example[Name]> => {
      const response = await fetch(name);
      if (!response.ok) throw new Error('The example could not be loaded: try again.');
      return (await response.json()) as Example[Name];
    };
    const [request, answer] = await Promise.all([
      file<'request'>('/page/example.json'),
      file<'answer'>('/page/example-answer.json'),
    ]);
    const last: View = { example: true, at: new Date().toISOString(), outcomes: [], request, answer };
    example = true;
    back.hidden = false;
    onMap = undefined;
    draw(map, layer, last);
    redraw(lists, recommendations(last));
    tell('This is an example. It exists only in this browser and is not recorded.');
  }
  poll(mapBox, 2000, refresh);
}

/** Sends an outcome; gives a sentence about it. */
type Send = (body: Omit<OutcomeBody, 'shipment'>) => Promise<string>;

/** Explains colours: pairs of a CSS class and its meaning. */
function legend(...kinds: readonly (readonly [string, string])[]): (HTMLElement | string)[] {
  return kinds.flatMap(([kind, text], k) => [
    k === 0 ? '' : ', ',
    h('span', { class: 'pair' }, h('span', { class: `key ${kind}`, 'aria-hidden': 'true' }), ` ${text}`),
  ]);
}

async function mapIn(box: HTMLElement): Promise<L.Map> {
  const map = L.map(box, { attributionControl: false, zoomSnap: 0.25 }).setView([46.2044, 6.1432], 12);
  L.control.scale({ imperial: false }).addTo(map);
  const config = (await (await fetch('/page/config.json')).json()) as { tiles: string | null; attribution: string };
  if (config.tiles !== null) {
    L.tileLayer(config.tiles, { maxZoom: 19 }).addTo(map);
    L.control.attribution({ prefix: false }).addAttribution(config.attribution).addTo(map);
  }
  return map;
}

function draw(map: L.Map, layer: L.LayerGroup, { request, answer }: View): void {
  layer.clearLayers();
  const bounds: [number, number][] = [];
  const mark = (place: Place | undefined, kind: string, text: string, title: string): void => {
    if (place === undefined) return;
    const at: [number, number] = [place[1], place[0]];
    bounds.push(at);
    const icon = L.divIcon({ className: 'pin', html: h('div', { class: `marker ${kind}` }, text), iconSize: [0, 0] });
    L.marker(at, { icon, title, keyboard: false }).addTo(layer);
  };
  const vehicles = new Map(request.vehicles.map((vehicle) => [vehicle.id, vehicle]));
  const shipments = new Map(
    request.shipments.filter(isShipment).flatMap((shipment) => {
      const id = shipment.id ?? shipment.pickup.id;
      return id === undefined ? [] : [[id, shipment] as const];
    }),
  );
  const line = (a: Place, b: Place, color: string, dashed: boolean): void => {
    const ends: [number, number][] = [
      [a[1], a[0]],
      [b[1], b[0]],
    ];
    bounds.push(...ends);
    L.polyline(ends, { color, weight: 2, ...(dashed ? { dashArray: '4 4' } : {}) }).addTo(layer);
  };
  for (const { start, free_location: free } of request.vehicles) {
    if (start !== undefined && free !== undefined) line(start, free, '#8b949e', true);
  }
  for (const { shipment, vehicle } of answer.assignments) {
    const from = vehicles.get(vehicle);
    const start = from?.free_location ?? from?.start;
    const to = shipments.get(shipment);
    if (start === undefined || to?.pickup.location === undefined) continue;
    line(start, to.pickup.location, '#2f81f7', true);
    if (to.delivery.location !== undefined) line(to.pickup.location, to.delivery.location, '#2f81f7', false);
  }
  const states = new Map<Assignment['shipment'], readonly [kind: string, words: string]>([
    ...answer.assignments.map(({ shipment, vehicle }) => [shipment, ['assigned', `to vehicle ${vehicle}`]] as const),
    ...answer.locked.map(({ shipment, vehicle }) => [shipment, ['locked', `promised to vehicle ${vehicle}`]] as const),
    ...answer.waiting.map(({ shipment }) => [shipment, ['waiting', 'waiting']] as const),
    ...answer.unassigned.map(({ shipment }) => [shipment, ['unserved', 'not served']] as const),
  ]);
  for (const [id, { pickup }] of shipments) {
    const [kind, words] = states.get(id) ?? ['unserved', 'invalid in the request'];
    mark(pickup.location, kind, String(id), `Shipment ${id}, ${words}`);
  }
  for (const { id, start, status = 'available' } of request.vehicles) {
    mark(start, `vehicle ${status}`, String(id), `Vehicle ${id}, ${status}`);
  }
  if (bounds.length > 0) map.fitBounds(L.latLngBounds(bounds).pad(0.1), { animate: false });
}

/** The service takes a request with faulty shipments: only those with a pickup and a delivery are drawn. */
function isShipment(value: unknown): value is ShipmentInput {
  const isObject = (one: unknown): boolean => typeof one === 'object' && one !== null;
  return isObject(value) && isObject((value as ShipmentInput).pickup) && isObject((value as ShipmentInput).delivery);
}

function recommendations({ request, answer, at, outcomes, example = false }: View): HTMLElement {
  const { provenance } = answer;
  const local = new Intl.DateTimeFormat(undefined, {
    // A clock that counts from a local midnight (clock.ts) is shown as it is.
    timeZone: request.as_of < 366 * 86_400 ? 'UTC' : (request.time_zone ?? 'UTC'),
    hourCycle: 'h23',
    hour: '2-digit',
    minute: '2-digit',
  });
  const hour = (second: number): string => local.format(second * 1000);
  const acts = new Map((answer.acts ?? []).map((act) => [act.shipment, act]));
  const said = new Map(outcomes.map((one) => [one.shipment, one]));
  return h(
    'section',
    { class: 'panel' },
    h('h2', {}, `${example ? 'Example: recommendation' : 'Recommendation'} for ${hour(request.as_of)}`),
    h(
      'p',
      { class: 'muted' },
      `Mode ${answer.mode}, policy ${provenance.policy}`,
      provenance.fallback === null
        ? ''
        : `; decided by ${provenance.fallback.policy} instead (${provenance.fallback.reason.replaceAll('_', ' ')})`,
      example ? '; not recorded' : `; requested at ${clock(new Date(at))}`,
    ),
    provenance.recorded || example
      ? null
      : h('p', { class: 'warn' }, 'Not recorded: the database could not be reached.'),
    answer.assignments.length === 0 ? h('p', {}, 'No assignments.') : null,
    h(
      'ol',
      { class: 'cards' },
      ...answer.assignments.map((assignment) =>
        card(
          assignment,
          request,
          example ? null : provenance.decision_id,
          hour,
          acts.get(assignment.shipment),
          said.get(assignment.shipment),
        ),
      ),
    ),
    ...group(
      'Waiting',
      answer.waiting.map(
        ({ shipment, reason, revisit_at: revisit, latest_safe: safe }) =>
          `Shipment ${shipment}: ${reason}; next decision at ${hour(revisit)}${safe === null ? '' : `; can be served on time until ${hour(safe)}`}`,
      ),
    ),
    ...group(
      'Not served',
      answer.unassigned.map(
        ({ shipment, reasons }) => `Shipment ${shipment}: ${reasons.map(({ message }) => message).join('; or ')}`,
      ),
    ),
    ...group(
      'Promised earlier',
      answer.locked.map(
        ({ shipment, vehicle, pickup_eta: eta, lateness, breaks }) =>
          `Shipment ${shipment} stays with vehicle ${vehicle}, pickup at ${hour(eta)}${lateness > 0 ? `, ${minutesLate(lateness)}` : ''}${breaks.length > 0 ? `; breaks ${named(breaks)}` : ''}`,
      ),
    ),
    ...group(
      'Faults in the request',
      answer.violations.map(({ message }) => message),
    ),
  );
}

function group(heading: string, lines: readonly string[]): HTMLElement[] {
  if (lines.length === 0) return [];
  return [h('h3', {}, heading), h('ul', {}, ...lines.map((line) => h('li', {}, line)))];
}

function card(
  {
    rank,
    shipment,
    vehicle,
    pickup_eta: eta,
    lateness,
    confidence,
    reasons,
    alternatives,
    hungarian,
    nearest,
    what_if: whatIf,
  }: Assignment,
  request: Last['request'],
  decision: string | null,
  hour: (second: number) => string,
  act: ActResult | undefined,
  outcome: Outcome | undefined,
): HTMLElement {
  const said = h('p', { class: 'muted' }, outcome === undefined ? '' : words(outcome));
  const done = h('p', {});
  const showAct = ({ status, message }: ActResult): void => {
    done.className = status === 'succeeded' ? 'good' : 'warn';
    done.textContent = `Action: ${status.replace('_', ' ')}${message === undefined ? '' : ` (${message})`}`;
  };
  if (act !== undefined) showAct(act);
  const approves = act?.refusal?.reason === 'approval';
  const send: Send = async (body) => {
    if (decision === null) {
      const told = words({ ...body, by: 'you' });
      said.textContent = told;
      return `Shipment ${shipment}: ${told}. Example: not recorded.`;
    }
    const path = `/v1/decisions/${decision}/outcome`;
    const reply = await call<RecordedOutcome>('POST', path, { shipment, ...body } satisfies OutcomeBody);
    if (reply.act !== undefined) showAct(reply.act);
    said.textContent = words(reply);
    return `Shipment ${shipment}: ${words(reply)}`;
  };
  const late = lateness === 0 ? 'on time' : minutesLate(lateness);
  return h(
    'li',
    { class: 'card' },
    h(
      'div',
      {},
      h('strong', {}, `${rank}. Shipment ${shipment} to vehicle ${vehicle}`),
      ` at ${hour(eta)}, `,
      h('span', { class: lateness === 0 ? 'good' : 'warn' }, late),
      confidence === null ? '' : `, confidence ${(100 * confidence).toFixed(0)}%`,
    ),
    h('ul', { class: 'muted' }, ...reasons.map((reason) => h('li', {}, reason))),
    alternatives.length === 0
      ? null
      : h(
          'p',
          { class: 'muted' },
          'Alternatives: ',
          alternatives.map(({ vehicle: other, pickup_eta: then }) => `vehicle ${other} at ${hour(then)}`).join(', '),
        ),
    hungarian !== vehicle || nearest !== vehicle
      ? h(
          'p',
          { class: 'muted' },
          `For comparison: Hungarian method: ${vehicleOr(hungarian)}; nearest-vehicle rule: ${vehicleOr(nearest)}`,
        )
      : null,
    whatIf === undefined || whatIf === null ? null : whatIfTable(shipment, whatIf),
    act === undefined ? null : done,
    account()?.role === 'viewer'
      ? null
      : h(
          'div',
          { class: 'row' },
          h(
            'button',
            {
              type: 'button',
              class: 'primary',
              'aria-label': `${approves ? 'Approve' : 'Accept'} ${shipment} to ${vehicle}`,
              onclick: () => void send({ outcome: 'accepted' }).then(tell, tellFault),
            },
            approves ? 'Approve' : 'Accept',
          ),
          h(
            'button',
            {
              type: 'button',
              'aria-label': `Override ${shipment}`,
              onclick: () => void override(shipment, vehicle, request, send).catch(tellFault),
            },
            'Override…',
          ),
        ),
    said,
  );
}

function whatIfTable(
  shipment: Assignment['shipment'],
  { futures, seconds_ahead: ahead, candidates }: WhatIf,
): HTMLElement {
  const cell = ({ mean, low, high }: Estimate, show: (value: number) => string): HTMLElement =>
    h('td', { class: 'number' }, show(mean), h('span', { class: 'muted' }, ` ${show(low)} to ${show(high)}`));
  const percent = (share: number): string => `${(100 * share).toFixed(0)}%`;
  const tenths = (value: number): string => value.toFixed(1);
  return h(
    'details',
    {},
    h('summary', {}, `Compare the choices for ${shipment}`),
    h(
      'table',
      {},
      h(
        'caption',
        {},
        `All pickups of the next ${Math.round(ahead / 60)} min in ${futures} simulated futures, with 95% intervals`,
      ),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          column('Choice'),
          ...['Late pickups', 'Minutes late', 'Missed pickups'].map((name) => column(name, 'number')),
        ),
      ),
      h(
        'tbody',
        {},
        ...candidates.map(({ vehicle, late, minutes_late, lost }) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, vehicle === null ? 'wait' : `vehicle ${vehicle}`),
            cell(late, percent),
            cell(minutes_late, tenths),
            cell(lost, tenths),
          ),
        ),
      ),
    ),
  );
}

function minutesLate(seconds: number): string {
  return `${Math.ceil(seconds / 60)} min late`;
}

function vehicleOr(vehicle: Assignment['nearest']): string {
  return vehicle === null ? 'none' : `vehicle ${vehicle}`;
}

function words({ outcome, by, vehicle, reason, breaks = [] }: Omit<Outcome, 'shipment' | 'recommended'>): string {
  const instead = outcome === 'overridden' && vehicle !== undefined ? `, vehicle ${vehicle} instead` : '';
  const broken = breaks.length === 0 ? '' : ` (breaks ${named(breaks)})`;
  return `${outcome} by ${by}${instead}${broken}${reason === undefined ? '' : `: ${reason}`}`;
}

function named(breaks: readonly string[]): string {
  return breaks.join(', ').replaceAll('_', ' ');
}

/** A dialog to override a recommendation: vehicles without a broken constraint first, then the others with what they break. */
async function override(
  shipment: Assignment['shipment'],
  recommended: Assignment['vehicle'],
  request: Last['request'],
  send: Send,
): Promise<void> {
  const { candidates = [] } = await call<Analyzed>('POST', '/v1/analyze', {
    ...request,
    plan: [],
    candidates_for: shipment,
  });
  const others = candidates.filter(({ vehicle }) => vehicle !== recommended);
  const able = others
    .filter(({ breaks }) => breaks.length === 0)
    .sort((a, b) => (a.pickup_eta ?? Infinity) - (b.pickup_eta ?? Infinity));
  const unable = others.filter(({ breaks }) => breaks.length > 0);
  const form = h(
    'form',
    {
      onsubmit: (event) => {
        event.preventDefault();
        const { vehicle, reason = '' } = filled(form);
        const chosen = others.find((one) => String(one.vehicle) === vehicle);
        const body = {
          outcome: 'overridden',
          reason,
          ...(chosen === undefined ? {} : { vehicle: chosen.vehicle }),
        } as const;
        void send(body).then((text) => {
          dialog.close();
          tell(text);
        }, tellFault);
      },
    },
    select('vehicle', 'Vehicle instead', [
      ['', 'none, or not decided'],
      ...able.map(({ vehicle }) => [String(vehicle), `vehicle ${vehicle}`] as const),
      ...unable.map(({ vehicle, breaks }) => [String(vehicle), `vehicle ${vehicle}: breaks ${named(breaks)}`] as const),
    ]),
    h(
      'label',
      {},
      'Reason (no names of people)',
      h('textarea', { name: 'reason', required: true, maxlength: 1000, rows: 3 }),
    ),
    h('div', { class: 'row' }, h('button', { class: 'primary' }, 'Record override')),
  );
  const dialog = openDialog(`Override shipment ${shipment}`, form);
}
