// The file that each thread of `Background` loads.

import { workerData } from 'piscina';
import { AdviseError, analyze, Policies, Recommender, unpack } from '../advise/index.js';
import type { RecommendRequest } from '../advise/index.js';
import type { Reply, Setup, Task } from './background.js';

const { networks, base, version } = workerData as Setup;
const recommender = new Recommender(new Policies(networks, base), version);

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
