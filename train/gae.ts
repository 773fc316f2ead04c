// Advantages from rewards and values.

/**
 * Generalised advantage estimation, written into `advantages` (Schulman et al. 2016, eq. 16).
 * @param steps       T
 * @param envs        n
 * @param rewards     `[T, n]` undiscounted
 * @param values      `[T + 1, n]`; the last row is the value of the observation after the last step
 * @param terminated  `[T, n]` 0/1: no future
 * @param truncated   `[T, n]` 0/1: cut; the future is worth `finalValues`
 * @param finalValues `[T, n]` value of the final observation where truncated
 * @param advantages  `[T, n]` output
 */
export function generalisedAdvantages(
  steps: number,
  envs: number,
  rewards: Float32Array,
  values: Float32Array,
  terminated: Uint8Array,
  truncated: Uint8Array,
  finalValues: Float32Array,
  gamma: number,
  lambda: number,
  advantages: Float32Array,
): void {
  for (let e = 0; e < envs; e++) {
    let advantage = 0;
    for (let t = steps - 1; t >= 0; t--) {
      const p = t * envs + e;
      // values[p + envs] belongs to the next episode if this one ended here.
      const next = terminated[p] === 1 ? 0 : truncated[p] === 1 ? finalValues[p] : values[p + envs];
      const goesOn = terminated[p] === 1 || truncated[p] === 1 ? 0 : 1;
      advantage = rewards[p] + gamma * next - values[p] + gamma * lambda * goesOn * advantage;
      advantages[p] = advantage;
    }
  }
}
