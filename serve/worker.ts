// The entry point of the threads of `background.ts`.

import { workerData } from 'piscina';
import { AdviseError, analyze, Policies, Recommender, unpack } from '../advise/index.js';
import type { RecommendRequest } from '../advise/index.js';
import type { Reply, Setup, Task } from './background.js';

const { networks, base, version } = workerData as Setup;
const recommender = new Recommender(new Policies(networks, base), version);

/** Computes one task. An AdviseError is returned as a plain object; any other error rejects the task. */
export default function answer(task: Task): Reply {
  const request = unpack(task.packed) as RecommendRequest;
  try {
    if ('plan' in task) return { done: analyze(recommender, request, task.plan) };
    if ('shipment' in task) return { done: recommender.candidates(request, task.shipment) };
    return { done: recommender.recommend(request, task.context) };
  } catch (error) {
    if (!(error instanceof AdviseError)) throw error;
    const { code, message, path, faults } = error;
    return { error: { code, message, path, faults } };
  }
}
