// Elements without markup in strings: a page that enforces Trusted Types
// refuses innerHTML, and the button must stand there too.

type Child = Node | string | false | undefined;
type Props = Record<string, string | boolean | EventListener | undefined>;

/** h makes an element: on… are listeners, true is a bare attribute, false and undefined leave it out. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (typeof value === 'string') element.setAttribute(name, value);
  }
  element.append(...children.filter((child): child is Node | string => child !== undefined && child !== false));
  return element;
}

/** A sign is a box and strokes; a stroke without a width has the common one. */
interface Sign {
  readonly box?: string;
  readonly strokes: readonly (readonly [d: string, width?: string])[];
}

const signs = {
  camera: { strokes: [['M5.5 6h6.75a3 3 0 0 1 3 3v6a3 3 0 0 1-3 3H5.5a3 3 0 0 1-3-3V9a3 3 0 0 1 3-3zM15.25 11l4.6-2.9c.5-.3 1.15.04 1.15.63v6.54c0 .6-.65.94-1.15.63L15.25 13']] },
  close: { strokes: [['M5.75 5.75l12.5 12.5M18.25 5.75l-12.5 12.5']] },
  info: { strokes: [['M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5M12 7.75h.01']] },
  warning: { strokes: [['M10.5 4.65L2.95 17.6A1.75 1.75 0 0 0 4.45 20.25h15.1a1.75 1.75 0 0 0 1.5-2.65L13.5 4.65a1.73 1.73 0 0 0-3 0zM12 9.25v4.5M12 17h.01']] },
  external: { strokes: [['M13.5 4h6.5v6.5M20 4l-9 9M17.5 14v3.75A2.25 2.25 0 0 1 15.25 20h-9A2.25 2.25 0 0 1 4 17.75v-9A2.25 2.25 0 0 1 6.25 6.5H10']] },
  bigger: { strokes: [['M14 4h6v6M20 4l-6.5 6.5M10 20H4v-6M4 20l6.5-6.5']] },
  smaller: { strokes: [['M19.5 10.5h-6v-6M13.5 10.5L20 4M4.5 13.5h6v6M10.5 13.5L4 20']] },
  live: { box: '28 12', strokes: [['M4 6h.01M24 6h.01', '6'], ['M7 6h14', '2.25']] },
} satisfies Record<string, Sign>;

/** sign draws one of the button's signs; a word stands beside it or in aria-label. */
export function sign(name: keyof typeof signs): SVGSVGElement {
  const { box, strokes }: Sign = signs[name];
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const [width, height] = (box ?? '24 24').split(' ');
  for (const [key, value] of Object.entries({
    width: width!, height: height!, viewBox: `0 0 ${width} ${height}`, fill: 'none', stroke: 'currentColor',
    'stroke-width': '1.75', 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true',
  })) svg.setAttribute(key, value);
  if (!box) svg.classList.add('ico');
  for (const [d, stroke] of strokes) {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', d);
    if (stroke) path.setAttribute('stroke-width', stroke);
    svg.append(path);
  }
  return svg;
}
