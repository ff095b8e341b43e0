// SPDX-License-Identifier: Apache-2.0
// A real server in a temporary directory and a real browser that looks at it. Both end with the test that asked for them.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const binary = process.env.HEADRACE_BINARY;
const patience = process.env.HEADRACE_SANITIZER ? 60_000 : 20_000;

export async function until(condition, what) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${patience} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export class Server {
  constructor(t, settings = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'headrace-browser-'));
    this.settings = { 'http.listen': '127.0.0.1:0', ...settings };
    this.flags = [];
    t.after(async () => {
      await this.end('SIGTERM');
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  arguments() {
    const settings = Object.entries(this.settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    return ['--data', join(this.folder, 'data'), ...settings];
  }

  async start(...flags) {
    const ports = join(this.folder, 'ports.json');
    rmSync(ports, { force: true });
    const log = openSync(join(this.folder, 'server.log'), 'a');
    this.process = spawn(binary, ['serve', ...this.arguments(), '--print-ports', ports, ...flags], { cwd: this.folder, stdio: ['ignore', log, log] });
    this.ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.once('exit', () => (this.process = undefined));
    await until(() => {
      if (!this.process) throw new Error(`the server ended:\n${this.log()}`);
      try {
        this.port = JSON.parse(readFileSync(ports, 'utf8')).http;
      } catch {
        return false;
      }
      return true;
    }, 'the ports file');
    this.url = `http://127.0.0.1:${this.port}`;
    this.settings['http.listen'] = `127.0.0.1:${this.port}`; // found again after a restart
    await until(async () => {
      try {
        return (await fetch(`${this.url}/readyz`)).ok;
      } catch {
        return false;
      }
    }, '/readyz');
    return this;
  }

  log() {
    return readFileSync(join(this.folder, 'server.log'), 'utf8').slice(-4000);
  }

  signal(name) {
    this.process?.kill(name);
  }

  async end(name) {
    if (!this.process) return;
    this.process.kill('SIGCONT');
    this.process.kill(name);
    await this.ended;
  }

  // The command line on this server's data: `headrace user add ...`.
  async run(...words) {
    const child = spawn(binary, [...words, ...this.arguments()], { cwd: this.folder });
    let text = '';
    child.stdout.on('data', (d) => (text += d));
    child.stderr.on('data', (d) => (text += d));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) throw new Error(`headrace ${words.join(' ')}: ${code}: ${text}`);
    return text;
  }

  async post(messages, token) {
    const reply = await fetch(`${this.url}/api/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      body: JSON.stringify(messages),
    });
    if (!reply.ok) throw new Error(`POST /api/v1/messages: ${reply.status} ${await reply.text()}`);
    return reply.json();
  }
}

export async function openBrowser(t) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
  });
  t?.after(() => browser.close());
  return browser;
}

// A page that collects what should not happen: errors on the console, and requests that leave the server.
export async function openPage(browser, server, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.errors = [];
  page.strangers = [];
  page.on('console', (m) => m.type() === 'error' && page.errors.push(m.text()));
  page.on('pageerror', (e) => page.errors.push(String(e)));
  page.on('request', (r) => {
    if (new URL(r.url()).host !== new URL(server.url).host) page.strangers.push(r.url());
  });
  await page.goto(`${server.url}/`);
  return page;
}

export async function picture(page, name, fullPage = false) {
  const folder = process.env.HEADRACE_SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage });
}
