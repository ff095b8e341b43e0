// SPDX-License-Identifier: Apache-2.0
// Receivers: what the channel drives. State, lag, dead letters, and the ledger: where every accepted message went.
import { compact, count, duration } from '../model/format';
import type { Store } from '../model/store';
import { ledgerParts, type Ledger, type ReceiverStatus } from '../model/types';
import { arrange, h, setAttribute, setText } from './dom';
import { wheel } from './icons';

const partText: Record<(typeof ledgerParts)[number], string> = {
  stored: 'stored',
  filtered: 'filtered',
  duplicate: 'repeats',
  dead: 'dead letters',
  expired: 'expired',
  in_flight: 'in flight',
};

const stateText: Record<string, string> = {
  running: 'running',
  starting: 'starting',
  catching_up: 'catching up',
  retrying: 'trying again',
  hung: 'hanging',
  blocked: 'blocked',
  failed: 'failed',
  stopped: 'stopped',
};

class ReceiverCard {
  readonly element: HTMLElement;
  private readonly state = h('span', { class: 'state-word' });
  private readonly kind = h('span', { class: 'faint' });
  private readonly lag = h('dd', { class: 'number' });
  private readonly dead = h('dd', { class: 'number' });
  private readonly accepted = h('dd', { class: 'number' });
  private readonly bar = h('div', { class: 'ledger', role: 'img' });
  private readonly note = h('p', { class: 'receiver-note' });
  private readonly parts = new Map<string, HTMLElement>();

  constructor(name: string) {
    for (const part of ledgerParts) {
      const element = h('span', { class: `part-${part}` });
      this.parts.set(part, element);
      this.bar.append(element);
    }
    this.element = h('li', { class: 'card receiver' },
      h('div', { class: 'receiver-head' }, wheel(),
        h('div', {}, h('h3', {}, name), h('p', { class: 'receiver-kind' }, this.kind, this.state))),
      h('dl', { class: 'receiver-figures' },
        h('div', {}, h('dt', {}, 'accepted'), this.accepted),
        h('div', {}, h('dt', {}, 'lag'), this.lag),
        h('div', {}, h('dt', {}, 'dead letters'), this.dead)),
      this.bar, this.note);
  }

  update(r: ReceiverStatus, ledger: Ledger | undefined): void {
    setAttribute(this.element, 'data-state', r.state);
    setAttribute(this.element, 'data-busy', r.lag_messages > 1000 ? 'yes' : 'no');
    setText(this.kind, r.type);
    setText(this.state, stateText[r.state] ?? r.state);
    setText(this.lag, compact(r.lag_messages));
    setText(this.dead, compact(r.dead_letters));
    setAttribute(this.dead, 'data-some', r.dead_letters > 0 ? 'yes' : 'no');
    setText(this.accepted, ledger === undefined ? '–' : count(ledger.accepted));
    this.bar.hidden = ledger === undefined || ledger.accepted === 0;
    if (ledger !== undefined) this.updateLedger(ledger);
    const notes = [
      r.expires_in_s !== null && r.lag_messages > 1000 ? `the oldest unread falls off in ${duration(r.expires_in_s)}` : '',
      r.last_error?.message ?? '',
    ].filter((n) => n !== '');
    setText(this.note, notes.join(' · '));
    this.note.hidden = notes.length === 0;
  }

  private updateLedger(ledger: Ledger): void {
    const said: string[] = [];
    for (const part of ledgerParts) {
      const element = this.parts.get(part)!;
      const value = ledger[part];
      element.style.flexGrow = String(value);
      element.hidden = value === 0;
      if (value > 0) said.push(`${count(value)} ${partText[part]}`);
    }
    setAttribute(this.bar, 'aria-label', `Of ${count(ledger.accepted)}: ${said.join(', ')}`);
    setAttribute(this.bar, 'title', said.join(' · '));
  }
}

export class Receivers {
  readonly element: HTMLElement;
  private readonly cards = new Map<string, ReceiverCard>();
  private readonly list = h('ul', { class: 'receiver-list' });
  private readonly figure = h('span', { class: 'section-note' });

  constructor(private readonly store: Store) {
    this.element = h('section', { class: 'receivers', 'aria-labelledby': 'receivers-title' },
      h('div', { class: 'section-head' }, h('h2', { id: 'receivers-title' }, 'Receivers'), this.figure), this.list);
  }

  update(): void {
    const elements = this.store.receivers.map((r) => {
      let card = this.cards.get(r.name);
      if (card === undefined) {
        card = new ReceiverCard(r.name);
        this.cards.set(r.name, card);
      }
      card.update(r, this.store.ledgers.get(r.name));
      return card.element;
    });
    arrange(this.list, elements);
    const ill = this.store.receivers.filter((r) => !['running', 'catching_up', 'starting'].includes(r.state)).length;
    setText(this.figure, ill === 0 ? (elements.length > 0 ? 'all well' : '') : `${ill} in trouble`);
    setAttribute(this.figure, 'data-trouble', ill === 0 ? 'no' : 'yes');
  }
}
