// Sentences by language, and dates and numbers as that language writes them.
// A catalogue is a flat JSON object: key → sentence with {placeholders}, or
// key → {"one": …, "other": …} chosen by the placeholder `n`. The keys of the
// English catalogue are the type, so a misspelt key does not compile.

export type Sentence = string | Readonly<Record<string, string>>;
export type Catalogue = Readonly<Record<string, Sentence>>;
export type Values = Readonly<Record<string, string | number>>;

/** The languages we ship, the first being the last resort. */
export const languages = ['en', 'fr', 'it'] as const;
export type Lang = (typeof languages)[number];

const known = (tag: string | null | undefined): Lang | undefined => {
  const base = tag?.trim().toLowerCase().split(/[-_]/)[0];
  return languages.find((lang) => lang === base);
};

export interface Wishes {
  /** The page's query string; `lang` in it wins. */
  search?: string;
  /** What the server or the desk said of this person. */
  given?: string | null;
  /** navigator.languages. */
  browser?: readonly string[];
  /** The server's default. */
  fallback?: string | null;
}

/** choose picks a language: ?lang, the given locale, the browser, the default. */
export function choose(w: Wishes): Lang {
  return (
    known(new URLSearchParams(w.search ?? '').get('lang')) ??
    known(w.given) ??
    w.browser?.map(known).find((lang) => lang !== undefined) ??
    known(w.fallback) ??
    languages[0]
  );
}

/** Text speaks one language at a time and tells its listeners when it changes. */
export class Text<C extends Catalogue> {
  #lang: Lang;
  #listeners = new Set<() => void>();

  constructor(
    private readonly catalogues: Readonly<Record<Lang, Readonly<Record<keyof C, Sentence>>>>,
    lang: Lang,
  ) {
    this.#lang = lang;
  }

  get lang(): Lang {
    return this.#lang;
  }

  /** use switches the language for every listener at once; an unknown tag changes nothing. */
  use(tag: string | null | undefined): void {
    const lang = known(tag);
    if (!lang || lang === this.#lang) return;
    this.#lang = lang;
    for (const listener of [...this.#listeners]) listener();
  }

  /** changed calls listener after each switch, until the returned function is called. */
  changed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** t gives the sentence of key. A number is written as the language writes it. */
  t = (key: keyof C & string, values: Values = {}): string => {
    const sentence = this.catalogues[this.#lang][key];
    const form = typeof sentence === 'string' ? sentence : (sentence[this.#plural(values)] ?? sentence['other'] ?? '');
    return form.replace(/\{(\w+)\}/g, (hole, name: string) => {
      const value = values[name];
      if (value === undefined) return hole;
      return typeof value === 'number' ? this.number(value) : value;
    });
  };

  #plural(values: Values): string {
    return new Intl.PluralRules(this.#lang).select(Number(values['n'] ?? 0));
  }

  number(value: number, options?: Intl.NumberFormatOptions): string {
    return new Intl.NumberFormat(this.#lang, options).format(value);
  }

  /** time is the hour and minute, as 14:37 is written here. */
  time(at: Date | number | string): string {
    return new Intl.DateTimeFormat(this.#lang, { hour: '2-digit', minute: '2-digit' }).format(new Date(at));
  }

  /** day is the weekday, day and month. */
  day(at: Date | number | string): string {
    return new Intl.DateTimeFormat(this.#lang, { weekday: 'long', day: 'numeric', month: 'long' }).format(new Date(at));
  }

  /** clock is a running time: 04:12, or 1:02:03 after an hour. */
  clock(ms: number): string {
    const s = Math.max(0, Math.floor(ms / 1000));
    const pad = (n: number) => String(n).padStart(2, '0');
    const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
    return h > 0 ? `${h}:${pad(m)}:${pad(s % 60)}` : `${pad(m)}:${pad(s % 60)}`;
  }

  /** length is a length of time in words: "4 minutes 12 seconds". */
  length(ms: number): string {
    const s = Math.max(0, Math.round(ms / 1000));
    const part = (value: number, unit: 'hour' | 'minute' | 'second') => this.number(value, { style: 'unit', unit, unitDisplay: 'long' });
    const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
    const parts = [h > 0 ? part(h, 'hour') : '', m > 0 ? part(m, 'minute') : '', h === 0 && (s % 60 > 0 || m === 0) ? part(s % 60, 'second') : ''];
    return parts.filter(Boolean).join(' ');
  }
}

/** ownName is a language's name in itself: English, Français, Italiano. */
export function ownName(lang: Lang): string {
  const name = new Intl.DisplayNames(lang, { type: 'language' }).of(lang) ?? lang;
  return name.charAt(0).toLocaleUpperCase(lang) + name.slice(1);
}
