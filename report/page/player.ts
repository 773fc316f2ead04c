// Time on the page: playing, pausing, speed, the slider, and keys. Knows nothing of what is drawn.

import { byId } from './dom.js';

/** Longest time between two pictures that counts, in ms: a page in the background does not leap ahead. */
const LONGEST_MS = 250;

/** What the player needs to know. */
export interface PlayerOptions {
  readonly horizonSeconds: number;
  readonly tickSeconds: number;
  /** Draws a second. */
  readonly show: (second: number) => void;
  /** Where keys count. */
  readonly keys: Document | HTMLElement;
  /** A second in words. */
  readonly tell: (second: number) => string;
}

/** Plays an episode. */
export class Player {
  readonly #options: PlayerOptions;
  readonly #play = byId<HTMLButtonElement>('play');
  readonly #slider = byId<HTMLInputElement>('time');
  readonly #speed = byId<HTMLSelectElement>('speed');
  #second = 0;
  #last: number | null = null;

  constructor(options: PlayerOptions) {
    this.#options = options;
    // A tenth of a tick, where that is whole seconds.
    this.#slider.step = String(options.tickSeconds % 10 === 0 ? options.tickSeconds / 10 : 1);
    this.#slider.max = String(options.horizonSeconds);
    this.#slider.addEventListener('input', () => this.seek(Number(this.#slider.value)));
    this.#play.addEventListener('click', () => this.toggle());
    byId('back').addEventListener('click', () => this.#tick(-1));
    byId('forward').addEventListener('click', () => this.#tick(1));
    options.keys.addEventListener('keydown', (event) => this.#key(event as KeyboardEvent));
    this.seek(0);
  }

  /** Goes to a second. */
  seek(second: number): void {
    this.#second = Math.min(this.#options.horizonSeconds, Math.max(0, second));
    this.#slider.value = String(Math.round(this.#second));
    this.#slider.setAttribute('aria-valuetext', this.#options.tell(this.#second));
    this.#options.show(this.#second);
  }

  /** Plays if it stands, stands if it plays; at the end it begins anew. */
  toggle(): void {
    if (this.#last !== null) {
      this.#stop();
      return;
    }
    if (this.#second >= this.#options.horizonSeconds) this.seek(0);
    this.#last = performance.now();
    this.#name('Pause');
    requestAnimationFrame((now) => this.#frame(now));
  }

  #stop(): void {
    this.#last = null;
    this.#name('Play');
  }

  #name(name: string): void {
    this.#play.textContent = name;
  }

  #frame(now: number): void {
    if (this.#last === null) return;
    const ms = Math.min(LONGEST_MS, Math.max(0, now - this.#last));
    this.#last = now;
    this.seek(this.#second + (ms / 1000) * Number(this.#speed.value));
    if (this.#second >= this.#options.horizonSeconds) this.#stop();
    else requestAnimationFrame((next) => this.#frame(next));
  }

  /** To the tick before or after. */
  #tick(by: number): void {
    const { tickSeconds } = this.#options;
    const at = this.#second / tickSeconds;
    this.seek(tickSeconds * (by > 0 ? Math.floor(at) + 1 : Math.ceil(at) - 1));
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    // Where keys have a meaning of their own they keep it.
    if (['INPUT', 'SELECT', 'TEXTAREA'].includes(target.tagName)) {
      if (!(target === this.#slider && event.key === ' ')) return;
    }
    if (target.closest('[role="region"]') !== null && target.tagName !== 'BUTTON') return;
    const isOwn = ['BUTTON', 'SUMMARY'].includes(target.tagName);
    if (event.key === ' ' && !isOwn) this.toggle();
    else if (event.key === 'ArrowLeft') this.#tick(-1);
    else if (event.key === 'ArrowRight') this.#tick(1);
    else if (event.key === 'Home') this.seek(0);
    else if (event.key === 'End') this.seek(this.#options.horizonSeconds);
    else if (event.key === '+' || event.key === '-') this.#faster(event.key === '+' ? 1 : -1);
    else return;
    event.preventDefault();
  }

  #faster(by: number): void {
    const at = this.#speed.selectedIndex + by;
    this.#speed.selectedIndex = Math.min(this.#speed.options.length - 1, Math.max(0, at));
  }
}
