// A customer's colour, made readable: a pale one is darkened until its text can
// be read on the page, so that a bright logo cannot make a page unusable.

import { setBrand } from '../lib/theme';

const enough = 4.6; // 4.5 and something for rounding
const ground = '#f1f5f6'; // --canvas of the light theme, the lesser of the two

type RGB = readonly [number, number, number];

const parse = (hex: string): RGB => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as unknown as RGB;
const write = (c: RGB): string => `#${c.map((v) => Math.round(v).toString(16).padStart(2, '0')).join('')}`;

function luminance(c: RGB): number {
  const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)) as unknown as RGB;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** contrast of two colours (#rrggbb), 1 to 21. */
export function contrast(a: string, b: string): number {
  const [x, y] = [luminance(parse(a)), luminance(parse(b))];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

/** readable darkens a colour until it can carry text on the page. */
export function readable(colour: string): string {
  let c = colour.toLowerCase();
  while (contrast(c, ground) < enough) c = write(parse(c).map((v) => v * 0.94) as unknown as RGB);
  return c;
}

/** brand gives the page a site's colour; anything that is no colour is ignored. */
export function brand(colour: string | undefined): void {
  if (colour && /^#[0-9a-f]{6}$/i.test(colour)) setBrand(readable(colour));
}
