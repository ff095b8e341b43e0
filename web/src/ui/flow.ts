// SPDX-License-Identifier: Apache-2.0
// Flow: the river of messages with its figures: in all, and per data type.
import { ago, count, rate } from '../model/format';
import type { Store } from '../model/store';
import { typeColours, type Painter } from './canvas';
import { arrange, h, setAttribute, setText } from './dom';
import { marks, placeOf, River, type Branch } from './river';

interface Row {
  element: HTMLElement;
  rate: HTMLElement;
  total: HTMLElement;
}

export class Flow {
  readonly element: HTMLElement;
  private readonly total = h('span', { class: 'flow-total' }, '0.0');
  private readonly rows = new Map<string, Row>();
  private readonly legend = h('tbody');
  private readonly readout = h('div', { class: 'river-readout', 'aria-hidden': 'true' });
  private readonly canvas = h('canvas', { class: 'river', role: 'img', 'aria-label': 'Messages per second' });
  private readonly river: River;
  private described = 0;

  constructor(private readonly store: Store, painter: Painter) {
    this.river = new River(this.canvas, () => this.branches(), (now) => store.serverNow(now));
    painter.add(this.river);
    this.element = h('section', { class: 'flow', 'aria-labelledby': 'flow-title' },
      h('div', { class: 'flow-head' },
        h('div', {},
          h('h2', { class: 'flow-figure', id: 'flow-title' }, this.total, h('span', { class: 'flow-unit' }, 'messages per second'))),
        h('table', { class: 'legend' },
          h('caption', { class: 'sr-only' }, 'Messages per data type'),
          h('thead', { class: 'sr-only' }, h('tr', {}, h('th', { scope: 'col' }, 'Data type'), h('th', { scope: 'col' }, 'Per second'), h('th', { scope: 'col' }, 'Since start'))),
          this.legend)),
      h('div', { class: 'river-box' }, this.canvas, this.readout,
        h('div', { class: 'river-times', 'aria-hidden': 'true' },
          ...marks.map((m) => this.timeMark(m)), h('span', { class: 'now' }, 'now'))));
    this.canvas.addEventListener('pointermove', (e) => this.point(e));
    this.canvas.addEventListener('pointerleave', () => this.readout.classList.remove('shown'));
  }

  colourOf(type: string): number {
    const at = [...this.store.dataTypes.keys()].sort().indexOf(type);
    return at < 0 ? 0 : at % typeColours;
  }

  update(now: number): void {
    const types = [...this.store.dataTypes.values()].sort((a, b) => (a.status.name < b.status.name ? -1 : 1));
    let sum = 0;
    const elements: Element[] = [];
    for (const type of types) {
      const value = type.status.rate_10s;
      sum += value;
      const row = this.row(type.status.name);
      setText(row.rate, rate(value));
      setText(row.total, count(type.status.messages_total));
      setAttribute(row.element, 'data-flowing', type.status.messages_total > 0 ? 'yes' : 'no');
      elements.push(row.element);
    }
    arrange(this.legend, elements);
    setText(this.total, rate(sum));
    if (now - this.described > 10_000) {
      this.described = now;
      setAttribute(this.canvas, 'aria-label', `Messages per second over the last 90 seconds; now ${rate(sum)}`);
    }
  }

  private row(name: string): Row {
    let row = this.rows.get(name);
    if (row === undefined) {
      const perSecond = h('td', { class: 'number' });
      const total = h('td', { class: 'number faint' });
      const element = h('tr', {},
        h('th', { scope: 'row' }, h('span', { class: `swatch type-${this.colourOf(name)}` }), name), perSecond, total);
      row = { element, rate: perSecond, total };
      this.rows.set(name, row);
    }
    return row;
  }

  private timeMark(secondsAgo: number): HTMLElement {
    const element = h('span', {}, `${secondsAgo} s ago`);
    element.style.left = `${placeOf(secondsAgo) * 100}%`;
    return element;
  }

  private branches(): Branch[] {
    return [...this.store.dataTypes.values()]
      .map((t) => ({ name: t.status.name, colour: this.colourOf(t.status.name), rates: t.rates }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  private point(event: PointerEvent): void {
    const rates = this.river.ratesAt(event.offsetX, Date.now()).filter((r) => r.rate >= 0.05);
    this.readout.replaceChildren(
      h('b', {}, ago(this.river.secondsAgo(event.offsetX))),
      ...rates.map((r) => h('span', {}, h('span', { class: `swatch type-${r.colour}` }), `${rate(r.rate)} ${r.name}`)),
      ...(rates.length === 0 ? [h('span', {}, 'nothing')] : []));
    const right = event.offsetX > this.canvas.clientWidth - 220;
    this.readout.style.left = `${right ? event.offsetX - 12 : event.offsetX + 12}px`;
    this.readout.style.transform = right ? 'translateX(-100%)' : '';
    this.readout.classList.add('shown');
  }
}
