// The map: drivers moving along their legs, open bookings coloured by how soon they are too late, and promised pickups. Markers keep
// their size in px, whatever the size of the map; what stands at one place is spread around it.

import { drawn } from './dom.js';
import { Moments, clock } from './moment.js';
import type { DriverNow } from './moment.js';
import type { EpisodeView, Point } from '../view.js';

/** Minutes left below which an open booking is urgent, or soon to be. */
const URGENT_MINUTES = 5;
const SOON_MINUTES = 15;
/** Space around the places, in px; zones have names above them, and crowds. */
const MARGIN = 26;
const ZONE_MARGIN = 46;
/** Radius of a marker in px, and how much larger it is on a map that is wide. */
const RADIUS = 9;
const WIDE = 700;
const WIDE_SIZE = 1.3;
/** Lengths of the scale bar, in metres. */
const lengths = [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000];
/** Turn from one marker to the next where several stand at one place, in radians: the golden angle. */
const GOLDEN = Math.PI * (3 - Math.sqrt(5));

interface Marker {
  readonly group: SVGGElement;
  readonly label: SVGTextElement;
  readonly title: SVGTitleElement;
}

/** The map of one episode, in an SVG element. */
export class EpisodeMap {
  readonly #svg: SVGSVGElement;
  readonly #moments: Moments;
  readonly #view: EpisodeView;
  readonly #back = drawn('g', { class: 'back' });
  readonly #lines = drawn('g', { class: 'lines' });
  readonly #bookings = drawn('g');
  readonly #drivers = drawn('g');
  readonly #bookingMarkers = new Map<number, Marker>();
  readonly #driverMarkers: Marker[];
  readonly #margin: number;
  readonly #low: Point;
  readonly #high: Point;
  #width = 0;
  #height = 0;
  #scale = 1;
  #size = 1;
  /** How many markers stand at a place in the moment that is drawn. */
  #crowds = new Map<string, number>();

  constructor(svg: SVGSVGElement, moments: Moments) {
    this.#svg = svg;
    this.#moments = moments;
    const view = (this.#view = moments.view);
    this.#margin = view.zones.length > 0 ? ZONE_MARGIN : MARGIN;
    const places = [...view.zones, ...view.drivers.map(({ start }) => start)];
    for (const { pickup, dropoff } of view.bookings) places.push(pickup, dropoff);
    const xs = places.map(([x]) => x);
    const ys = places.map(([, y]) => y);
    this.#low = [Math.min(...xs), Math.min(...ys)];
    this.#high = [Math.max(...xs), Math.max(...ys)];
    svg.append(this.#back, this.#lines, this.#bookings, this.#drivers);
    this.#driverMarkers = view.drivers.map(({ type }, i) => {
      const shape = drawn('rect', { x: -RADIUS, y: -RADIUS, width: 2 * RADIUS, height: 2 * RADIUS, rx: 4 });
      const marker = this.#marker(shape, 'driver', this.#drivers);
      marker.label.textContent = String(i);
      if (type === 'EMERGENCY') marker.group.classList.add('emergency');
      return marker;
    });
  }

  /** Height in px that suits the places at a width, between a third of it and `most`. */
  heightFor(width: number, most: number): number {
    const wide = Math.max(1, this.#high[0] - this.#low[0]);
    const tall = Math.max(1, this.#high[1] - this.#low[1]);
    return Math.round(
      Math.min(most, Math.max(width / 3, ((width - 2 * this.#margin) * tall) / wide + 2 * this.#margin)),
    );
  }

  /** The map has become of another size. */
  resize(width: number, height: number): void {
    this.#width = width;
    this.#height = height;
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const wide = Math.max(1, this.#high[0] - this.#low[0]);
    const tall = Math.max(1, this.#high[1] - this.#low[1]);
    this.#scale = Math.max(1e-6, Math.min((width - 2 * this.#margin) / wide, (height - 2 * this.#margin) / tall));
    this.#size = width >= WIDE ? WIDE_SIZE : 1;
    this.#drawBack();
  }

  #project([x, y]: Point): Point {
    return [
      this.#width / 2 + (x - (this.#low[0] + this.#high[0]) / 2) * this.#scale,
      this.#height / 2 - (y - (this.#low[1] + this.#high[1]) / 2) * this.#scale,
    ];
  }

  #drawBack(): void {
    const zones = this.#view.zones.map((zone, k) => {
      const [x, y] = this.#project(zone);
      return drawn(
        'g',
        { class: 'zone', transform: `translate(${x} ${y})` },
        drawn('circle', { r: 17 }),
        drawn('text', { y: -20, 'text-anchor': 'middle' }, `zone ${k}`),
      );
    });
    // The longest whole length that takes at most a quarter of the width.
    const fitting = lengths.filter((length) => length * this.#scale <= this.#width / 4);
    const metres = Math.max(lengths[0], ...fitting);
    const length = metres * this.#scale;
    const told = metres < 1000 ? `${metres} m` : `${metres / 1000} km`;
    const y = this.#height - 12;
    this.#back.replaceChildren(
      ...zones,
      drawn('path', { class: 'bar', d: `M12 ${y - 5}V${y}H${12 + length}V${y - 5}` }),
      drawn('text', { x: 18 + length, y: y + 1 }, told),
    );
  }

  /** Draws the second. */
  show(second: number): void {
    this.#crowds = new Map();
    const lines: SVGElement[] = [];
    const seen = new Set<number>();
    for (const k of this.#moments.open(second)) {
      seen.add(k);
      this.#showOpen(k, second);
    }
    const drivers = this.#view.drivers.map((_, i) => this.#moments.driver(i, second));
    for (const now of drivers) this.#showPromises(now, lines, seen);
    for (const [k, { group }] of this.#bookingMarkers) {
      if (seen.has(k)) continue;
      group.remove();
      this.#bookingMarkers.delete(k);
    }
    for (const [i, now] of drivers.entries()) this.#showDriver(i, now, second);
    this.#lines.replaceChildren(...lines);
  }

  #showOpen(k: number, second: number): void {
    const { pickup, windowEnd, priority } = this.#view.bookings[k];
    const left = Math.floor((windowEnd - second) / 60);
    const marker = this.#bookingMarker(k);
    const urgency = left < URGENT_MINUTES ? 'urgent' : left < SOON_MINUTES ? 'soon' : 'calm';
    set(marker, `booking open ${urgency}`, left > 99 ? '99+' : String(Math.max(0, left)));
    marker.title.textContent = `booking ${k}, priority ${priority}: open, ${left} min left`;
    this.#put(marker, pickup);
  }

  #showPromises({ doing, at, leg, next }: DriverNow, lines: SVGElement[], seen: Set<number>): void {
    let from = at;
    if (leg !== null) {
      const { pickup, dropoff } = this.#view.bookings[leg.booking];
      if (doing === 'ride') lines.push(this.#line('ride', from, dropoff), this.#goal(dropoff));
      else {
        lines.push(this.#line('approach', from, pickup));
        this.#showPromised(leg.booking, seen);
      }
      from = dropoff;
    }
    for (const promise of next) {
      const { pickup, dropoff } = this.#view.bookings[promise.booking];
      lines.push(this.#line('later', from, pickup));
      this.#showPromised(promise.booking, seen);
      from = dropoff;
    }
  }

  #showPromised(k: number, seen: Set<number>): void {
    seen.add(k);
    const { pickup } = this.#view.bookings[k];
    const { driver, pickupAt, lateSeconds } = this.#moments.legOf(k)!;
    const marker = this.#bookingMarker(k);
    const late = lateSeconds > 0 ? `, ${Math.ceil(lateSeconds / 60)} min late` : '';
    set(marker, `booking promised${lateSeconds > 0 ? ' late' : ''}`, String(driver));
    marker.title.textContent = `booking ${k}: driver ${driver} comes at ${clock(this.#view, pickupAt)}${late}`;
    this.#put(marker, pickup);
  }

  #showDriver(i: number, { doing, at, leg }: DriverNow, second: number): void {
    const marker = this.#driverMarkers[i];
    const isMoving = leg !== null && (doing === 'approach' || (doing === 'ride' && second > leg.leaveAt));
    const emergency = this.#view.drivers[i].type === 'EMERGENCY' ? ' emergency' : '';
    marker.group.setAttribute('class', `driver ${doing}${emergency}`);
    marker.title.textContent = `driver ${i}: ${doings[doing]}${leg === null ? '' : ` booking ${leg.booking}`}`;
    if (isMoving) this.#move(marker, this.#project(at));
    else this.#put(marker, at);
  }

  #line(kind: string, from: Point, to: Point): SVGLineElement {
    const [x1, y1] = this.#project(from);
    const [x2, y2] = this.#project(to);
    return drawn('line', { class: kind, x1, y1, x2, y2 });
  }

  /** Where a ride goes. */
  #goal(to: Point): SVGCircleElement {
    const [cx, cy] = this.#project(to);
    return drawn('circle', { class: 'goal', cx, cy, r: 4 });
  }

  /** Puts a marker that stands still beside those that stand there already. */
  #put(marker: Marker, at: Point): void {
    const [x, y] = this.#project(at);
    const key = `${Math.round(x / 4)} ${Math.round(y / 4)}`;
    const crowd = this.#crowds.get(key) ?? 0;
    this.#crowds.set(key, crowd + 1);
    const away = crowd === 0 ? 0 : 2 * RADIUS * this.#size * Math.sqrt(crowd);
    this.#move(marker, [x + away * Math.cos(crowd * GOLDEN), y + away * Math.sin(crowd * GOLDEN)]);
  }

  #move({ group }: Marker, [x, y]: Point): void {
    group.setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${this.#size})`);
  }

  #bookingMarker(k: number): Marker {
    let marker = this.#bookingMarkers.get(k);
    if (marker === undefined) {
      const { priority } = this.#view.bookings[k];
      marker = this.#marker(
        drawn('circle', { r: priority >= 4 ? RADIUS + 1 : RADIUS - 0.5 }),
        'booking',
        this.#bookings,
      );
      this.#bookingMarkers.set(k, marker);
    }
    return marker;
  }

  #marker(shape: SVGElement, kind: string, into: SVGGElement): Marker {
    const title = drawn('title');
    const label = drawn('text', { 'text-anchor': 'middle', y: 3.5 });
    const group = drawn('g', { class: kind }, title, shape, label);
    into.append(group);
    return { group, label, title };
  }
}

const doings = { idle: 'idle', approach: 'on the way to', wait: 'waits for', ride: 'drives' } as const;

function set({ group, label }: Marker, kind: string, text: string): void {
  group.setAttribute('class', kind);
  label.textContent = text;
}
