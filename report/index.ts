// The public names of report: what is written for people and programs about what was simulated.

export { EPISODE_FORMAT_VERSION, episodeLines } from './episode-lines.js';
export type { PlayedEpisode } from './episode-lines.js';
