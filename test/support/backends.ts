// The backends that load here. One that does not is reported loudly with its reason; where CI has built
// tfjs-node (FLEETSTEP_NEEDS_TFJS_NODE=1), its absence is a failure.

import { backendNames, loadBackend, tfjsNames } from '#train/index.js';
import type { BackendName, TfjsName } from '#train/index.js';

export const loadable: BackendName[] = [];
for (const name of backendNames) {
  try {
    await loadBackend(name);
    loadable.push(name);
  } catch (error) {
    const optional = name === 'simd-relaxed' ? process.versions.node.startsWith('20.') : name === 'tensorflow';
    if (!optional || (name === 'tensorflow' && process.env['FLEETSTEP_NEEDS_TFJS_NODE'] === '1')) throw error;
    console.warn(`SKIPPED: learning tests on ${(error as Error).message}`);
  }
}

/** Those on TensorFlow.js. */
export const loadableTfjs: TfjsName[] = tfjsNames.filter((name) => loadable.includes(name));
