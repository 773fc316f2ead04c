// JSON has no infinity, and scenarios have two fields that may hold it: in files it is the word "Infinity".

/** For `JSON.stringify`. */
export function infinityToWord(_key: string, value: unknown): unknown {
  return value === Infinity ? 'Infinity' : value;
}

/** For `JSON.parse`. */
export function wordToInfinity(_key: string, value: unknown): unknown {
  return value === 'Infinity' ? Infinity : value;
}
