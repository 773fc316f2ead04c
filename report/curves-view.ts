// What curves are drawn from, as types alone: the page's code (report/page) runs in a browser and imports nothing else of ours.

/** One run in a chart, or the mean over replicates. `[points]` each; null where there is nothing. */
export interface CurveView {
  /** Number of the group in `CurvesView.groups`. */
  readonly group: number;
  readonly mean: readonly (number | null)[];
  /** Lowest and highest of the replicates; null of a single run. */
  readonly range: { readonly low: readonly (number | null)[]; readonly high: readonly (number | null)[] } | null;
}

/** One figure over environment steps. */
export interface ChartView {
  /** Name in metrics.jsonl. */
  readonly key: string;
  readonly title: string;
  /** Section of the page. */
  readonly section: 'learning' | 'losses' | 'other';
  /** Environment steps, ascending. */
  readonly steps: readonly number[];
  readonly curves: readonly CurveView[];
}

/** All charts of a page. */
export interface CurvesView {
  /** Names of runs, or of the replicates that are drawn as one. */
  readonly groups: readonly string[];
  /** Lengths of strokes and gaps of a line: the first eight curves have the first of these, the next eight the second, and so on. */
  readonly dashes: readonly (readonly number[])[];
  /** Whether a point may be the mean of several iterations. */
  readonly isThinned: boolean;
  readonly charts: readonly ChartView[];
}
