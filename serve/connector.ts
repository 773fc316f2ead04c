// Connectors deliver actions to the company's own system. A connector is called only after the intent has been committed, and
// with a key under which the receiver must carry out the action at most once.

import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AuditError } from '../audit/index.js';
import { ServeError } from './errors.js';

/** An action to deliver. */
export interface Delivery {
  /** Idempotency key: the same for every try of one action. */
  readonly key: string;
  /** Type of the action. */
  readonly type: 'assign';
  /** Company that the action belongs to. */
  readonly companyId: number;
  /** Id of the action on record. */
  readonly actionId: number;
  /** Members of the webhook's `data`: decision, shipment, vehicle, times in seconds on the request's clock. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Delivers actions. */
export interface Connector {
  /** Name for the dashboard. */
  readonly name: string;
  /** True if actions are only recorded, as dry runs. */
  readonly dryRun: boolean;
  /**
   * Delivers an action; resolves once the receiver has accepted it.
   * @param delivery the action
   * @param signal   aborts at the action's deadline
   * @param mayGoOn  is asked before each further try, so that the kill switch stops retries
   * @throws AuditError `ERR_ACT_UNKNOWN` if the receiver may have accepted it; any other error if it certainly did not
   */
  deliver(delivery: Delivery, signal: AbortSignal, mayGoOn: () => Promise<boolean>): Promise<void>;
}

/** Delivers nothing: every action is recorded as a dry run. */
export const dryRunConnector: Connector = {
  name: 'dry-run',
  dryRun: true,
  deliver: () => Promise.resolve(),
};

/** A try that failed. */
interface Failure {
  readonly reason: string;
  /** True if another try cannot succeed. */
  readonly final: boolean;
  /** True if the receiver may have accepted the action all the same. */
  readonly uncertain: boolean;
}

/** Error codes of connections that failed before anything was sent. */
const UNREACHED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'];

/** Options of `WebhookConnector`. */
export interface WebhookOptions {
  /** Address of the receiver, http or https. */
  readonly url: string;
  /** Key of the signature, shared with the receiver: 16 characters or more, used as UTF-8. */
  readonly secret: string;
  /** Tries in total, default 4. */
  readonly tries?: number;
  /** Milliseconds before the second try, doubled each time; default 200. */
  readonly backoffMs?: number;
}

/**
 * Posts actions, signed as Standard Webhooks describes (headers webhook-id, webhook-timestamp and webhook-signature: HMAC-SHA-256
 * over "id.timestamp.body"). Retries after 408, 429, 5xx and broken connections. The receiver must accept each id once.
 */
export class WebhookConnector implements Connector {
  readonly name = 'webhook';
  readonly dryRun = false;
  readonly #url: string;
  readonly #secret: string;
  readonly #tries: number;
  readonly #backoffMs: number;

  /** @throws ServeError `ERR_SERVICE` if the URL is not http or https, or the secret too short */
  constructor({ url, secret, tries = 4, backoffMs = 200 }: WebhookOptions) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new ServeError('ERR_SERVICE', `the webhook's URL is ${JSON.stringify(url)}: expected http:// or https://`);
    }
    if (secret.length < 16) {
      throw new ServeError('ERR_SERVICE', `the webhook's secret has ${secret.length} characters: expected 16 or more`);
    }
    this.#url = url;
    this.#secret = secret;
    this.#tries = tries;
    this.#backoffMs = backoffMs;
  }

  /**
   * Posts an action, up to `tries` times.
   * @param mayGoOn default: always
   * @throws AuditError `ERR_ACT_UNKNOWN` if the receiver may have accepted it; Error if it did not
   */
  async deliver(
    { key, type, companyId, actionId, data }: Delivery,
    signal: AbortSignal,
    mayGoOn: () => Promise<boolean> = () => Promise.resolve(true),
  ): Promise<void> {
    const body = JSON.stringify({ type, company_id: companyId, action_id: actionId, data });
    let uncertain = false;
    for (let attempt = 1; ; attempt++) {
      const failure = await this.#post(key, body, signal);
      if (failure === null) return;
      uncertain ||= failure.uncertain;
      const message = `the webhook ${failure.reason}${attempt === 1 ? '' : `, after ${attempt} tries`}`;
      if (failure.final || attempt >= this.#tries) throw ended(message, uncertain);
      await sleep(this.#backoffMs * 2 ** (attempt - 1), undefined, { signal });
      if (!(await mayGoOn())) {
        throw ended(`${message}; not retried, because of the kill switch or an unreachable database`, uncertain);
      }
    }
  }

  async #post(key: string, body: string, signal: AbortSignal): Promise<Failure | null> {
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
    if (response.ok) return null;
    const again = response.status === 408 || response.status === 429 || response.status >= 500;
    return { reason: `answered ${response.status}`, final: !again, uncertain: response.status >= 500 };
  }
}

/** @param uncertain whether the receiver may have accepted one of the tries */
function ended(message: string, uncertain: boolean): Error {
  return uncertain ? new AuditError('ERR_ACT_UNKNOWN', message) : new Error(message);
}
