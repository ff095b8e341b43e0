// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { choose, numbersOf } from './extract';

describe('numbersOf', () => {
  it('finds numeric leaves by path and passes over all else', () => {
    const found = numbersOf({ a: 1, b: { c: 2.5, d: 'x', e: null, f: true }, g: [1, 2], h: { i: { j: { k: { l: 1 } } } } });
    expect([...found]).toEqual([['a', 1], ['b.c', 2.5], ['h.i.j.k.l', 1]]);
  });
  it('takes a bare number', () => expect([...numbersOf(7)]).toEqual([['value', 7]]));
  it('takes nothing from what has no numbers', () => {
    for (const body of [null, 'text', true, [], {}, [1]]) expect(numbersOf(body).size).toBe(0);
  });
  it('is bounded in depth and count', () => {
    let deep: { [key: string]: never } | { x: unknown } = { x: 1 };
    for (let i = 0; i < 50; i += 1) deep = { x: deep };
    expect(numbersOf(deep as never).size).toBe(0);
    expect(numbersOf(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, i]))).size).toBe(64);
  });
});

describe('choose', () => {
  const candidate = (path: string, changes: number, samples = 10) => ({ path, changes, samples });
  it('prefers the well-known', () => {
    expect(choose([candidate('a', 9), candidate('load.one', 0), candidate('cpu.used_percent', 0)], 2)).toEqual(['cpu.used_percent', 'load.one']);
  });
  it('then what changes', () => expect(choose([candidate('still', 0), candidate('lively', 9)], 1)).toEqual(['lively']));
  it('puts counters of identity last', () => expect(choose([candidate('id', 9), candidate('still', 0)], 1)).toEqual(['still']));
});
