// The page of an episode: an animated map with its controls and counters, the drivers' day, and a table of all events. One file that
// asks for nothing from outside.

import { gantt, ganttRules, ganttScale } from './episode-svg.js';
import { episodeView, escaped } from './episode-view.js';
import type { PlayedEpisode } from './episode-lines.js';
import type { EpisodeData } from './page-data.js';
import type { EpisodeView } from './view.js';
import { pageHtml } from './page-html.js';

/** Speeds to choose from, in seconds of the episode a second. */
const speeds = [60, 120, 300, 600, 1800];
const NORMAL_SPEED = 300;

/** Names of the counters, in order, with what they count. */
const counters: readonly (readonly [string, string, string])[] = [
  ['return', 'Return', 'reward so far, by tick'],
  ['created', 'Bookings', 'known so far'],
  ['open', 'Open', 'nobody comes yet'],
  ['promised', 'Promised', 'assigned, not picked up'],
  ['onBoard', 'On board', 'picked up, not there yet'],
  ['completed', 'Completed', 'dropped off'],
  ['expired', 'Expired', 'window ended while open'],
  ['refused', 'Refused', 'no slot, or not taken'],
];

/** The page as HTML. */
export function episodePage(played: PlayedEpisode): string {
  const view = episodeView(played);
  const title = `${view.scenario}, episode ${view.id}, policy ${view.policy}`;
  return pageHtml({
    title,
    style: ganttRules,
    data: { curves: null, episode: episodeData(view, 'page'), askMs: null },
    body: `<header>
<h1>${escaped(title)}</h1>
<p>${escaped(episodeLine(view))}</p>
</header>
<main>
<noscript><p>The map and the table of events need JavaScript. The drivers' day below does not.</p></noscript>
${episodeSections(view)}
</main>`,
  });
}

/** What the page's code shows of an episode. */
export function episodeData(view: EpisodeView, keys: EpisodeData['keys']): EpisodeData {
  return { view, scale: ganttScale(view), keys };
}

/** What there is to say of an episode at once. */
export function episodeLine(view: EpisodeView): string {
  return `Return ${view.return.toFixed(2)}. ${view.drivers.length} drivers, ${view.bookings.length} bookings, seed ${view.seed}.`;
}

/** The frames that the page's code fills, as HTML; once in a page. */
export function episodeSections(view: EpisodeView): string {
  const { left, height } = ganttScale(view);
  const now = `<line class="now" id="now" x1="${left}" x2="${left}" y1="80" y2="${height - 30}"/>\n</svg>`;
  return `<section class="stage" id="stage" aria-labelledby="map-title">
<div class="left">
<h2 id="map-title">Map</h2>
<div id="map-frame"><svg id="map" width="100%" role="img" aria-label="Map of drivers and bookings at the time below; the table of events tells the same"></svg></div>
<div class="controls" role="group" aria-label="Time">
<button type="button" id="play" class="main">Play</button>
<button type="button" id="back" aria-label="One tick back">&#8592; tick</button>
<button type="button" id="forward" aria-label="One tick on">tick &#8594;</button>
<label>Speed <select id="speed">${speeds.map((speed) => `<option value="${speed}"${speed === NORMAL_SPEED ? ' selected' : ''}>${speed / 60} min/s</option>`).join('')}</select></label>
<output id="clock" for="time" aria-live="off"></output>
<input type="range" id="time" min="0" step="1" value="0" aria-label="Time">
</div>
<p class="keys">Keys: <kbd>Space</kbd> plays and pauses, <kbd>&#8592;</kbd> <kbd>&#8594;</kbd> a tick, <kbd>Home</kbd> <kbd>End</kbd>, <kbd>+</kbd> <kbd>-</kbd> speed.</p>
</div>
<div class="right">
<h2>Now</h2>
<dl class="counters">
${counters.map(([id, name, meaning]) => `<div><dt>${name}</dt><dd id="count-${id}"></dd><dd class="meaning">${meaning}</dd></div>`).join('\n')}
</dl>
<h2>Legend</h2>
<ul class="legend">
${legend.map(([drawing, text]) => `<li><svg width="26" height="26" viewBox="-13 -13 26 26" aria-hidden="true">${drawing}</svg>${text}</li>`).join('\n')}
</ul>
</div>
</section>
<section>
<h2 id="day-title">The drivers' day</h2>
<div class="wide" tabindex="0" role="region" aria-label="Picture of the drivers' day">
${gantt(view).replace(/<\/svg>$/, now)}
</div>
</section>
<section>
<h2 id="events-title">Events</h2>
<div class="filters">
<label>What <select id="event-kind"><option value="">everything</option></select></label>
<label>Driver <select id="event-driver"><option value="">all</option></select></label>
<span id="event-count" role="status"></span>
</div>
<div class="tall" tabindex="0" role="region" aria-label="Table of events">
<table>
<thead><tr><th scope="col">Time</th><th scope="col">What</th><th scope="col">Booking</th><th scope="col">Driver</th><th scope="col">More</th></tr></thead>
<tbody id="events"></tbody>
</table>
</div>
</section>`;
}

const circle = (kind: string, text: string): string =>
  `<g class="booking ${kind}"><circle r="9"/><text text-anchor="middle" y="3.5">${text}</text></g>`;
const square = (kind: string): string =>
  `<g class="driver ${kind}"><rect x="-9" y="-9" width="18" height="18" rx="4"/><text text-anchor="middle" y="3.5">7</text></g>`;

const legend: readonly (readonly [string, string])[] = [
  [circle('open calm', '40'), 'open booking, with minutes left: 15 or more'],
  [circle('open soon', '9'), 'less than 15'],
  [circle('open urgent', '3'), 'less than 5'],
  [circle('promised', '7'), 'promised pickup, with its driver'],
  [circle('promised late', '7'), 'the same, after its window'],
  [square('idle'), 'driver, idle'],
  [square('approach'), 'on the way to a pickup, or waiting there'],
  [square('ride'), 'with passengers'],
  [square('idle emergency'), 'EMERGENCY driver: thick edge'],
];
