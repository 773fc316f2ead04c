// The page: log-in, navigation, and which section is shown.

import { actions } from './actions.js';
import type { Companies } from '../other-schemas.js';
import { account, accountOf, call, chooseCompany, chosenCompany, logIn, logOut } from './client.js';
import { clock, filled, h, redraw, select, tell, tellFault } from './dom.js';
import { live } from './live.js';
import { runs } from './runs.js';

const sections = [
  { name: 'live', title: 'Live', draw: live, roles: ['admin', 'dispatcher', 'viewer'] },
  { name: 'actions', title: 'Actions', draw: actions, roles: ['admin'] },
  { name: 'runs', title: 'Runs', draw: runs, roles: ['admin', 'dispatcher', 'viewer'] },
] as const;

const main = document.querySelector<HTMLElement>('main')!;
const nav = document.querySelector<HTMLElement>('#sections')!;
const who = document.querySelector<HTMLElement>('#account')!;

function logInForm(): void {
  nav.hidden = true;
  who.replaceChildren();
  const form = h(
    'form',
    {
      class: 'panel log-in',
      onsubmit: (event) => {
        event.preventDefault();
        const { token = '' } = filled(form);
        if (accountOf(token) === null) {
          tell('This is not a token: it has three parts, separated by dots.', true);
          return;
        }
        logIn(token);
        void enter();
      },
    },
    h('h2', {}, 'Log in'),
    h(
      'label',
      {},
      'Token, from "fleetstep token" or from your operator',
      h('textarea', { name: 'token', rows: 4, required: true, autocomplete: 'off', spellcheck: 'false' }),
    ),
    h('div', { class: 'row' }, h('button', { class: 'primary' }, 'Log in')),
  );
  main.replaceChildren(form);
  form.querySelector('textarea')!.focus();
}

/** Shows the page if the service accepts the token. */
async function enter(): Promise<void> {
  try {
    await call('GET', '/v1/policies');
  } catch (error) {
    logOut();
    logInForm();
    tell((error as Error).message, true);
    return;
  }
  tell('');
  const { subject, role, company, expires } = account()!;
  who.replaceChildren(
    `${subject}, ${role}${company === null ? '' : ` of company ${company}`}; token valid until ${clock(expires)}`,
    company === null ? await companyChooser() : '',
    h(
      'button',
      {
        type: 'button',
        onclick: () => {
          logOut();
          logInForm();
          tell('Logged out.');
        },
      },
      'Log out',
    ),
  );
  nav.hidden = false;
  show();
  main.focus();
}

/** An admin of all companies chooses which one is shown; the first one to start with. */
async function companyChooser(): Promise<HTMLElement> {
  const { companies } = await call<Companies>('GET', '/v1/companies');
  if (chosenCompany() === null && companies.length > 0) chooseCompany(companies[0].id);
  const label = select(
    'company',
    'Company',
    companies.map(({ id, name }) => [String(id), `${id}: ${name}`] as const),
  );
  const chooser = label.querySelector('select')!;
  chooser.addEventListener('change', () => {
    chooseCompany(Number(chooser.value));
    show();
  });
  return label;
}

function show(): void {
  const current = account();
  if (current === null) return;
  const mine = sections.filter(({ roles }) => (roles as readonly string[]).includes(current.role));
  const section = mine.find(({ name }) => location.hash === `#${name}`) ?? mine[0];
  redraw(
    nav,
    ...mine.map(({ name, title }) =>
      h('a', { href: `#${name}`, 'aria-current': name === section.name ? 'page' : undefined }, title),
    ),
  );
  document.title = `${section.title} - fleetstep`;
  main.replaceChildren();
  void Promise.resolve(section.draw(main)).catch(tellFault);
}

/** Takes a token from the address, and removes it from address and history. */
function takeToken(): boolean {
  const given = /^#token=([\w.-]+)$/.exec(location.hash);
  if (given === null) return false;
  history.replaceState(null, '', location.pathname);
  logIn(given[1]);
  return true;
}

// Its address would be read as that of a section.
document.querySelector('.skip')!.addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener('hashchange', () => {
  if (takeToken()) void enter().catch(tellFault);
  else show();
});
takeToken();
if (account() === null) logInForm();
else void enter().catch(tellFault);
