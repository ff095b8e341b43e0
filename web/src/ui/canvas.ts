// SPDX-License-Identifier: Apache-2.0
// Canvases in device pixels, colours from the style sheet, and one clock that paints all that can be seen.

export interface Surface {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
}

// The canvas sized to its box, its context in CSS pixels and cleared. undefined: it has no size now.
export function surface(canvas: HTMLCanvasElement): Surface | undefined {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const context = canvas.getContext('2d');
  if (width === 0 || height === 0 || context === null) return undefined;
  const scale = Math.min(window.devicePixelRatio || 1, 3);
  const w = Math.round(width * scale);
  const h = Math.round(height * scale);
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

let colours = new Map<string, string>();

export function colour(name: string): string {
  let value = colours.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    colours.set(name, value);
  }
  return value;
}

export function forgetColours(): void {
  colours = new Map();
}

export const typeColours = 6;

export interface Painted {
  canvas: HTMLCanvasElement;
  paint(now: number): void;
}

// Paints what is on the screen: smoothly, or once a second where people ask for less motion.
export class Painter {
  private readonly painted = new Map<Element, Painted>();
  private readonly visible = new Set<Painted>();
  private last = 0;
  private readonly observer = new IntersectionObserver((entries) => {
    for (const e of entries) {
      const p = this.painted.get(e.target);
      if (p === undefined) continue;
      if (e.isIntersecting) this.visible.add(p);
      else this.visible.delete(p);
    }
  });
  private readonly calm = matchMedia('(prefers-reduced-motion: reduce)');

  add(p: Painted): void {
    this.painted.set(p.canvas, p);
    this.observer.observe(p.canvas);
  }

  remove(p: Painted): void {
    this.observer.unobserve(p.canvas);
    this.painted.delete(p.canvas);
    this.visible.delete(p);
  }

  start(): void {
    const frame = (time: number): void => {
      if (time - this.last >= (this.calm.matches ? 1000 : 33)) {
        this.last = time;
        const now = Date.now();
        for (const p of this.visible) p.paint(now);
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }
}

// Canvas paths may not overshoot: monotone cubic interpolation (Fritsch and Carlson 1980).
export function smoothLine(context: CanvasRenderingContext2D, xs: readonly number[], ys: readonly number[]): void {
  const n = xs.length;
  if (n === 0) return;
  context.moveTo(xs[0]!, ys[0]!);
  const slope = (i: number): number => (ys[i + 1]! - ys[i]!) / Math.max(xs[i + 1]! - xs[i]!, 1e-6);
  const tangent = (i: number): number => {
    if (i === 0) return n > 1 ? slope(0) : 0;
    if (i === n - 1) return slope(n - 2);
    const before = slope(i - 1);
    const after = slope(i);
    if (before * after <= 0) return 0;
    return (2 * before * after) / (before + after);
  };
  let t = tangent(0);
  for (let i = 0; i + 1 < n; i += 1) {
    const next = tangent(i + 1);
    const third = (xs[i + 1]! - xs[i]!) / 3;
    context.bezierCurveTo(xs[i]! + third, ys[i]! + t * third, xs[i + 1]! - third, ys[i + 1]! - next * third, xs[i + 1]!, ys[i + 1]!);
    t = next;
  }
}
