// SPDX-License-Identifier: Apache-2.0
// A body as text: one line for lists, indented and coloured for reading.
import type { Json } from '../model/types';
import { h } from './dom';

export function oneLine(body: Json, charactersMax: number): string {
  const text = JSON.stringify(body) ?? '';
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}…`;
}

const token = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

export function pretty(body: Json): HTMLElement {
  const text = JSON.stringify(body, null, 2) ?? '';
  const pre = h('pre', { class: 'json', tabindex: '0', 'aria-label': 'message' });
  let end = 0;
  for (const match of text.matchAll(token)) {
    pre.append(text.slice(end, match.index));
    const kind = match[2] !== undefined ? 'key' : match[1] !== undefined ? 'string' : match[3] !== undefined ? 'word' : 'number';
    pre.append(h('span', { class: `j-${kind}` }, match[1] ?? match[0]));
    if (match[2] !== undefined) pre.append(match[2]);
    end = match.index + match[0].length;
  }
  pre.append(text.slice(end));
  return pre;
}
