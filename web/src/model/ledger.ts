// SPDX-License-Identifier: Apache-2.0
// The ledgers of GET /api/v1/receivers, summed per receiver. Pure; what is missing counts as 0.
import { ledgerParts, type Json, type Ledger } from './types';

function messagesOf(value: Json | undefined): number {
  if (typeof value === 'number') return value;
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return messagesOf(value['messages']);
  return 0;
}

export function ledgersOf(reply: Json): Map<string, Ledger> {
  const sums = new Map<string, Ledger>();
  const list = Array.isArray(reply) ? reply : reply !== null && typeof reply === 'object' ? reply['receivers'] : undefined;
  if (!Array.isArray(list)) return sums;
  for (const receiver of list) {
    if (receiver === null || typeof receiver !== 'object' || Array.isArray(receiver)) continue;
    const { name, ledger } = receiver;
    if (typeof name !== 'string' || !Array.isArray(ledger)) continue;
    const sum: Ledger = { accepted: 0, stored: 0, filtered: 0, duplicate: 0, dead: 0, expired: 0, in_flight: 0 };
    for (const entry of ledger) {
      if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) continue;
      sum.accepted += messagesOf(entry['accepted']);
      for (const part of ledgerParts) sum[part] += messagesOf(entry[part]);
    }
    sums.set(name, sum);
  }
  return sums;
}
