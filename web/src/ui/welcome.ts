// SPDX-License-Identifier: Apache-2.0
// What stands in place of sources while there are none, and where a token is asked for.
import { h, setText } from './dom';

export function firstMessageCommand(origin: string): string {
  return [
    `curl -X POST ${origin}/api/v1/messages \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d '{"type":"system_metrics","source":"my-first-source","body":{"temperature_c":21.5}}'`,
  ].join('\n');
}

function copyable(text: string): HTMLElement {
  const button = h('button', { type: 'button', class: 'button copy' }, 'Copy');
  button.addEventListener('click', () => {
    void navigator.clipboard?.writeText(text).then(
      () => setText(button, 'Copied'),
      () => setText(button, 'Select and copy'));
  });
  return h('div', { class: 'command' }, h('pre', { tabindex: '0', 'aria-label': 'command' }, text), button);
}

export function welcome(origin: string): HTMLElement {
  const agentUrl = `${origin.replace(/^http/, 'ws')}/agent`;
  return h('section', { class: 'card welcome', 'aria-labelledby': 'welcome-title' },
    h('h2', { id: 'welcome-title' }, 'The channel is open. Nothing flows yet.'),
    h('p', {}, 'Send a first message, and see it here as soon as it is on disk:'),
    copyable(firstMessageCommand(origin)),
    h('p', {}, 'Or let an agent report this machine:'),
    copyable(`headrace agent --server ${agentUrl}`));
}

export function askForToken(use: (token: string) => void): HTMLElement {
  const input = h('input', { id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true });
  const form = h('form', { class: 'card welcome' },
    h('h2', {}, 'This server asks who you are.'),
    h('p', {}, h('label', { for: 'token' }, 'A token of a principal with the role viewer or more:')),
    h('div', { class: 'command' }, input, h('button', { type: 'submit', class: 'button' }, 'Open')));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    use(input.value.trim());
  });
  return form;
}
