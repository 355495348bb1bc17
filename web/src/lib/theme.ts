// Light, dark or the system's choice, and a customer's brand colour.

export type Theme = 'system' | 'light' | 'dark';

/** setTheme sets data-theme on the document; "system" takes it away. */
export function setTheme(theme: Theme, root: HTMLElement = document.documentElement): void {
  if (theme === 'system') delete root.dataset['theme'];
  else root.dataset['theme'] = theme;
}

/** themeFrom reads ?theme=light|dark. */
export function themeFrom(search: string): Theme {
  const theme = new URLSearchParams(search).get('theme');
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

const channel = (c: number) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);

/** inkOn is the text colour that reads best on a colour (#rrggbb). */
export function inkOn(colour: string): '#ffffff' | '#0e2029' {
  const luminance = (hex: string) => [1, 3, 5].reduce((sum, at, i) => sum + [0.2126, 0.7152, 0.0722][i]! * channel(parseInt(hex.slice(at, at + 2), 16) / 255), 0);
  const contrast = (a: number, b: number) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const ground = luminance(colour);
  return contrast(ground, 1) >= contrast(ground, luminance('#0e2029')) ? '#ffffff' : '#0e2029';
}

let sheet: CSSStyleSheet | undefined;

/** setBrand gives the page a brand colour (#rrggbb); anything else is ignored. Weaker than the dark rules, which mix their own. */
export function setBrand(colour: string | null | undefined): void {
  if (!colour || !/^#[0-9a-f]{6}$/i.test(colour)) return;
  if (!sheet) document.adoptedStyleSheets = [...document.adoptedStyleSheets, (sheet = new CSSStyleSheet())];
  sheet.replaceSync(`:root { --brand: ${colour}; --on-brand: ${inkOn(colour)}; }`);
}
