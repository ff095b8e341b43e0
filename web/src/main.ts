// SPDX-License-Identifier: Apache-2.0
// The first page: puts the parts together and keeps them up to date.
import './style.css';
import { browserWorld, get, keepToken, keptToken, recentMessages } from './feed/browser';
import { Connection, type ConnectionState } from './feed/connection';
import { ledgersOf } from './model/ledger';
import { Store } from './model/store';
import { Painter, forgetColours } from './ui/canvas';
import { arrange, h } from './ui/dom';
import { Flow } from './ui/flow';
import { Header } from './ui/header';
import { Receivers } from './ui/receivers';
import { Sources } from './ui/sources';
import { Tail } from './ui/tail';
import { askForToken, welcome } from './ui/welcome';

const updateEvery = 250;
const ledgersEvery = 4000;
const historyMs = 120_000;

const store = new Store();
const painter = new Painter();
const header = new Header();
const flow = new Flow(store, painter);
const receivers = new Receivers(store);
const tail = new Tail(store, (type) => flow.colourOf(type));
const sources = new Sources(store, painter, (source) => tail.showSource(source));
const empty = welcome(location.origin);
const token = askForToken((text) => {
  keepToken(text);
  connection.useToken(text);
});
const left = h('div', { class: 'column-main' });
const main = h('main', { class: 'page' });

let state: ConnectionState = 'connecting';

function layOut(): void {
  if (state === 'denied') {
    arrange(main, [token]);
    return;
  }
  const known = store.sources.size > 0;
  arrange(left, known || store.status === undefined ? [sources.element] : [empty]);
  arrange(main, [flow.element, columns, ...(known ? [tail.element] : [])]);
}
const columns = h('div', { class: 'columns' }, left, receivers.element);

function update(): void {
  const now = Date.now();
  header.update(store);
  flow.update(now);
  sources.update(now);
  receivers.update();
  if (store.sources.size > 0) tail.update();
  layOut();
}

async function fetchLedgers(): Promise<void> {
  if (state !== 'live' || document.hidden) return;
  try {
    for (const [name, ledger] of ledgersOf(await get('/api/v1/receivers', keptToken()))) store.ledgers.set(name, ledger);
  } catch {
    // The feed tells when the server is away; the figures stay until the next answer.
  }
}

async function fetchHistory(): Promise<void> {
  try {
    const recent = await recentMessages(keptToken(), store.serverNow(Date.now()) - historyMs);
    store.takeHistory(recent.messages, recent.complete);
  } catch {
    // Without an archive the page begins empty.
  }
}

const connection = new Connection(
  browserWorld(),
  (frame) => store.apply(frame, Date.now()),
  (next) => {
    state = next;
    header.setConnection(next);
    document.documentElement.dataset['connection'] = next;
    if (next === 'live') {
      void fetchHistory();
      void fetchLedgers();
    }
  },
  keptToken(),
);

document.getElementById('app')!.append(header.element, main);
layOut();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', forgetColours);
connection.start();
painter.start();
setInterval(() => {
  if (!document.hidden) update();
}, updateEvery);
setInterval(() => void fetchLedgers(), ledgersEvery);
