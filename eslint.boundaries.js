// Which room may import which: the table of rooms in the architecture page, held by the linter. Rooms that are not listed
// (cli, bench, test) may import all.

/** For each room, the rooms that it may import beside itself. */
export const rooms = {
  engine: [],
  policy: ['engine'],
  files: [],
  trips: ['engine', 'files'],
  workers: ['engine', 'policy'],
  train: ['engine', 'policy', 'workers', 'trips', 'files'],
  jobs: ['engine', 'policy', 'workers', 'trips', 'files', 'train'],
  bridge: ['engine', 'files', 'trips', 'workers'],
  report: ['engine', 'policy', 'workers', 'files', 'train', 'jobs'],
  verify: ['files'],
  routing: ['engine'],
  audit: [],
  advise: ['engine', 'policy', 'routing'],
  serve: ['engine', 'policy', 'advise', 'audit'],
};

const all = [...Object.keys(rooms), 'cli', 'bench', 'test'];

/** One block of the configuration for each room. */
export const boundaries = Object.entries(rooms).map(([room, allowed]) => {
  const others = all.filter((other) => other !== room && !allowed.includes(other)).join('|');
  const message = `${room}/ may import ${allowed.length === 0 ? 'no other room' : allowed.map((one) => `${one}/`).join(', ')}: see eslint.boundaries.js.`;
  const regex = `^(?:(?:\\.\\./)+|#|fleetstep/)(?:${others})(?:/|$)`;
  return {
    files: [`${room}/**/*.ts`],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ regex, message }] }],
      'no-restricted-syntax': [
        'error',
        { selector: `ImportExpression > Literal[value=/${regex.replaceAll('/', '\\u002F')}/]`, message },
      ],
    },
  };
});
