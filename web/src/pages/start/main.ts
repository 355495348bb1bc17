// The start page of the demo: a newcomer's walk in two windows.

import './start.css';
import agent from '../../look/pictures/agent.svg';
import visitor from '../../look/pictures/visitor.svg';
import { html, nothing, type TemplateResult } from 'lit';
import { call } from '../../lib/api';
import { PageElement } from '../../lib/element';
import { icon, picture } from '../../lib/icon';
import { languagePicker } from '../../lib/parts';
import { setTheme, themeFrom } from '../../lib/theme';
import { t } from '../../lib/words';

type Reach = 'machine' | 'network' | 'internet';

interface Address {
  readonly address: string;
  readonly protocol: string;
  readonly reach: Reach;
}

/** Demo is the answer of GET /demo/state. */
interface Demo {
  readonly version: string;
  readonly shop: string;
  readonly inbox: string;
  readonly phones?: string;
  readonly pages: string;
  readonly media: readonly Address[];
}

/** code draws what stands between back quotes as code. */
function code(sentence: string): unknown[] {
  return sentence.split('`').map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));
}

function reachOf(address: string): Reach {
  const host = URL.canParse(address) ? new URL(address).hostname : '';
  if (['localhost', '127.0.0.1', '[::1]'].includes(host)) return 'machine';
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|\[f[cde])|\.local$|^[^.]+$/.test(host) ? 'network' : 'internet';
}

class StartPage extends PageElement {
  #demo: Demo | undefined;
  #lost = false;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.#demo = await call<Demo>('/demo/state');
      this.#lost = false;
    } catch {
      this.#lost = true;
    }
    this.requestUpdate();
  }

  protected override render(): TemplateResult {
    document.title = t('start.document');
    return html`<a class="skip" href="#main">${t('page.skip')}</a>
      <div class="visit">
        <header class="visit__head">
          <a class="mark" href="/">${icon('mark')}<span>Ringdown</span></a><span class="tag">${t('start.demo')}</span>
          <nav class="row row--tight row--keep push" aria-label=${t('page.main')}><a class="btn btn--ghost btn--sm" href="/docs/">${t('start.api')}</a>${languagePicker()}</nav>
        </header>
        <main id="main" class="visit__main start">
          <div class="start__hero stack"><h1>${t('start.title.near')}<br />${t('start.title.far')}</h1><p class="lead">${t('start.lead')}</p></div>
          ${this.#lost ? this.#offline() : this.#walk()}
          ${this.#demo?.phones ? this.#phones(this.#demo.phones) : nothing}
          <div class="start__more">${this.#steps()}${this.#addresses()}</div>
        </main>
        <footer class="visit__foot"><span>Ringdown ${this.#demo?.version} · Apache-2.0</span><span class="push">${t('start.nothing')}</span></footer>
      </div>`;
  }

  #offline(): TemplateResult {
    return html`<div class="banner banner--bad" role="alert">${icon('warning')}<p>${t('start.offline')}</p><button type="button" class="btn btn--line btn--sm" @click=${() => void this.#load()}>${t('page.again')}</button></div>`;
  }

  #walk(): TemplateResult {
    return html`<section aria-labelledby="walk" class="start__walk">
      <h2 id="walk" class="sr">${t('start.try')}</h2>
      ${this.#end(visitor, t('start.visitor.who'), t('start.visitor.title'), t('start.visitor.words'), this.#demo?.shop, t('start.visitor.open'))}
      <div class="line line--ringing start__line" aria-hidden="true"><span class="line__wire"></span><span class="start__bell">${icon('ring')}</span><span class="line__wire"></span></div>
      ${this.#end(agent, t('start.agent.who'), t('start.agent.title'), t('start.agent.words'), this.#demo?.inbox, t('start.agent.open'))}
    </section>`;
  }

  #end(face: string, who: string, title: string, words: string, href: string | undefined, open: string): TemplateResult {
    return html`<article class="card start__end">
      <div class="start__pic">${picture(face)}</div>
      <div class="stack">
        <div><p class="label">${who}</p><h3>${title}</h3></div>
        <p class="small muted">${words}</p>
        <a class="btn btn--primary btn--block" href=${href ?? nothing} target="_blank" rel="noopener">${open}${icon('external')}</a>
      </div>
    </article>`;
  }

  #phones(href: string): TemplateResult {
    return html`<section class="card card__body start__phones" aria-labelledby="h-phones">
      <div class="grow stack stack--tight"><h2 id="h-phones">${t('start.phones.title')}</h2><p class="small muted">${t('start.phones.words')}</p></div>
      <a class="btn btn--line" data-test="phones" href=${href} target="_blank" rel="noopener">${icon('phone')}${t('start.phones.open')}</a>
    </section>`;
  }

  #steps(): TemplateResult {
    const steps = [t('start.step.shop'), t('start.step.inbox'), t('start.step.accept'), t('start.step.talk')];
    return html`<section class="card" aria-labelledby="h-steps">
      <div class="card__head"><h2 id="h-steps">${t('start.steps')}</h2></div>
      <ol class="steps card__body small">${steps.map((step) => html`<li><span>${step}</span></li>`)}</ol>
    </section>`;
  }

  #addresses(): TemplateResult {
    const demo = this.#demo;
    const rows: [string, string, Reach][] = demo
      ? [[t('start.pages'), demo.pages, reachOf(demo.pages)], ...demo.media.map((m): [string, string, Reach] => [t('start.media'), `${m.address} ${m.protocol}`, m.reach])]
      : [];
    return html`<section class="card" aria-labelledby="h-addr">
      <div class="card__head"><h2 id="h-addr">${t('start.reached')}</h2></div>
      <div class="tablewrap">
        <table class="table table--fold" role="table" aria-labelledby="h-addr">
          <thead class="sr"><tr><th scope="col">${t('start.col.what')}</th><th scope="col">${t('start.col.address')}</th><th scope="col">${t('start.col.reach')}</th></tr></thead>
          <tbody>
            ${rows.map(([what, address, reach]) => html`<tr role="row"><td role="cell"><b>${what}</b></td><td role="cell" class="wide"><code>${address}</code></td><td role="cell">${this.#reach(reach)}</td></tr>`)}
          </tbody>
        </table>
      </div>
      <div class="card__body start__note"><p class="small muted">${code(t('start.note'))}</p></div>
    </section>`;
  }

  #reach(reach: Reach): TemplateResult {
    const sign = { machine: 'home', network: 'check', internet: 'globe' } as const;
    return html`<span class="pill ${reach === 'machine' ? 'pill--waiting' : 'pill--live'}">${icon(sign[reach])}${t(`start.reach.${reach}`)}</span>`;
  }
}

setTheme(themeFrom(location.search));
customElements.define('start-page', StartPage);
