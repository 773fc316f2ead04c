// The dashboard in a real browser: log in, ask, accept, override, filter, review, limits, kill switch, runs. With
// FLEETSTEP_SCREENSHOTS set to a folder, it leaves pictures there.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriers } from './support/barriers.js';
import { browserMissing, openBrowser } from './support/browser.js';
import { reachableFolder } from './support/database.js';
import { easyRequest, testService } from './support/service.js';
import type { TestService } from './support/service.js';

const example = JSON.parse(readFileSync(join(import.meta.dirname, '../docs/state.json'), 'utf8')) as object;
const pictures = process.env['FLEETSTEP_SCREENSHOTS'];

describe.skipIf(browserMissing())('the dashboard', () => {
  let service: TestService;
  let browser: Browser;
  const faults: string[] = [];
  let runs: string;

  beforeAll(async () => {
    runs = reachableFolder();
    const run = join(runs, 'geneva-test');
    mkdirSync(run);
    writeFileSync(
      join(run, 'config.json'),
      JSON.stringify({ scenario: { name: 'geneva' }, config: { totalSteps: 3000 } }),
    );
    const line = (iteration: number): string =>
      `${JSON.stringify({ iteration, global_step: iteration * 1000, 'charts/episodic_return': 100 * iteration, 'losses/entropy': 1 / iteration, 'losses/explained_variance': 0.5, 'charts/SPS': 9000 })}\n`;
    writeFileSync(join(run, 'metrics.jsonl'), line(1) + line(2));
    const kpis = { serviceRate: 0.9, onTimeRate: 0.8, emptyShare: 0.3 };
    writeFileSync(
      join(run, 'evaluation.json'),
      JSON.stringify([
        { policy: 'edf', meanReturn: 4700, kpis },
        { policy: 'ppo', meanReturn: 6000, kpis },
      ]),
    );
    service = await testService({ runs });
    browser = await openBrowser();
    await service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
  });

  afterAll(async () => {
    await browser.close();
    await service.close();
    rmSync(runs, { recursive: true });
  });

  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })).newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      // What the page provokes on purpose, a refused token, the browser writes down, too.
      if (message.type() === 'error' && !/status of 40\d/.test(message.text())) faults.push(message.text());
    });
    page.on('request', (request) => {
      const { origin } = new URL(request.url());
      if (origin !== service.url && !request.url().startsWith('data:')) faults.push(`asked ${request.url()}`);
    });
    page.setDefaultTimeout(15_000);
    return page;
  }

  async function enter(page: Page, role: 'admin' | 'dispatcher' | 'viewer' = 'admin'): Promise<void> {
    await page.goto(`${service.url}/#token=${await service.token({ role })}`);
    await page.getByRole('navigation').waitFor();
    // The token has left the address.
    expect(page.url()).not.toContain('token');
  }

  /** What is shown keeps nobody out, light or dark. */
  async function look(page: Page, name: string, last: 'dark' | 'light' = 'light'): Promise<void> {
    for (const colorScheme of last === 'light' ? (['dark', 'light'] as const) : (['light', 'dark'] as const)) {
      await page.emulateMedia({ colorScheme });
      expect([name, colorScheme, await barriers(page)]).toEqual([name, colorScheme, []]);
    }
    if (pictures === undefined) return;
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  }

  it('lets nobody in without a token that the service believes', async () => {
    const page = await open();
    await page.goto(service.url);
    await page.getByLabel(/Token/).fill('nonsense');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('That is no token.').waitFor();
    const [head, , signature] = (await service.token()).split('.');
    const forged = Buffer.from(JSON.stringify({ sub: 'x', role: 'admin', exp: 4e9 })).toString('base64url');
    await page.getByLabel(/Token/).fill(`${head}.${forged}.${signature}`);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('the token is not valid').waitFor();
    await look(page, 'log-in');
    await page.getByLabel(/Token/).fill(await service.token({ role: 'dispatcher' }));
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('dispatcher of company').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
  });

  it('shows the last request on a map, and puts accepting and overriding on record', async () => {
    const page = await open();
    await enter(page, 'dispatcher');
    await service.call('POST', '/v1/recommend', { ...example, explain: true });
    await page.getByText('Shipment 103 to vehicle 1').waitFor();
    await page.getByText('105: vehicles 1, 3, 2 lack a required skill').waitFor();
    expect(await page.locator('.marker.vehicle').count()).toBe(4);
    for (const [kind, count] of [
      ['assigned', 2],
      ['locked', 1],
      ['waiting', 2],
      ['unserved', 1],
    ]) {
      expect([kind, await page.locator(`.marker.${kind}`).count()]).toEqual([kind, count]);
    }
    await page.getByText('104 stays with vehicle 3').waitFor();
    await page.getByText('What if 103 goes another way').click();
    await page.getByRole('rowheader', { name: 'waits' }).first().waitFor();
    expect(await page.getByRole('rowheader', { name: 'vehicle 1' }).first().isVisible()).toBe(true);
    await page.getByLabel('Hold what is shown').check();
    await service.call('POST', '/v1/recommend', easyRequest(service.company));
    await page.waitForTimeout(2500);
    expect(await page.getByRole('link', { name: 'Actions' }).count()).toBe(0);
    await look(page, 'live');
    await page.getByRole('button', { name: 'Accept 103 to 1' }).click();
    await page.getByText('Shipment 103: accepted by tester').waitFor();
    await page.getByRole('button', { name: 'Override 102' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Who drives it instead').selectOption('3');
    await dialog.getByLabel(/^Why/).fill('vehicle 2 is at the garage');
    // Those who can come first; of the others it is said why not.
    expect(await dialog.getByRole('option').allTextContents()).toEqual([
      'nobody, or not decided',
      'vehicle 1',
      'vehicle 3',
      expect.stringMatching(/^vehicle 4: breaks .*status/),
    ]);
    await look(page, 'override');
    // What was typed is not lost where the service does not take it.
    const refusal = { status: 409, json: { error: { message: 'not now' } } };
    await page.route('**/outcome', (route) => route.fulfill(refusal), { times: 1 });
    await dialog.getByRole('button', { name: 'Put on record' }).click();
    await dialog.getByRole('status').getByText('not now').waitFor();
    await dialog.getByRole('button', { name: 'Put on record' }).click();
    await page.getByText('Shipment 102: overridden by tester, vehicle 3 instead: vehicle 2 is at the garage').waitFor();
    // The last but one: another was asked meanwhile, and shows when it may.
    const { decisions } = (await service.call('GET', '/v1/decisions?limit=2')).body as { decisions: { id: string }[] };
    const { events } = (await service.call('GET', `/v1/decisions/${decisions[1].id}`)).body;
    expect(events.map(({ detail }: { detail: object }) => detail)).toMatchObject([
      { shipment: 103, outcome: 'accepted' },
      { shipment: 102, outcome: 'overridden', vehicle: 3, reason: 'vehicle 2 is at the garage' },
    ]);
  });

  it('keeps an example in the browser that asked for it: not on record, and in nobody’s live view', async () => {
    const page = await open();
    await enter(page, 'dispatcher');
    const count = async (): Promise<number> =>
      ((await service.call('GET', '/v1/decisions?limit=200')).body.decisions as unknown[]).length;
    const [before, { body: live }] = [await count(), await service.call('GET', '/v1/live')];
    await page.getByRole('button', { name: 'Ask with an example state' }).click();
    await page.getByRole('heading', { name: /^Example: recommended/ }).waitFor();
    await page.getByText('an example, not on record').waitFor();
    await page.getByRole('button', { name: 'Accept 103 to 1' }).click();
    await page.getByText('Shipment 103: accepted by you. An example: nothing goes on record.').waitFor();
    await page.getByRole('button', { name: 'Override 102' }).click();
    await page.getByRole('dialog').getByLabel('Who drives it instead').waitFor();
    await page.keyboard.press('Escape');
    expect([await count(), (await service.call('GET', '/v1/live')).body]).toEqual([before, live]);
    await page.getByRole('button', { name: 'Back to what is live' }).click();
    await page.getByRole('heading', { name: /^Recommended at/ }).waitFor();
  });

  it('shows what colleagues said of it, without asking for the page again', async () => {
    const [mine, yours] = [await open(), await open()];
    for (const page of [mine, yours]) await enter(page, 'dispatcher');
    await service.call('POST', '/v1/recommend', example);
    await yours.getByText('Shipment 102 to vehicle 2').waitFor();
    await mine.getByRole('button', { name: 'Accept 102 to 2' }).click();
    const card = yours.getByRole('listitem').filter({ hasText: 'Shipment 102 to vehicle 2' });
    await card.getByText('accepted by tester').waitFor();
    await mine.reload();
    await mine.getByText('accepted by tester').waitFor();
  });

  it('filters actions, shows one with its history, and reviews it', async () => {
    const page = await open();
    await enter(page);
    await page.getByRole('link', { name: 'Actions' }).click();
    await page.getByText('3 actions').waitFor();
    await page.getByLabel('Booking').fill(String(service.company.bookings[0]));
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.getByText('1 action').waitFor();
    await page.getByRole('button', { name: /^Details of action/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('None yet.').waitFor();
    expect(await dialog.getByText(/dry_run at/).count()).toBe(1);
    await dialog.getByLabel(/^Notes/).fill('looked at it <b>closely</b>');
    await look(page, 'action');
    await dialog.getByRole('button', { name: 'Put review on record' }).click();
    await page.getByText(/^Action \d+ reviewed/).waitFor();
    await page.getByRole('button', { name: /^Details of action/ }).click();
    // What somebody wrote is text, never markup.
    await page.getByRole('dialog').getByText('looked at it <b>closely</b>').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await page.getByText('3 actions').waitFor();
    await look(page, 'actions');
  });

  it('approves what the company’s mode leaves to a person, and sets rules', async () => {
    const page = await open();
    await enter(page);
    await page.getByRole('link', { name: 'Actions' }).click();
    await page.getByText('Dry runs: the service was started without a webhook').waitFor();
    await page.getByLabel('Mode').selectOption('SEMI_AUTO');
    await page.getByText('Semi auto: what a person approves is done').waitFor();
    await page.getByText('Rules', { exact: true }).click();
    await page.getByLabel('notify customers').uncheck();
    await page.getByText('Rule notify customers: off.').waitFor();
    const admin = await service.token({ role: 'admin' });
    const { settings } = (await service.call('GET', '/api/admin/autonomy', undefined, admin)).body;
    expect(settings).toMatchObject({ mode: 'SEMI_AUTO', auto_notify_customer: false });
    await look(page, 'rules');
    const { bookings, drivers } = service.company;
    const ask = { ...easyRequest({ bookings: bookings.slice(0, 1), drivers }), mode: 'auto' };
    await service.call('POST', '/v1/recommend', ask, await service.token({ subject: 'agent' }));
    await page.getByRole('link', { name: 'Live' }).click();
    await page.getByText(/^Act: refused \(mode SEMI_AUTO/).waitFor();
    await page.getByRole('button', { name: `Approve ${bookings[0]} to` }).click();
    await page.getByText('Act: dry run').waitFor();
    await look(page, 'approved');
    await service.call('PUT', '/api/admin/autonomy', { mode: 'FULLY_AUTO', auto_notify_customer: true }, admin);
  });

  it('shows an admin of all companies the one that he chooses, and takes a token that is pasted into the address', async () => {
    const page = await open();
    await enter(page, 'viewer');
    await page.evaluate(`location.hash = 'token=${await service.token({ role: 'admin', companyId: null })}'`);
    await page.getByLabel('Company').waitFor();
    expect(page.url()).not.toContain('token');
    await page.getByRole('link', { name: 'Actions' }).click();
    await page.getByRole('heading', { name: 'Switches of mine' }).waitFor();
    await page.getByLabel('Company').selectOption({ label: `${service.other.id}: theirs` });
    await page.getByRole('heading', { name: 'Limits of theirs' }).waitFor();
    await page.getByText('0 actions').waitFor();
    await look(page, 'all-companies');
  });

  it('stops everything with the kill switch, and changes limits, on record', async () => {
    const page = await open();
    await enter(page);
    await page.getByRole('link', { name: 'Actions' }).click();
    await page.getByRole('button', { name: 'Stop all actions' }).click();
    await look(page, 'kill-switch');
    await page.getByRole('button', { name: 'Yes, stop' }).click();
    await page.getByText('Stopped: nothing is done automatically.').waitFor();
    const { body } = await service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
    expect(body.acts[0].refusal.reason).toBe('kill_switch');
    await page.getByRole('button', { name: 'Let actions go on' }).click();
    await page.getByRole('button', { name: 'Yes, go on' }).click();
    await page.getByText('Actions are let through within their limits.').waitFor();
    await page.getByRole('spinbutton', { name: 'Limit of assign per hour' }).fill('7');
    await page.getByRole('button', { name: 'Set the limit of assign per hour' }).click();
    await page.getByText('assign per hour: 7.').waitFor();
    const admin = await service.token({ role: 'admin' });
    const { limits } = (await service.call('GET', '/api/admin/autonomy/limits', undefined, admin)).body;
    expect(limits).toContainEqual(expect.objectContaining({ scope: 'assign', per: 'hour', capacity: 7 }));
  });

  it('draws training runs, live while they go on', async () => {
    const page = await open();
    await enter(page, 'viewer');
    await page.getByRole('link', { name: 'Runs' }).click();
    await page.getByText('2,000 steps of 3,000 (67%)').waitFor();
    await page.getByRole('cell', { name: '6000.00' }).waitFor();
    expect(await page.locator('.uplot').count()).toBe(4);
    expect(await page.getByRole('button', { name: 'Accept' }).count()).toBe(0);
    await look(page, 'runs');
  });

  it('works on a narrow screen, and in the dark', async () => {
    const page = await open({ viewport: { width: 390, height: 844 } });
    await enter(page);
    for (const section of ['Live', 'Actions', 'Runs']) {
      await page.getByRole('link', { name: section }).click();
      await page.waitForTimeout(600);
      const wide = await page.evaluate('document.documentElement.scrollWidth');
      expect([section, wide]).toEqual([section, 390]);
      await look(page, `narrow-${section.toLowerCase()}`, 'dark');
    }
    const dark = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(dark).toBe('rgb(15, 20, 25)');
  });

  it('can be used without a mouse', async () => {
    const page = await open();
    await enter(page);
    const focused = async (): Promise<string> =>
      page.evaluate(`(() => {
        const { id, ariaLabel, textContent, tagName } = document.activeElement;
        return id || ariaLabel || (tagName === 'BODY' ? 'nothing' : textContent);
      })()`);
    const press = async (...keys: string[]): Promise<string> => {
      for (const key of keys) await page.keyboard.press(key);
      return focused();
    };
    expect(await focused()).toBe('content');
    // The link to the content comes first, and stays in the section.
    await page.getByRole('link', { name: 'Actions' }).focus();
    expect(await press('Enter')).toBe('Actions');
    await page.getByText('Newest first').waitFor();
    expect(await press('Shift+Tab', 'Shift+Tab')).toBe('Skip to the content');
    expect(await press('Enter')).toBe('content');
    await page.getByRole('heading', { name: 'Autonomous actions' }).waitFor();
    // Back from a dialog, the keyboard is where it was, though the list was drawn anew.
    const details = page.getByRole('button', { name: /^Details of action/ }).first();
    const name = (await details.getAttribute('aria-label'))!;
    await details.focus();
    await page.keyboard.press('Enter');
    await page
      .getByRole('dialog')
      .getByLabel(/^Notes/)
      .focus();
    await page.keyboard.type('by keyboard');
    await press('Tab', 'Enter');
    await page.getByText(/^Action \d+ reviewed/).waitFor();
    await page.waitForTimeout(500);
    expect(await focused()).toBe(name);
    await page.getByRole('button', { name: 'Stop all actions' }).focus();
    await press('Enter', 'Escape');
    expect(await focused()).toBe('Stop all actions');
    await press('Enter', 'Tab');
    await page.getByRole('button', { name: 'Yes, stop' }).focus();
    await press('Enter');
    await page.getByText('Stopped: nothing is done automatically.').waitFor();
    expect(await focused()).toBe('Let actions go on');
    await press('Enter');
    await page.getByRole('button', { name: 'Yes, go on' }).focus();
    await press('Enter');
    await page.getByText('Actions are let through within their limits.').waitFor();
  });

  it('has met no fault, and asked nobody outside', () => {
    expect(faults).toEqual([]);
  });
});
