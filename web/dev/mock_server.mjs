// SPDX-License-Identifier: Apache-2.0
// A stand-in for the server's feed while pages are developed: `npm run mock`, then `npm run dev`. Never shipped.
import { createHash } from 'node:crypto';
import { readFileSync, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';

const port = Number(process.env.PORT ?? 8099);
const quiet = process.env.MOCK === 'empty';
const started = Date.now();
const types = ['ethereum_metrics', 'networking_metrics', 'system_metrics'];
const totals = new Map(types.map((t) => [t, 0]));
const seen = new Map();
const messages = [];
const readers = new Set();
let sequence = 0;

const wander = (low, high, start) => {
  let v = start ?? (low + high) / 2;
  return () => (v = Math.min(high, Math.max(low, v + (Math.random() - 0.5) * (high - low) * 0.16)));
};
const system = (memory) => {
  const cpu = wander(4, 92, 30), mem = wander(memory - 4, memory + 4), load = wander(0.2, 3.8), rx = wander(2e4, 9e6), tx = wander(1e4, 2e6);
  return () => ({
    cpu: { count: 8, used_percent: cpu(), user_percent: 10, system_percent: 3 },
    load: { one: load(), five: 1.1, fifteen: 0.9 },
    memory: { total_bytes: 16e9, used_bytes: 16e7 * mem(), used_percent: mem() },
    network: { received_bytes_per_s: rx(), sent_bytes_per_s: tx() },
    uptime_s: Math.floor((Date.now() - started) / 1000),
  });
};
let block = 18_204_411;
const sources = quiet ? [] : [
  { name: 'mill-01', type: 'system_metrics', every: 1000, body: system(61) },
  { name: 'mill-02', type: 'system_metrics', every: 1000, body: system(38) },
  { name: 'validator-7', type: 'ethereum_metrics', every: 450, body: (() => { const peers = wander(18, 50), latency = wander(20, 180), tx = wander(80, 240); return () => ({ type: 'statistics', body: { peers: Math.round(peers()), latency_ms: latency(), pending: Math.round(tx() * 10), block: block++ } }); })() },
  { name: 'gateway-north', type: 'networking_metrics', every: 120, body: (() => { const rtt = wander(8, 40), loss = wander(0, 2), flows = wander(200, 900), out = wander(1e6, 2e7); return () => ({ round_trip_ms: rtt(), loss_percent: loss(), flows: Math.round(flows()), sent_bytes_per_s: out() }); })() },
];

function report(source) {
  const now = new Date().toISOString();
  sequence += 1;
  const m = { id: `0198f1c2-${sequence.toString(16).padStart(8, '0')}`, type: source.type, source: source.name, time: now, received: now, body: source.body() };
  totals.set(source.type, totals.get(source.type) + 1);
  const s = seen.get(source.name) ?? { source: source.name, state: 'active', types: [source.type], first_seen: now, last_seen: now, messages_total: 0 };
  s.last_seen = now;
  s.messages_total += 1;
  seen.set(source.name, s);
  messages.push(m);
  if (messages.length > 5000) messages.shift();
  broadcast({ messages: [m] });
}
for (const source of sources) {
  const again = () => { report(source); setTimeout(again, source.every * (0.6 + Math.random() * 0.8)); };
  setTimeout(again, Math.random() * source.every);
}

let before = new Map(totals);
const history = [];
function status() {
  const tenAgo = history[0] ?? before;
  return {
    time: new Date().toISOString(), version: '0.1.0', started: new Date(started).toISOString(), uptime_s: Math.floor((Date.now() - started) / 1000), durability: 'disk',
    data_types: types.map((name) => ({ name, durability: 'disk', messages_total: totals.get(name), rate_1s: totals.get(name) - before.get(name), rate_10s: (totals.get(name) - tenAgo.get(name)) / Math.max(1, history.length) })),
    receivers: [
      { name: 'archive', type: 'documents', state: 'running', lag_messages: Math.floor(Math.random() * 4), dead_letters: 0, expires_in_s: null, last_error: null },
      { name: 'live', type: 'live', state: 'running', lag_messages: 0, dead_letters: 0, expires_in_s: null, last_error: null },
    ],
    sources: { total: seen.size, active: seen.size }, broker: { type: 'log', state: 'ok', stored_bytes: 1e6 + sequence * 310, disk_budget_bytes: 1e10, unsettled_bytes: 0, fenced: false, disk_full: false }, live: { readers: readers.size },
  };
}
setInterval(() => {
  broadcast({ status: status(), sources: [...seen.values()] });
  history.push(before);
  if (history.length > 10) history.shift();
  before = new Map(totals);
}, 1000);

function frame(text) {
  const payload = Buffer.from(text);
  const n = payload.length;
  const head = n < 126 ? Buffer.from([0x81, n]) : n < 65536 ? Buffer.from([0x81, 126, n >> 8, n & 255]) : Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  if (n >= 65536) head.writeBigUInt64BE(BigInt(n), 2);
  return Buffer.concat([head, payload]);
}
function broadcast(object) {
  const bytes = frame(JSON.stringify(object));
  for (const socket of readers) socket.write(bytes);
}

const kinds = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const json = (value) => { response.setHeader('content-type', 'application/json'); response.end(JSON.stringify(value)); };
  if (url.pathname === '/api/v1/status') return json(status());
  if (url.pathname === '/api/v1/receivers') return json({ receivers: ['archive', 'live'].map((name) => ({ name, ledger: types.map((data_type) => ({ data_type, accepted: { messages: totals.get(data_type) }, stored: { messages: totals.get(data_type) } })) })) });
  if (url.pathname === '/api/v1/messages') return json({ messages: messages.filter((m) => m.received >= url.searchParams.get('from')).slice(-1000), next: null });
  const file = join(import.meta.dirname ?? '.', '../dist', url.pathname === '/' ? 'index.html' : url.pathname);
  if (!existsSync(file)) { response.statusCode = 404; return response.end(); }
  response.setHeader('content-type', kinds[extname(file)] ?? 'application/octet-stream');
  response.end(readFileSync(file));
});
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: headrace.live.v1\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  readers.add(socket);
  socket.write(frame(JSON.stringify({ status: status(), sources: [...seen.values()] })));
  for (const event of ['close', 'error']) socket.on(event, () => readers.delete(socket));
  socket.on('data', (d) => { if ((d[0] & 15) === 8) socket.end(); });
});
server.listen(port, '127.0.0.1', () => console.log(`mock on http://127.0.0.1:${port}/`));
