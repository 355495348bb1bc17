// The page of a CTI sheet: /thirdparty/sheet#secret=…&token=…&user=…&n=<number>.
// The agent app appends the sheet's number to the address. What stands behind
// the "#" reaches no server and no log; this page posts it and goes on to the
// page of the phone call.

import { customElement, html, nothing, state } from 'lit';
import { call, Problem } from '../../lib/api';
import { PageElement } from '../../lib/element';
import { icon } from '../../lib/icon';
import { setTheme, themeFrom } from '../../lib/theme';
import { t } from '../../lib/words';
import { place, title } from '../../call/frame';
import '../phone/phone.css';

@customElement('sheet-page')
export class SheetPage extends PageElement {
  @state() private accessor problem: '' | 'incomplete' | 'refused' | 'network' = '';
  #said = new URLSearchParams(location.hash.slice(1));

  override connectedCallback(): void {
    super.connectedCallback();
    history.replaceState(null, '', location.pathname + location.search);
    void this.#go();
  }

  #go = async (): Promise<void> => {
    const value = (name: string) => (this.#said.get(name) ?? '').trim();
    // A variable that the agent app did not fill is no value.
    const filled = (name: string) => (/^\{.*\}$/.test(value(name)) ? '' : value(name));
    const folder = filled('n');
    if (folder === '' || folder === '-') {
      this.problem = 'incomplete';
      return;
    }
    this.problem = '';
    try {
      const { url } = await call<{ url: string }>('/thirdparty/sheet', { body: { folder, secret: filled('secret'), token: filled('token'), user: filled('user') } });
      location.replace(url);
    } catch (error) {
      this.problem = error instanceof Problem && error.status > 0 && error.status < 500 ? 'refused' : 'network';
    }
  };

  protected override updated(): void {
    place(this.problem ? 'problem' : 'loading');
    title(this.problem ? t(`sheet.${this.problem}`) : t('page.loading'), undefined);
  }

  protected override render(): unknown {
    if (!this.problem) return html`<main class="pane phone"><p class="muted phone__none" role="status">${t('page.loading')}</p></main>`;
    return html`<main class="pane phone"><div class="phone__none">
      <h1 tabindex="-1">${t(`sheet.${this.problem}`)}</h1><p class="lead">${t(`sheet.${this.problem}.lead`)}</p>
      ${this.problem === 'network' ? html`<button type="button" class="btn btn--primary" @click=${this.#go}>${icon('refresh')}${t('page.again')}</button>` : nothing}
    </div></main>`;
  }
}

setTheme(themeFrom(location.search));
