// What stands at "/" of a daemon that is no demo: what this is, and where its
// documents are. Callers come by links and buttons, never through here.

import './home.css';
import { html, type TemplateResult } from 'lit';
import { PageElement } from '../../lib/element';
import { icon } from '../../lib/icon';
import { languagePicker, theLine } from '../../lib/parts';
import { setTheme, themeFrom } from '../../lib/theme';
import { t } from '../../lib/words';

class HomePage extends PageElement {
  protected override render(): TemplateResult {
    return html`<a class="skip" href="#main">${t('page.skip')}</a>
      <div class="visit">
        <header class="visit__head"><a class="mark" href="/">${icon('mark')}<span>Ringdown</span></a>${languagePicker()}</header>
        <main id="main" class="visit__main visit__main--slim home">
          ${theLine('live', icon('user'), icon('users'))}
          <div class="stack home__words">
            <h1>${t('home.title')}</h1>
            <p class="lead">${t('home.lead')}</p>
          </div>
          <ul class="card home__list">
            <li><span class="face">${icon('link')}</span><div class="grow"><h2>${t('home.caller')}</h2><p class="small muted">${t('home.caller.words')}</p></div></li>
            <li>
              <span class="face">${icon('plug')}</span>
              <div class="grow stack stack--tight"><h2>${t('home.builder')}</h2><p class="small muted">${t('home.builder.words')}</p><p><a class="btn btn--line btn--sm" href="/docs/">${t('home.api')}${icon('arrow-right')}</a></p></div>
            </li>
          </ul>
        </main>
        <footer class="visit__foot"><span>Ringdown · Apache-2.0</span><span class="push">${t('start.nothing')}</span></footer>
      </div>`;
  }
}

setTheme(themeFrom(location.search));
customElements.define('home-page', HomePage);
