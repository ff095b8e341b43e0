// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { openBrowser, openPage, picture, Server, until } from './harness.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const text = (page, selector) => page.locator(selector).first().textContent();
const live = (page) => page.locator('.connection[data-state="live"]').waitFor();
const card = (page, source) => page.locator('.source', { has: page.getByRole('heading', { name: source, exact: true }) });
const message = (source, value, over = {}) => ({ type: 'networking_metrics', source, body: { room: { temperature_c: value } }, ...over });

async function seriousViolations(page) {
  await page.evaluate(axe); // not as a script of the page: its policy forbids that
  const result = await page.evaluate(() => window.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }));
  return result.violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.target} ${n.any?.[0]?.message ?? ''}`).slice(0, 5).join(', ')}`);
}

test('an empty server tells how to send the first message, and shows it', async (t) => {
  const server = await new Server(t).start();
  const page = await openPage(await openBrowser(t), server);
  await live(page);
  const command = await text(page, '.welcome pre');
  assert.match(command, new RegExp(`curl -X POST ${server.url}/api/v1/messages`));
  assert.match(await text(page, '.durability'), /on disk/);
  await picture(page, 'empty');
  assert.deepEqual(await seriousViolations(page), []);

  // The command, as it stands.
  const body = command.match(/-d '(.*)'/s)[1];
  await server.post(JSON.parse(body));
  await card(page, 'my-first-source').waitFor();
  assert.equal(await page.locator('.welcome').count(), 0);
  assert.deepEqual(page.errors, []);
  assert.deepEqual(page.strangers, []);
});

test('sources, values and messages follow what is reported', async (t) => {
  const server = await new Server(t).start();
  const page = await openPage(await openBrowser(t), server);
  await live(page);
  await server.post([message('kiln', 21.5), message('granary', 9.5, { type: 'ethereum_metrics' })]);
  const kiln = card(page, 'kiln');
  await kiln.waitFor();
  assert.equal(await kiln.locator('.value').first().textContent(), '21.5');
  assert.equal(await kiln.locator('.unit').first().textContent(), '°C');
  assert.equal(await kiln.locator('.state-word').textContent(), 'live');
  await server.post(message('kiln', 23.5));
  await until(async () => (await kiln.locator('.value').first().textContent()) === '23.5', 'the new value');

  // Filters
  const rows = page.locator('.tail-list > li');
  await until(async () => (await rows.count()) === 3, 'three messages');
  await page.getByLabel('Type', { exact: true }).selectOption('ethereum_metrics');
  await until(async () => (await rows.count()) === 1, 'those of one type');
  assert.equal(await rows.locator('.tail-source').textContent(), 'granary');
  await page.getByLabel('Type', { exact: true }).selectOption('');
  await page.getByLabel('Source', { exact: true }).selectOption('kiln');
  await until(async () => (await rows.count()) === 2, 'those of one source');

  // Pause, and the whole message
  await rows.first().getByRole('button').click();
  assert.match(await page.locator('.tail-detail pre').first().textContent(), /"temperature_c": 23.5/);
  await server.post(message('kiln', 30));
  await until(async () => (await kiln.locator('.value').first().textContent()) === '30', 'the card goes on');
  assert.equal(await rows.count(), 2);
  await page.getByRole('button', { name: 'Go on' }).click();
  await until(async () => (await rows.count()) === 3, 'what came meanwhile');

  // From a card to its messages
  await page.getByRole('button', { name: 'granary' }).click();
  await until(async () => (await rows.count()) === 1, 'the messages of that card');
  assert.equal(await page.getByLabel('Source', { exact: true }).inputValue(), 'granary');
  assert.deepEqual(page.errors, []);
});

test('the archive fills the page after a reload', async (t) => {
  const server = await new Server(t).start();
  await server.post(Array.from({ length: 20 }, (_, n) => message('kiln', n)));
  const page = await openPage(await openBrowser(t), server);
  await until(async () => (await page.locator('.tail-list > li').count()) === 20, 'messages of before');
  assert.equal(await card(page, 'kiln').locator('.value').first().textContent(), '19');
  assert.deepEqual(page.errors, []);
});

test('the demo shows this machine, moving', async (t) => {
  const server = await new Server(t).start('--demo');
  const page = await openPage(await openBrowser(t), server);
  const machine = card(page, hostname());
  await machine.waitFor();
  await machine.locator('dt', { hasText: 'cpu' }).waitFor();
  await machine.locator('dt', { hasText: 'memory' }).waitFor();
  const values = async () => (await machine.locator('.value').allTextContents()).join();
  const before = await values();
  await until(async () => (await values()) !== before, 'values to move');
  for (const name of ['archive', 'live']) {
    const receiver = page.locator('.receiver', { has: page.getByRole('heading', { name, exact: true }) });
    await until(async () => (await receiver.locator('.state-word').textContent()) === 'running', `${name} to run`);
  }
  await until(async () => Number((await text(page, '.receiver-figures dd')).replaceAll(',', '')) > 2, 'the ledger');
  await until(async () => Number(await text(page, '.flow-total')) > 0, 'messages per second');
  const painted = (selector) => page.locator(selector).first().evaluate((c) => {
    const pixels = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    return pixels.some((v, i) => i % 4 === 3 && v > 200);
  });
  await until(() => painted('canvas.river'), 'the river');
  await until(() => painted('canvas.spark'), 'a sparkline');
  await picture(page, 'desktop');
  assert.deepEqual(page.errors, []);
  assert.deepEqual(page.strangers, []);
});

test('it can be used by all, wide and narrow, light and dark', async (t) => {
  const server = await new Server(t).start('--demo');
  await server.post([message('kiln', 21.5), message('a source with a very long name that does not fit on a phone or anywhere else', 1)]);
  const browser = await openBrowser(t);
  for (const colorScheme of ['light', 'dark']) {
    for (const [name, width] of [['desktop', 1280], ['phone', 360]]) {
      const page = await openPage(browser, server, { colorScheme, viewport: { width, height: 800 } });
      await card(page, 'kiln').waitFor();
      await page.locator('.tail-row').first().click();
      assert.deepEqual(await seriousViolations(page), [], `${name}, ${colorScheme}`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} scrolls sideways`);
      await picture(page, `${name}-${colorScheme}`, true);
      await page.context().close();
    }
  }
});

test('the keyboard reaches what the mouse does', async (t) => {
  const server = await new Server(t).start();
  await server.post(message('kiln', 21.5));
  const page = await openPage(await openBrowser(t), server);
  await card(page, 'kiln').waitFor();
  const reached = new Set();
  for (let i = 0; i < 12; i += 1) {
    await page.keyboard.press('Tab');
    reached.add(await page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.id + document.activeElement.className));
  }
  for (const wanted of ['Headrace', 'Use dark colours', 'source-name', 'tail-type', 'tail-source', 'button', 'tail-row']) assert.ok(reached.has(wanted), `${wanted} not in ${[...reached]}`);
  await page.getByRole('button', { name: 'Use dark colours' }).press('Enter');
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
});

test('it comes back after the server was killed, and after it hung', async (t) => {
  const server = await new Server(t).start();
  await server.post(message('kiln', 1));
  const page = await openPage(await openBrowser(t), server);
  await live(page);
  await server.end('SIGKILL');
  await page.locator('.connection[data-state="waiting"]').waitFor();
  assert.match(await text(page, '.connection'), /trying again/);
  await server.start();
  await live(page);
  await server.post(message('kiln', 2));
  await until(async () => (await card(page, 'kiln').locator('.value').first().textContent()) === '2', 'the value after the restart');

  server.signal('SIGSTOP');
  await page.locator('.connection[data-state="waiting"]').waitFor();
  server.signal('SIGCONT');
  await live(page);
  await server.post(message('kiln', 3));
  await until(async () => (await card(page, 'kiln').locator('.value').first().textContent()) === '3', 'the value after the pause');
});

test('a server with users asks for a token and takes it', async (t) => {
  const server = new Server(t);
  const token = (await server.run('user', 'add', 'alice', '--role', 'viewer')).match(/hr_\S+/)[0];
  await server.start();
  const page = await openPage(await openBrowser(t), server);
  await page.getByLabel(/A token/).fill(token);
  assert.deepEqual(await seriousViolations(page), []);
  await page.getByRole('button', { name: 'Open' }).click();
  await live(page);
  await page.locator('.receiver').first().waitFor();
});
