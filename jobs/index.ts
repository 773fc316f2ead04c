// The jobs room's public names: studies over many runs.

export { JobsError } from './errors.js';
export type { JobsErrorCode } from './errors.js';
export { excess, meanFigure, rankedRows, rungResult } from './figures.js';
export { importances } from './importance.js';
export { LocalRunner } from './local-runner.js';
export type { LocalRunnerOptions } from './local-runner.js';
export { Schedule } from './schedule.js';
export type { RungResult, Task, Trial } from './schedule.js';
export { checkIdentity, portableWorld, runSlice, studyIdentity, worldFor } from './slice.js';
export type { Slice, SliceOptions, SliceProgress, SliceResult, SliceWorld, StudyIdentity } from './slice.js';
export type { ChoiceParameter, Condition, NumberParameter, Parameter, ParameterValue, Point, Space } from './space.js';
export { checkStudy, configOf, readStudy, samplerNames } from './study.js';
export type { Constraint, Objective, SamplerName, Study } from './study.js';
export { StudyFolder, runName, sliceKey, tableSha256, trialName } from './study-folder.js';
export type { SavedStudy, StudyTable, TrialRow } from './study-folder.js';
export { runStudy, slicesOf, tableSoFar } from './sweep.js';
export type { SliceRunner, SweepOptions, SweepProgress } from './sweep.js';
export { randomPoint, tpePoint } from './tpe.js';
export type { Observation } from './tpe.js';
export { Deliveries } from './boss.js';
export { QueueRunner } from './queue-runner.js';
export type { QueueRunnerOptions } from './queue-runner.js';
export { QueueStore, studyKey } from './queue-store.js';
export type { Claim, SavedFile, SliceKey, SliceState } from './queue-store.js';
export { runQueueWorker } from './queue-worker.js';
export type { QueueWorkerOptions } from './queue-worker.js';
