// The train room's public names.

export { Adam } from './adam.js';
export type { AdamState } from './adam.js';
export type {
  Algorithm,
  AlgorithmDefinition,
  AlgorithmSetup,
  Metrics,
  TrainingConfig,
  TrainingState,
} from './algorithm.js';
export { backendNames, defaultBackend, loadBackend, loadFastestBackend, tfjsNames } from './backend.js';
export type { Backend, BackendName, TfjsBackend } from './backend.js';
export type { Tensorflow } from './backends/tensorflow.js';
export type { TfjsName } from './backends/tfjs.js';
export {
  BEST_FILE,
  CHECKPOINT_FILE,
  checkWorld,
  policyOf,
  readCheckpoint,
  stateOf,
  weightsSha256,
  worldOf,
  writeCheckpoint,
} from './checkpoint.js';
export type { Checkpoint, Origin, RunSettings, Selection } from './checkpoint.js';
export { againstBest } from './compare.js';
export type { Comparison } from './compare.js';
export { settingDifferences } from './differences.js';
export type { SettingDifferences } from './differences.js';
export { checkDistillSettings, distill, distillDefaults, distillProgress } from './distill.js';
export type { DistillJob, DistillResult, DistillRound, DistillSettings } from './distill.js';
export { Dqn, dqnDefaults, dqnFields, dqnLoss } from './dqn.js';
export type { DqnConfig, DuelingBaseline, DuelingOptions, DqnLosses, DqnMetrics, DqnSamples, DqnState } from './dqn.js';
export { comparePolicies, verdictOn } from './comparison.js';
export type {
  ComparedEntry,
  ComparisonRequest,
  ComparisonResult,
  Contender,
  Difference,
  GuardState,
  Guardrail,
  RobustnessEntry,
  Verdict,
} from './comparison.js';
export { TrainError } from './errors.js';
export type { TrainErrorCode } from './errors.js';
export { exportFormats, exportNetworks } from './export.js';
export type { ExportFormat } from './export.js';
export { checkField, checkFields, defaultsOf } from './fields.js';
export type { Field, FieldTable, Fields } from './fields.js';
export { compatible, datasetSha256, identityOf, scenarioSha256, version } from './identity.js';
export type { DataIdentity, Identity } from './identity.js';
export { hindsightBounds, shareOfGap, whyNoHindsight } from './hindsight.js';
export type { HindsightRequest } from './hindsight.js';
export { checkFits, extended, networkSettings, schedulesOf } from './init.js';
export type { InitialPolicy } from './init.js';
export { defaultRunFolder, defaultSteps, resumable, runCheckpoint, runTraining } from './job.js';
export type { TrainingJob, TrainingResult } from './job.js';
export { Learner } from './learner.js';
export type { Batch, Outputs } from './learner.js';
export { CmaEs } from './cma-es.js';
export type { CmaEsOptions, CmaEsState } from './cma-es.js';
export { Linear, linearColumns, linearDefaults, linearFields } from './linear.js';
export type { LinearConfig, LinearMetrics, LinearState } from './linear.js';
export { Minibatch, shuffle } from './minibatch.js';
export { NStepQueue } from './n-step.js';
export type { TransitionSink } from './n-step.js';
export { Ppo, generalisedAdvantages, ppoDefaults, ppoFields, ppoLoss } from './ppo.js';
export type { PpoCoefficients, PpoConfig, PpoLosses, PpoMetrics, PpoSamples, PpoState } from './ppo.js';
export { explainedVariance } from './records.js';
export type { SavedViews } from './records.js';
export { algorithm, algorithmNames, defaultAlgorithm } from './registry.js';
export { Replay, ReplayBatch, bytesPerState } from './replay.js';
export type { ReplayCounters, ReplaySizes } from './replay.js';
export { RewardScale } from './reward-scale.js';
export type { RewardScaleState } from './reward-scale.js';
export { checkRunConfig, readRunConfig, runFields } from './run-config.js';
export type { RunConfigFile } from './run-config.js';
export { variantNames, variantOf } from './robustness.js';
export type { VariantName } from './robustness.js';
export { RunFolder } from './run-folder.js';
export { bootstrap, interquartileMean, probabilityOfImprovement } from './statistics.js';
export type { Interval, Returns } from './statistics.js';
export { selfCheck } from './self-check.js';
export type { Check } from './self-check.js';
export { SumTree } from './sum-tree.js';
export { actionMaskTensor, observationTensor, tensorOf } from './tensors.js';
export type { TensorSource } from './tensors.js';
export type { TrainableMlp } from './trainable-mlp.js';
export { shippedCard, shippedFolder, shippedNames } from './shipped.js';
export type { Gate, ModelCard } from './shipped.js';
export { machine } from './machine.js';
export type { Machine } from './machine.js';
export type { StartRecord } from './start.js';
export { crc32c, eventFileHeader, eventsUpTo, scalarEvent } from './event-file.js';
export { readRun } from './read-run.js';
export type { MetricsLine, RunRecord, RunState } from './read-run.js';
