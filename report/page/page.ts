// Where a page's code begins: it draws what the page has, and keeps a page that is served up to date.

import { drawCurves } from './curves.js';
import { pageData } from './dom.js';
import { showEpisode } from './episode.js';
import { follow } from './live.js';
import type { PageData } from '../page-data.js';

const page = pageData<PageData>();
const takeAway = page.curves === null ? () => undefined : drawCurves(page.curves);
if (page.episode !== null) showEpisode(page.episode);
if (page.askMs !== null) follow(page.askMs, takeAway);
