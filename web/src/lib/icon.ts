import { html, unsafeHTML, type TemplateResult } from 'lit';
import { icons, type IconName } from '../look/icons';

export type { IconName };

/** icon draws a sign. It is hidden from screen readers: the word beside it speaks. */
export function icon(name: IconName): TemplateResult {
  return html`${unsafeHTML(icons[name])}`;
}

/** picture draws an imported .svg file of look/pictures. */
export function picture(svg: string): TemplateResult {
  return html`${unsafeHTML(svg)}`;
}
