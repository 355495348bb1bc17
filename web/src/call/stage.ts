// The stage of a call, the same for both sides. What a browser test may hold on
// to, on every page of a call:
//
//   body[data-state]          loading check waiting call left missed cancelled declined expired failed problem
//                             (agent: loading ring planned taken declined over devices room left problem)
//   [data-test=...]
//   on-camera on-microphone row-camera row-microphone (data-problem)   the check
//   mic camera flip self-video self-view choose-camera choose-microphone
//   call sound-only chat-only try-again open-window                    before the call
//   cancel chat-toggle wait-limit                                      while it rings
//   remote (data-picture=moving|still|none) remote-video remote-audio remote-words remote-muted tap-to-hear
//   other-name quality timer reconnecting rejoin toast
//   chat chat-dot chat-log chat-input chat-send message message-pending chat-close
//   leave                                                              the end of it
//   ended again close stay redirect                                    after it
//   name accept decline decline-reasons reason-<word> since taken-by talk-here   the agent's ring
//   enter enter-sound end end-confirm end-stay customer details        the agent's room
//   reference language

import { customElement, html, nothing, property, query, state, type TemplateResult } from 'lit';
import type { DeviceKind } from '../lib/devices';
import { PageElement } from '../lib/element';
import { icon } from '../lib/icon';
import { live } from '../lib/live';
import { t, text } from '../lib/words';
import { cameraKey, deviceSelects, flipKey, micKey } from './devices';
import type { LocalMedia } from './media';
import { initials, type Meeting } from './model';
import './remote';
import type { CallRemote } from './remote';
import { giveUpMs, type Room } from './room';

const corners = ['br', 'bl', 'tl', 'tr'] as const;
type Corner = (typeof corners)[number];
const toastMs = 7000;

/** Events: `chat` (the key), `panel` (the agent's key), `leave` (confirmed). */
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
  /** The agent's stage: it ends the call for all, and has a panel about the customer. */
  @property({ type: Boolean }) accessor agent = false;
  @property({ type: Boolean }) accessor panelOpen = false;
  @state() private accessor corner: Corner = 'br';
  @state() private accessor settings = false;
  @state() private accessor asking = false;
  @state() private accessor toast = '';
  @query('call-remote') private accessor remote: CallRemote | null = null;
  #release: (() => void)[] = [];
  #tick: ReturnType<typeof setInterval> | undefined;
  #toastEnd: ReturnType<typeof setTimeout> | undefined;
  #lock: { release(): Promise<void> } | undefined;
  #told = '';
  #problems: Partial<Record<DeviceKind, string>> = {};

  override connectedCallback(): void {
    super.connectedCallback();
    this.#tick = setInterval(() => this.requestUpdate(), 500);
    const awake = () => void this.#stayAwake();
    document.addEventListener('visibilitychange', awake);
    awake();
    this.#release = [
      this.room.on('change', () => this.requestUpdate()),
      this.media.on('change', () => this.#devices()),
      this.media.on('unplugged', ({ kind, next }) => this.#say(t(next ? `device.${kind}.next` : `device.${kind}.gone`))),
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
    const { room } = this;
    const camera = room.track('camera');
    const microphone = room.track('microphone');
    // What is shown in words is said once, when it changes.
    const words =
      room.state === 'reconnecting'
        ? t('call.reconnecting')
        : room.state === 'connected' && room.other
          ? [camera && !camera.muted ? '' : t('call.other.camera-off', { name: this.other }), microphone && !microphone.muted ? '' : t('call.other.muted', { name: this.other })].filter(Boolean).join(' ') || t('call.connected', { name: this.other })
          : '';
    if (words && words !== this.#told) live.say(words);
    if (words) this.#told = words;
  }

  protected override render(): TemplateResult {
    const { room } = this;
    const away = room.other === undefined && room.state === 'connected' && this.#otherWasHere();
    return html`
      <section class="call__stage stage" aria-label=${t('call.video')} @keydown=${this.#escape}>
        <call-remote .room=${room} .name=${this.other} .waiting=${this.waiting} .away=${away}></call-remote>
        ${this.#top()} ${this.#selfView()}
        <div class="call__over">${this.#over()}</div>
        ${this.#bar()}
      </section>
    `;
  }

  #otherWasHere(): boolean {
    const role = this.agent ? 'visitor' : 'agent';
    return this.meeting.participants.some((p) => p.role === role && p.joined_at !== undefined && !p.left_at);
  }

  #top(): TemplateResult {
    const { room, meeting } = this;
    const q = room.quality;
    const since = meeting.answered_at ? this.now() - Date.parse(meeting.answered_at) : 0;
    return html`<div class="call__top">
      <span class="chip"><b class="clip" data-test="other-name">${this.other}</b>${!this.agent && meeting.site.name ? html`<span class="chip__sub wide-only">${meeting.site.name}</span>` : nothing}</span>
      ${room.state === 'reconnecting'
        ? html`<span class="chip chip--weak">${icon('signal-weak')}${t('call.quality.reconnecting')}</span>`
        : q
          ? html`<span class="chip chip--${q.word}" data-test="quality">${icon(`signal-${q.word}`)}${q.word === 'weak' ? t(`call.quality.weak.${q.side}`) : t(`call.quality.${q.word}`)}</span>`
          : nothing}
      <span class="chip" data-test="timer">${icon('clock')}<span aria-hidden="true">${text.clock(since)}</span><span class="sr">${t('call.length', { time: text.length(Math.floor(since / 60_000) * 60_000) })}</span></span>
    </div>`;
  }

  #selfView(): TemplateResult {
    const { media } = this;
    const back = media.camera.track?.getSettings().facingMode === 'environment';
    const words = media.view ? (back ? t('call.you-back') : t('call.you')) : t('call.you-no-camera');
    return html`<button type="button" class="tile tile--self call__self call__self--${this.corner}" data-test="self-view" aria-label=${`${words}. ${t('call.move-self')}`} title=${t('call.move-self')} @pointerdown=${this.#drag} @click=${this.#nextCorner}>
      <call-self .media=${media}></call-self>
      ${media.view ? nothing : html`<span class="call__nobody" aria-hidden="true"><span class="face face--sm">${initials(this.self) || icon('user')}</span></span>`}
      <span class="tile__name">${media.microphone.on ? nothing : icon('mic-off')}${words}</span>
    </button>`;
  }

  #over(): TemplateResult | typeof nothing {
    const { room } = this;
    if (this.asking) return this.#confirm();
    if (room.ended && room.ended !== 'left' && room.ended !== 'ended') return this.#gone();
    if (room.state === 'reconnecting') return this.#reconnecting();
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
      <div class="limit__words"><span>${t('call.seconds-left', { n: left })}</span></div></div>
    </section>`;
  }

  #gone(): TemplateResult {
    const why = this.room.ended === 'duplicate' ? 'duplicate' : this.room.ended === 'overload' ? 'overload' : 'network';
    return html`<section class="ask" role="alertdialog" aria-labelledby="gone">
      <div class="ask__words"><h2 id="gone">${t(`call.gone.${why}`)}</h2><p class="small muted">${t(`call.gone.${why}.why`)}</p></div>
      <button type="button" class="btn btn--primary btn--block" data-test="rejoin" @click=${() => this.room.enter()}>${icon('refresh')}${t(why === 'duplicate' ? 'call.rejoin-here' : 'call.rejoin')}</button>
    </section>`;
  }

  #confirm(): TemplateResult {
    return html`<section class="ask" role="alertdialog" aria-labelledby="sure" aria-describedby="sure-why">
      <div class="ask__words"><h2 id="sure">${t('call.end.sure')}</h2><p class="small muted" id="sure-why">${t('call.end.why')}</p></div>
      <div class="ask__acts">
        <button type="button" class="btn btn--line" data-test="end-stay" @click=${this.#stay}>${t('call.stay')}</button>
        <button type="button" class="btn btn--danger" data-test="end-confirm" @click=${() => this.#tell('leave')}>${t('call.end.do')}</button>
      </div>
    </section>`;
  }

  #settings(): TemplateResult {
    const { media } = this;
    return html`<section class="ask call__settings" aria-labelledby="devices">
      <div class="row row--keep"><h2 id="devices" class="grow">${t('call.devices')}</h2><button type="button" class="btn btn--icon" aria-label=${t('page.close')} @click=${() => this.#openSettings(false)}>${icon('close')}</button></div>
      ${media.camera.track || media.microphone.track ? deviceSelects(media, 'in-call', (id) => this.remote?.speaker(id)) : html`<p class="small muted">${t('device.none-on')}</p>`}
    </section>`;
  }

  #bar(): TemplateResult {
    const chatWords = this.unread > 0 ? t('call.chat.unread', { n: this.unread }) : t('call.chat');
    return html`<div class="call__bar"><div class="bar" role="group" aria-label=${t('call.controls')}>
      <div class="bar__keys">
        ${micKey(this.media)} ${cameraKey(this.media)} ${flipKey(this.media)}
        <button type="button" class="key" data-test="devices" aria-expanded=${this.settings ? 'true' : 'false'} aria-label=${t('call.devices')} @click=${() => this.#openSettings(!this.settings)}>${icon('settings')}<span aria-hidden="true">${t('call.devices.key')}</span></button>
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

  async #openSettings(open: boolean): Promise<void> {
    this.settings = open;
    await this.updateComplete;
    this.querySelector<HTMLElement>(open ? '.call__settings select, .call__settings button' : '[data-test=devices]')?.focus();
  }

  #escape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    if (this.asking) void this.#stay();
    else if (this.settings) void this.#openSettings(false);
  };

  /** A refusal in the call is told once, in words. */
  #devices(): void {
    for (const kind of ['camera', 'microphone'] as const) {
      const problem = this.media[kind].problem;
      if (problem && problem !== this.#problems[kind]) this.#say(t(`device.${kind}.${problem}`));
      this.#problems = { ...this.#problems, [kind]: problem };
    }
    this.requestUpdate();
  }

  #say(sentence: string): void {
    this.toast = sentence;
    live.say(sentence);
    clearTimeout(this.#toastEnd);
    this.#toastEnd = setTimeout(() => (this.toast = ''), toastMs);
  }

  #tell(name: 'chat' | 'panel' | 'leave'): void {
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
