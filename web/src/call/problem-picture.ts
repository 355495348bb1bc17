// A picture for each problem a camera or microphone can have: what to look for,
// drawn with the colours of the stage.

import type { TemplateResult } from 'lit';
import type { DeviceKind, DeviceProblem } from '../lib/devices';
import { picture, type IconName } from '../lib/icon';
import { icons } from '../look/icons';

type Sign = (x: number, y: number, size: number, colour: string, off?: boolean) => string;

/** sign draws one of the house's signs at a place of the picture. */
function draw(name: IconName, x: number, y: number, size: number, colour: string): string {
  const inner = icons[name].replace(/^<svg[^>]*>|<\/svg>$/g, '');
  return `<g transform="translate(${x} ${y}) scale(${size / 24})" fill="none" stroke="${colour}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${inner}</g>`;
}

const [bar, key, high, text, muted, good, fair, weak] = ['bar', 'key', 'key-hover', 'text', 'muted', 'good', 'fair', 'weak'].map((name) => `var(--stage-${name})`) as [string, string, string, string, string, string, string, string];

const box = (x: number, y: number, w: number, h: number, r: number, fill: string, more = '') => `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="${r}" fill="${fill}" ${more}/>`;
const words = (x: number, y: number, w: number, fill = muted) => box(x, y, w, 10, 5, fill);

/** A browser's window with its address line. */
const browser = (x = 95, y = 92, w = 450, h = 296) =>
  box(x, y, w, h, 18, key) +
  `<path d="M${x} ${y + 18}a18 18 0 0 1 18-18h${w - 36}a18 18 0 0 1 18 18v54h-${w}z" fill="${high}"/>` +
  [26, 46, 66].map((at) => `<circle cx="${x + at}" cy="${y + 36}" r="6" fill="${muted}" opacity=".5"/>`).join('') +
  box(x + 92, y + 16, w - 116, 40, 20, bar);

const ring = (x: number, y: number, r: number, colour: string) => `<circle cx="${x}" cy="${y}" r="${r}" fill="none" stroke="${colour}" stroke-width="4"/>`;
const lit = (y: number) => box(383, y, 44, 22, 11, good) + `<circle cx="416" cy="${y + 11}" r="8" fill="${bar}"/>`;

const pictures: Readonly<Record<DeviceProblem, (sign: Sign) => string>> = {
  // the browser's question: the answer to give
  denied: (sign) =>
    browser() + words(240, 123, 140) + box(187, 176, 266, 150, 16, text) + sign(207, 194, 34, bar, false) + words(254, 200, 130, high) + words(254, 222, 84, muted) +
    box(207, 264, 104, 42, 12, muted, 'opacity=".45"') + words(232, 280, 54, high) + box(327, 264, 106, 42, 12, good) + `<path d="M362 285l12 12 22-24" fill="none" stroke="${bar}" stroke-width="6" stroke-linecap="round" stroke-linejoin="round"/>` +
    `<rect x="319" y="256" width="122" height="58" rx="18" fill="none" stroke="${fair}" stroke-width="4"/>`,
  // the sign in the address line, and the switches behind it
  blocked_here: (sign) =>
    browser() + ring(215, 128, 21, fair) + sign(203, 116, 24, fair) + words(250, 123, 132) +
    `<path d="M205 168l12 14h222a14 14 0 0 1 14 14v92a14 14 0 0 1-14 14H201a14 14 0 0 1-14-14v-92a14 14 0 0 1 12-14z" fill="${text}"/>` + words(209, 206, 96, high) + lit(200) + words(209, 246, 126, high) + lit(240),
  // nothing is plugged in
  not_found: (sign) =>
    box(150, 116, 340, 206, 16, key) + box(166, 132, 308, 174, 8, bar) + box(284, 322, 72, 32, 0, key) + box(236, 350, 168, 14, 7, high) +
    `<circle cx="320" cy="219" r="62" fill="none" stroke="${muted}" stroke-width="4" stroke-dasharray="12 10"/>` + sign(285, 184, 70, weak) +
    `<path d="M490 250h40a26 26 0 0 1 26 26v20" fill="none" stroke="${muted}" stroke-width="6" stroke-linecap="round"/><path d="M544 300h24v22a12 12 0 0 1-24 0z" fill="${muted}"/><path d="M540 376h32v-20h-32z" fill="${high}"/><path d="M556 334v12" stroke="${fair}" stroke-width="4" stroke-dasharray="3 5"/>`,
  // another window has it
  in_use: (sign) =>
    browser(60, 76, 330, 220) + `<circle cx="220" cy="222" r="44" fill="none" stroke="${muted}" stroke-width="4" stroke-dasharray="10 9"/>` + sign(197, 199, 46, muted) +
    box(276, 196, 304, 204, 18, high, `stroke="${bar}" stroke-width="8"`) + [302, 322, 342].map((at) => `<circle cx="${at}" cy="226" r="6" fill="${muted}" opacity=".7"/>`).join('') +
    `<circle cx="428" cy="316" r="54" fill="${bar}"/>` + sign(396, 284, 64, good, false) + ring(428, 316, 54, good) +
    `<path d="M540 214l20 20m0-20l-20 20" stroke="${fair}" stroke-width="5" stroke-linecap="round"/>` + ring(550, 224, 22, fair),
  // an address without its lock
  insecure: (sign) =>
    browser() + draw('warning', 201, 114, 28, weak) + words(242, 123, 46, weak) + `<path d="M238 128h54" stroke="${bar}" stroke-width="3"/>` + words(298, 123, 110) +
    box(209, 196, 222, 142, 18, bar) + draw('lock', 229, 224, 84, good) + `<path d="M338 267h34m-13-13l13 13-13 13" fill="none" stroke="${text}" stroke-width="5" stroke-linecap="round" stroke-linejoin="round"/>` + sign(382, 250, 34, text, false),
  // the page around this one keeps it
  frame: (sign) =>
    browser(70, 72, 500, 336) + box(150, 174, 250, 194, 14, bar, `stroke="${weak}" stroke-width="5" stroke-dasharray="14 9"`) + sign(243, 238, 64, weak) +
    box(424, 210, 118, 118, 16, text) + `<path d="M462 248h-12v42a8 8 0 0 0 8 8h42v-12M480 240h32v32m0-32l-34 34" fill="none" stroke="${bar}" stroke-width="6" stroke-linecap="round" stroke-linejoin="round"/>` + `<rect x="416" y="202" width="134" height="134" rx="22" fill="none" stroke="${fair}" stroke-width="4"/>`,
};

const signs: Readonly<Record<DeviceKind, readonly [off: IconName, on: IconName]>> = { camera: ['camera-off', 'camera'], microphone: ['mic-off', 'mic'] };

/** problemPicture draws one problem of one device. The words beside it say the same. */
export function problemPicture(problem: DeviceProblem, kind: DeviceKind): TemplateResult {
  const sign: Sign = (x, y, size, colour, off = true) => draw(signs[kind][off ? 0 : 1], x, y, size, colour);
  return picture(`<svg class="pic" viewBox="0 0 640 480" preserveAspectRatio="xMidYMid slice" aria-hidden="true"><rect width="640" height="480" fill="var(--stage)"/>${pictures[problem](sign)}</svg>`);
}
