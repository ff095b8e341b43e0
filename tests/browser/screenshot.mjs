// SPDX-License-Identifier: Apache-2.0
// Makes docs/images/first-page.png: HEADRACE_BINARY=build/headrace node tests/browser/screenshot.mjs docs/images/first-page.png
// A real server with its demo agent, and a few sources that report for a minute and a half. Best with the font Inter installed
// (Debian: fonts-inter).
import { openBrowser, openPage, Server } from './harness.mjs';

const cleanups = [];
const t = { after: (call) => cleanups.unshift(call) };
const wander = (low, high) => {
  let v = low + (high - low) * Math.random();
  return () => (v = Math.min(high, Math.max(low, v + (Math.random() - 0.5) * (high - low) * 0.18)));
};
const round = (value) => Math.round(value * 100) / 100;

function validator(source) {
  const [peers, latency, pending] = [wander(24, 50), wander(30, 160), wander(900, 2400)];
  return { source, type: 'ethereum_metrics', every: 800, body: () => ({ peers: Math.round(peers()), latency_ms: round(latency()), pending: Math.round(pending()), gas_price_gwei: round(peers() / 3) }) };
}
function gateway(source) {
  const [rtt, loss, flows, sent] = [wander(8, 30), wander(0, 1.5), wander(300, 900), wander(2e6, 2e7)];
  return { source, type: 'networking_metrics', every: 260, body: () => ({ round_trip_ms: round(rtt()), loss_percent: round(loss()), flows: Math.round(flows()), sent_bytes_per_s: Math.round(sent()) }) };
}

try {
  const server = await new Server(t).start('--demo');
  const page = await openPage(await openBrowser(t), server, { viewport: { width: 1360, height: 1290 }, deviceScaleFactor: 1.5 });
  const reporters = [validator('validator-07'), validator('validator-12'), gateway('gateway-north')];
  const end = Date.now() + Number(process.env.SECONDS_OF_FLOW ?? 100) * 1000;
  await Promise.all(reporters.map(async (r) => {
    while (Date.now() < end) {
      const swell = 1 + 0.5 * Math.sin(Date.now() / 9000 + r.every);
      await server.post({ type: r.type, source: r.source, body: r.body() });
      await new Promise((resolve) => setTimeout(resolve, r.every * swell * (0.6 + 0.8 * Math.random())));
    }
  }));
  await page.screenshot({ path: process.argv[2] ?? 'first-page.png' });
  if (page.errors.length > 0) throw new Error(page.errors.join('\n'));
} finally {
  for (const call of cleanups) await call();
}
