// A study of four trials with two seeds each, of which every run takes a moment.

/** As a study file holds it. */
export const tinyStudy = {
  name: 'tiny',
  scenario: 'geneva',
  config: { steps: 384, numEnvs: 4, rolloutSteps: 32, hidden: [8], criticHidden: [8], minibatchSize: 64 },
  space: { learningRate: { float: [1e-4, 1e-1], log: true }, gamma: { choice: [0.9, 0.99] } },
  seeds: [1, 2],
  trials: 4,
  slots: 3,
  pruner: { minSteps: 128 },
  objective: { episodes: 4 },
};
