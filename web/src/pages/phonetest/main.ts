// The page for whoever connects XucMgt: it sends the request of a ringing call
// from this browser to THIRD_PARTY_URL and says in plain words what came back
// and what to do about it. It knows no secret: the address is pasted.

import { customElement, html, nothing, state } from 'lit';
import { PageElement } from '../../lib/element';
import { icon } from '../../lib/icon';
import { live } from '../../lib/live';
import { languagePicker } from '../../lib/parts';
import { setTheme, themeFrom } from '../../lib/theme';
import { t, text } from '../../lib/words';
import { place, title } from '../../call/frame';
import { snippet, tryOut, type Result } from './trial';
import '../phone/phone.css';

const slowMs = 300;

@customElement('test-page')
export class TestPage extends PageElement {
  @state() private accessor address = '';
  @state() private accessor busy = false;
  @state() private accessor result: Result | undefined = undefined;
  @state() private accessor copied = false;

  #try = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (this.busy) return;
    [this.busy, this.result] = [true, undefined];
    this.result = await tryOut(this.address.trim(), location);
    this.busy = false;
    live.say(t(`phonetest.${this.result.finding}`, this.#values(this.result)));
  };

  #copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(snippet(this.address.trim())).then(
      () => (this.copied = true),
      () => this.querySelector<HTMLTextAreaElement>('#snippet')?.select(),
    );
  };

  #values = (r: Result): Record<string, string | number> => ({ status: r.status, ms: Math.round(r.tookMs) });

  protected override updated(): void {
    place(this.result ? 'result' : 'form');
    title(t('phonetest.title'), undefined);
  }

  protected override render(): unknown {
    return html`<main class="pane phone">
      <header class="pane__head"><div class="phone__top"><span class="face" aria-hidden="true">${icon('plug')}</span><div class="grow phone__who"><h1>${t('phonetest.title')}</h1></div>${languagePicker()}</div></header>
      <div class="pane__body"><div class="phone__main phone__wide">
        <p class="small muted">${t('phonetest.lead')}</p>
        <form class="card card__body stack stack--tight" @submit=${this.#try}>
          <div class="field"><label for="address">THIRD_PARTY_URL</label><input class="input mono" id="address" type="url" required autocomplete="off" spellcheck="false" placeholder="${location.origin}/thirdparty/xucmgt/…" data-test="address" .value=${this.address} @input=${(event: Event) => (this.address = (event.target as HTMLInputElement).value)} />
            <span class="hint">${t('phonetest.hint')}</span></div>
          <button class="btn btn--primary" data-test="try" ?disabled=${this.busy}>${icon('phone')}${t('phonetest.try')}</button>
        </form>
        ${this.result ? this.#shown(this.result) : nothing}
        ${this.address.trim() ? html`<section class="card" aria-labelledby="there"><div class="card__head"><h2 id="there">${t('phonetest.there')}</h2></div><div class="card__body stack stack--tight">
              <p class="small muted">${t('phonetest.there.lead')}</p>
              <textarea class="input mono" id="snippet" rows="5" readonly aria-label=${t('phonetest.there')} .value=${snippet(this.address.trim())}></textarea>
              <div class="row"><button type="button" class="btn btn--line btn--sm" @click=${this.#copy}>${icon('copy')}${t('phonetest.copy')}</button><span class="hint" role="status">${this.copied ? t('phonetest.copied') : ''}</span></div></div></section>`
          : nothing}
      </div></div>
    </main>`;
  }

  #shown(r: Result): unknown {
    const good = r.finding === 'open' || r.finding === 'popup' || r.finding === 'run' || r.finding === 'hold';
    const line = (look: string, sign: 'check' | 'warning' | 'info', words: string, test: string) => html`<div class="banner ${look}" data-test=${test}>${icon(sign)}<p>${words}</p></div>`;
    return html`<section class="stack stack--tight" aria-label=${t('phonetest.result')} data-test="result" data-finding=${r.finding} data-proof=${r.proof}>
      ${line(good ? 'banner--ok' : r.finding === 'none' ? 'banner--warn' : 'banner--bad', good ? 'check' : 'warning', t(`phonetest.${r.finding}`, this.#values(r)), 'finding')}
      ${r.proof !== 'unknown' ? line(r.proof === 'trusted' ? 'banner--ok' : 'banner--warn', r.proof === 'trusted' ? 'check' : 'warning', t(`phonetest.proof.${r.proof}`), 'proof') : nothing}
      ${r.tookMs > 0 ? line(r.tookMs > slowMs ? 'banner--warn' : 'banner--ok', r.tookMs > slowMs ? 'warning' : 'check', t(r.tookMs > slowMs ? 'phonetest.slow' : 'phonetest.fast', { ms: text.number(Math.round(r.tookMs)) }), 'time') : nothing}
      ${r.status > 0 && !r.crossed ? line('', 'info', t('phonetest.same'), 'origin') : nothing}
      ${r.answer ? html`<pre class="well small mono phone__words" tabindex="0" aria-label=${t('phonetest.answer')}>${r.answer}</pre>` : nothing}
    </section>`;
  }
}

setTheme(themeFrom(location.search));
