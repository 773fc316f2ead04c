// Limits of load: in total, of one account, and of one connection. A request whose body is incomplete takes no place among those in
// flight, so that slow senders, however many, block nobody else.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** A request was rejected because of load; the message says which limit. Answered with 503 and Retry-After. */
export class Overloaded extends Error {}

/** Options of `Load`. */
export interface LoadOptions {
  /** Requests in flight: complete, and not answered yet. */
  readonly maxInFlight: number;
  /** Bytes of large bodies that one account may have in the service at once. */
  readonly maxBytes: number;
}

/** What one account uses. */
interface Share {
  inFlight: number;
  /** Bytes of its large bodies, from the first byte to the answer. */
  bytes: number;
  /** Its bodies that are being received slowly. */
  slow: number;
}

/** Requests queued on one connection. */
const MOST_OF_CONNECTION = 32;
/** Bytes: smaller bodies do not count towards `maxBytes`. */
const LARGE = 256 * 1024;
/** Milliseconds: a body that takes longer counts as slow. */
const SLOW_MS = 250;
/** Slow bodies of one account at once; further connections are closed. */
const MOST_SLOW = 16;

/** Counts requests, and rejects those beyond the limits. */
export class Load {
  readonly #options: LoadOptions;
  /** Requests in flight of one account: three quarters, so that the rest is left for others. */
  readonly #mostOfOne: number;
  readonly #shares = new Map<string, Share>();
  /** What each connection must release: Node does not close the responses that are queued on a connection with it. */
  readonly #held = new WeakMap<Socket, Set<() => void>>();
  readonly #waiting = new WeakMap<Socket, number>();
  #inFlight = 0;

  /** @param options limits */
  constructor(options: LoadOptions) {
    this.#options = options;
    this.#mostOfOne = Math.max(1, Math.ceil(options.maxInFlight * 0.75));
  }

  /** Requests in flight: complete, and not answered yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Called when a request's head has arrived, until it is answered. @throws Overloaded if too many are queued on its connection */
  arrive(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const waiting = this.#waiting.get(socket) ?? 0;
    if (waiting >= MOST_OF_CONNECTION) {
      throw new Overloaded(`${MOST_OF_CONNECTION} requests wait on this connection already`);
    }
    this.#waiting.set(socket, waiting + 1);
    this.#hold(socket, response, () => this.#waiting.set(socket, (this.#waiting.get(socket) ?? 1) - 1));
  }

  /**
   * Called before a body is read, once the caller is known.
   * @param caller account, as `nameOf` of authentication
   * @param limit  bytes that the body may have
   * @throws Overloaded if the account's large bodies would exceed `maxBytes`
   */
  receive(request: IncomingMessage, response: ServerResponse, caller: string, limit: number): void {
    const length = request.headers['content-length'];
    const coming = request.headers['transfer-encoding'] === undefined ? Number(length ?? 0) : limit;
    if (coming === 0 || coming > limit) return;
    if (coming > LARGE) {
      const { maxBytes } = this.#options;
      const share = this.#shareOf(caller);
      if (share.bytes > 0 && share.bytes + coming > maxBytes) {
        throw new Overloaded(`this account sends bodies of more than ${mebibytes(maxBytes)} at once`);
      }
      share.bytes += coming;
      this.#hold(request.socket, response, () => {
        share.bytes -= coming;
        this.#drop(caller, share);
      });
    }
    let slow: Share | undefined;
    const timer = setTimeout(() => {
      // Data that is already in the socket is read first: this process may have been the slow side.
      setImmediate(() => {
        if (request.complete || request.destroyed) return;
        slow = this.#shareOf(caller);
        slow.slow++;
        if (slow.slow > MOST_SLOW) {
          request.socket.end('HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
          request.socket.destroySoon();
        }
      });
    }, SLOW_MS);
    request.once('close', () => {
      clearTimeout(timer);
      if (slow === undefined) return;
      slow.slow--;
      this.#drop(caller, slow);
    });
  }

  /**
   * Called when a request is complete and work begins; counts it until it is answered or its client disconnects.
   * @param caller account, as `nameOf` of authentication
   * @throws Overloaded if too many are in flight, in total or of this account
   */
  work(request: IncomingMessage, response: ServerResponse, caller: string): void {
    if (this.#inFlight >= this.#options.maxInFlight) throw new Overloaded('too many requests at once');
    const share = this.#shareOf(caller);
    if (share.inFlight >= this.#mostOfOne) throw new Overloaded('too many requests of this account at once');
    share.inFlight++;
    this.#inFlight++;
    this.#hold(request.socket, response, () => {
      this.#inFlight--;
      share.inFlight--;
      this.#drop(caller, share);
    });
  }

  #shareOf(caller: string): Share {
    let share = this.#shares.get(caller);
    if (share === undefined) {
      share = { inFlight: 0, bytes: 0, slow: 0 };
      this.#shares.set(caller, share);
    }
    return share;
  }

  #drop(caller: string, share: Share): void {
    if (share.inFlight + share.bytes + share.slow === 0) this.#shares.delete(caller);
  }

  /** Calls `release` once, when the response or the connection is closed. */
  #hold(socket: Socket, response: ServerResponse, release: () => void): void {
    let held = this.#held.get(socket);
    if (held === undefined) {
      const all = new Set<() => void>();
      socket.once('close', () => {
        for (const one of all) one();
      });
      this.#held.set(socket, all);
      held = all;
    }
    const once = (): void => {
      if (held.delete(once)) release();
    };
    held.add(once);
    if (socket.destroyed) once();
    else response.once('close', once);
  }
}

/** A number of bytes for messages: `64 KiB`, `1.5 MiB`. */
export function mebibytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${bytes / 1024} KiB` : `${Math.round((bytes / 1024 / 1024) * 10) / 10} MiB`;
}
