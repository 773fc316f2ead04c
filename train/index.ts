// The train room's public names.

export { Adam } from './adam.js';
export type { AdamState } from './adam.js';
export { backendNames, loadBackend, loadFastestBackend } from './backend.js';
export type { Backend, BackendName, Tensorflow } from './backend.js';
export {
  CHECKPOINT_FILE,
  checkWorld,
  policyOf,
  readCheckpoint,
  weightsSha256,
  worldOf,
  writeCheckpoint,
} from './checkpoint.js';
export type { Checkpoint, RunSettings } from './checkpoint.js';
export { againstBest } from './compare.js';
export type { Comparison } from './compare.js';
export { TrainError } from './errors.js';
export type { TrainErrorCode } from './errors.js';
export { generalisedAdvantages } from './gae.js';
export { compatible, datasetSha256, identityOf, scenarioSha256, version } from './identity.js';
export type { DataIdentity, Identity } from './identity.js';
export { defaultRunFolder, defaultSteps, resumable, runCheckpoint, runTraining } from './job.js';
export type { TrainingJob, TrainingResult } from './job.js';
export { Learner } from './learner.js';
export type { Minibatch, UpdateResult } from './learner.js';
export { Ppo, explainedVariance, ppoDefaults } from './ppo.js';
export type { PpoConfig, PpoMetrics, PpoState } from './ppo.js';
export { ppoLoss } from './ppo-loss.js';
export type { PpoCoefficients, PpoLosses, PpoSamples } from './ppo-loss.js';
export { RewardScale } from './reward-scale.js';
export { RunFolder } from './run-folder.js';
export { selfCheck } from './self-check.js';
export type { Check } from './self-check.js';
export { TfjsMlp } from './tfjs-mlp.js';
export type { TrainableMlp } from './trainable-mlp.js';
