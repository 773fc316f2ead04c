// The frame of every report, of runs and of a study: title, style, the library of its charts, and the data of its code.

import { readFileSync } from 'node:fs';
import type { CurvesView } from './curves-view.js';
import { episodeData, episodeLine, episodeSections } from './episode-page.js';
import { ganttRules } from './episode-svg.js';
import { escaped } from './episode-view.js';
import { pageHtml } from './page-html.js';
import { uplot } from './uplot.js';
import type { EpisodeView } from './view.js';

/** What is said where the page's code does not run. */
export const noScript = '<noscript><p>The curves need JavaScript. The tables below them do not.</p></noscript>';

/** What a report is made of. */
export interface ReportParts {
  readonly title: string;
  /** Below the title. */
  readonly subtitle: string;
  /** HTML of the sections. */
  readonly sections: string;
  /** Drawn into the frames that are in `sections`. */
  readonly curves: CurvesView | null;
  /** Shown after the sections, on a map; null for none. */
  readonly episode: EpisodeView | null;
  /** As of `PageData`; null for a file. */
  readonly askMs: number | null;
}

/** The page as HTML. */
export function reportHtml({ title, subtitle, sections, curves, episode, askMs }: ReportParts): string {
  const style = readFileSync(new URL('../../report/page/report.css', import.meta.url), 'utf8');
  return pageHtml({
    title,
    style: episode === null ? style : `${style}${ganttRules}`,
    data: { curves, episode: episode === null ? null : episodeData(episode, 'stage'), askMs },
    library: uplot(),
    body: `<header>
<h1>${escaped(title)}</h1>
<p>${escaped(subtitle)}</p>
</header>
${askMs === null ? '' : '<p id="live" role="status">Live: this page follows the command.</p>\n'}<main>
${sections}
${episode === null ? '' : episodeHtml(episode)}
</main>`,
  });
}

function episodeHtml(view: EpisodeView): string {
  return `<section>
<h2>Episode ${escaped(view.id)}, played by ${escaped(view.policy)}</h2>
<p>${escaped(episodeLine(view))} Keys count while the focus is on the map's buttons.</p>
</section>
${episodeSections(view)}`;
}
