// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { ago, bytes, compact, count, duration, label, rate, valueWithUnit } from './format';

const plain = (text: string): string => text.replaceAll('\u202f', ' ');

describe('compact', () => {
  it.each([
    [0, '0'], [1.5, '1.50'], [12.34, '12.3'], [123.4, '123'], [0.004, '0.004'], [1234, '1,234'], [999_999, '999,999'],
    [1_230_000, '1.23 M'], [-2_500_000_000, '-2.50 G'], [1e16, '1.00e16'], [NaN, '–'], [Infinity, '–'],
  ])('%d', (value, text) => expect(plain(compact(value))).toBe(text));
});

describe('rate', () => {
  it.each([[0, '0.0'], [0.01, '<0.1'], [0.2, '0.2'], [9.96, '10.0'], [12.4, '12'], [12_345, '12,345']])('%d', (value, text) =>
    expect(plain(rate(value))).toBe(text));
});

describe('bytes', () => {
  it.each([[0, '0 B'], [999, '999 B'], [1000, '1 kB'], [1536, '1.54 kB'], [999_700, '1.00 MB'], [25_276_510_208, '25.3 GB']])('%d', (value, text) =>
    expect(plain(bytes(value))).toBe(text));
});

describe('duration', () => {
  it.each([[0, '0 s'], [59.9, '59 s'], [60, '1 min'], [3700, '1 h 1 min'], [90_000, '1 d 1 h'], [-5, '0 s']])('%d', (value, text) =>
    expect(plain(duration(value))).toBe(text));
});

it('says how long ago', () => {
  expect(ago(0.4)).toBe('now');
  expect(plain(ago(7))).toBe('7 s ago');
});

it('counts in full', () => expect(count(1234567)).toBe('1,234,567'));

describe('valueWithUnit', () => {
  it.each([
    ['cpu.used_percent', 12.345, '12.3', '%'],
    ['memory.used_bytes', 1_500_000, '1.50', 'MB'],
    ['network.sent_bytes_per_s', 1_500_000, '1.50', 'MB/s'],
    ['disk.reads_per_s', 12, '12', '/s'],
    ['latency_ms', 3.25, '3.25', 'ms'],
    ['temperature_c', 21.5, '21.5', '°C'],
    ['block.number', 18_204_411, '18.2', 'M'],
    ['uptime_s', 90, '1 min', ''],
  ])('%s', (path, value, text, unit) => {
    const shown = valueWithUnit(path, value);
    expect([plain(shown.text), shown.unit]).toEqual([text, unit]);
  });
});

describe('label', () => {
  it.each([
    ['cpu.used_percent', 'cpu'],
    ['network.received_bytes_per_s', 'network in'],
    ['body.peers', 'peers'],
    ['room.temperature_c', 'temperature'],
    ['room.co2', 'room co2'],
    ['value', 'value'],
  ])('%s', (path, text) => expect(label(path)).toBe(text));
});
