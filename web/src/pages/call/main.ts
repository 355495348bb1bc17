// The plain link, /call/{site key}: the button's form on a page of ours, for
// places where a script cannot stand. It makes the meeting and goes to it.

import './call.css';
import { html, nothing, type TemplateResult } from 'lit';
import { Problem } from '../../lib/api';
import { PageElement } from '../../lib/element';
import { icon } from '../../lib/icon';
import { languagePicker, theLine } from '../../lib/parts';
import { setBrand, setTheme, themeFrom } from '../../lib/theme';
import { t, text } from '../../lib/words';
import { Form } from '../button/form';
import { Daemon, sentence, visitorLink, type Site } from '../button/site';
import { speak, words } from '../button/words';

const query = new URLSearchParams(location.search);
const key = decodeURIComponent(location.pathname.split('/')[2] ?? '');

/** wish is a parameter of the link as a member of the new meeting. */
const wish = (name: string) => (query.get(name) ? { [name]: query.get(name)! } : {});

class CallPage extends PageElement {
  #daemon = new Daemon(location.origin, key);
  #site: Site | undefined;
  #error: unknown;
  #form: Form | undefined;
  #busy = false;
  #refused: unknown;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.#site = await this.#daemon.site(query.get('queue'));
      this.#error = undefined;
      setBrand(this.#site.brand);
      text.use(speak(query.get('lang'), navigator.languages, this.#site));
      this.#draft();
    } catch (error) {
      this.#error = error;
    }
    this.requestUpdate();
  }

  /** #draft makes the form in the page's language and keeps what was typed. */
  #draft(): void {
    const site = this.#site!;
    this.#form = new Form({
      fields: site.fields,
      words: words(text.lang),
      values: this.#form?.values() ?? { topic: query.get('topic') ?? '' },
      ...(site.language && { language: site.language }),
      ...(site.privacy && { privacy: site.privacy }),
    });
  }

  protected override willUpdate(): void {
    if (this.#form && this.#form.lang !== text.lang) this.#draft();
  }

  protected override render(): TemplateResult {
    document.title = [t('plain.document'), this.#site?.name].filter(Boolean).join(' · ');
    return html`<a class="skip" href="#main">${t('page.skip')}</a>
      <div class="visit">
        <header class="visit__head"><span class="shop-mark">${this.#site?.name ?? nothing}</span>${languagePicker()}</header>
        <main id="main" class="visit__main visit__main--slim">${this.#error ? this.#lost() : this.#site ? (this.#site.open === false ? this.#closed() : this.#ask(this.#site)) : html`<p class="muted" role="status">${t('plain.loading')}</p>`}</main>
        <footer class="visit__foot">${this.#site?.privacy ? html`<a href=${this.#site.privacy} target="_blank" rel="noopener noreferrer">${t('plain.privacy')}</a>` : nothing}<span class="push">Ringdown</span></footer>
      </div>`;
  }

  #ask(site: Site): TemplateResult {
    const w = words(text.lang);
    return html`<div class="card card--lift plain">
      <div class="plain__head"><h1>${t('plain.title', { name: site.name })}</h1><p class="muted">${t('plain.lead')}</p></div>
      <form class="card__body stack plain__form" novalidate @submit=${(event: Event) => (event.preventDefault(), void this.#start())}>
        ${this.#form?.elements}
        <div role="alert">${this.#refused ? html`<p class="banner banner--bad">${icon('warning')}<span>${w.t(sentence(this.#refused))}</span></p>` : nothing}</div>
        <button type="submit" class="btn btn--primary btn--lg btn--block" aria-disabled=${this.#busy}>${icon('camera')}${w.t(this.#busy ? 'panel.starting' : this.#refused ? 'panel.again' : 'panel.start')}</button>
      </form>
    </div>`;
  }

  #closed(): TemplateResult {
    return html`<div class="stack plain__none">${theLine('ended', icon('user'), icon('users'))}<h1>${t('plain.closed')}</h1><p class="lead">${t('plain.closed.words', { name: this.#site?.name ?? '' })}</p></div>`;
  }

  #lost(): TemplateResult {
    const unknown = this.#error instanceof Problem && this.#error.status >= 400 && this.#error.status < 500 && this.#error.status !== 429;
    return html`<div class="stack plain__none">
      ${theLine('failed', icon('user'), icon('users'))}
      <h1>${t(unknown ? 'plain.unknown' : 'plain.lost')}</h1>
      <p class="lead">${t(unknown ? 'plain.unknown.words' : 'plain.lost.words')}</p>
      ${unknown ? nothing : html`<p><button type="button" class="btn btn--primary" @click=${() => void this.#load()}>${t('page.again')}</button></p>`}
    </div>`;
  }

  async #start(): Promise<void> {
    if (this.#busy || !this.#form?.check()) return;
    this.#busy = true;
    this.#refused = undefined;
    this.requestUpdate();
    try {
      const meeting = await this.#daemon.meet({ ...wish('queue'), ...wish('topic'), ...wish('redirect_url'), ...this.#form.answers(), language: text.lang });
      const link = visitorLink(meeting);
      if (!link) throw new Problem('unknown', 'the answer has no link for the visitor', 502);
      link.searchParams.set('lang', text.lang);
      location.assign(link);
    } catch (error) {
      this.#busy = false;
      const fields = error instanceof Problem ? error.fields : [];
      if (!fields.filter(({ pointer }) => this.#form?.refuse(pointer)).length) this.#refused = error;
      this.requestUpdate();
    }
  }
}

// back from the meeting's page: another press is another call
window.addEventListener('pageshow', (event) => event.persisted && location.reload());
setTheme(themeFrom(location.search));
customElements.define('call-page', CallPage);
