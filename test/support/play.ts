// Playing environments in tests.

import { createHash } from 'node:crypto';
import { Purpose, RandomStream, VectorDispatchEnv } from '#engine/index.js';
import type { VectorDispatchEnvOptions, World } from '#engine/index.js';

/** A legal action of environment e chosen by `stream`; now and then an illegal one, if `wild`. */
export function someAction(world: World, e: number, stream: RandomStream, wild: boolean): number {
  if (wild && stream.float() < 0.1) return stream.integer(-2, world.actions + 2);
  const legal: number[] = [];
  for (let a = 0; a < world.actions; a++) if (world.out.actionMasks[e * world.actions + a] === 1) legal.push(a);
  // Waiting less often than a uniform choice would, so that plans fill up.
  if (legal.length > 1 && stream.float() < 0.7) return legal[stream.integer(1, legal.length - 1)];
  return legal[stream.integer(0, legal.length - 1)];
}

/** SHA-256 of all outputs over `steps` steps under seeded actions that depend on the environment's own index alone. */
export function outputsHash(
  options: VectorDispatchEnvOptions,
  seed: number,
  steps: number,
  envs: readonly number[],
): string[] {
  const env = new VectorDispatchEnv(options);
  const { world } = env;
  const first = options.firstEnv ?? 0;
  const streams = Array.from({ length: env.numEnvs }, (_, e) => new RandomStream(seed, Purpose.action, first + e));
  const hashes = envs.map(() => createHash('sha256'));
  const actions = new Int32Array(env.numEnvs);
  env.reset({ seed });
  for (let t = 0; t <= steps; t++) {
    envs.forEach((e, k) => {
      for (const array of Object.values(world.out) as (Float32Array | Uint8Array)[]) {
        const width = array.length / env.numEnvs;
        hashes[k].update(
          new Uint8Array(
            array.buffer,
            array.byteOffset + e * width * array.BYTES_PER_ELEMENT,
            width * array.BYTES_PER_ELEMENT,
          ),
        );
      }
    });
    for (let e = 0; e < env.numEnvs; e++) actions[e] = someAction(world, e, streams[e], true);
    env.step(actions);
  }
  return hashes.map((hash) => hash.digest('hex'));
}
