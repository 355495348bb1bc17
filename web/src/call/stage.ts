// The stage of a call, the same for both sides. What a browser test may hold on
// to, on every page of a call:
//
//   body[data-state]          loading check waiting call gone left missed cancelled declined expired failed problem
//                             (agent: loading ring planned taken declined over devices room gone left problem)
//   [data-test=...]
//   on-camera on-microphone row-camera row-microphone (data-problem) picture-camera picture-microphone   the check
//   mic camera flip self-video self-view choose-camera choose-microphone choose-speaker speaker-fixed test-sound test-said
//   call sound-only chat-only try-again open-window                    before the call
//   cancel chat-toggle wait-limit                                      while it rings
//   remote (data-picture=moving|still|none, data-participant) remote-video remote-audio remote-words remote-muted tap-to-hear
//   screen screen-video screen-words enlarge share sharing stop-sharing
//   tile-name speaks other-away video-paused other-quality
//   other-name quality timer reconnecting problem problem-again problem-close toast
//   gone rejoin gone-leave                                             out of the call against one's will
//   chat chat-dot chat-log chat-input chat-send message message-pending chat-close
//   leave                                                              the end of it
//   ended again close stay redirect                                    after it
//   name accept decline decline-reasons reason-<word> since taken-by talk-here   the agent's ring
//   enter enter-sound end end-confirm end-stay customer details        the agent's room
//   reference language

import { customElement, html, nothing, property, query, repeat, state, type TemplateResult } from 'lit';
import { sharesScreen, type DeviceKind } from '../lib/devices';
import { PageElement } from '../lib/element';
import { icon } from '../lib/icon';
import { live } from '../lib/live';
import { t, text } from '../lib/words';
import { cameraKey, deviceSelects, flipKey, micKey, problemHelp } from './devices';
import './ears';
import type { CallEars } from './ears';
import type { LocalMedia } from './media';
import { initials, type Meeting } from './model';
import { track, type Other } from './people';
import { giveUpMs, type Room } from './room';
import './tile';

const corners = ['br', 'bl', 'tl', 'tr'] as const;
type Corner = (typeof corners)[number];
const toastMs = 7000;

/** Events: `chat` (the key), `panel` (the agent's key), `leave` (confirmed: for ourselves), `end` (confirmed: for everybody), `window` (open in one of its own). */
@customElement('call-stage')
export class CallStage extends PageElement {
  @property({ attribute: false }) accessor room!: Room;
  @property({ attribute: false }) accessor media!: LocalMedia;
  @property({ attribute: false }) accessor meeting!: Meeting;
  @property({ attribute: false }) accessor now: () => number = Date.now;
  @property() accessor other = '';
  @property() accessor self = '';
  /** What to say while the other side is not in the room. */
  @property() accessor waiting = '';
  @property({ type: Boolean }) accessor chatOpen = false;
  @property({ type: Number }) accessor unread = 0;
  /** The page can be opened in a window of its own. */
  @property({ type: Boolean }) accessor windowed = false;
  /** The agent's stage: it ends the call for all, and has a panel about the customer. */
  @property({ type: Boolean }) accessor agent = false;
  @property({ type: Boolean }) accessor panelOpen = false;
  @state() private accessor corner: Corner = 'br';
  @state() private accessor settings = false;
  @state() private accessor asking = false;
  @state() private accessor toast = '';
  /** The device whose problem is explained. */
  @state() private accessor help: DeviceKind | undefined = undefined;
  @query('call-ears') private accessor ears: CallEars | null = null;
  #release: (() => void)[] = [];
  #tick: ReturnType<typeof setInterval> | undefined;
  #toastEnd: ReturnType<typeof setTimeout> | undefined;
  #lock: { release(): Promise<void> } | undefined;
  #told = '';
  #lost = false;
  #problems: Partial<Record<DeviceKind, string | undefined>> = {};

  override connectedCallback(): void {
    super.connectedCallback();
    this.#tick = setInterval(() => this.requestUpdate(), 500);
    this.#problems = { camera: this.media.camera.problem, microphone: this.media.microphone.problem }; // known before the call
    const awake = () => void this.#stayAwake();
    document.addEventListener('visibilitychange', awake);
    awake();
    this.#release = [
      this.room.on('change', () => this.requestUpdate()),
      this.media.on('change', () => this.#devices()),
      this.media.on('unplugged', ({ kind, next }) => this.#say(t(next ? `device.${kind}.next` : `device.${kind}.gone`))),
      this.media.on('talking', () => this.#say(t('call.talking-muted'))),
      this.media.on('unflipped', () => this.#say(t('call.flip.failed'))),
      this.room.on('shares', (other) => live.say(t('call.screen.other', { name: this.#name(other) }))),
      this.room.screen.on('change', () => live.say(t(this.room.screen.video ? 'call.share.on' : 'call.share.over'))),
      () => document.removeEventListener('visibilitychange', awake),
    ];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#tick);
    clearTimeout(this.#toastEnd);
    for (const release of this.#release) release();
    void this.#lock?.release().catch(() => {});
  }

  protected override updated(): void {
    const words = this.#words();
    if (words === this.#told || words === '') return;
    live.say(this.#lost && words !== t('call.reconnecting') ? t('call.back') : words);
    this.#lost = words === t('call.reconnecting');
    this.#told = words;
  }

  /** What is shown in words is said once, when it changes, as one message. */
  #words(): string {
    const { room } = this;
    if (room.state === 'reconnecting') return t('call.reconnecting');
    if (room.state !== 'connected' || !room.other) return '';
    const several = room.others.length > 1;
    const each = room.others.map((other) => {
      const name = this.#name(other);
      if (other.away) return t('call.other.away', { name });
      const [camera, microphone] = [track(other, 'camera'), track(other, 'microphone')];
      const missing = [camera && !camera.muted ? '' : t('call.other.camera-off', { name }), microphone && !microphone.muted ? '' : t('call.other.muted', { name })].filter(Boolean);
      return missing.join(' ') || (several ? '' : t('call.connected', { name }));
    });
    return each.filter(Boolean).join(' ') || t('call.connected', { name: room.others.map((other) => this.#name(other)).join(', ') });
  }

  /** Whoever we came to talk to is named by the page; the others by themselves. */
  #name(other: Other | undefined): string {
    if (!other || other === this.room.other || other.id === this.room.other?.id) return this.other;
    return other.name || t(other.role === 'agent' ? 'call.advisor.other' : 'call.guest');
  }

  protected override render(): TemplateResult {
    const { room } = this;
    const { others } = room;
    const screens = others.filter((other) => track(other, 'screen'));
    const layout = screens.length > 0 ? 'screen' : others.length > 2 ? 'three' : others.length > 1 ? 'two' : 'one';
    const cameras: (Other | undefined)[] = others.length > 0 ? others : [undefined];
    return html`
      <section class="call__stage stage" data-layout=${layout} aria-label=${t('call.video')} @keydown=${this.#escape}>
        <div class="call__people call__people--${layout}">
          ${repeat(screens, (p) => `${p.id}/screen`, (p) => this.#tile(p, 'screen', p.id === room.large ? 'large' : 'small'))}
          ${repeat(cameras, (p) => `${p?.id ?? ''}/camera`, (p) => this.#tile(p, 'camera', layout === 'screen' ? 'small' : ''))}
        </div>
        <call-ears .room=${room}></call-ears>
        ${this.#top()} ${this.#selfView()}
        <div class="call__over">${this.#over()}</div>
        ${this.#bar()}
      </section>
    `;
  }

  #tile(who: Other | undefined, source: 'camera' | 'screen', size: 'large' | 'small' | ''): TemplateResult {
    const several = size === 'small' || this.room.others.length > 1;
    return html`<call-tile class=${size && `call__${size}`} .room=${this.room} .who=${who} .name=${this.#name(who)} .source=${source} .waiting=${this.waiting} .several=${several} .small=${source === 'screen' && size === 'small'}></call-tile>`;
  }

  #top(): TemplateResult {
    const { room, meeting } = this;
    const count = room.others.length;
    const since = meeting.answered_at ? this.now() - Date.parse(meeting.answered_at) : 0;
    return html`<div class="call__top">
      <span class="chip"><b class="clip" data-test="other-name">${this.other}</b>${count > 1 ? html`<span class="chip__sub" data-test="others">${t('call.and-others', { n: count - 1 })}</span>` : !this.agent && meeting.site.name ? html`<span class="chip__sub wide-only">${meeting.site.name}</span>` : nothing}</span>
      ${this.#quality()} ${room.others.map((other) => this.#theirQuality(other))}
      <span class="chip" data-test="timer">${icon('clock')}<span aria-hidden="true">${text.clock(since)}</span><span class="sr">${t('call.length', { time: text.length(Math.floor(since / 60_000) * 60_000) })}</span></span>
      ${room.screen.video ? html`<span class="chip call__sharing" data-test="sharing">${icon('screen')}${t('call.share.on')}<button type="button" class="chip__act" data-test="stop-sharing" @click=${this.#share}>${t('call.share.stop.key')}</button></span>` : nothing}
    </div>`;
  }

  /** Our own connection, in a word and its reason. */
  #quality(): TemplateResult | typeof nothing {
    const { room } = this;
    const q = room.quality;
    if (room.state === 'reconnecting') return html`<span class="chip chip--weak">${icon('signal-weak')}${t('call.quality.reconnecting')}</span>`;
    if (!q) return nothing;
    const words = q.word === 'good' ? t('call.quality.good') : q.paused ? t('call.paused.own') : t(`call.quality.${q.word}.${q.why === 'delay' ? 'delay' : q.side}`);
    return html`<span class="chip chip--${q.word}" data-test="quality" data-word=${q.word}>${icon(`signal-${q.word}`)}${words}</span>`;
  }

  /** Theirs is worth a word when it is the reason for what we see. */
  #theirQuality(other: Other): TemplateResult | typeof nothing {
    if (this.room.state !== 'connected' || other.away || other.quality?.word !== 'weak') return nothing;
    return html`<span class="chip chip--weak" data-test="other-quality">${icon('signal-weak')}${t('call.quality.other', { name: this.#name(other) })}</span>`;
  }

  #selfView(): TemplateResult {
    const { media } = this;
    const back = media.camera.track?.getSettings().facingMode === 'environment';
    const words = media.view ? (back ? t('call.you-back') : t('call.you')) : t('call.you-no-camera');
    return html`<button type="button" class="tile tile--self call__self call__self--${this.corner}" data-test="self-view" aria-label=${`${words}. ${t('call.move-self')}`} title=${t('call.move-self')} @pointerdown=${this.#drag} @click=${this.#nextCorner}>
      <call-self .media=${media}></call-self>
      ${media.view ? nothing : html`<span class="call__nobody" aria-hidden="true"><span class="face face--sm">${icon('user')}</span></span>`}
      <span class="tile__name">${media.microphone.on ? nothing : icon('mic-off')}${words}</span>
    </button>`;
  }

  #over(): TemplateResult | typeof nothing {
    const { room } = this;
    if (this.asking) return this.#confirm();
    if (room.state === 'reconnecting') return this.#reconnecting();
    if (this.help && this.media[this.help].problem) return problemHelp(this.media, this.help, { close: this.#helped, openWindow: this.windowed ? () => this.#tell('window') : undefined });
    if (this.settings) return this.#settings();
    if (this.toast) return html`<div class="toast" data-test="toast"><span class="grow">${this.toast}</span><button type="button" class="btn btn--ghost" @click=${() => (this.toast = '')}>${t('page.ok')}</button></div>`;
    return nothing;
  }

  #reconnecting(): TemplateResult {
    const left = Math.max(0, Math.ceil((giveUpMs - (Date.now() - this.room.lostAt)) / 1000));
    return html`<section class="ask" data-test="reconnecting">
      <div class="line line--sm line--waiting" aria-hidden="true"><span class="line__end">${initials(this.self) || icon('user')}</span><span class="line__wire"></span><span class="line__end">${initials(this.other) || icon('user')}</span></div>
      <div class="ask__words"><h2>${t('call.reconnecting')}</h2><p class="small muted">${t('call.reconnecting.why', { name: this.other })}</p></div>
      <div class="limit"><div class="limit__bar" role="progressbar" aria-label=${t('call.reconnecting.limit')} aria-valuemin="0" aria-valuemax="60" aria-valuenow=${60 - left}><i .style=${`width:${((60 - left) / 60) * 100}%`}></i></div>
      <div class="limit__words"><span>${t('call.seconds-left', { n: left })}</span><span>${t('call.reconnecting.then')}</span></div></div>
    </section>`;
  }

  /** An agent may go and leave the others together, if a colleague stays. */
  #confirm(): TemplateResult {
    const stays = this.room.others.some((other) => other.role === 'agent' && !other.away);
    return html`<section class="ask" role="alertdialog" aria-labelledby="sure" aria-describedby="sure-why">
      <div class="ask__words"><h2 id="sure">${t(stays ? 'call.end.which' : 'call.end.sure')}</h2><p class="small muted" id="sure-why">${t(stays ? 'call.end.which.why' : 'call.end.why')}</p></div>
      <div class="ask__acts">
        <button type="button" class="btn btn--line" data-test="end-stay" @click=${this.#stay}>${t('call.stay')}</button>
        <button type="button" class="btn btn--danger" data-test="end-confirm" @click=${() => this.#tell('end')}>${t('call.end.do')}</button>
      </div>
      ${stays ? html`<button type="button" class="btn btn--line" data-test="leave-confirm" @click=${() => this.#tell('leave')}>${icon('hang-up')}${t('call.end.leave-me')}</button>` : nothing}
    </section>`;
  }

  #settings(): TemplateResult {
    const { media } = this;
    return html`<section class="ask call__settings" aria-labelledby="devices">
      <div class="row row--keep"><h2 id="devices" class="grow">${t('call.devices')}</h2><button type="button" class="btn btn--icon" aria-label=${t('page.close')} @click=${() => this.#openSettings(false)}>${icon('close')}</button></div>
      ${media.camera.track || media.microphone.track ? nothing : html`<p class="small muted">${t('device.none-on')}</p>`} ${deviceSelects(media, 'in-call', (id) => this.ears?.speaker(id))}
    </section>`;
  }

  #bar(): TemplateResult {
    const chatWords = this.unread > 0 ? t('call.chat.unread', { n: this.unread }) : t('call.chat');
    return html`<div class="call__bar"><div class="bar" role="group" aria-label=${t('call.controls')}>
      <div class="bar__keys">
        ${micKey(this.media)} ${cameraKey(this.media)} ${flipKey(this.media)}
        <button type="button" class="key" data-test="devices" aria-expanded=${this.settings ? 'true' : 'false'} aria-label=${t('call.devices')} @click=${() => this.#openSettings(!this.settings)}>${icon('settings')}<span aria-hidden="true">${t('call.devices.key')}</span></button>
        ${sharesScreen() ? html`<button type="button" class="key" data-test="share" aria-pressed=${this.room.screen.video ? 'true' : 'false'} aria-label=${t(this.room.screen.video ? 'call.share.stop' : 'call.share')} @click=${this.#share}>${icon('screen')}<span aria-hidden="true">${t(this.room.screen.video ? 'call.share.stop.key' : 'call.share.key')}</span></button>` : nothing}
        <button type="button" class="key" data-test="chat" aria-expanded=${this.chatOpen ? 'true' : 'false'} aria-label=${chatWords} @click=${() => this.#tell('chat')}>${icon('chat')}<span aria-hidden="true">${t('call.chat.key')}</span>${this.unread > 0 ? html`<span class="key__dot" data-test="chat-dot" data-count=${this.unread}></span>` : nothing}</button>
        ${this.agent ? html`<button type="button" class="key call__panel-key" data-test="customer" aria-expanded=${this.panelOpen ? 'true' : 'false'} aria-label=${t('agent.customer')} @click=${() => this.#tell('panel')}>${icon('user')}<span aria-hidden="true">${t('agent.customer.key')}</span></button>` : nothing}
      </div>
      <span class="bar__gap"></span>
      <button type="button" class="key key--leave" data-test=${this.agent ? 'end' : 'leave'} aria-label=${t(this.agent ? 'call.end' : 'call.leave')} @click=${this.#leave}>${icon('hang-up')}<span aria-hidden="true">${t(this.agent ? 'call.end.key' : 'call.leave.key')}</span></button>
    </div></div>`;
  }

  #leave = async (): Promise<void> => {
    if (!this.agent) {
      this.#tell('leave');
      return;
    }
    this.asking = true;
    await this.updateComplete;
    this.querySelector<HTMLElement>('[data-test=end-stay]')?.focus();
  };

  #stay = async (): Promise<void> => {
    this.asking = false;
    await this.updateComplete;
    this.querySelector<HTMLElement>('.key--leave')?.focus();
  };

  #share = async (): Promise<void> => {
    const { screen } = this.room;
    if (screen.video) screen.stop();
    else if ((await screen.start()) === 'failed') this.#say(t('call.share.failed'));
  };

  #helped = async (): Promise<void> => {
    const kind = this.help;
    this.help = undefined;
    await this.updateComplete;
    this.querySelector<HTMLElement>(kind === 'camera' ? '[data-test=camera]' : '[data-test=mic]')?.focus();
  };

  async #openSettings(open: boolean): Promise<void> {
    this.settings = open;
    await this.updateComplete;
    this.querySelector<HTMLElement>(open ? '.call__settings select, .call__settings button' : '[data-test=devices]')?.focus();
  }

  #escape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    if (this.asking) void this.#stay();
    else if (this.help) void this.#helped();
    else if (this.settings) void this.#openSettings(false);
  };

  /** A refusal in the call is explained once; it stays until it is read or gone. */
  #devices(): void {
    for (const kind of ['camera', 'microphone'] as const) {
      const problem = this.media[kind].problem;
      if (problem && problem !== this.#problems[kind]) {
        this.help = kind;
        live.say(t(`device.${kind}.${problem}`));
      }
      this.#problems = { ...this.#problems, [kind]: this.media[kind].asking ? undefined : problem };
    }
    this.requestUpdate();
  }

  #say(sentence: string): void {
    this.toast = sentence;
    live.say(sentence);
    clearTimeout(this.#toastEnd);
    this.#toastEnd = setTimeout(() => (this.toast = ''), toastMs);
  }

  #tell(name: 'chat' | 'panel' | 'leave' | 'end' | 'window'): void {
    this.asking = false;
    this.dispatchEvent(new CustomEvent(name));
  }

  async #stayAwake(): Promise<void> {
    if (document.visibilityState !== 'visible' || !('wakeLock' in navigator)) return;
    try {
      this.#lock = await navigator.wakeLock.request('screen');
    } catch {
      // a nearly empty battery refuses: the call goes on
    }
  }

  #dragged = false;

  #nextCorner = (): void => {
    if (this.#dragged) {
      this.#dragged = false; // the click that ends a drag
      return;
    }
    this.corner = corners[(corners.indexOf(this.corner) + 1) % corners.length]!;
  };

  /** Dragged, it follows the pointer and settles in the nearest corner. */
  #drag = (down: PointerEvent): void => {
    const tile = down.currentTarget as HTMLElement;
    const from = tile.getBoundingClientRect();
    this.#dragged = false;
    const move = (event: PointerEvent) => {
      const [x, y] = [event.clientX - down.clientX, event.clientY - down.clientY];
      if (!this.#dragged && Math.hypot(x, y) < 8) return;
      this.#dragged = true;
      tile.setPointerCapture(down.pointerId);
      tile.style.translate = `${x}px ${y}px`;
    };
    const up = (event: PointerEvent) => {
      tile.removeEventListener('pointermove', move);
      tile.style.translate = '';
      if (!this.#dragged) return;
      const stage = tile.parentElement!.getBoundingClientRect();
      const [x, y] = [from.left + from.width / 2 + event.clientX - down.clientX, from.top + from.height / 2 + event.clientY - down.clientY];
      this.corner = `${y < stage.top + stage.height / 2 ? 't' : 'b'}${x < stage.left + stage.width / 2 ? 'l' : 'r'}`;
    };
    tile.addEventListener('pointermove', move);
    tile.addEventListener('pointerup', up, { once: true });
    tile.addEventListener('pointercancel', up, { once: true });
  };
}
