// SPDX-License-Identifier: Apache-2.0
// The browser's side of the feed: real sockets, timers and requests.
import type { Json, Message } from '../model/types';
import type { Socket, World } from './connection';

const tokenKey = 'headrace.token';

export function keptToken(): string | undefined {
  try {
    return sessionStorage.getItem(tokenKey) ?? undefined;
  } catch {
    return undefined;
  }
}

export function keepToken(token: string): void {
  try {
    sessionStorage.setItem(tokenKey, token);
  } catch {
    // A page without storage asks again after a reload.
  }
}

function headers(token: string | undefined): HeadersInit {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}

export async function get(path: string, token: string | undefined): Promise<Json> {
  const reply = await fetch(path, { headers: headers(token), cache: 'no-store' });
  if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
  return (await reply.json()) as Json;
}

export interface Recent {
  messages: Message[];
  complete: boolean;
}

export async function recentMessages(token: string | undefined, sinceMs: number): Promise<Recent> {
  const from = new Date(sinceMs).toISOString();
  const reply = await get(`/api/v1/messages?from=${encodeURIComponent(from)}&order=desc&limit=1000`, token);
  if (reply === null || typeof reply !== 'object' || Array.isArray(reply)) return { messages: [], complete: false };
  const messages = Array.isArray(reply['messages']) ? (reply['messages'] as unknown as Message[]) : [];
  return { messages, complete: reply['next'] === null };
}

export function browserWorld(): World {
  return {
    open(token) {
      const url = new URL('/live', location.href);
      url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
      const protocols = token === undefined ? ['headrace.live.v1'] : ['headrace.live.v1', `bearer.${token}`];
      return new WebSocket(url, protocols) as unknown as Socket;
    },
    async asksForToken(token) {
      try {
        const reply = await fetch('/api/v1/status', { headers: headers(token), cache: 'no-store' });
        return reply.status === 401 || reply.status === 403;
      } catch {
        return false;
      }
    },
    setTimer: (call, ms) => window.setTimeout(call, ms),
    clearTimer: (timer) => window.clearTimeout(timer),
    random: Math.random,
  };
}
