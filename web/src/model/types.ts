// SPDX-License-Identifier: Apache-2.0
// What the server sends: docs/protocols/live.md and the OpenAPI description at /api/v1/openapi.json.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Message {
  id: string;
  type: string;
  source: string;
  time: string;
  received: string;
  body: Json;
}

export interface DataTypeStatus {
  name: string;
  durability: string;
  messages_total: number;
  rate_1s: number;
  rate_10s: number;
}

export interface ReceiverStatus {
  name: string;
  type: string;
  state: string;
  lag_messages: number;
  dead_letters: number;
  expires_in_s: number | null;
  last_error: { code: string; message: string } | null;
}

export interface Status {
  time: string;
  version: string;
  started: string;
  uptime_s: number;
  durability: string;
  data_types: DataTypeStatus[];
  receivers: ReceiverStatus[];
  sources: { total: number; active: number };
  broker: {
    type: string;
    state: string;
    stored_bytes: number;
    disk_budget_bytes: number;
    fenced: boolean;
    disk_full: boolean;
  };
  live: { readers: number };
}

export interface SourceInfo {
  source: string;
  state: string;
  types: string[];
  first_seen: string;
  last_seen: string;
  messages_total: number;
}

export interface Frame {
  messages?: Message[];
  dropped?: number;
  status?: Status;
  sources?: SourceInfo[];
  error?: { code: string; message: string };
}

// Where a receiver's messages went, summed over its data types.
export interface Ledger {
  accepted: number;
  stored: number;
  filtered: number;
  duplicate: number;
  dead: number;
  expired: number;
  in_flight: number;
}

export const ledgerParts = ['stored', 'filtered', 'duplicate', 'dead', 'expired', 'in_flight'] as const;
