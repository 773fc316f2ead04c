// A page that is served while a training runs: it asks again and again for a newer page and puts that in its own place. Where the
// reader is stays: scrolling, what is open, what the legend hides, and the focus.

import { drawCurves } from './curves.js';
import { byId, pageData } from './dom.js';
import type { PageData } from '../page-data.js';

/** Questions without an answer after which whoever served the page is gone. */
const LOST_AFTER = 3;

/** What is said while all is well; the page begins with it. */
const FOLLOWS = 'Live: this page follows the command.';

/**
 * Follows whoever serves the page until the training has ended, or nobody answers.
 * @param askMs    milliseconds between questions
 * @param takeAway takes the charts of the page that is shown away
 */
export function follow(askMs: number, takeAway: () => void): void {
  const state = byId('live');
  // Told apart from other pages, so that each gets the last state before the server ends.
  const reader = crypto.randomUUID();
  let tag = '';
  let lost = 0;
  const ask = async (): Promise<void> => {
    try {
      const answer = await fetch(`/page?reader=${reader}&tag=${tag}`, { cache: 'no-store' });
      lost = 0;
      if (answer.status === 200) {
        tag = answer.headers.get('x-page-tag') ?? '';
        takeAway = replaced(await answer.text(), takeAway);
      }
      const fault = decodeURIComponent(answer.headers.get('x-page-fault') ?? '');
      state.textContent = fault === '' ? FOLLOWS : `This page cannot follow the command: ${fault}`;
      if (answer.headers.get('x-page-last') === 'true') {
        state.textContent = 'This is the last state: the command has ended.';
        return;
      }
    } catch {
      if (++lost >= LOST_AFTER) {
        state.textContent = 'Nobody answers any more: the command has ended. This is the last state seen.';
        return;
      }
    }
    setTimeout(() => void ask(), askMs);
  };
  void ask();
}

/** Puts a newer page in the place of the one that is shown. */
function replaced(html: string, takeAway: () => void): () => void {
  const next = new DOMParser().parseFromString(html, 'text/html');
  const open = new Set(all<HTMLDetailsElement>('details[open]').map(keyOf));
  const hidden = new Set(all<HTMLInputElement>('input[data-group]:not(:checked)').map(keyOf));
  const scrolled = new Map(all('.tall, .wide').map((box) => [keyOf(box), [box.scrollLeft, box.scrollTop]]));
  const focused = document.activeElement === null ? '' : keyOf(document.activeElement);
  const [x, y] = [scrollX, scrollY];
  takeAway();
  for (const name of ['header', 'main']) {
    const [before, after] = [document.querySelector(name), next.querySelector(name)];
    if (before !== null && after !== null) before.replaceWith(document.adoptNode(after));
  }
  byId('data').textContent = next.getElementById('data')!.textContent;
  document.title = next.title;
  for (const one of all<HTMLDetailsElement>('details')) one.open = open.has(keyOf(one));
  for (const one of all<HTMLInputElement>('input[data-group]')) one.checked = !hidden.has(keyOf(one));
  const { curves } = pageData<PageData>();
  const after = curves === null ? () => undefined : drawCurves(curves);
  for (const box of all('.tall, .wide')) box.scrollTo(...((scrolled.get(keyOf(box)) ?? [0, 0]) as [number, number]));
  if (focused !== '')
    all<HTMLElement>('summary, input, [tabindex]')
      .find((one) => keyOf(one) === focused)
      ?.focus({ preventScroll: true });
  scrollTo(x, y);
  return after;
}

function all<E extends Element>(selector: string): E[] {
  return [...document.querySelectorAll<E>(selector)];
}

/** What an element is called: it is the same one in the next page. */
function keyOf(one: Element): string {
  const name =
    one instanceof HTMLInputElement ? one.parentElement!.textContent : one.querySelector('summary')?.textContent;
  return `${one.tagName} ${one.getAttribute('aria-label') ?? name ?? one.textContent.slice(0, 80)}`;
}
