// The public names of report: what is written for people and programs about what was simulated, trained and searched.

export { ReportError } from './errors.js';
export type { ReportErrorCode } from './errors.js';
export { EPISODE_FORMAT_VERSION, episodeLines } from './episode-lines.js';
export type { PlayedEpisode } from './episode-lines.js';
export { episodePage } from './episode-page.js';
export { episodeSvg } from './episode-svg.js';
export { episodeView } from './episode-view.js';
export { pageHtml, pageScript } from './page-html.js';
export type { PageLibrary, PageParts } from './page-html.js';
export type { EpisodeData, PageData } from './page-data.js';
export { readStudyReport } from './read-study.js';
export { boundsOf, episodeOf, shownRun } from './run-extras.js';
export type { BoundsRequest } from './run-extras.js';
export { runsPage } from './runs-page.js';
export type { RunsPageExtras } from './runs-page.js';
export { studyPage } from './study-page.js';
export type { StudyReport } from './study-page.js';
export type { BookingView, DriverView, EpisodeView, EventView, Fate, LegView, Point } from './view.js';
