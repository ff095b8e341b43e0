// SPDX-License-Identifier: Apache-2.0
// Store: what the page knows, kept by the frames of the feed. No DOM, no clock of its own: times are passed in.
import { choose, numbersOf } from './extract';
import { Series } from './series';
import type { DataTypeStatus, Frame, Ledger, Message, ReceiverStatus, SourceInfo, Status } from './types';

export type SourceState = 'live' | 'quiet' | 'inactive';

const valuesPerSource = 4;
const pointsPerValue = 240;
const ratePoints = 200;
const tailMax = 300;
const sourcesMax = 1000;
const seenIdsMax = 2000;

function secondOf(m: Message): number {
  return Math.floor(Date.parse(m.received) / 1000) * 1000;
}

export class Source {
  info: SourceInfo;
  lastSeen = 0; // server's clock, ms
  readonly values = new Map<string, Series>();
  readonly arrivals = new Series(20);
  shown: string[] = [];

  constructor(info: SourceInfo) {
    this.info = info;
  }

  take(message: Message, at: number): void {
    for (const [path, value] of numbersOf(message.body)) {
      let series = this.values.get(path);
      if (series === undefined) {
        series = new Series(pointsPerValue);
        this.values.set(path, series);
      }
      series.add(at, value);
    }
    this.arrivals.add(at, 1);
    // Chosen anew while the first messages come, then kept: values that jump about cannot be read.
    if (this.arrivals.samples <= 8 || this.shown.length === 0) {
      const all = [...this.values].map(([path, s]) => ({ path, changes: s.changes, samples: s.samples }));
      this.shown = choose(all, valuesPerSource);
    }
  }

  state(serverNow: number): SourceState {
    if (this.info.state === 'inactive') return 'inactive';
    const usual = Math.max(this.arrivals.interval(), 1000);
    return serverNow - this.lastSeen > Math.max(10_000, 3 * usual) ? 'quiet' : 'live';
  }
}

export interface DataType {
  status: DataTypeStatus;
  rates: Series;
}

export class Store {
  readonly sources = new Map<string, Source>();
  readonly dataTypes = new Map<string, DataType>();
  readonly ledgers = new Map<string, Ledger>();
  receivers: ReceiverStatus[] = [];
  status: Status | undefined;
  tail: Message[] = []; // newest first
  dropped = 0;
  lastError: string | undefined;
  private clockOffset = 0; // server's clock minus ours, ms
  private seenIds = new Set<string>();

  serverNow(now: number): number {
    return now + this.clockOffset;
  }

  apply(frame: Frame, now: number): void {
    if (frame.status !== undefined) this.takeStatus(frame.status, now);
    for (const info of frame.sources ?? []) this.takeSource(info);
    for (const message of frame.messages ?? []) this.takeMessage(message);
    if (frame.dropped !== undefined) this.dropped += frame.dropped;
    if (frame.error !== undefined) this.lastError = frame.error.message;
  }

  // The latest messages of the archive, newest first: they fill the tail, the sparklines, and the rates of the time before the
  // feed began. `complete`: there were no older ones in the time that was asked for.
  takeHistory(messages: Message[], complete: boolean): void {
    const ordered = [...messages].reverse().sort((a, b) => Date.parse(a.received) - Date.parse(b.received));
    for (const m of ordered) this.takeMessage(m);
    this.tail.sort((a, b) => Date.parse(b.received) - Date.parse(a.received));
    const first = ordered[0];
    if (first !== undefined) this.takeRates(ordered, secondOf(first) + (complete ? 0 : 1000));
  }

  private takeRates(messages: Message[], begin: number): void {
    const perSecond = new Map<string, number>();
    for (const m of messages) {
      const key = `${m.type}\n${secondOf(m)}`;
      perSecond.set(key, (perSecond.get(key) ?? 0) + 1);
    }
    for (const [name, type] of this.dataTypes) {
      const end = type.rates.all()[0]?.at ?? begin;
      for (let at = begin; at < end - 1000; at += 1000) type.rates.add(at, perSecond.get(`${name}\n${at}`) ?? 0);
    }
  }

  private dataType(name: string): DataType {
    let type = this.dataTypes.get(name);
    if (type === undefined) {
      type = {
        status: { name, durability: '', messages_total: 0, rate_1s: 0, rate_10s: 0 },
        rates: new Series(ratePoints),
      };
      this.dataTypes.set(name, type);
    }
    return type;
  }

  private takeStatus(status: Status, now: number): void {
    const at = Date.parse(status.time);
    if (Number.isFinite(at)) this.clockOffset = at - now;
    this.status = status;
    this.receivers = status.receivers;
    for (const entry of status.data_types) {
      const type = this.dataType(entry.name);
      type.status = entry;
      type.rates.add(at, entry.rate_1s);
    }
  }

  private takeSource(info: SourceInfo): Source {
    let source = this.sources.get(info.source);
    if (source === undefined) {
      source = new Source(info);
      this.sources.set(info.source, source);
      if (this.sources.size > sourcesMax) this.forgetOldestSource();
    }
    source.info = info;
    source.lastSeen = Math.max(source.lastSeen, Date.parse(info.last_seen) || 0);
    return source;
  }

  private takeMessage(message: Message): void {
    const key = `${message.type}\n${message.source}\n${message.id}`;
    if (this.seenIds.has(key)) return;
    this.seenIds.add(key);
    if (this.seenIds.size > seenIdsMax) {
      for (const oldest of this.seenIds) {
        this.seenIds.delete(oldest);
        break;
      }
    }
    const at = Date.parse(message.received);
    const source =
      this.sources.get(message.source) ??
      this.takeSource({
        source: message.source,
        state: 'active',
        types: [message.type],
        first_seen: message.received,
        last_seen: message.received,
        messages_total: 0,
      });
    source.lastSeen = Math.max(source.lastSeen, at);
    if (!source.info.types.includes(message.type)) source.info.types.push(message.type);
    source.take(message, at);
    this.tail.unshift(message);
    if (this.tail.length > tailMax) this.tail.length = tailMax;
  }

  private forgetOldestSource(): void {
    let oldest: Source | undefined;
    for (const s of this.sources.values()) {
      if (oldest === undefined || s.lastSeen < oldest.lastSeen) oldest = s;
    }
    if (oldest !== undefined) this.sources.delete(oldest.info.source);
  }
}
