// Contrast of every text and mark pair, computed from the tokens, light and
// dark, for our own colour and for a few that a customer might set.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inkOn } from '../out/unit/theme.mjs';

const css = readFileSync(new URL('../../web/src/look/tokens.css', import.meta.url), 'utf8');
const variables = (text) => Object.fromEntries([...text.matchAll(/(--[\w-]+):\s*([^;]+);/g)].map((m) => [m[1], m[2].trim()]));
const darkBlocks = [...css.matchAll(/dark:start \*\/([\s\S]*?)\/\* dark:end/g)].map((m) => m[1].replace(/\s+/g, ' ').trim());

const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const fromHex = (hex) => [1, 3, 5].map((at) => linear(parseInt(hex.slice(at, at + 2), 16) / 255));
const luminance = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
const contrast = (a, b) => {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};

// linear sRGB to OKLab and back, as color-mix(in oklab, …) does it
const times = (matrix, v) => matrix.map((row) => row.reduce((sum, factor, i) => sum + factor * v[i], 0));
const rgbToLms = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]];
const lmsToLab = [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]];
const labToLms = [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]];
const lmsToRgb = [[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965], [-0.0041960863, -0.7034186147, 1.707614701]];
const toLab = (rgb) => times(lmsToLab, times(rgbToLms, rgb).map(Math.cbrt));
const toRGB = (lab) => times(lmsToRgb, times(labToLms, lab).map((x) => x ** 3)).map((x) => Math.min(1, Math.max(0, x)));

function colour(value, set) {
  if (value.startsWith('#')) return fromHex(value);
  const name = value.match(/^var\((--[\w-]+)\)$/);
  if (name) return colour(set[name[1]], set);
  const mix = value.match(/^color-mix\(in oklab, (.+?) (\d+)%, (.+)\)$/);
  assert.ok(mix, `cannot read ${value}`);
  const [a, b, share] = [toLab(colour(mix[1], set)), toLab(colour(mix[3], set)), mix[2] / 100];
  return toRGB(a.map((x, i) => x * share + b[i] * (1 - share)));
}

const states = ['ringing', 'waiting', 'live', 'weak', 'ended', 'missed', 'failed'];
const pairs = [ // ink, ground, floor
  ...['surface', 'canvas', 'sunken', 'hover', 'brand-soft'].map((ground) => ['text', ground, 7]),
  ['muted', 'surface', 7], ['muted', 'canvas', 7], ['muted', 'sunken', 4.5], ['muted', 'hover', 4.5], ['muted', 'brand-soft', 4.5],
  ['disabled', 'surface', 4.5], ['brand-text', 'surface', 4.5], ['brand-text', 'canvas', 4.5], ['brand-text', 'brand-soft', 4.5],
  ...['brand|brand-fill', 'brand|brand-fill-hover', 'accept|accept', 'accept|accept-hover', 'danger|danger', 'danger|danger-hover'].map((p) => [`on-${p.split('|')[0]}`, p.split('|')[1], 4.5]),
  ['danger', 'surface', 4.5],
  ...states.flatMap((state) => [[`${state}-text`, `${state}-soft`, 4.5], [`${state}-text`, 'surface', 4.5], [`${state}-mark`, 'surface', 3]]),
  ['edge', 'surface', 3], ['edge', 'canvas', 3], ['focus', 'surface', 3], ['focus', 'canvas', 3],
  ...['stage', 'stage-bar', 'stage-key', 'stage-key-hover'].map((ground) => ['stage-text', ground, 7]),
  ['stage-muted', 'stage', 7], ['stage-muted', 'stage-bar', 7], ['stage-on-text', 'stage-on', 7],
  ['stage-text', 'stage-leave', 4.5], ['stage-text', 'stage-leave-hover', 4.5],
  ...['good', 'fair', 'weak', 'rec'].map((sign) => [`stage-${sign}`, 'stage-bar', 4.5]),
];

function misses(brand) {
  const light = variables(css.slice(0, css.indexOf('@media')));
  const dark = { ...light, ...variables(darkBlocks[0]) };
  if (brand) {
    light['--brand'] = dark['--brand'] = brand;
    light['--on-brand'] = inkOn(brand);
  }
  return pairs.flatMap(([ink, ground, floor]) =>
    [['light', light], ['dark', dark]].flatMap(([name, set]) => {
      const got = contrast(colour(set[`--${ink}`], set), colour(set[`--${ground}`], set));
      return got < floor ? [`${ink} on ${ground}, ${name}: ${got.toFixed(2)} < ${floor}`] : [];
    }),
  );
}

test('the two dark blocks are the same', () => {
  assert.equal(darkBlocks.length, 2);
  assert.equal(darkBlocks[0], darkBlocks[1]);
});

test('white on grey is found out', () => {
  assert.ok(misses('#b9b9b9').length > 0);
});

for (const brand of [undefined, '#9a3f2b', '#7a1fa2', '#0b5c36']) {
  test(`every pair reaches its floor with ${brand ?? 'our own brand'}`, () => assert.deepEqual(misses(brand), []));
}
