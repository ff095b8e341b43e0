// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from 'vitest';
import { ledgersOf } from './ledger';
import { Series } from './series';
import { Store } from './store';
import type { Message, SourceInfo, Status } from './types';

const t0 = Date.parse('2026-01-02T03:04:05.000Z');
const iso = (seconds: number): string => new Date(t0 + seconds * 1000).toISOString();

function message(n: number, over: Partial<Message> = {}): Message {
  return { id: `m${n}`, type: 'system_metrics', source: 'node-1', time: iso(n), received: iso(n), body: { cpu: { used_percent: n } }, ...over };
}

function info(over: Partial<SourceInfo> = {}): SourceInfo {
  return { source: 'node-1', state: 'active', types: ['system_metrics'], first_seen: iso(0), last_seen: iso(0), messages_total: 1, ...over };
}

function status(seconds: number, rate = 1): Status {
  return {
    time: iso(seconds), version: '0.1.0', started: iso(0), uptime_s: seconds, durability: 'disk',
    data_types: [{ name: 'system_metrics', durability: 'disk', messages_total: 5, rate_1s: rate, rate_10s: rate }],
    receivers: [], sources: { total: 1, active: 1 },
    broker: { type: 'log', state: 'ok', stored_bytes: 1, disk_budget_bytes: 2, fenced: false, disk_full: false }, live: { readers: 1 },
  };
}

let store: Store;
beforeEach(() => {
  store = new Store();
});

describe('Store', () => {
  it('keeps the values of each source', () => {
    store.apply({ messages: [message(1), message(2)] }, t0);
    const source = store.sources.get('node-1')!;
    expect(source.shown).toEqual(['cpu.used_percent']);
    expect(source.values.get('cpu.used_percent')!.all().map((p) => p.value)).toEqual([1, 2]);
  });

  it('shows each message once, newest first', () => {
    store.apply({ messages: [message(1), message(2)] }, t0);
    store.apply({ messages: [message(2), message(3)] }, t0);
    expect(store.tail.map((m) => m.id)).toEqual(['m3', 'm2', 'm1']);
  });

  it('tells messages with one id of different sources apart', () => {
    store.apply({ messages: [message(1), message(1, { source: 'node-2' })] }, t0);
    expect(store.tail.length).toBe(2);
  });

  it('puts history before what the feed brought', () => {
    store.apply({ status: status(100), messages: [message(99)] }, t0);
    store.takeHistory([message(98), message(97), message(99)], true);
    expect(store.tail.map((m) => m.id)).toEqual(['m99', 'm98', 'm97']);
    expect(store.sources.get('node-1')!.values.get('cpu.used_percent')!.all().map((p) => p.value)).toEqual([97, 98, 99]);
    expect(store.dataTypes.get('system_metrics')!.rates.all().map((p) => p.value)).toEqual([1, 1, 1]);
  });

  it('keeps the order of messages that came at once', () => {
    const together = (n: number): Message => message(1, { id: `m${n}`, body: { n } });
    store.takeHistory([together(3), together(2), together(1)], true);
    expect(store.tail.map((m) => m.id)).toEqual(['m3', 'm2', 'm1']);
    expect(store.sources.get('node-1')!.values.get('n')!.last()?.value).toBe(3);
  });

  it('leaves out the first second of a history that goes on before it', () => {
    store.apply({ status: status(100) }, t0);
    store.takeHistory([message(97), message(98)], false);
    expect(store.dataTypes.get('system_metrics')!.rates.all().map((p) => p.value)).toEqual([1, 1]);
  });

  it('follows the clock of the server', () => {
    store.apply({ status: status(50) }, t0);
    expect(store.serverNow(t0 + 1000)).toBe(t0 + 51_000);
  });

  it('calls a source live, quiet or inactive', () => {
    store.apply({ sources: [info()] }, t0);
    const source = store.sources.get('node-1')!;
    expect(source.state(t0 + 5_000)).toBe('live');
    expect(source.state(t0 + 11_000)).toBe('quiet');
    store.apply({ sources: [info({ state: 'inactive' })] }, t0);
    expect(source.state(t0 + 1_000)).toBe('inactive');
  });

  it('gives slow reporters time', () => {
    store.apply({ messages: [0, 20, 40, 60].map((n) => message(n)) }, t0);
    expect(store.sources.get('node-1')!.state(t0 + 100_000)).toBe('live');
  });

  it('counts what was dropped and is bounded', () => {
    store.apply({ dropped: 3 }, t0);
    store.apply({ dropped: 4 }, t0);
    expect(store.dropped).toBe(7);
    store.apply({ messages: Array.from({ length: 5000 }, (_, i) => message(i, { source: `s${i % 1500}` })) }, t0);
    expect(store.tail.length).toBe(300);
    expect(store.sources.size).toBe(1000);
  });
});

describe('Series', () => {
  it('is bounded and ordered, whatever the order of arrival', () => {
    const series = new Series(3);
    for (const at of [5, 1, 3, 4]) series.add(at, at);
    expect(series.all().map((p) => p.at)).toEqual([3, 4, 5]);
    series.add(4, 40);
    expect(series.all().map((p) => p.value)).toEqual([3, 40, 5]);
  });
  it('smooths, and is 0 where nothing is known', () => {
    const series = new Series(100);
    for (let i = 0; i < 50; i += 1) series.add(i * 1000, 10);
    expect(series.smoothed(25_000, 1300)).toBeCloseTo(10);
    expect(series.smoothed(-60_000, 1300)).toBe(0);
    expect(series.interval()).toBe(1000);
  });
});

describe('ledgersOf', () => {
  const entry = { data_type: 'a', accepted: 10, stored: 6, filtered: 1, duplicate: 1, dead: 1, expired: 0, in_flight: 1 };
  it('sums over data types', () => {
    const sums = ledgersOf({ receivers: [{ name: 'archive', ledger: [entry, { ...entry, data_type: 'b' }] }] });
    expect(sums.get('archive')).toMatchObject({ accepted: 20, stored: 12, in_flight: 2 });
  });
  it('takes nothing from other shapes', () => {
    for (const reply of [null, 1, [], {}, { receivers: {} }, { receivers: [1, null, {}, { name: 'x' }] }]) expect(ledgersOf(reply).size).toBe(0);
  });
});
