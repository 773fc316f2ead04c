// Creates elements. Text is inserted as text: nothing that comes from the service is interpreted as markup.

type Child = Node | string | number | null | undefined | false;
type Props = Readonly<Record<string, string | number | boolean | ((event: Event) => void) | undefined>>;

/** An element. Functions, named `on…`, are listeners; a boolean sets or omits an attribute; everything else is an attribute. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly (Child | readonly Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === 'number' ? String(child) : child);
  }
  return element;
}

/**
 * Replaces the children of `box`. Open details stay open, and the focus stays on the control of the same name, or goes to the box
 * if there is none.
 */
export function redraw(box: HTMLElement, ...children: readonly (Node | string)[]): void {
  const active = box.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null;
  const unfolded = new Set([...box.querySelectorAll<HTMLElement>('details[open] > summary')].map(nameOf));
  box.replaceChildren(...children);
  for (const details of box.querySelectorAll('details'))
    details.open = unfolded.has(nameOf(details.querySelector('summary')!));
  if (active === null || active === box || active.isConnected) return;
  const controls = [...box.querySelectorAll<HTMLElement>('a, button, input, select, textarea, summary')];
  (controls.find((one) => nameOf(one) === nameOf(active)) ?? box).focus();
}

function nameOf(element: HTMLElement): string {
  return element.getAttribute('name') ?? element.getAttribute('aria-label') ?? element.textContent;
}

/** A column's heading. `unseen`: for screen readers only; `spare`: left out on narrow screens. */
export function column(name: string, kind: 'text' | 'number' | 'unseen' | 'spare' = 'text'): HTMLElement {
  if (kind === 'unseen') return h('th', { scope: 'col' }, h('span', { class: kind }, name));
  return h('th', { scope: 'col', class: kind }, name);
}

/** A labelled choice of `[value, text]`. */
export function select(name: string, label: string, options: readonly (readonly [string, string])[]): HTMLElement {
  return h('label', {}, label, h('select', { name }, ...options.map(([value, text]) => h('option', { value }, text))));
}

/** A labelled field. */
export function input(name: string, label: string, type = 'text', more: Props = {}): HTMLElement {
  return h('label', {}, label, h('input', { name, type, ...more }));
}

/** The fields of a form that are not empty, by name. */
export function filled(form: HTMLFormElement): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of new FormData(form)) {
    if (typeof value === 'string' && value !== '') values[name] = value;
  }
  return values;
}

/** Opens a dialog with a heading, a line for messages and a button to close it; removes it when it is closed. */
export function openDialog(heading: string, ...children: readonly Child[]): HTMLDialogElement {
  const id = 'dialog-heading';
  const dialog = h(
    'dialog',
    { 'aria-labelledby': id, onclose: () => dialog.remove() },
    h('div', { class: 'row' }, h('h2', { id }, heading)),
    ...children,
    h('p', { class: 'message', role: 'status' }),
    h('div', { class: 'row' }, h('button', { type: 'button', onclick: () => dialog.close() }, 'Close')),
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Shows a message, also to screen readers; in an open dialog too, as these read nothing behind it. */
export function tell(text: string, bad = false): void {
  for (const line of document.querySelectorAll('#message, dialog[open] .message')) {
    line.textContent = text;
    line.classList.toggle('bad', bad);
  }
}

/** Shows an error's message. */
export function tellFault(error: unknown): void {
  tell((error as Error).message, true);
}

/** Date and time, in the browser's language and zone. */
export function time(at: string | number | Date): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'medium', hourCycle: 'h23' });
}

/** Hours and minutes. */
export function clock(at: Date): string {
  return at.toLocaleTimeString(undefined, { timeStyle: 'short', hourCycle: 'h23' });
}

/** A labelled checkbox; `change` is called with its new state. */
export function checkbox(name: string, label: string, checked: boolean, change: (on: boolean) => void): HTMLElement {
  const box = h('input', { name, type: 'checkbox', checked, onchange: () => change(box.checked) });
  return h('label', { class: 'check' }, box, label);
}

/** Runs `work` repeatedly while `element` is on the page. */
export function poll(element: HTMLElement, everyMs: number, work: () => Promise<void>): void {
  const step = (): void => {
    if (!element.isConnected) return;
    void work()
      .catch(tellFault)
      .finally(() => setTimeout(step, everyMs));
  };
  queueMicrotask(step);
}
