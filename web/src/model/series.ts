// SPDX-License-Identifier: Apache-2.0
// Series: the last values of one number over time, bounded. Times are milliseconds and ascend.

export interface Point {
  at: number;
  value: number;
}

export class Series {
  private points: Point[] = [];
  changes = 0;
  samples = 0;

  constructor(private readonly pointsMax: number) {}

  add(at: number, value: number): void {
    const last = this.points.at(-1);
    this.samples += 1;
    if (last !== undefined && last.value !== value) this.changes += 1;
    if (last === undefined || at > last.at) {
      this.points.push({ at, value });
    } else {
      // Late, or from the archive: to its place. Of two with one time the last counts.
      const place = this.lowerBound(at);
      this.points.splice(place, this.points[place]?.at === at ? 1 : 0, { at, value });
    }
    if (this.points.length > this.pointsMax) this.points.splice(0, this.points.length - this.pointsMax);
  }

  all(): readonly Point[] {
    return this.points;
  }

  last(): Point | undefined {
    return this.points.at(-1);
  }

  // The usual time between two points: the median of the last ones.
  interval(): number {
    const gaps: number[] = [];
    for (let i = Math.max(1, this.points.length - 15); i < this.points.length; i += 1) {
      gaps.push(this.points[i]!.at - this.points[i - 1]!.at);
    }
    gaps.sort((a, b) => a - b);
    return gaps[Math.floor(gaps.length / 2)] ?? 0;
  }

  // Weighted mean of the points around `at`, a bell of width `sigma`; 0 where there are none. For rates sampled once a second.
  smoothed(at: number, sigma: number): number {
    let sum = 0;
    let weights = 0;
    const reach = 3 * sigma;
    for (let i = this.lowerBound(at - reach); i < this.points.length; i += 1) {
      const p = this.points[i]!;
      if (p.at > at + reach) break;
      const d = (p.at - at) / sigma;
      const w = Math.exp(-0.5 * d * d);
      sum += w * p.value;
      weights += w;
    }
    // Little weight: the edge of what is known. It fades to nothing there instead of beginning with a step.
    return weights === 0 ? 0 : (sum / weights) * (1 - Math.exp(-3 * weights));
  }

  private lowerBound(at: number): number {
    let low = 0;
    let high = this.points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.points[middle]!.at < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
