// The frame of a page that is not a call: whose it is, one thing, and where to
// turn with a question.

import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../lib/icon';
import { languagePicker } from '../lib/parts';
import { t } from '../lib/words';
import { safe } from './link-text';
import type { Meeting } from './model';

/** frame puts a page's one thing between a head and a foot. */
export function frame(meeting: Meeting | undefined, main: unknown, look: { slim?: boolean; ours?: boolean } = {}): TemplateResult {
  const site = meeting?.site;
  const privacy = safe(site?.privacy);
  return html`<div class="visit">
    <header class="visit__head">
      ${site?.name && !look.ours ? html`<span class="shop-mark">${site.name}</span>` : html`<span class="mark">${icon('mark')}Ringdown</span>`}
      ${look.ours && site?.name ? html`<span class="tag">${site.name}</span>` : nothing} ${languagePicker()}
    </header>
    <main class="visit__main ${look.slim ? 'visit__main--slim' : ''}">${main}</main>
    <footer class="visit__foot">
      ${meeting ? html`<span>${t('page.reference')} <span class="ref" data-test="reference">${meeting.reference}</span></span>` : nothing}
      ${privacy ? html`<a href=${privacy} target="_blank" rel="noopener noreferrer">${t('page.privacy')}</a>` : nothing}
      <span class="push">${t('page.by')}</span>
    </footer>
  </div>`;
}

/** title is the tab's: what happens first, then where. */
export function title(what: string, where: string | undefined): void {
  document.title = where ? `${what} · ${where}` : what;
}

/** place tells tests and style sheets where the page stands, and takes a keyboard user along. */
export function place(state: string): boolean {
  if (document.body.dataset['state'] === state) return false;
  const first = document.body.dataset['state'] === undefined || document.body.dataset['state'] === 'loading';
  document.body.dataset['state'] = state;
  if (!first) {
    scrollTo(0, 0);
    requestAnimationFrame(() => document.querySelector<HTMLElement>('h1[tabindex]')?.focus());
  }
  return true;
}
