// SPDX-License-Identifier: Apache-2.0
// Sparkline: the last minutes of one value, sliding with time.
import type { Series } from '../model/series';
import { colour, smoothLine, surface, type Painted } from './canvas';

const spanMin = 10_000; // while there is little to show
const spanUsual = 60_000;
const spanMax = 3_600_000; // of slow reporters

export class Sparkline implements Painted {
  readonly canvas: HTMLCanvasElement;
  private low = NaN;
  private high = NaN;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly series: () => Series | undefined,
    private readonly serverNow: (now: number) => number,
    private readonly percent: boolean,
  ) {
    this.canvas = canvas;
  }

  paint(now: number): void {
    const s = surface(this.canvas);
    const points = this.series()?.all();
    if (s === undefined || points === undefined || points.length === 0) return;
    const interval = this.series()?.interval() ?? 0;
    const end = this.serverNow(now);
    const full = Math.min(Math.max(spanUsual, interval * 40), spanMax);
    const span = Math.min(full, Math.max(spanMin, end - points[0]!.at));
    const inset = 3;
    const x = (at: number): number => s.width - inset - ((end - at) / span) * s.width;
    let first = points.length - 1;
    while (first > 0 && x(points[first]!.at) > -20) first -= 1;
    this.scale(points.slice(first).map((p) => p.value));
    const y = (v: number): number => s.height - inset - ((v - this.low) / (this.high - this.low)) * (s.height - 2 * inset);
    const xs: number[] = [];
    const ys: number[] = [];
    for (let i = first; i < points.length; i += 1) {
      xs.push(x(points[i]!.at));
      ys.push(y(points[i]!.value));
    }
    this.draw(s.context, xs, ys, s.width - inset, s.height);
  }

  private draw(c: CanvasRenderingContext2D, xs: number[], ys: number[], right: number, height: number): void {
    const lastY = ys.at(-1)!;
    const path = (): void => {
      c.beginPath();
      smoothLine(c, xs, ys);
      c.lineTo(right, lastY);
    };
    path();
    c.lineTo(right, height);
    c.lineTo(xs[0]!, height);
    c.closePath();
    const fill = c.createLinearGradient(0, 0, 0, height);
    fill.addColorStop(0, colour('--spark-fill'));
    fill.addColorStop(1, colour('--spark-fill-end'));
    c.fillStyle = fill;
    c.fill();
    path();
    c.strokeStyle = colour('--spark');
    c.lineWidth = 1.5;
    c.lineJoin = 'round';
    c.stroke();
    c.beginPath();
    c.arc(right, lastY, 2.2, 0, 2 * Math.PI);
    c.fillStyle = colour('--spark');
    c.fill();
  }

  // The scale follows the values gently, and keeps small ripples small: a tenth of the value at least.
  private scale(values: number[]): void {
    let low = Math.min(...values);
    let high = Math.max(...values);
    const least = this.percent ? 8 : Math.max(Math.abs(high) * 0.1, 1e-9);
    if (high - low < least) {
      const middle = (high + low) / 2;
      low = middle - least / 2;
      high = middle + least / 2;
    }
    const margin = (high - low) * 0.12;
    low -= margin;
    high += margin;
    const ease = Number.isNaN(this.low) ? 1 : 0.12;
    this.low = Number.isNaN(this.low) ? low : this.low + (low - this.low) * ease;
    this.high = Number.isNaN(this.high) ? high : this.high + (high - this.high) * ease;
  }
}
