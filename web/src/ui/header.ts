// SPDX-License-Identifier: Apache-2.0
// The page's head: name, connection, durability, uptime, light or dark.
import type { ConnectionState } from '../feed/connection';
import { bytes, duration } from '../model/format';
import type { Store } from '../model/store';
import { forgetColours } from './canvas';
import { h, setAttribute, setText } from './dom';
import { mark } from './icons';

const connectionText: Record<ConnectionState, string> = {
  connecting: 'Connecting',
  live: 'Live',
  waiting: 'Connection lost, trying again',
  denied: 'A token is needed',
};

const durabilityText: Record<string, string> = {
  disk: 'Acknowledged when on disk',
  os: 'Acknowledged when written, not synced',
  memory: 'Acknowledged when in memory',
};

const themeKey = 'headrace.theme';

function storedTheme(): string | null {
  try {
    return localStorage.getItem(themeKey);
  } catch {
    return null;
  }
}

export class Header {
  readonly element: HTMLElement;
  private readonly connection = h('span', { class: 'pill connection', role: 'status' });
  private readonly durability = h('span', { class: 'fact durability' });
  private readonly uptime = h('span', { class: 'fact' });
  private readonly stored = h('span', { class: 'fact' });
  private readonly theme = h('button', { class: 'quiet-button theme', type: 'button', onclick: () => this.switchTheme() });

  constructor() {
    const stored = storedTheme();
    if (stored !== null) document.documentElement.dataset['theme'] = stored;
    this.labelTheme();
    this.element = h('header', { class: 'page-head' },
      h('h1', {}, h('a', { class: 'brand', href: '/', 'aria-label': 'Headrace' }, mark(), h('span', { class: 'brand-name' }, 'Headrace'))),
      this.connection,
      h('div', { class: 'facts' }, this.durability, this.stored, this.uptime),
      this.theme);
    this.setConnection('connecting');
  }

  setConnection(state: ConnectionState): void {
    setAttribute(this.connection, 'data-state', state);
    setText(this.connection, connectionText[state]);
  }

  update(store: Store): void {
    const s = store.status;
    if (s === undefined) return;
    setText(this.durability, durabilityText[s.durability] ?? `Durability: ${s.durability}`);
    setAttribute(this.durability, 'data-durability', s.durability);
    const trouble = s.broker.fenced ? 'Log stopped after a disk error' : s.broker.disk_full ? 'Disk full' : '';
    setText(this.stored, trouble !== '' ? trouble : `Log ${bytes(s.broker.stored_bytes)}`);
    setAttribute(this.stored, 'data-trouble', trouble === '' ? 'no' : 'yes');
    setText(this.uptime, `Up ${duration(s.uptime_s)}`);
    setAttribute(this.uptime, 'title', `Headrace ${s.version}`);
  }

  private isDark(): boolean {
    const set = document.documentElement.dataset['theme'];
    return set !== undefined ? set === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  }

  private switchTheme(): void {
    const next = this.isDark() ? 'light' : 'dark';
    document.documentElement.dataset['theme'] = next;
    try {
      localStorage.setItem(themeKey, next);
    } catch {
      // Without storage the choice lasts until the page is left.
    }
    forgetColours();
    this.labelTheme();
  }

  private labelTheme(): void {
    const dark = this.isDark();
    setText(this.theme, dark ? '☀' : '☾');
    setAttribute(this.theme, 'aria-label', dark ? 'Use light colours' : 'Use dark colours');
    setAttribute(this.theme, 'title', dark ? 'Light' : 'Dark');
  }
}
