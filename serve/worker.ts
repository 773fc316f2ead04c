// The entry point of the threads of `background.ts`.

import { workerData } from 'piscina';
import { AdviseError, analyze, planVroom, Policies, Recommender, unpack } from '../advise/index.js';
import { loadOwnPolicy } from '../policy/index.js';
import type { RecommendRequest } from '../advise/index.js';
import type { Reply, Setup, Task } from './background.js';

const { networks, base, own, version, loaded } = workerData as Setup;
for (const spec of own) await loadOwnPolicy(spec);
const policies = new Policies(networks, base, own);
const recommender = new Recommender(policies, version);

/** Computes one task. An AdviseError is returned as a plain object; any other error rejects the task. */
export default function answer(task: Task): Reply {
  const body = unpack(task.packed);
  try {
    if ('form' in task) return { done: planVroom(body) };
    const request = body as RecommendRequest;
    if ('plan' in task) return { done: analyze(recommender, request, task.plan) };
    if ('shipment' in task) return { done: recommender.candidates(request, task.shipment) };
    const faults: string[] = [];
    policies.report = (fault) => void faults.push(fault);
    return { done: recommender.recommend(request, task.context), faults };
  } catch (error) {
    if (!(error instanceof AdviseError)) throw error;
    const { code, message, path, faults } = error;
    return { error: { code, message, path, faults } };
  }
}

Atomics.add(loaded, 0, 1);
