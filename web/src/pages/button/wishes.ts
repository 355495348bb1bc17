// What the page's author wrote on the element, as the API wants it.

import type { NewMeeting } from './site';
import { webAddress } from './site';

/** metadata reads `metadata` (a flat JSON object), meta-KEY and data-metadata-KEY; complain hears what cannot be used. */
export function metadata(element: HTMLElement, complain: (sentence: string) => void): Record<string, string> | undefined {
  const all: Record<string, string> = {};
  const put = (key: string, value: unknown) => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') all[key] = String(value);
    else if (value !== null) complain(`metadata "${key}" is left out: values are text, numbers or true and false`);
  };
  const json = element.getAttribute('metadata');
  if (json) {
    try {
      const value: unknown = JSON.parse(json);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('not an object');
      for (const [key, member] of Object.entries(value)) put(key, member);
    } catch (error) {
      complain(`the attribute metadata is left out: it is no JSON object such as {"cart":"C-1"} (${String(error)})`);
    }
  }
  for (const { name, value } of element.attributes) {
    const key = /^(?:data-metadata|meta)-(.+)$/.exec(name)?.[1];
    if (key) put(key, value);
  }
  return Object.keys(all).length ? all : undefined;
}

/** viewed is the page the visitor looks at: without its fragment, which may hold what is nobody's business. */
export function viewed(): NonNullable<NewMeeting['page']> | undefined {
  const url = webAddress(location.href);
  if (!url) return undefined;
  url.hash = '';
  const title = document.title.trim();
  return { url: url.href.slice(0, 2000), ...(title && { title: title.slice(0, 300) }) };
}

/** given is one attribute as a member, or nothing. */
export function given<K extends string>(element: HTMLElement, attribute: string, member: K): Partial<Record<K, string>> {
  const value = element.getAttribute(attribute)?.trim();
  return value ? ({ [member]: value } as Record<K, string>) : {};
}
