// SPDX-License-Identifier: Apache-2.0
// Numbers, sizes and times as people read them. Pure.

const thin = '\u202f';

// 0, 0.05, 1.5, 123, 1,234, 1.23 M: at most four digits that matter.
export function compact(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1e15) return value.toExponential(2).replace('e+', 'e');
  const units: [number, string][] = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M']];
  for (const [unit, name] of units) {
    if (size >= unit) return digits(value / unit) + thin + name;
  }
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  return digits(value);
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value)) return String(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 0.01) return value.toFixed(2);
  return size === 0 ? '0' : value.toPrecision(1);
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

// A rate: one decimal below ten, so that slow reporters do not read as 0.
export function rate(value: number): string {
  if (value > 0 && value < 0.05) return '<0.1';
  if (value < 10) return value.toFixed(1);
  return compact(Math.round(value));
}

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let at = 0;
  let size = value;
  while (Math.abs(size) >= 999.5 && at < units.length - 1) {
    size /= 1000;
    at += 1;
  }
  return (at === 0 ? Math.round(size).toString() : digits(size)) + thin + units[at];
}

export function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s}${thin}s`;
  if (s < 3600) return `${Math.floor(s / 60)}${thin}min`;
  if (s < 86400) return `${Math.floor(s / 3600)}${thin}h ${Math.floor((s % 3600) / 60)}${thin}min`;
  return `${Math.floor(s / 86400)}${thin}d ${Math.floor((s % 86400) / 3600)}${thin}h`;
}

export function ago(seconds: number): string {
  return seconds < 1.5 ? 'now' : `${duration(seconds)} ago`;
}

// Hours to milliseconds of the reader's own clock.
export function clockTime(ms: number): string {
  const d = new Date(ms);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, '0')}`;
}

export interface Shown {
  text: string;
  unit: string;
}

// A value of a body by what its name says about its unit: used_percent, total_bytes, sent_bytes_per_s, uptime_s.
export function valueWithUnit(path: string, value: number): Shown {
  const name = path.slice(path.lastIndexOf('.') + 1);
  const split = (text: string, suffix = ''): Shown => {
    const at = text.lastIndexOf(thin);
    return at < 0 ? { text, unit: suffix.trim() } : { text: text.slice(0, at), unit: text.slice(at + 1) + suffix };
  };
  if (/(_|^)percent$/.test(name)) return { text: value.toFixed(1), unit: '%' };
  if (/(_|^)bytes_per_s$/.test(name)) return split(bytes(value), '/s');
  if (/(_|^)per_s$/.test(name)) return { text: compact(value), unit: '/s' };
  if (/(_|^)bytes$/.test(name)) return split(bytes(value));
  if (/_ms$/.test(name)) return { text: compact(value), unit: 'ms' };
  if (/_(s|seconds)$/.test(name)) return { text: duration(value), unit: '' };
  if (/_(c|celsius)$/.test(name)) return { text: compact(value), unit: '°C' };
  return split(compact(value));
}

const knownLabels: Record<string, string> = {
  'cpu.used_percent': 'cpu',
  'memory.used_percent': 'memory',
  'load.one': 'load',
  'network.received_bytes_per_s': 'network in',
  'network.sent_bytes_per_s': 'network out',
  'disk.written_bytes_per_s': 'disk write',
  'disk.read_bytes_per_s': 'disk read',
};

export function label(path: string): string {
  const known = knownLabels[path];
  if (known !== undefined) return known;
  const parts = path.split('.').filter((p) => p !== 'data' && p !== 'body' && p !== 'value');
  const name = (parts.at(-1) ?? path).replace(/_(percent|bytes|bytes_per_s|per_s|ms|s|c|celsius)$/, '');
  const before = parts.length > 1 ? parts.at(-2) : undefined;
  return (before !== undefined && name.length < 10 ? `${before} ${name}` : name).replaceAll('_', ' ');
}
