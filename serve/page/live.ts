// Live: the last request as a map, and what was recommended, with the buttons that put a person's answer on record.

import * as L from '/lib/leaflet/leaflet-src.esm.js';
import { account, call } from './client.js';
import { checkbox, clock, column, filled, h, openDialog, poll, redraw, select, tell, tellFault } from './dom.js';

type Id = number | string;
type Place = [longitude: number, latitude: number];
interface Vehicle {
  readonly id: Id;
  readonly start?: Place;
  readonly status?: string;
  readonly free_location?: Place;
}
interface Shipment {
  readonly id?: Id;
  readonly pickup: { readonly id?: Id; readonly location?: Place };
  readonly delivery: { readonly location?: Place };
}
interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}
interface WhatIf {
  readonly futures: number;
  readonly seconds_ahead: number;
  readonly candidates: readonly {
    readonly vehicle: Id | null;
    readonly late: Estimate;
    readonly minutes_late: Estimate;
    readonly lost: Estimate;
  }[];
}
interface Assignment {
  readonly rank: number;
  readonly shipment: Id;
  readonly vehicle: Id;
  readonly pickup_eta: number;
  readonly lateness: number;
  readonly confidence: number | null;
  readonly reasons: readonly string[];
  readonly alternatives: readonly { readonly vehicle: Id; readonly pickup_eta: number; readonly extra_wait: number }[];
  readonly hungarian: Id | null;
  readonly nearest: Id | null;
  readonly what_if?: WhatIf | null;
}
interface Act {
  readonly shipment: Id;
  readonly status: string;
  readonly message?: string;
  readonly refusal?: { readonly reason: string };
}
interface Outcome {
  readonly shipment: Id;
  readonly outcome: 'accepted' | 'overridden';
  readonly vehicle?: Id;
  readonly reason?: string;
  /** What the other vehicle breaks. */
  readonly breaks?: readonly string[];
  readonly by: string;
}
interface Candidate {
  readonly vehicle: Id;
  readonly breaks: readonly string[];
  readonly pickup_eta: number | null;
}
interface Last {
  /** Of this browser alone: nothing of it goes to the service. */
  readonly example?: boolean;
  readonly at: string;
  readonly outcomes: readonly Outcome[];
  readonly request: {
    readonly as_of: number;
    readonly time_zone?: string;
    readonly vehicles: readonly Vehicle[];
    readonly shipments: readonly (Shipment | null)[];
  };
  readonly answer: {
    readonly mode: string;
    readonly assignments: readonly Assignment[];
    readonly waiting: readonly { shipment: Id; reason: string; revisit_at: number; latest_safe: number | null }[];
    readonly unassigned: readonly { shipment: Id; reasons: readonly { message: string }[] }[];
    readonly locked: readonly {
      shipment: Id;
      vehicle: Id;
      pickup_eta: number;
      lateness: number;
      breaks: readonly string[];
    }[];
    readonly violations: readonly { message: string }[];
    readonly provenance: {
      readonly decision_id: string;
      readonly policy: string;
      readonly fallback: { readonly policy: string; readonly reason: string } | null;
      readonly recorded: boolean;
    };
    readonly acts?: readonly Act[];
  };
}

export async function live(main: HTMLElement): Promise<void> {
  const mapBox = h('div', {
    id: 'map',
    role: 'group',
    'aria-label': 'Map of vehicles and pickups; the lists beside it say the same',
  });
  const lists = h('div', { tabindex: -1 });
  /** Somebody wants time to look at it, while others are asked. */
  let held = false;
  /** What is shown is an example, until somebody goes back to what is live. */
  let example = false;
  const ask = h(
    'button',
    {
      type: 'button',
      onclick: () => void askExample().catch(tellFault),
    },
    'Ask with an example state',
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
    'Back to what is live',
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
          '; circles are pickups: ',
          ...legend(
            ['assigned', 'assigned'],
            ['locked', 'promised'],
            ['waiting', 'waiting'],
            ['unserved', 'not served'],
          ),
          '. Grey lines lead to where a busy vehicle will be free, blue ones are what is recommended, dashed while empty.',
        ),
        h(
          'div',
          { class: 'row' },
          checkbox('hold', 'Hold what is shown', false, (on) => {
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
    const { last } = await call<{ last: Last | null }>('GET', '/v1/live');
    const decision = last?.answer.provenance.decision_id;
    const key = JSON.stringify([decision, last?.outcomes, last?.answer.acts]);
    if (key === shown) return;
    // While the answer was under way.
    if (held || example) return;
    shown = key;
    if (last === null) {
      redraw(
        lists,
        h(
          'section',
          { class: 'panel' },
          h('h2', {}, 'Nothing asked yet'),
          h('p', {}, 'The next request to /v1/recommend shows here.'),
        ),
      );
      return;
    }
    if (decision !== onMap) draw(map, layer, last);
    onMap = decision;
    redraw(lists, recommendations(last));
  };
  async function askExample(): Promise<void> {
    const files = ['/page/example.json', '/page/example-answer.json'];
    const [request, answer] = await Promise.all(
      files.map(async (file) => {
        const response = await fetch(file);
        if (!response.ok) throw new Error('the example cannot be had now: try again');
        return (await response.json()) as unknown;
      }),
    );
    const last = { example: true, at: new Date().toISOString(), outcomes: [], request, answer } as unknown as Last;
    example = true;
    back.hidden = false;
    onMap = undefined;
    draw(map, layer, last);
    redraw(lists, recommendations(last));
    tell('An example: it is in this browser alone, and nothing of it goes on record.');
  }
  poll(mapBox, 2000, refresh);
}

/** What the colours mean. */
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

function draw(map: L.Map, layer: L.LayerGroup, { request, answer }: Last): void {
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
    request.shipments.flatMap((shipment) => {
      const id = shipment?.id ?? shipment?.pickup.id;
      return shipment === null || id === undefined ? [] : [[id, shipment] as const];
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
  const lots = new Map<Id, readonly [kind: string, words: string]>([
    ...answer.assignments.map(({ shipment, vehicle }) => [shipment, ['assigned', `to vehicle ${vehicle}`]] as const),
    ...answer.locked.map(({ shipment, vehicle }) => [shipment, ['locked', `promised to vehicle ${vehicle}`]] as const),
    ...answer.waiting.map(({ shipment }) => [shipment, ['waiting', 'waiting']] as const),
    ...answer.unassigned.map(({ shipment }) => [shipment, ['unserved', 'not served']] as const),
  ]);
  for (const [id, { pickup }] of shipments) {
    const [kind, words] = lots.get(id) ?? ['unserved', 'wrong in the request'];
    mark(pickup.location, kind, String(id), `Shipment ${id}, ${words}`);
  }
  for (const { id, start, status = 'available' } of request.vehicles) {
    mark(start, `vehicle ${status}`, String(id), `Vehicle ${id}, ${status}`);
  }
  if (bounds.length > 0) map.fitBounds(L.latLngBounds(bounds).pad(0.1), { animate: false });
}

function recommendations({ request, answer, at, outcomes, example = false }: Last): HTMLElement {
  const { provenance } = answer;
  const local = new Intl.DateTimeFormat(undefined, {
    // A clock that counts from a midnight (clock.ts) shows what it is.
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
    h('h2', {}, `${example ? 'Example: recommended' : 'Recommended'} at ${hour(request.as_of)}`),
    h(
      'p',
      { class: 'muted' },
      `Mode ${answer.mode}, policy ${provenance.policy}`,
      provenance.fallback === null
        ? ''
        : `, ${provenance.fallback.policy} instead (${provenance.fallback.reason.replaceAll('_', ' ')})`,
      `; asked ${clock(new Date(at))}`,
      provenance.recorded ? '' : example ? '; an example, not on record' : '; NOT on record',
    ),
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
          `${shipment}: ${reason}; ask again at ${hour(revisit)}${safe === null ? '' : `, safe until ${hour(safe)}`}`,
      ),
    ),
    ...group(
      'Not served',
      answer.unassigned.map(
        ({ shipment, reasons }) => `${shipment}: ${reasons.map(({ message }) => message).join('; or ')}`,
      ),
    ),
    ...group(
      'Promised before',
      answer.locked.map(
        ({ shipment, vehicle, pickup_eta: eta, lateness, breaks }) =>
          `${shipment} stays with vehicle ${vehicle}, pickup ${hour(eta)}${lateness > 0 ? `, ${Math.ceil(lateness / 60)} min late` : ''}${breaks.length > 0 ? `; it does not keep to: ${breaks.join(', ').replaceAll('_', ' ')}` : ''}`,
      ),
    ),
    ...group(
      'Wrong in the request',
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
  act: Act | undefined,
  outcome: Outcome | undefined,
): HTMLElement {
  const said = h('p', { class: 'muted' }, outcome === undefined ? '' : words(outcome));
  const done = h('p', {});
  const showAct = ({ status, message }: Act): void => {
    done.className = status === 'succeeded' ? 'good' : 'warn';
    done.textContent = `Act: ${status.replace('_', ' ')}${message === undefined ? '' : ` (${message})`}`;
  };
  if (act !== undefined) showAct(act);
  const approves = act?.refusal?.reason === 'approval';
  const send = async (body: Partial<Outcome>): Promise<string> => {
    if (decision === null) {
      const told: Outcome = { shipment, outcome: 'accepted', by: 'you', ...body };
      said.textContent = words(told);
      return `Shipment ${shipment}: ${words(told)}. An example: nothing goes on record.`;
    }
    const path = `/v1/decisions/${decision}/outcome`;
    const reply = await call<Outcome & { act?: Act }>('POST', path, { shipment, ...body });
    if (reply.act !== undefined) showAct(reply.act);
    said.textContent = words(reply);
    return `Shipment ${shipment}: ${words(reply)}`;
  };
  const late = lateness === 0 ? 'on time' : `${Math.ceil(lateness / 60)} min late`;
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
          'Instead: ',
          alternatives.map(({ vehicle: other, pickup_eta: then }) => `vehicle ${other} at ${hour(then)}`).join(', '),
        ),
    hungarian !== vehicle || nearest !== vehicle
      ? h(
          'p',
          { class: 'muted' },
          `The Hungarian method: ${hungarian ?? 'nobody'}; the nearest rule: ${nearest ?? 'nobody'}`,
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

function whatIfTable(shipment: Id, { futures, seconds_ahead: ahead, candidates }: WhatIf): HTMLElement {
  const cell = ({ mean, low, high }: Estimate, show: (value: number) => string): HTMLElement =>
    h('td', { class: 'number' }, show(mean), h('span', { class: 'muted' }, ` ${show(low)} to ${show(high)}`));
  const percent = (share: number): string => `${(100 * share).toFixed(0)}%`;
  const tenths = (value: number): string => value.toFixed(1);
  return h(
    'details',
    {},
    h('summary', {}, `What if ${shipment} goes another way`),
    h(
      'table',
      {},
      h(
        'caption',
        {},
        `All pickups of the next ${Math.round(ahead / 60)} min, in ${futures} simulated futures, with 95% intervals`,
      ),
      h(
        'thead',
        {},
        h('tr', {}, column('Choice'), ...['Late', 'Minutes late', 'Lost'].map((name) => column(name, 'number'))),
      ),
      h(
        'tbody',
        {},
        ...candidates.map(({ vehicle, late, minutes_late, lost }) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, vehicle === null ? 'waits' : `vehicle ${vehicle}`),
            cell(late, percent),
            cell(minutes_late, tenths),
            cell(lost, tenths),
          ),
        ),
      ),
    ),
  );
}

function words({ outcome, by, vehicle, reason, breaks = [] }: Outcome): string {
  const instead = outcome === 'overridden' && vehicle !== undefined ? `, vehicle ${vehicle} instead` : '';
  const broken = breaks.length === 0 ? '' : ` (breaks ${named(breaks)})`;
  return `${outcome} by ${by}${instead}${broken}${reason === undefined ? '' : `: ${reason}`}`;
}

function named(breaks: readonly string[]): string {
  return breaks.join(', ').replaceAll('_', ' ');
}

/** Those who can drive it first, then those who could but for something, each with that. */
async function override(
  shipment: Id,
  recommended: Id,
  request: Last['request'],
  send: (outcome: Partial<Outcome>) => Promise<string>,
): Promise<void> {
  const { candidates = [] } = await call<{ candidates?: readonly Candidate[] }>('POST', '/v1/analyze', {
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
    select('vehicle', 'Who drives it instead', [
      ['', 'nobody, or not decided'],
      ...able.map(({ vehicle }) => [String(vehicle), `vehicle ${vehicle}`] as const),
      ...unable.map(({ vehicle, breaks }) => [String(vehicle), `vehicle ${vehicle}: breaks ${named(breaks)}`] as const),
    ]),
    h(
      'label',
      {},
      'Why (no names of people)',
      h('textarea', { name: 'reason', required: true, maxlength: 1000, rows: 3 }),
    ),
    h('div', { class: 'row' }, h('button', { class: 'primary' }, 'Put on record')),
  );
  const dialog = openDialog(`Override shipment ${shipment}`, form);
}
