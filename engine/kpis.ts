// What an episode is evaluated by, besides its return. One row of numbers per episode, in this order.

/** Names of the figures, in the order of a row. */
export const kpiNames = [
  'created',
  'accepted',
  'completed',
  'expired',
  'refused',
  'openAtEnd',
  'serviceRate',
  'onTimeRate',
  'meanWaitMinutes',
  'meanLatenessMinutes',
  'meanApproachKm',
  'emptyShare',
  'utilisation',
  'loadStd',
  'invalidActions',
  'decisions',
] as const;

/** Name of a figure. */
export type KpiName = (typeof kpiNames)[number];
/** The figures of an episode, or their means; `kpiMeaning` has units and definitions. */
export type Kpis = Readonly<Record<KpiName, number>>;

/** What each figure means, for tables and help. */
export const kpiMeaning: Readonly<Record<KpiName, string>> = {
  created: 'bookings that became known',
  accepted: 'bookings given to a driver',
  completed: 'bookings dropped off within the horizon',
  expired: 'bookings whose window ended before they were assigned',
  refused: 'bookings that found no free slot, or were not taken in their tick',
  openAtEnd: 'bookings still open at the end',
  serviceRate: 'accepted / created',
  onTimeRate: 'pickups planned within the window / accepted',
  meanWaitMinutes: 'from known to pickup, over accepted',
  meanLatenessMinutes: 'pickup after the window, over accepted',
  meanApproachKm: 'empty kilometres to a pickup, over accepted',
  emptyShare: 'empty metres / all metres',
  utilisation: 'driving and serving seconds / driver seconds of the horizon',
  loadStd: 'standard deviation of bookings per driver',
  invalidActions: 'illegal actions, taken as waits',
  decisions: 'steps of the episode',
};

/** Row `row` of a `[rows, kpiNames.length]` table (such as `episodeKpis`), by name. */
export function kpisOf(table: Float64Array, row: number): Kpis {
  return Object.fromEntries(kpiNames.map((name, k) => [name, table[row * kpiNames.length + k]])) as unknown as Kpis;
}

/** The mean of each figure over `rows`. An empty list gives NaN. */
export function meanKpis(rows: readonly Kpis[]): Kpis {
  return Object.fromEntries(
    kpiNames.map((name) => [name, rows.reduce((sum, row) => sum + row[name], 0) / rows.length]),
  ) as unknown as Kpis;
}
