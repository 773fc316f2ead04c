// The engine's public names; each has its documentation where it is defined.

export { observationBounds } from './bounds.js';
export type { ObservationBounds } from './bounds.js';
export { checkVectorEnv, checkedKinds } from './check-vector-env.js';
export type {
  CheckedKind,
  CheckedSpace,
  CheckVectorEnvOptions,
  EnvFinding,
  VectorEnvInfos,
  VectorEnvLike,
  VectorEnvStep,
} from './check-vector-env.js';
export { checkTrace } from './check-dataset.js';
export { adapt, compileScenario, levelAt } from './compile.js';
export type { CompiledScenario, Shifts } from './compile.js';
export { DispatchEnv } from './dispatch-env.js';
export type { DispatchEnvInfo, DispatchEnvOptions, DispatchEnvStep, EpisodeSummary } from './dispatch-env.js';
export { ENV_SNAPSHOT_VERSION } from './env-snapshot.js';
export type { EnvIdentity, EnvSnapshot } from './env-snapshot.js';
export { episodeSource } from './episode.js';
export type { EpisodeSource } from './episode.js';
export { EngineError } from './errors.js';
export type { EngineErrorCode } from './errors.js';
export { cosTurns, exp, log, wholePower } from './exact-math.js';
export { EventLog, eventKinds } from './event-log.js';
export type {
  DispatchEvent,
  EpisodeRecord,
  EventKind,
  LoggedAssignment,
  LoggedBooking,
  LoggedPlace,
  LoggedTick,
} from './event-log.js';
export { kpiMeaning, kpiNames, kpisOf, meanKpis } from './kpis.js';
export type { KpiName, Kpis } from './kpis.js';
export { allocate, layoutBytes, viewsOf } from './layout.js';
export type { FieldKind, LayoutOf, LayoutSpec } from './layout.js';
export { OptionCheck } from './check-options.js';
export { shown, shownJson } from './shown.js';
export type { Fault } from './check-options.js';
export { didYouMean, nearest } from './nearest-name.js';
export {
  BookingColumn,
  ContextColumn,
  DriverColumn,
  observationKinds,
  observationShape,
  observationSize,
} from './observation.js';
export type { ObservationKind, ObservationShape } from './observation.js';
export { PAIR_COLUMNS, PairColumn, PairWriter, pairColumns } from './pairs.js';
export { preset, presetMeaning, presetNames } from './presets.js';
export { Purpose, RandomStream, STREAM_WORDS, floatAt, nextFloat, nextInteger, seedStream } from './random.js';
export { weightedReward } from './reward.js';
export { actionCount } from './scenario.js';
export type {
  DayPart,
  DayProfile,
  DriverType,
  FareRewardSpec,
  FleetGroup,
  HotSpotSpec,
  MatrixTravelSpec,
  PlaneTravelSpec,
  PrebookedSpec,
  RewardWeights,
  Scenario,
  SkillSpec,
  SyntheticDemandSpec,
  TraceDemandSpec,
  WeightedRewardSpec,
} from './scenario.js';
export { NEVER } from './snapshot.js';
export type { PlannedBooking, Snapshot, SnapshotBooking, SnapshotDriver } from './snapshot.js';
export { splits } from './trace.js';
export type { Dataset, Split, Trace, TracePlaces } from './trace.js';
export { METRES_PER_DEGREE, planeExtent, toDegrees, toPlane } from './travel.js';
export type { MatrixTravel } from './travel.js';
export { validateScenario } from './validate.js';
export { Validator } from './validator.js';
export { BoxSpace, DiscreteSpace, MultiDiscreteSpace } from './spaces.js';
export { VectorDispatchEnv } from './vector-env.js';
export type {
  AutoresetMode,
  FinalPairs,
  ResetOptions,
  StepInfos,
  StepResult,
  VectorDispatchEnvOptions,
} from './vector-env.js';
export { World } from './world.js';
export { SUMS, Sum, outputSpec, stateSpec } from './world-layout.js';
export type { OutputViews, StateViews } from './world-layout.js';
export { secondsAfter, windowAt, windowStride } from './windows.js';
export type { Window } from './windows.js';
