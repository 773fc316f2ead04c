// Numbers in words, as they stand in tables on the terminal and on pages.

/** A share with one decimal, such as `12.3%`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

/** 1234567 as 1.23M */
export function short(value: number): string {
  const [unit, by] = value >= 1e6 ? ['M', 1e6] : value >= 1e3 ? ['k', 1e3] : ['', 1];
  const scaled = value / by;
  return `${unit === '' ? Math.round(scaled) : scaled.toPrecision(3)}${unit}`;
}

/** `45s`, `3m05s`, `2h07m` */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  return s < 60
    ? `${s}s`
    : s < 3600
      ? `${Math.floor(s / 60)}m${String(s % 60).padStart(2, '0')}s`
      : `${Math.floor(s / 3600)}h${String(Math.floor((s % 3600) / 60)).padStart(2, '0')}m`;
}
