// What is known of the servers that this process has talked to: whether they have the setting `transaction_timeout`, which
// PostgreSQL knows from 17 on. To name it at the start of a session is an error before that.

const SINCE_MAJOR = 17;
/** By host and port. */
const known = new Map<string, boolean>();

function hostOf(url: string): string {
  return new URL(url).host;
}

/** A server has told its version (`server_version`, such as `18.1` or `15.14 (Debian ...)`). */
export function noteVersion(url: string, version: string): void {
  const major = Number.parseInt(version, 10);
  if (Number.isSafeInteger(major)) known.set(hostOf(url), major >= SINCE_MAJOR);
}

/** Whether the server has `transaction_timeout`; undefined where nobody has asked it yet. */
export function hasTransactionTimeout(url: string): boolean | undefined {
  return known.get(hostOf(url));
}
