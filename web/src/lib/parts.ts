// Small pieces that more than one page draws.

import { html, type TemplateResult } from 'lit';
import { meterCells } from './devices';
import { icon } from './icon';
import { languages, ownName } from './text';
import { t, text } from './words';

export type CallState = 'ringing' | 'waiting' | 'live' | 'weak' | 'ended' | 'missed' | 'failed';

/** statePill is a word with its wire: the pattern tells the state, colour repeats it. */
export function statePill(state: CallState, word: string): TemplateResult {
  return html`<span class="pill pill--${state}">${icon(`wire-${state}`)}${word}</span>`;
}

/** languagePicker switches the page's language at once. */
export function languagePicker(): TemplateResult {
  return html`<select class="input langs push" aria-label=${t('page.language')} @change=${(event: Event) => text.use((event.target as HTMLSelectElement).value)}>
    ${languages.map((lang) => html`<option value=${lang} lang=${lang} .selected=${lang === text.lang}>${ownName(lang)}</option>`)}
  </select>`;
}

/** levelMeter shows 0 to 10 lit cells; the words beside it say what to do. */
export function levelMeter(lit: number): TemplateResult {
  return html`<div class="meter" aria-hidden="true">${Array.from({ length: meterCells }, (_, i) => html`<i class=${i < lit ? 'on' : ''}></i>`)}</div>`;
}

/** theLine draws two ends and the wire between them. */
export function theLine(state: 'ringing' | 'waiting' | 'live' | 'ended' | 'failed', near: unknown, far: unknown): TemplateResult {
  return html`<div class="line line--${state}" aria-hidden="true">
    <span class="line__end"><span class="in">${near}</span></span><span class="line__wire"></span><span class="line__end line__end--far"><span class="in">${far}</span></span>
  </div>`;
}
