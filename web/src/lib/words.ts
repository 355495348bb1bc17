// The pages' catalogue, in the language of this page. The button has its own.

import en from '../text/en.json';
import fr from '../text/fr.json';
import it from '../text/it.json';
import { Text, choose } from './text';

export type Key = keyof typeof en;

/** A key that begins with prefix: `Keys<'problem.'>`. */
export type Keys<Prefix extends string> = Extract<Key, `${Prefix}${string}`>;

/** The sentences of this page; `text.use('fr')` switches every element at once. */
export const text = new Text<typeof en>(
  { en, fr, it },
  choose({ search: location.search, browser: navigator.languages, fallback: document.documentElement.lang }),
);

export const t = text.t;

const tellDocument = () => {
  document.documentElement.lang = text.lang;
};
text.changed(tellDocument);
tellDocument();
