// The call inside the panel: a frame with the visitor's page, and what the two
// say to each other. Only the frame itself, at the daemon's own address, is heard.

import { h, sign } from './dom';
import { webAddress } from './site';
import type { Words } from './words';

/** What the visitor's page may use where the host page can pass it on. */
const allow = 'camera; microphone; autoplay; display-capture; fullscreen; screen-wake-lock';

/** The end of a call that was told to end and stays silent. */
const farewellMs = 1500;

export interface CallEvents {
  onState(state: string, message: Readonly<Record<string, unknown>>): void;
  onRedirect(url: URL): void;
  /** The frame is gone. */
  onOver(): void;
}

export class Call {
  readonly frame: HTMLIFrameElement;
  state = 'planned';
  #over = false;
  #farewell: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly link: URL,
    words: Words,
    private readonly events: CallEvents,
  ) {
    this.frame = h('iframe', { class: 'frame', title: words.t('call.frame'), allow, allowfullscreen: true, referrerpolicy: 'origin' });
    this.frame.src = link.href;
    window.addEventListener('message', this.#hear);
  }

  /** running tells whether leaving would cut somebody off. */
  get running(): boolean {
    return !this.#over && (this.state === 'requested' || this.state === 'active');
  }

  /** leave asks the page to say goodbye, and takes the frame away soon. */
  leave(): void {
    if (!this.running) return this.end();
    this.frame.contentWindow?.postMessage({ type: 'ringdown.leave' }, this.link.origin);
    this.#farewell ??= setTimeout(() => this.end(), farewellMs);
  }

  /** end takes the frame away at once. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#farewell);
    window.removeEventListener('message', this.#hear);
    this.frame.remove();
    this.events.onOver();
  }

  #hear = (event: MessageEvent): void => {
    if (event.source !== this.frame.contentWindow || event.origin !== this.link.origin) return;
    const message = event.data as Record<string, unknown> | null;
    if (typeof message !== 'object' || message === null) return;
    switch (message['type']) {
      case 'ringdown.state':
        if (typeof message['state'] !== 'string') return;
        this.state = message['state'];
        this.events.onState(this.state, message);
        if (this.#farewell && !this.running) this.end();
        return;
      case 'ringdown.redirect': {
        const url = webAddress(message['url']);
        if (url) this.events.onRedirect(url);
        return;
      }
      case 'ringdown.close':
        this.end();
    }
  };
}

/**
 * mayDelegate tells whether a frame of this page can get camera and microphone;
 * where the browser does not say, it is tried. Only a frame in the document
 * knows, so a lazy one stands in `place` for a moment and loads nothing.
 */
export function mayDelegate(origin: string, place: Node): boolean {
  if (!window.isSecureContext) return false;
  const probe = h('iframe', { hidden: true, loading: 'lazy', allow, src: `${origin}/button.js` }) as HTMLIFrameElement & { featurePolicy?: { allowsFeature(feature: string): boolean } };
  if (!probe.featurePolicy) return true;
  place.appendChild(probe);
  const can = ['camera', 'microphone'].every((feature) => probe.featurePolicy?.allowsFeature(feature));
  probe.remove();
  return can;
}

/** leaveQuestion covers a running call until the visitor has decided. */
export function leaveQuestion(state: string, words: Words, stay: () => void, leave: () => void): HTMLElement {
  const { t } = words;
  return h('div', { class: 'veil' },
    h('div', { class: 'ask', role: 'alertdialog', 'aria-modal': 'true', 'aria-labelledby': 'leave-title', 'aria-describedby': 'leave-words' },
      h('div', {}, h('h2', { id: 'leave-title' }, t('leave.title')), h('p', { class: 'small muted', id: 'leave-words' }, t(state === 'active' ? 'leave.active' : 'leave.ringing'))),
      h('div', { class: 'ask__acts' },
        h('button', { type: 'button', class: 'btn btn--line', onclick: stay }, t('leave.stay')),
        h('button', { type: 'button', class: 'btn btn--danger', onclick: leave }, t('leave.leave')))));
}

/** inTab says where the call went: into a new tab, or behind a link when the browser refused one. */
export function inTab(link: URL, opened: boolean, words: Words): HTMLElement {
  const { t } = words;
  return h('div', { class: 'overlay__body' },
    h('p', { class: opened ? 'muted' : '' }, t(opened ? 'tab.sub' : 'tab.blocked')),
    h('a', { class: `btn btn--lg btn--block ${opened ? 'btn--line' : 'btn--primary'}`, href: link.href, target: '_blank', rel: 'noopener' }, t(opened ? 'tab.openAgain' : 'tab.open'), sign('external')));
}
