// SPDX-License-Identifier: Apache-2.0
// Sources: one card each, with state, last values and sparklines.
import { ago, count, label, valueWithUnit } from '../model/format';
import type { Source, SourceState, Store } from '../model/store';
import type { Painter } from './canvas';
import { arrange, h, setAttribute, setText } from './dom';
import { Sparkline } from './sparkline';

const shownAtFirst = 12;
const order: Record<SourceState, number> = { live: 0, quiet: 1, inactive: 2 };

interface Metric {
  path: string;
  element: HTMLElement;
  value: HTMLElement;
  unit: HTMLElement;
  sparkline: Sparkline;
}

class Card {
  readonly element: HTMLElement;
  private readonly stateText = h('span', { class: 'state-word' });
  private readonly seen = h('span', { class: 'faint number' });
  private readonly about = h('p', { class: 'source-types' });
  private readonly grid = h('dl', { class: 'metrics' });
  private metrics: Metric[] = [];

  constructor(private readonly source: Source, private readonly store: Store, private readonly painter: Painter, pick: (source: string) => void) {
    const name = source.info.source;
    this.element = h('li', { class: 'card source' },
      h('div', { class: 'source-head' },
        h('span', { class: 'dot', 'aria-hidden': 'true' }),
        h('h3', {}, h('button', { type: 'button', class: 'source-name', title: `Show the messages of ${name}`, onclick: () => pick(name) }, name)),
        h('p', { class: 'source-state' }, this.stateText, this.seen)),
      this.grid, this.about);
  }

  update(serverNow: number): void {
    const state = this.source.state(serverNow);
    setAttribute(this.element, 'data-state', state);
    setText(this.stateText, state);
    setText(this.seen, this.source.lastSeen > 0 ? ago((serverNow - this.source.lastSeen) / 1000) : '');
    const total = this.source.info.messages_total;
    setText(this.about, `${this.source.info.types.join(', ')}${total > 0 ? ` · ${count(total)} messages` : ''}`);
    if (this.metrics.map((m) => m.path).join() !== this.source.shown.join()) this.rebuild();
    for (const m of this.metrics) {
      const last = this.source.values.get(m.path)?.last();
      if (last === undefined) continue;
      const shown = valueWithUnit(m.path, last.value);
      setText(m.value, shown.text);
      setText(m.unit, shown.unit);
    }
  }

  leave(): void {
    for (const m of this.metrics) this.painter.remove(m.sparkline);
    this.metrics = [];
  }

  private rebuild(): void {
    this.leave();
    this.metrics = this.source.shown.map((path) => this.metric(path));
    this.grid.replaceChildren(...this.metrics.map((m) => m.element));
  }

  private metric(path: string): Metric {
    const canvas = h('canvas', { class: 'spark', 'aria-hidden': 'true' });
    const value = h('span', { class: 'value' });
    const unit = h('span', { class: 'unit' });
    const element = h('div', { class: 'metric', title: path }, h('dt', {}, label(path)), h('dd', {}, value, unit), canvas);
    const sparkline = new Sparkline(canvas, () => this.source.values.get(path), (now) => this.store.serverNow(now), path.endsWith('percent'));
    this.painter.add(sparkline);
    return { path, element, value, unit, sparkline };
  }
}

export class Sources {
  readonly element: HTMLElement;
  private readonly cards = new Map<string, Card>();
  private readonly list = h('ul', { class: 'source-list' });
  private readonly figure = h('span', { class: 'section-note' });
  private readonly more = h('button', { type: 'button', class: 'quiet-button more', onclick: () => this.toggle() });
  private all = false;

  constructor(private readonly store: Store, private readonly painter: Painter, private readonly pick: (source: string) => void) {
    this.element = h('section', { class: 'sources', 'aria-labelledby': 'sources-title' },
      h('div', { class: 'section-head' }, h('h2', { id: 'sources-title' }, 'Sources'), this.figure), this.list, this.more);
  }

  update(now: number): void {
    const serverNow = this.store.serverNow(now);
    const sorted = [...this.store.sources.values()].sort((a, b) => {
      const byState = order[a.state(serverNow)] - order[b.state(serverNow)];
      return byState !== 0 ? byState : a.info.source < b.info.source ? -1 : 1;
    });
    const live = sorted.filter((s) => s.state(serverNow) === 'live').length;
    setText(this.figure, `${count(live)} live of ${count(Math.max(sorted.length, this.store.status?.sources.total ?? 0))}`);
    const shown = this.all ? sorted : sorted.slice(0, shownAtFirst);
    const elements: Element[] = [];
    const names = new Set<string>();
    for (const source of shown) {
      names.add(source.info.source);
      let card = this.cards.get(source.info.source);
      if (card === undefined) {
        card = new Card(source, this.store, this.painter, this.pick);
        this.cards.set(source.info.source, card);
      }
      card.update(serverNow);
      elements.push(card.element);
    }
    for (const [name, card] of this.cards) {
      if (names.has(name)) continue;
      card.leave();
      this.cards.delete(name);
    }
    arrange(this.list, elements);
    this.more.hidden = sorted.length <= shownAtFirst;
    setText(this.more, this.all ? 'Show fewer' : `Show all ${count(sorted.length)}`);
    setAttribute(this.more, 'aria-expanded', String(this.all));
  }

  private toggle(): void {
    this.all = !this.all;
    this.update(Date.now());
  }
}
