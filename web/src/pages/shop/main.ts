// The demo's shop: somebody else's page, with our button from one script tag.

import './shop.css';
import lamp from '../../look/pictures/lamp.svg';
import mark from '../../look/pictures/maison-vela.svg';
import { html, nothing, type TemplateResult } from 'lit';
import { PageElement } from '../../lib/element';
import { icon, picture } from '../../lib/icon';
import { languagePicker } from '../../lib/parts';
import { setBrand, setTheme, themeFrom } from '../../lib/theme';
import { t, text } from '../../lib/words';

const finishes = { copper: '#cf7b45', sage: '#5f8076', graphite: '#2f383d' } as const;
type Finish = keyof typeof finishes;

const price = 289;

class ShopPage extends PageElement {
  #finish: Finish = 'copper';
  #basket = 0;
  #after = new URLSearchParams(location.search).has('after');

  protected override render(): TemplateResult {
    document.title = `${t('shop.product')} · Maison Vela`;
    return html`<a class="skip" href="#main">${t('page.skip')}</a>
      <p class="shop-note">${t('shop.demo')} <a href="/">${t('shop.demo.back')}</a></p>
      <header class="shop-top">
        <div class="shop-in">
          <a class="shop-mark" href="/demo/shop">${picture(mark)}Maison Vela</a>
          <nav aria-label="Maison Vela" class="shop-nav"><a href="#main">${t('shop.nav.lamp')}</a><a href="#details">${t('shop.nav.details')}</a><a href="#delivery">${t('shop.nav.delivery')}</a></nav>
          <span class="push row row--tight row--keep">${languagePicker()}<span class="shop-basket">${icon('box')}<span class="sr">${t('shop.basket')}</span><span class="count">${this.#basket}</span></span></span>
        </div>
      </header>
      <main id="main">
        ${this.#after ? html`<p class="shop-thanks" role="status"><span class="banner banner--ok">${icon('check')}<span>${t('shop.thanks')}</span></span></p>` : nothing}
        <div class="shop-in shop-main">${this.#picture()}${this.#buy()}</div>
        <div class="shop-in shop-more">${this.#details()}${this.#delivery()}</div>
      </main>
      <footer class="shop-foot"><div class="shop-in small muted">© Maison Vela<span class="push">${t('shop.foot')}</span></div></footer>
      <ringdown-button
        site="pk_demo_shop"
        language=${text.lang}
        label=${t('shop.call')}
        metadata=${JSON.stringify({ article: `ONDA-${this.#finish.toUpperCase()}`, basket: this.#basket * price })}
        redirect-url=${`${location.origin}/demo/shop?after=call`}
      ></ringdown-button>`;
  }

  #picture(): TemplateResult {
    const name = t(`shop.finish.${this.#finish}`);
    return html`<div class="shop-hero" role="img" aria-label=${t('shop.picture', { finish: name })}>${picture(lamp.replaceAll(finishes.copper, finishes[this.#finish]))}</div>`;
  }

  #buy(): TemplateResult {
    const finishNames = Object.keys(finishes) as Finish[];
    return html`<div class="stack stack--loose shop-buy">
      <p class="crumb"><span>${t('shop.crumb.pendants')}</span>${icon('chevron-right')}<span>${t('shop.crumb.dining')}</span></p>
      <div class="stack stack--tight"><h1>${t('shop.product')}</h1><p class="lead">${t('shop.lead')}</p></div>
      <p class="shop-price">${text.number(price, { style: 'currency', currency: 'EUR', maximumFractionDigits: 0 })} <span class="small muted">${t('shop.price')}</span></p>
      <fieldset class="row shop-finish">
        <legend class="sr">${t('shop.finish')}</legend>
        ${finishNames.map((finish) => html`<label class="swatch"><input type="radio" name="finish" ?checked=${finish === this.#finish} @change=${() => this.#choose(finish)} /><i class="swatch--${finish}"></i>${t(`shop.finish.${finish}`)}</label>`)}
      </fieldset>
      <div class="row"><button type="button" class="btn btn--primary btn--lg" @click=${() => this.#add()}>${t('shop.add')}</button><span class="small muted" role="status">${this.#basket ? t('shop.added', { n: this.#basket }) : nothing}</span></div>
      <ul class="stack stack--tight small muted">${[t('shop.point.cord'), t('shop.point.bulb'), t('shop.point.return')].map((point) => html`<li class="row row--tight row--keep">${icon('check')}<span>${point}</span></li>`)}</ul>
    </div>`;
  }

  #details(): TemplateResult {
    const rows = [
      [t('shop.fact.size'), t('shop.fact.size.is')],
      [t('shop.fact.light'), t('shop.fact.light.is')],
      [t('shop.fact.care'), t('shop.fact.care.is')],
    ];
    return html`<section id="details"><h2>${t('shop.nav.details')}</h2><dl class="facts">${rows.map(([what, is]) => html`<dt>${what}</dt><dd>${is}</dd>`)}</dl></section>`;
  }

  #delivery(): TemplateResult {
    return html`<section id="delivery"><h2>${t('shop.nav.delivery')}</h2><p class="small muted">${t('shop.delivery')}</p></section>`;
  }

  #choose(finish: Finish): void {
    this.#finish = finish;
    this.requestUpdate();
  }

  #add(): void {
    this.#basket++;
    this.requestUpdate();
  }
}

setTheme(themeFrom(location.search));
setBrand('#9a3f2b');
customElements.define('shop-page', ShopPage);
