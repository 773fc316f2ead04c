export const rooms: Readonly<Record<string, readonly string[]>>;
export const boundaries: readonly object[];
