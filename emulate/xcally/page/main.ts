// The page: the bar on top, the list on the left, the conversation beside it.

import './inbox.css';

import { LitElement, customElement, html, nothing, state } from 'lit';
import { icon } from '../../../web/src/lib/icon';
import { live } from '../../../web/src/lib/live';
import { languages, ownName } from '../../../web/src/lib/text';
import { setTheme, themeFrom } from '../../../web/src/lib/theme';
import './conversation';
import { desk } from './desk';
import { DeskElement } from './element';
import './list';
import { troubleLine, type MotionSetup } from './setup';
import { t, text } from './words';

const noteMs = 6000;

@customElement('motion-inbox')
export class MotionInbox extends DeskElement {
  @state() private accessor note = '';
  #noteTimer: ReturnType<typeof setTimeout> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    desk.on('note', (sentence) => {
      this.note = sentence;
      live.say(sentence);
      clearTimeout(this.#noteTimer);
      this.#noteTimer = setTimeout(() => (this.note = ''), noteMs);
    });
    desk.start();
  }

  protected override render(): unknown {
    return html`
      <a class="skip" href="#conversation" @click=${this.#skip}>${t('skip')}</a>
      <div class="in ${desk.current ? 'in--open' : ''}">
        <header class="in-top">
          <span class="in-brand"><span class="in-brand__sign" aria-hidden="true">${icon('plug')}</span><b>XCALLY Motion</b><span class="tag in-emulated">${t('emulated')}</span></span>
          <div class="in-top__right">
            <button class="btn btn--ghost btn--sm btn--icon" aria-pressed=${desk.ringer.on} aria-label=${desk.ringer.on ? t('sound_off') : t('sound_on')} title=${desk.ringer.on ? t('sound_off') : t('sound_on')}
              @click=${() => (desk.ringer.turn(!desk.ringer.on), this.requestUpdate())}>${icon(desk.ringer.on ? 'speaker' : 'speaker-off')}</button>
            <button class="btn btn--ghost btn--sm btn--icon" aria-label=${t('setup')} title=${t('setup')} @click=${() => this.querySelector<MotionSetup>('motion-setup')?.show()}>${icon('settings')}</button>
            <label class="sr" for="lang">${t('language')}</label>
            <select id="lang" class="input langs" @change=${(event: Event) => text.use((event.target as HTMLSelectElement).value)}>
              ${languages.map((lang) => html`<option value=${lang} ?selected=${lang === text.lang}>${ownName(lang)}</option>`)}
            </select>
          </div>
        </header>
        ${desk.loaded && !desk.connected ? html`<div class="banner banner--bad banner--edge" role="alert">${icon('refresh')}<p>${t('reconnecting')}</p></div>` : nothing}
        ${troubleLine()}
        <main class="in-main">
          <h1 class="sr">${t('title')}</h1>
          <section class="in-list" aria-label=${t('list')}>
            <div class="in-me">
              <label for="me">${t('you_are')}</label>
              <select id="me" class="input input--sm" @change=${(event: Event) => desk.be(Number((event.target as HTMLSelectElement).value))}>
                ${desk.settings.agents.map((agent) => html`<option value=${agent.id} ?selected=${agent.id === desk.me?.id}>${agent.fullname}</option>`)}
              </select>
            </div>
            <motion-list></motion-list>
            <p class="in-about">${t('about')}</p>
          </section>
          <motion-conversation id="conversation" tabindex="-1"></motion-conversation>
        </main>
      </div>
      <motion-setup></motion-setup>
      <div class="in-toast">${this.note ? html`<p class="toast">${this.note}</p>` : nothing}</div>
    `;
  }

  #skip = (event: Event): void => {
    event.preventDefault(); // the fragment is the open conversation's
    this.querySelector<LitElement>('motion-conversation')?.focus();
  };
}

setTheme(themeFrom(location.search));
