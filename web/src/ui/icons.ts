// SPDX-License-Identifier: Apache-2.0
// Drawings: the mark (two waves in a channel) and the wheel that stands for a receiver.
import { svg } from './dom';

export function mark(): SVGElement {
  const wave = (y: number, opacity: string): SVGElement =>
    svg('path', {
      d: `M3 ${y}c4.5 0 4.5 3 9 3s4.5-3 9-3 4.5 3 8 3`,
      fill: 'none',
      stroke: 'currentColor',
      'stroke-width': '2.6',
      'stroke-linecap': 'round',
      opacity,
    });
  return svg('svg', { viewBox: '0 0 32 32', class: 'mark', 'aria-hidden': 'true' },
    svg('path', { d: 'M1.5 5v20a3 3 0 0 0 3 3h23a3 3 0 0 0 3-3V5', fill: 'none', stroke: 'currentColor', 'stroke-width': '2.2', 'stroke-linecap': 'round', opacity: '.35' }),
    wave(11, '1'), wave(18, '.7'));
}

// A mill wheel: rim, spokes, and buckets that stand out of the rim.
export function wheel(): SVGElement {
  const turning = svg('g', { class: 'turning', fill: 'none', stroke: 'currentColor', 'stroke-linecap': 'round' });
  turning.append(svg('circle', { cx: '16', cy: '16', r: '9.5', 'stroke-width': '2' }));
  for (let i = 0; i < 8; i += 1) {
    turning.append(svg('path', { d: 'M16 6.5V2.2h3', transform: `rotate(${i * 45} 16 16)`, 'stroke-width': '2', 'stroke-linejoin': 'round' }));
  }
  for (let i = 0; i < 3; i += 1) {
    turning.append(svg('path', { d: 'M16 6.5v19', transform: `rotate(${i * 60} 16 16)`, 'stroke-width': '1.1', opacity: '.65' }));
  }
  turning.append(svg('circle', { cx: '16', cy: '16', r: '2.4', fill: 'currentColor', stroke: 'none' }));
  return svg('svg', { viewBox: '0 0 32 32', class: 'wheel', 'aria-hidden': 'true' }, turning);
}
