// <ringdown-button>: the call button for other people's pages. A classic
// script without cookies or storage; everything it draws is in a shadow root.

import css from 'button.css';
import { Problem } from '../../lib/api';
import { inkOn } from '../../lib/theme';
import { Call, inTab, leaveQuestion, mayDelegate } from './call';
import { h, sign } from './dom';
import { Form } from './form';
import { Daemon, repair, sentence, visitorLink, type Meeting, type NewMeeting, type Site } from './site';
import { given, metadata, viewed } from './wishes';
import { speak, words as wordsOf, type Words } from './words';

/** Where this script came from is where the daemon is. */
const script = (document.currentScript as HTMLScriptElement | null) ?? document.querySelector<HTMLScriptElement>('script[src*="/button.js"]');
const daemonOrigin = new URL(script?.src || location.href).origin;

/** Sizes in rem follow the host page's root size there; ours are meant. */
const sheet = new CSSStyleSheet();
sheet.replaceSync(css.replace(/(\d*\.?\d+)rem/g, (_, size: string) => `${Number(size) * 16}px`));

const retryMs = [2_000, 10_000, 60_000];
const staleMs = 60_000;

class RingdownButton extends HTMLElement {
  static readonly observedAttributes = ['site', 'language', 'color', 'position', 'label', 'theme', 'topic'];

  #root = this.attachShadow({ mode: 'open' });
  #brand = new CSSStyleSheet();
  #box = h('div', { class: 'root' });
  #daemon: Daemon | undefined;
  #site: Site | undefined;
  #words: Words = wordsOf('en');
  #asked = 0;
  #tries = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  #launch: HTMLButtonElement | undefined;
  #panel: HTMLElement | undefined;
  #form: Form | undefined;
  #call: Call | undefined;
  #busy = false;

  #watchPage = new MutationObserver(() => this.#redraw());
  #dark = matchMedia('(prefers-color-scheme: dark)');

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sheet, this.#brand];
    this.#root.append(this.#box);
    this.#root.addEventListener('keydown', (event) => this.#key(event as KeyboardEvent));
  }

  connectedCallback(): void {
    this.#watchPage.observe(document.documentElement, { attributes: true, attributeFilter: ['lang', 'class', 'style', 'data-theme'] });
    this.#dark.addEventListener('change', this.#redraw);
    document.addEventListener('visibilitychange', this.#returned);
    void this.#load();
  }

  disconnectedCallback(): void {
    this.#watchPage.disconnect();
    this.#dark.removeEventListener('change', this.#redraw);
    document.removeEventListener('visibilitychange', this.#returned);
    clearTimeout(this.#retry);
    this.#call?.end();
    this.#hidePanel();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.isConnected || before === now) return;
    if (name === 'site') void this.#load();
    else this.#redraw();
  }

  /** open shows the panel, as a click does. */
  open(): void {
    if (this.#panel) return this.#panel.querySelector<HTMLElement>('h2')?.focus();
    if (!this.#site || this.#site.open === false || this.#busy) return;
    this.#showForm();
    this.#tell('open');
    if (!this.#site.fields.length && !this.#site.page_to_agent) void this.#start();
  }

  /** close hides the panel; during a call it asks the visitor first. */
  close(): void {
    if (!this.#call?.running) return this.#call ? this.#call.end() : this.#hidePanel();
    if (!this.#panel || this.#panel.querySelector('.veil')) return;
    const behind = [...this.#panel.children];
    const question = leaveQuestion(this.#call.state, this.#words, () => this.#stay(), () => this.#call?.leave());
    for (const element of behind) element.toggleAttribute('inert', true);
    this.#panel.append(question);
    question.querySelector('button')?.focus();
  }

  #stay(): void {
    this.#panel?.querySelector('.veil')?.remove();
    for (const element of this.#panel?.children ?? []) element.toggleAttribute('inert', false);
    this.#call?.frame.focus();
  }

  // What the site wants ------------------------------------------------------

  async #load(): Promise<void> {
    clearTimeout(this.#retry);
    const key = this.getAttribute('site')?.trim();
    if (!key) {
      this.#state('error');
      return this.#warn('the attribute site is missing: <ringdown-button site="pk_…">');
    }
    if (this.#daemon?.key !== key) {
      this.#daemon = new Daemon(daemonOrigin, key);
      this.#site = undefined;
      this.#state('loading');
    }
    const daemon = this.#daemon;
    this.#asked = Date.now();
    try {
      const site = await daemon.site(this.getAttribute('queue')?.trim());
      if (daemon !== this.#daemon || !this.isConnected) return;
      this.#tries = 0;
      this.#site = site;
      this.#redraw();
      this.#tell('ready', { open: site.open !== false });
    } catch (error) {
      if (daemon !== this.#daemon || !this.isConnected) return;
      this.#failed(error);
    }
  }

  /** #failed: a button that cannot be answered is not shown; what may heal is tried again. */
  #failed(error: unknown): void {
    const lasting = error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429;
    if (!this.#site) this.#state('error');
    if (this.#tries === 0 || lasting) this.#warn(repair(error, daemonOrigin));
    this.#tell('error', { code: error instanceof Problem ? error.code : 'unknown' });
    const wait = retryMs[this.#tries++];
    if (!lasting && wait) this.#retry = setTimeout(() => void this.#load(), wait);
  }

  /** #returned asks again when the visitor comes back to the tab: it may have opened or closed. */
  #returned = (): void => {
    if (document.visibilityState === 'visible' && Date.now() - this.#asked > staleMs && !this.#panel) void this.#load();
  };

  // Drawing ------------------------------------------------------------------

  #redraw = (): void => {
    const site = this.#site;
    if (!site) return;
    const said = this.getAttribute('language') ?? this.closest<HTMLElement>('[lang]')?.lang;
    const before = this.#words.lang;
    this.#words = wordsOf(speak(said, navigator.languages, site));
    this.#paint(site);
    const shown = !!this.#launch;
    if (site.open === false) {
      this.#launch?.remove();
      this.#launch = undefined;
    } else this.#drawLaunch();
    if (!this.#panel) this.#state(site.open === false ? 'closed' : 'ready');
    else if (this.#form && (before !== this.#words.lang || !shown)) this.#showForm(this.#form.values());
  };

  #paint(site: Site): void {
    const colour = [this.getAttribute('color'), site.brand].find((c) => c && /^#[0-9a-f]{6}$/i.test(c));
    const rule = colour ? `:host { --brand: ${colour}; --on-brand: ${inkOn(colour)}; }` : '';
    this.#brand.replaceSync(rule);
    const theme = this.getAttribute('theme');
    const scheme = getComputedStyle(document.documentElement).colorScheme;
    const dark = theme === 'dark' || (theme !== 'light' && scheme.includes('dark') && (!scheme.includes('light') || this.#dark.matches));
    const wanted = dark ? 'dark' : 'light';
    if (this.dataset['theme'] !== wanted) this.dataset['theme'] = wanted;
  }

  #drawLaunch(): void {
    const { t } = this.#words;
    this.#launch ??= h('button', { type: 'button', 'aria-haspopup': 'dialog', onclick: () => this.open() });
    this.#launch.className = `launch launch--${this.#place()}`;
    this.#launch.lang = this.#words.lang;
    this.#launch.replaceChildren(h('span', { class: 'launch__ico' }, sign('camera')), h('span', {}, this.getAttribute('label') || t('button.label'), h('small', {}, t('button.open'))));
    this.#launch.setAttribute('aria-expanded', String(!!this.#panel));
    if (!this.#launch.isConnected) this.#box.prepend(this.#launch);
  }

  #place(): 'left' | 'right' | 'inline' {
    const position = this.getAttribute('position');
    return position === 'left' || position === 'inline' ? position : 'right';
  }

  /** #show puts a panel up, in the place of the one before. */
  #show(kind: string, title: string, sub: string | undefined, ...content: HTMLElement[]): HTMLElement {
    const { t, lang } = this.#words;
    const heading = h('h2', { id: 'title', tabindex: '-1' }, title);
    const close = h('button', { type: 'button', class: 'btn btn--icon btn--sm', 'aria-label': t('panel.close'), onclick: () => this.close() }, sign('close'));
    const head =
      kind === 'call'
        ? h('div', { class: 'overlay__bar' }, heading, this.#sizeKey(), close)
        : h('div', { class: 'overlay__head' },
            h('div', { class: 'row' }, h('span', { class: 'pill pill--live' }, sign('live'), t('panel.open')), close),
            h('div', {}, heading, !!sub && h('p', { class: 'small muted' }, sub)));
    const panel = h('section', { class: `overlay overlay--${this.#place()} overlay--${kind}`, role: 'dialog', 'aria-labelledby': 'title', lang }, head, ...content);
    if (this.#panel) this.#panel.replaceWith(panel);
    else this.#box.append(panel);
    this.#panel = panel;
    this.#box.classList.add('root--open');
    this.#launch?.setAttribute('aria-expanded', 'true');
    return heading;
  }

  #sizeKey(): HTMLButtonElement {
    const key = h('button', { type: 'button', class: 'btn btn--icon btn--sm size' });
    const draw = () => {
      const big = !!this.#panel?.classList.contains('overlay--big');
      key.replaceChildren(sign(big ? 'smaller' : 'bigger'));
      key.setAttribute('aria-label', this.#words.t(big ? 'call.smaller' : 'call.bigger'));
    };
    key.addEventListener('click', () => {
      this.#panel?.classList.toggle('overlay--big');
      draw();
    });
    draw();
    return key;
  }

  #hidePanel(): void {
    if (!this.#panel) return;
    const focused = this.#root.activeElement !== null;
    this.#panel.remove();
    this.#panel = this.#form = undefined;
    this.#box.classList.remove('root--open');
    this.#launch?.setAttribute('aria-expanded', 'false');
    if (focused) this.#launch?.focus();
    if (this.#site) this.#state(this.#site.open === false ? 'closed' : 'ready');
    this.#tell('close');
  }

  // The form -----------------------------------------------------------------

  #showForm(values?: Record<string, string>): void {
    const [site, { t }] = [this.#site!, this.#words];
    this.#form = new Form({
      fields: site.fields,
      words: this.#words,
      values: values ?? { topic: this.getAttribute('topic') ?? '' },
      ...(site.language && { language: site.language }),
      ...(site.privacy && { privacy: site.privacy }),
    });
    const title = document.title.trim();
    const note = site.page_to_agent && h('p', { class: 'note small muted' }, sign('info'), h('span', {}, title ? t('panel.page', { title }) : t('panel.pageBare')));
    const start = h('button', { type: 'submit', class: 'btn btn--primary btn--lg btn--block' }, sign('camera'), h('span', {}, t('panel.start')));
    const form = h('form', { class: 'overlay__body', novalidate: true, onsubmit: (event) => (event.preventDefault(), void this.#start()) }, ...this.#form.elements, note, h('div', { class: 'fault', role: 'alert' }), start);
    const heading = this.#show('form', this.getAttribute('label') || t('panel.title'), t(this.#inTab() ? 'panel.subTab' : 'panel.sub'), form);
    this.#state('form');
    if (!values) heading.focus();
  }

  /** #submitting shows on the button itself what happens. */
  #submitting(on: boolean, again = false): void {
    this.#busy = on;
    const start = this.#panel?.querySelector<HTMLButtonElement>('button[type=submit]');
    start?.setAttribute('aria-disabled', String(on));
    start?.querySelector('span')?.replaceChildren(this.#words.t(on ? 'panel.starting' : again ? 'panel.again' : 'panel.start'));
  }

  #inTab(): boolean {
    return this.getAttribute('open') === 'tab' || !mayDelegate(daemonOrigin, this.#root);
  }

  /** #start makes the meeting. While it does, another press changes nothing. */
  async #start(): Promise<void> {
    if (this.#busy || !this.#form || !this.#daemon || !this.#form.check()) return;
    this.#submitting(true);
    this.#panel?.querySelector('.fault')?.replaceChildren();
    const tab = this.#inTab() ? window.open('', '_blank') : undefined; // now, while the press still counts
    try {
      const meeting = await this.#daemon.meet(this.#wishes());
      this.#submitting(false);
      if (this.isConnected) this.#meet(meeting, tab);
    } catch (error) {
      tab?.close();
      this.#submitting(false, true);
      this.#refused(error);
    }
  }

  #wishes(): NewMeeting {
    const page = this.#site?.page_to_agent ? viewed() : undefined;
    const meta = metadata(this, (words) => this.#warn(words));
    return {
      ...given(this, 'queue', 'queue'),
      ...given(this, 'topic', 'topic'),
      ...given(this, 'redirect-url', 'redirect_url'),
      ...this.#form?.answers(),
      language: this.#words.lang,
      ...(meta && { metadata: meta }),
      ...(page && { page }),
    };
  }

  #refused(error: unknown): void {
    this.#warn(repair(error, daemonOrigin));
    this.#tell('error', { code: error instanceof Problem ? error.code : 'unknown' });
    const fields = error instanceof Problem ? error.fields : [];
    if (fields.filter(({ pointer }) => this.#form?.refuse(pointer)).length) return;
    this.#panel?.querySelector('.fault')?.replaceChildren(h('p', { class: 'banner banner--bad' }, sign('warning'), h('span', {}, this.#words.t(sentence(error)))));
  }

  // The call -----------------------------------------------------------------

  #meet(meeting: Meeting, tab: Window | null | undefined): void {
    const link = visitorLink(meeting);
    if (!link) {
      tab?.close();
      return this.#refused(new Problem('unknown', 'the answer has no link for the visitor', 502));
    }
    link.searchParams.set('lang', this.#words.lang);
    link.searchParams.set('theme', this.dataset['theme'] ?? 'light');
    this.#form = undefined;
    this.#tell('meeting', { id: meeting.id, reference: meeting.reference });
    if (tab === undefined) return this.#showCall(link);
    if (tab) {
      tab.opener = null;
      tab.location.replace(link.href);
    }
    const { t } = this.#words;
    this.#show('form', t(tab ? 'tab.title' : 'tab.blockedTitle'), undefined, inTab(link, !!tab, this.#words)).focus();
    this.#state('tab');
  }

  #showCall(link: URL): void {
    this.#call = new Call(link, this.#words, {
      onState: (state, message) => {
        this.#state(state);
        this.#tell('state', { state, ...(typeof message['outcome'] === 'string' && { outcome: message['outcome'] }) });
        if (!this.#call?.running && this.#panel?.querySelector('.veil')) this.#stay();
      },
      onRedirect: (url) => {
        if (this.#tell('redirect', { url: url.href })) location.assign(url.href);
      },
      onOver: () => {
        this.#call = undefined;
        this.#hidePanel();
      },
    });
    const name = this.#site?.name;
    this.#show('call', [this.#words.t('panel.title'), name].filter(Boolean).join(' · '), undefined, this.#call.frame);
    this.#call.frame.focus();
    this.#state('planned');
    this.#tell('state', { state: 'planned' });
  }

  #key(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || !this.#panel) return;
    event.stopPropagation();
    if (this.#panel.querySelector('.veil')) this.#stay();
    else this.close();
  }

  // Telling ------------------------------------------------------------------

  #state(state: string): void {
    if (this.getAttribute('state') !== state) this.setAttribute('state', state);
  }

  /** #tell sends ringdown-<name> from the element; false if somebody prevented it. */
  #tell(name: string, detail: object = {}): boolean {
    return this.dispatchEvent(new CustomEvent(`ringdown-${name}`, { detail, bubbles: true, composed: true, cancelable: name === 'redirect' }));
  }

  #warn(words: string): void {
    console.warn(`ringdown-button: ${words}`);
  }
}

if (!customElements.get('ringdown-button')) customElements.define('ringdown-button', RingdownButton);
