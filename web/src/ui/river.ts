// SPDX-License-Identifier: Apache-2.0
// River: messages per second of each data type as a stream that flows past; its width is the rate.
import type { Series } from '../model/series';
import { colour, surface, type Painted } from './canvas';

export interface Branch {
  name: string;
  colour: number;
  rates: Series;
}

const windowMs = 90_000;
const delayMs = 1600; // the newest second is known only when it is over
const sigmaMs = 1300;
export const marks = [30, 60] as const; // seconds ago
const step = 5; // CSS pixels between samples

// Of a moment so many seconds ago, as a part of the width.
export function placeOf(secondsAgo: number): number {
  return 1 - (secondsAgo * 1000 - delayMs) / windowMs;
}

export class River implements Painted {
  readonly canvas: HTMLCanvasElement;
  private top = 1; // rate at full width

  constructor(
    canvas: HTMLCanvasElement,
    private readonly branches: () => Branch[],
    private readonly serverNow: (now: number) => number,
  ) {
    this.canvas = canvas;
  }

  // Rates at a place on the canvas, for the pointer.
  ratesAt(x: number, now: number): { name: string; colour: number; rate: number }[] {
    const at = this.timeAt(x, this.canvas.clientWidth, now);
    return this.branches().map((b) => ({ name: b.name, colour: b.colour, rate: b.rates.smoothed(at, sigmaMs) }));
  }

  secondsAgo(x: number): number {
    return ((1 - x / this.canvas.clientWidth) * windowMs + delayMs) / 1000;
  }

  private timeAt(x: number, width: number, now: number): number {
    return this.serverNow(now) - delayMs - (1 - x / width) * windowMs;
  }

  paint(now: number): void {
    const s = surface(this.canvas);
    if (s === undefined) return;
    const c = s.context;
    const columns = Math.ceil(s.width / step) + 1;
    const branches = this.branches();
    const rates = branches.map((b) => {
      const row = new Float64Array(columns);
      for (let i = 0; i < columns; i += 1) row[i] = b.rates.smoothed(this.timeAt(i * step, s.width, now), sigmaMs);
      return row;
    });
    let top = 0.5;
    for (let i = 0; i < columns; i += 1) {
      let sum = 0;
      for (const row of rates) sum += row[i]!;
      top = Math.max(top, sum);
    }
    this.top += (top - this.top) * (top > this.top ? 0.15 : 0.03);
    this.bed(c, s.width, s.height);
    this.water(c, branches, rates, columns, s.height);
  }

  // The channel: a quiet line where nothing flows, and marks of time.
  private bed(c: CanvasRenderingContext2D, width: number, height: number): void {
    c.strokeStyle = colour('--river-bed');
    c.lineWidth = 1;
    c.setLineDash([2, 5]);
    for (const seconds of marks) {
      const x = Math.round(placeOf(seconds) * width) + 0.5;
      c.beginPath();
      c.moveTo(x, 14);
      c.lineTo(x, height - 14);
      c.stroke();
    }
    c.setLineDash([]);
    c.beginPath();
    c.moveTo(0, height / 2);
    c.lineTo(width, height / 2);
    c.strokeStyle = colour('--river-line');
    c.lineWidth = 2;
    c.stroke();
  }

  private water(c: CanvasRenderingContext2D, branches: Branch[], rates: Float64Array[], columns: number, height: number): void {
    const scale = (height - 36) / Math.max(this.top, 1e-9) / 1.05;
    const edge = new Float64Array(columns);
    for (let i = 0; i < columns; i += 1) {
      let sum = 0;
      for (const row of rates) sum += row[i]!;
      edge[i] = height / 2 - (sum * scale) / 2;
    }
    branches.forEach((b, at) => {
      const row = rates[at]!;
      const lower = new Float64Array(columns);
      let any = false;
      for (let i = 0; i < columns; i += 1) {
        lower[i] = edge[i]! + row[i]! * scale;
        any ||= row[i]! * scale > 0.3;
      }
      if (any) {
        this.band(c, edge, lower, columns, b.colour);
        this.streaks(c, edge, lower, columns);
      }
      edge.set(lower);
    });
  }

  private band(c: CanvasRenderingContext2D, upper: Float64Array, lower: Float64Array, columns: number, hue: number): void {
    c.beginPath();
    c.moveTo(0, upper[0]!);
    for (let i = 1; i < columns; i += 1) c.lineTo(i * step, upper[i]!);
    for (let i = columns - 1; i >= 0; i -= 1) c.lineTo(i * step, lower[i]!);
    c.closePath();
    c.fillStyle = colour(`--type-${hue}`);
    c.fill();
  }

  // Light on the water: lines at parts of the branch's width.
  private streaks(c: CanvasRenderingContext2D, upper: Float64Array, lower: Float64Array, columns: number): void {
    c.strokeStyle = colour('--river-light');
    for (const [part, width] of [[0.12, 1.6], [0.38, 1], [0.63, 1.2], [0.86, 0.8]] as const) {
      c.lineWidth = width;
      c.beginPath();
      let drawing = false;
      for (let i = 0; i < columns; i += 1) {
        const thickness = lower[i]! - upper[i]!;
        if (thickness < 9) {
          drawing = false;
          continue;
        }
        const y = upper[i]! + thickness * part;
        if (drawing) c.lineTo(i * step, y);
        else c.moveTo(i * step, y);
        drawing = true;
      }
      c.stroke();
    }
  }
}
