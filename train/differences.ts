// How the settings of runs differ, by the paths of members in config.json. Knows plain values alone.

/** Settings that are not the same in all runs, by their path in config.json, such as `config.gamma`: one value for each run. */
export type SettingDifferences = Readonly<Record<string, readonly unknown[]>>;

/** What differs between runs; null for a run that does not have a setting. */
export function settingDifferences(runs: readonly { readonly config: unknown }[]): SettingDifferences {
  const flat = runs.map(({ config }) => flattened(config));
  const names = new Set(flat.flatMap((one) => [...one.keys()]));
  const entries = [...names].map((name): [string, unknown[]] => [name, flat.map((one) => one.get(name) ?? null)]);
  return Object.fromEntries(
    entries.filter(([, values]) => new Set(values.map((value) => JSON.stringify(value))).size > 1),
  );
}

/** Members of members by their paths, such as `config.gamma`; lists are values. */
export function flattened(value: unknown, path = ''): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Map([[path, value]]);
  return new Map(
    Object.entries(value).flatMap(([name, member]) => [...flattened(member, path === '' ? name : `${path}.${name}`)]),
  );
}
