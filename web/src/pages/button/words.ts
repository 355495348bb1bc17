// The button's own catalogue: it lives in other people's pages and brings no more.

import en from '../../text/button.en.json';
import fr from '../../text/button.fr.json';
import it from '../../text/button.it.json';
import { Text, choose, languages, type Lang } from '../../lib/text';

export type Words = Text<typeof en>;
export type Key = keyof typeof en;

export const words = (lang: Lang): Words => new Text<typeof en>({ en, fr, it }, lang);

export interface Spoken {
  /** The site's language of last resort, and those it wants at all. */
  language?: string;
  languages?: readonly string[];
}

/** speak picks the language: what the page says, then the browser's, then the site's. */
export function speak(given: string | null | undefined, browser: readonly string[], site: Spoken): Lang {
  const offered = site.languages?.length ? languages.filter((lang) => site.languages!.includes(lang)) : languages;
  const only = (tag: string) => offered.some((lang) => lang === tag.toLowerCase().split(/[-_]/)[0]);
  const lang = choose({ given: given && only(given) ? given : null, browser: browser.filter(only), fallback: site.language ?? null });
  return offered.includes(lang) ? lang : (offered[0] ?? lang);
}
