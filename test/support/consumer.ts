// A program of somebody who has installed the package: it names types of every entry, and uses some of them.
// `scripts/try-package.js` compiles it in an empty project; here it is linted and checked along with the tests.

import { AdviseError, Policies, Recommender, checkRequest } from 'fleetstep/advise';
import type { Answer, Assignment, RecommendRequest } from 'fleetstep/advise';
import { AuditError, Recorder, openDatabase, verify } from 'fleetstep/audit';
import type { Act, Database, Intent, VerifyResult } from 'fleetstep/audit';
import { BridgeError, serveEnvironments } from 'fleetstep/bridge';
import { VectorDispatchEnv, compileScenario, kpisOf, preset } from 'fleetstep/engine';
import type { CompiledScenario, Kpis, Scenario, StepResult, World } from 'fleetstep/engine';
import { SealError, writeFileAtomic } from 'fleetstep/files';
import { Schedule, checkStudy } from 'fleetstep/jobs';
import type { Study } from 'fleetstep/jobs';
import { heuristic } from 'fleetstep/policy';
import type { HeuristicName, Policy } from 'fleetstep/policy';
import { KeyRing, Service, dryRunConnector } from 'fleetstep/serve';
import type { Caller, Connector, ServerOptions } from 'fleetstep/serve';
import { episodeLines } from 'fleetstep/report';
import type { PlayedEpisode } from 'fleetstep/report';
import { solve } from 'fleetstep/routing';
import type { RoutingPlan, RoutingProblem } from 'fleetstep/routing';
import { createServer } from 'fleetstep/serve/server';
import { Ppo, algorithm, loadBackend } from 'fleetstep/train';
import type { Algorithm, Backend, TrainingConfig, TrainingJob } from 'fleetstep/train';
import { importOwnTrips, loadScenario } from 'fleetstep/trips';
import type { ImportResult, ScenarioRequest } from 'fleetstep/trips';
import { VerifyError, verifyLog } from 'fleetstep/verify';
import type { Finding, VerifiedLog } from 'fleetstep/verify';
import { evaluatePolicies } from 'fleetstep/workers';
import type { Evaluation, EvaluationRequest } from 'fleetstep/workers';

export const compiled: CompiledScenario = compileScenario(preset('geneva'));
export const scenario: Scenario = compiled.scenario;
export const env: VectorDispatchEnv = new VectorDispatchEnv({ scenario: compiled, numEnvs: 2 });
env.reset({ seed: 1 });
export const result: StepResult = env.step(new Int32Array(2));
export const kpis: Kpis = kpisOf(result.infos.episodeKpis, 0);

export const name: HeuristicName = 'hungarian';
export const made: Policy = heuristic(name);
export class Own implements Policy {
  readonly name = 'own';
  act(world: World, from: number, to: number, actions: Int32Array): void {
    made.act(world, from, to, actions);
  }
}

export const recommend = (request: RecommendRequest): Answer =>
  new Recommender(new Policies([]), '1').recommend(request, { decisionId: 'a', stateHash: 'b' });
export const first = (answer: Answer): Assignment | undefined => answer.assignments[0];
export const prove = async (database: Database): Promise<VerifyResult> => verify(database);
export const act = async (recorder: Recorder, intent: Intent): Promise<Act<string>> =>
  recorder.act(intent, () => 'done');
export const evaluate = async (request: EvaluationRequest): Promise<Evaluation[]> => evaluatePolicies(request);
export const open = async (request: ScenarioRequest): Promise<[CompiledScenario, Database]> => [
  loadScenario(request),
  await openDatabase({}),
];
export const proved = (episode: PlayedEpisode): VerifiedLog => verifyLog(episodeLines(episode, 'mine'));
export const wrong = (log: VerifiedLog): Finding | undefined => log.findings[0];
export const study = (file: unknown): Study => checkStudy(file, 'study.json');
export const backend: Promise<Backend> = loadBackend('cpu');
export type Everything = [Algorithm, TrainingConfig, TrainingJob, ImportResult, Caller, Connector, ServerOptions];
export const values: readonly unknown[] = [
  ...[BridgeError, serveEnvironments],
  ...[AdviseError, AuditError, KeyRing, Ppo, SealError, Service, VerifyError, algorithm, checkRequest, createServer],
  ...[Schedule, dryRunConnector, importOwnTrips, writeFileAtomic],
];

export const routed = (problem: RoutingProblem): RoutingPlan =>
  solve(problem, { seed: 1, turns: 100, isOver: () => false });
