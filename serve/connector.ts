// How an act reaches the world: whatever drives the company's own system. A connector is called only after the intent has
// been committed, and with a key under which it must act at most once.

import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AuditError } from '../audit/index.js';
import { ServeError } from './errors.js';

export interface Delivery {
  /** The same for every try of one act. */
  readonly key: string;
  readonly type: 'assign';
  readonly companyId: number;
  readonly actionId: number;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Connector {
  readonly name: string;
  /** True if nothing is to be done but to put it on record. */
  readonly dryRun: boolean;
  /**
   * Delivers; throws if it certainly was not taken, and AuditError `ERR_ACT_UNKNOWN` if that is not known.
   * @param mayGoOn is asked before each further try: the kill switch stops what is delivered again
   */
  deliver(delivery: Delivery, signal: AbortSignal, mayGoOn: () => Promise<boolean>): Promise<void>;
}

/** Does nothing: every act goes on record as a dry run. */
export const dryRunConnector: Connector = {
  name: 'dry-run',
  dryRun: true,
  deliver: () => Promise.resolve(),
};

interface Refused {
  readonly reason: string;
  readonly final: boolean;
  /** It may have been taken all the same. */
  readonly uncertain: boolean;
}

/** Nothing has been sent yet. */
const UNREACHED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'];

export interface WebhookOptions {
  readonly url: string;
  /** Shared with the receiver, 16 characters or more. */
  readonly secret: string;
  /** Tries in all, default 4. */
  readonly tries?: number;
  /** Milliseconds before the second try, doubled each time; default 200. */
  readonly backoffMs?: number;
}

/**
 * Posts acts, signed in the manner of Standard Webhooks (headers webhook-id, -timestamp, -signature: HMAC-SHA-256 over
 * "id.timestamp.body"), again on 408, 429, 5xx and broken connections. The receiver must take an id once.
 */
export class WebhookConnector implements Connector {
  readonly name = 'webhook';
  readonly dryRun = false;
  readonly #url: string;
  readonly #secret: string;
  readonly #tries: number;
  readonly #backoffMs: number;

  /** @throws ServeError `ERR_SERVICE` */
  constructor({ url, secret, tries = 4, backoffMs = 200 }: WebhookOptions) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new ServeError('ERR_SERVICE', `the webhook's URL is ${JSON.stringify(url)}: expected http:// or https://`);
    }
    if (secret.length < 16) {
      throw new ServeError('ERR_SERVICE', `the webhook's secret has ${secret.length} characters: 16 at least`);
    }
    this.#url = url;
    this.#secret = secret;
    this.#tries = tries;
    this.#backoffMs = backoffMs;
  }

  async deliver(
    { key, type, companyId, actionId, data }: Delivery,
    signal: AbortSignal,
    mayGoOn: () => Promise<boolean> = () => Promise.resolve(true),
  ): Promise<void> {
    const body = JSON.stringify({ type, company_id: companyId, action_id: actionId, data });
    let uncertain = false;
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#post(key, body, signal);
      if (answer === 'taken') return;
      uncertain ||= answer.uncertain;
      const message = `the webhook ${answer.reason}${attempt === 1 ? '' : `, in ${attempt} tries`}`;
      if (answer.final || attempt >= this.#tries) throw ended(message, uncertain);
      await sleep(this.#backoffMs * 2 ** (attempt - 1), undefined, { signal });
      if (!(await mayGoOn()))
        throw ended(`${message}; the kill switch, or a database that is gone, ends it`, uncertain);
    }
  }

  async #post(key: string, body: string, signal: AbortSignal): Promise<'taken' | Refused> {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', this.#secret).update(`${key}.${timestamp}.${body}`).digest('base64');
    let response;
    try {
      response = await fetch(this.#url, {
        method: 'POST',
        body,
        signal,
        redirect: 'error',
        headers: {
          'content-type': 'application/json',
          'webhook-id': key,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${signature}`,
        },
      });
    } catch (error) {
      if (signal.aborted) throw error;
      const { cause } = error as { cause?: { code?: string } };
      const code = cause?.code ?? (error as Error).message;
      return { reason: `could not be reached (${code})`, final: false, uncertain: !UNREACHED.includes(code) };
    }
    await response.body?.cancel();
    if (response.ok) return 'taken';
    const again = response.status === 408 || response.status === 429 || response.status >= 500;
    return { reason: `answered ${response.status}`, final: !again, uncertain: response.status >= 500 };
  }
}

/** @param uncertain one of the tries may have been taken: whether the act happened is not known */
function ended(message: string, uncertain: boolean): Error {
  return uncertain ? new AuditError('ERR_ACT_UNKNOWN', message) : new Error(message);
}
