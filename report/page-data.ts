// What a page's code finds in its element `data`, as types alone: the page's code (report/page) runs in a browser and imports nothing
// else of ours.

import type { CurvesView } from './curves-view.js';
import type { EpisodeView } from './view.js';

/** An episode, and where in the drivers' day its seconds lie. */
export interface EpisodeData {
  readonly view: EpisodeView;
  readonly scale: { readonly left: number; readonly width: number };
  /** Where its keys count: on the whole page, or on the map and its buttons, where the page has more than the episode. */
  readonly keys: 'page' | 'stage';
}

/** All that a page shows by code; null for what it does not have. */
export interface PageData {
  readonly curves: CurvesView | null;
  readonly episode: EpisodeData | null;
  /** Milliseconds between questions to whoever serves the page whether there is a newer one; null for a file. */
  readonly askMs: number | null;
}
