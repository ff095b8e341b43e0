// SPDX-License-Identifier: Apache-2.0
// Tail: the latest messages, newest first, with a filter, a pause, and each whole message on demand.
import { clockTime, count } from '../model/format';
import type { Store } from '../model/store';
import type { Message } from '../model/types';
import { arrange, h, setAttribute, setText } from './dom';
import { oneLine, pretty } from './json';

const rowsMax = 60;

interface Row {
  element: HTMLElement;
  message: Message;
}

export class Tail {
  readonly element: HTMLElement;
  private readonly typeSelect = h('select', { id: 'tail-type', onchange: () => this.refill() });
  private readonly sourceSelect = h('select', { id: 'tail-source', onchange: () => this.refill() });
  private readonly pauseButton = h('button', { type: 'button', class: 'button', 'aria-pressed': 'false', onclick: () => this.pause() }, 'Pause');
  private readonly list = h('ol', { class: 'tail-list', 'aria-label': 'Latest messages, newest first' });
  private readonly note = h('p', { class: 'tail-note', role: 'status' });
  private readonly rows = new Map<string, Row>();
  private open: string | undefined;
  private paused = false;
  private frozen: Message[] = [];

  constructor(private readonly store: Store, private readonly colourOf: (type: string) => number) {
    this.element = h('section', { class: 'tail', 'aria-labelledby': 'tail-title' },
      h('div', { class: 'section-head' },
        h('h2', { id: 'tail-title' }, 'Messages'),
        h('div', { class: 'tail-tools' },
          h('label', { for: 'tail-type' }, 'Type'), this.typeSelect,
          h('label', { for: 'tail-source' }, 'Source'), this.sourceSelect,
          this.pauseButton)),
      h('div', { class: 'card tail-card' }, this.list, this.note));
  }

  showSource(source: string): void {
    this.fillOptions();
    this.sourceSelect.value = source;
    this.refill();
    this.element.scrollIntoView({ behavior: 'smooth', block: 'start' });
    this.sourceSelect.focus({ preventScroll: true });
  }

  update(): void {
    this.fillOptions();
    const all = this.paused ? this.frozen : this.store.tail;
    const type = this.typeSelect.value;
    const source = this.sourceSelect.value;
    const shown = all.filter((m) => (type === '' || m.type === type) && (source === '' || m.source === source)).slice(0, rowsMax);
    const elements: Element[] = [];
    const keys = new Set<string>();
    for (const message of shown) {
      const key = `${message.type}\n${message.source}\n${message.id}`;
      keys.add(key);
      let row = this.rows.get(key);
      if (row === undefined) {
        row = { element: this.make(message, key), message };
        this.rows.set(key, row);
      }
      elements.push(row.element);
    }
    for (const key of this.rows.keys()) {
      if (!keys.has(key)) this.rows.delete(key);
    }
    arrange(this.list, elements);
    const waiting = this.paused ? this.store.tail.length - this.store.tail.indexOf(this.frozen[0] as Message) : 0;
    const notes = [
      elements.length === 0 ? 'No messages that fit the filter yet.' : '',
      this.paused && waiting >= 0 ? 'Paused.' : '',
      this.store.dropped > 0 ? `${count(this.store.dropped)} messages came faster than this page could show; all are in the archive.` : '',
    ].filter((n) => n !== '');
    setText(this.note, notes.join(' '));
    this.note.hidden = notes.length === 0;
  }

  private make(message: Message, key: string): HTMLElement {
    const detail = h('div', { class: 'tail-detail' });
    detail.hidden = true;
    const button = h('button', { type: 'button', class: 'tail-row', 'aria-expanded': 'false' },
      h('time', { class: 'number faint', datetime: message.time }, clockTime(Date.parse(message.received))),
      h('span', { class: 'tail-type' }, h('span', { class: `swatch type-${this.colourOf(message.type)}` }), message.type),
      h('span', { class: 'tail-source' }, message.source),
      h('code', { class: 'tail-body' }, oneLine(message.body, 240)));
    button.addEventListener('click', () => {
      const opens = detail.hidden;
      detail.hidden = !opens;
      setAttribute(button, 'aria-expanded', String(opens));
      if (opens && detail.childElementCount === 0) detail.append(pretty(message as unknown as Parameters<typeof pretty>[0]));
      if (opens && !this.paused) this.pause();
      this.open = opens ? key : undefined;
    });
    return h('li', {}, button, detail);
  }

  private pause(): void {
    this.paused = !this.paused;
    this.frozen = this.paused ? [...this.store.tail] : [];
    setAttribute(this.pauseButton, 'aria-pressed', String(this.paused));
    setText(this.pauseButton, this.paused ? 'Go on' : 'Pause');
    if (!this.paused && this.open !== undefined) this.rows.delete(this.open);
    this.update();
  }

  private refill(): void {
    this.rows.clear();
    this.update();
  }

  private fillOptions(): void {
    this.options(this.typeSelect, 'all types', [...this.store.dataTypes.keys()]);
    this.options(this.sourceSelect, 'all sources', [...this.store.sources.keys()]);
  }

  private options(select: HTMLSelectElement, all: string, values: string[]): void {
    values.sort();
    const wanted = values.join('\n');
    if (select.dataset['values'] === wanted && select.options.length > 0) return;
    const kept = select.value;
    select.dataset['values'] = wanted;
    select.replaceChildren(h('option', { value: '' }, all), ...values.map((v) => h('option', { value: v }, v)));
    select.value = values.includes(kept) ? kept : '';
  }
}
