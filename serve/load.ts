// How much at once: of all, of one caller, of one connection. What nobody has sent to its end yet takes no place among what is
// worked on, so that slow senders, however many, keep nobody else out.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Told to come again. */
export class Overloaded extends Error {}

export interface LoadOptions {
  /** Requests that are worked on at once. */
  readonly maxInFlight: number;
  /** Bytes of large bodies that one caller may have here at once. */
  readonly maxBytes: number;
}

/** Of one caller. */
interface Share {
  inFlight: number;
  /** Bytes of his large bodies, from their first to the answer. */
  bytes: number;
  /** His bodies that have been coming for a while. */
  slow: number;
}

/** Requests in the line of one connection. */
const MOST_OF_CONNECTION = 32;
/** Smaller bodies are not counted by their bytes. */
const LARGE = 256 * 1024;
/** A body that takes longer is a slow one; of one caller there may be so many. */
const SLOW_MS = 250;
const MOST_SLOW = 16;

export class Load {
  readonly #options: LoadOptions;
  /** What is left for others when one caller has all that he may have. */
  readonly #mostOfOne: number;
  readonly #shares = new Map<string, Share>();
  /** What each connection holds: answers that wait in its line are not closed with it by Node. */
  readonly #held = new WeakMap<Socket, Set<() => void>>();
  readonly #waiting = new WeakMap<Socket, number>();
  #inFlight = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#mostOfOne = Math.max(1, Math.ceil(options.maxInFlight * 0.75));
  }

  /** Requests that are worked on. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Before anything is looked at. @throws Overloaded */
  arrive(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const waiting = this.#waiting.get(socket) ?? 0;
    if (waiting >= MOST_OF_CONNECTION) {
      throw new Overloaded(`${MOST_OF_CONNECTION} requests wait on this connection already`);
    }
    this.#waiting.set(socket, waiting + 1);
    this.#hold(socket, response, () => this.#waiting.set(socket, this.#waiting.get(socket)! - 1));
  }

  /**
   * Before a caller's body is read: until its end.
   * @param limit bytes that it may have
   * @throws Overloaded
   */
  receive(request: IncomingMessage, response: ServerResponse, caller: string, limit: number): void {
    const length = request.headers['content-length'];
    const coming = request.headers['transfer-encoding'] === undefined ? Number(length ?? 0) : limit;
    if (coming === 0 || coming > limit) return;
    if (coming > LARGE) {
      const { maxBytes } = this.#options;
      const share = this.#shareOf(caller);
      if (share.bytes > 0 && share.bytes + coming > maxBytes) {
        throw new Overloaded(`your bodies of more than ${mebibytes(maxBytes)} at once`);
      }
      share.bytes += coming;
      this.#hold(request.socket, response, () => {
        share.bytes -= coming;
        this.#drop(caller, share);
      });
    }
    let slow: Share | undefined;
    const timer = setTimeout(() => {
      // What lies in the socket already is read first: it may be this process that was slow.
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

  /** A whole request begins to be worked on, until it is answered or its client has gone. @throws Overloaded */
  work(request: IncomingMessage, response: ServerResponse, caller: string): void {
    if (this.#inFlight >= this.#options.maxInFlight) throw new Overloaded('too many requests at once');
    const share = this.#shareOf(caller);
    if (share.inFlight >= this.#mostOfOne) throw new Overloaded('too many requests with this token at once');
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

  /** Calls `release` once, when the answer or the connection is closed. */
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

export function mebibytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${bytes / 1024} KiB` : `${Math.round((bytes / 1024 / 1024) * 10) / 10} MiB`;
}
