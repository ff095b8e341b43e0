// SPDX-License-Identifier: Apache-2.0
// The numbers in a body that are worth a sparkline. Pure.
import type { Json } from './types';

const depthMax = 5;
const pathsMax = 64;

// Numeric leaves by dotted path, in the order of the body. Arrays are passed over: their indexes are no names.
export function numbersOf(body: Json): Map<string, number> {
  const found = new Map<string, number>();
  const walk = (value: Json, path: string, depth: number): void => {
    if (found.size >= pathsMax) return;
    if (typeof value === 'number') {
      if (Number.isFinite(value)) found.set(path === '' ? 'value' : path, value);
    } else if (value !== null && typeof value === 'object' && !Array.isArray(value) && depth < depthMax) {
      for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path}.${key}`, depth + 1);
    }
  };
  walk(body, '', 0);
  return found;
}

const preferred = [
  'cpu.used_percent',
  'memory.used_percent',
  'load.one',
  'network.received_bytes_per_s',
  'network.sent_bytes_per_s',
  'disk.written_bytes_per_s',
];

export interface Candidate {
  path: string;
  changes: number; // how often the value was another than the one before
  samples: number;
}

// The paths to show, best first: the well-known ones, then what changes, then what stands first.
export function choose(candidates: Candidate[], most: number): string[] {
  const score = (c: Candidate, at: number): number => {
    const known = preferred.indexOf(c.path);
    if (known >= 0) return 1000 - known;
    const odd = /(^|[._])(id|time|timestamp|version|count|port|threads)$/.test(c.path) ? -50 : 0;
    const lively = c.samples > 1 ? (c.changes / (c.samples - 1)) * 30 : 15;
    return lively + odd - at * 0.5 - c.path.split('.').length;
  };
  return candidates
    .map((c, at) => ({ path: c.path, score: score(c, at) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, most)
    .map((c) => c.path);
}
