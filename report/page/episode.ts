// An episode: map, counters, the drivers' day, and the table of events, all at one second.

import { byId } from './dom.js';
import { EpisodeMap } from './map.js';
import { Moments, clock } from './moment.js';
import { Player } from './player.js';
import { eventTable } from './table.js';
import type { EpisodeData } from '../page-data.js';

/** Tallest map, as a share of the window. */
const TALLEST = 0.68;

/** Brings the parts of an episode to life. */
export function showEpisode({ view, scale, keys }: EpisodeData): void {
  const moments = new Moments(view);
  const svg = byId<SVGSVGElement>('map');
  const frame = byId<HTMLElement>('map-frame');
  const map = new EpisodeMap(svg, moments);
  const line = byId<SVGLineElement>('now');
  let shown = 0;

  function show(second: number): void {
    shown = second;
    map.show(second);
    byId('clock').textContent = clock(view, second);
    const { return: earned, ...counts } = moments.counts(second);
    byId('count-return').textContent = earned.toFixed(2);
    for (const [name, count] of Object.entries(counts)) byId(`count-${name}`).textContent = String(count);
    const x = scale.left + (scale.width * second) / view.horizonSeconds;
    line.setAttribute('x1', String(x));
    line.setAttribute('x2', String(x));
  }

  function resize(): void {
    const width = frame.clientWidth;
    const height = map.heightFor(width, Math.max(280, innerHeight * TALLEST));
    svg.setAttribute('height', String(height));
    map.resize(width, height);
    map.show(shown);
  }

  resize();
  const player = new Player({
    horizonSeconds: view.horizonSeconds,
    tickSeconds: view.tickSeconds,
    show,
    keys: keys === 'page' ? document : byId<HTMLElement>('stage'),
    tell: (second) => clock(view, second),
  });
  eventTable(moments, (second) => player.seek(second));
  new ResizeObserver(resize).observe(frame);
}
