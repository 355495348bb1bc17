// The inbox's catalogue, in the language of this page.

import { Text, choose } from '../../../web/src/lib/text';
import en from './text/en.json';
import fr from './text/fr.json';
import it from './text/it.json';

export const text = new Text<typeof en>({ en, fr, it }, choose({ search: location.search, browser: navigator.languages }));

export const t = text.t;

const tellDocument = () => {
  document.documentElement.lang = text.lang;
};
text.changed(tellDocument);
tellDocument();
