// The policy room's public names.

export { Actor } from './actor.js';
export { AssignmentSolver } from './assignment.js';
export { argmax, logSumExp, sample } from './categorical.js';
export { BatchedHungarian, heuristic, heuristicNames, isHeuristic } from './heuristics.js';
export type { HeuristicName } from './heuristics.js';
export { halfWidth, studentQuantile } from './interval.js';
export { kernelMemory, learningKernel } from './learning-kernel.js';
export type { KernelMemory, LearningKernel } from './learning-kernel.js';
export { LinearRule, linearPresetFor } from './linear.js';
export { linearWeights } from './linear-weights.js';
export type { LinearPreset } from './linear-weights.js';
export { Lookahead, promising } from './lookahead.js';
export type { Estimate, Forecast, Forecasts, LookaheadOptions } from './lookahead.js';
export { LookaheadPolicy, likely } from './lookahead-policy.js';
export type { Chosen, LookaheadPolicyOptions, Weighed } from './lookahead-policy.js';
export { checkWeights, initialiseNetwork, networkKinds, networkLayout } from './network.js';
export type { Layer, NetworkKind, NetworkLayout, NetworkShape } from './network.js';
export { NetworkPolicy } from './network-policy.js';
export { OwnPolicy, isModule, loadOwnPolicy, ownPolicy, ownPolicyName } from './own-policy.js';
export type { OwnPolicyExport, OwnPolicySpec } from './own-policy.js';
export { worthOf } from './planner-arrays.js';
export { Planner } from './planner.js';
export { PolicyError } from './policy.js';
export type { Policy, PolicyErrorCode, Proposal, ProposingPolicy } from './policy.js';
export { SimdMlp } from './simd-mlp.js';
