import { customElement, html, nothing, property, query, state, type TemplateResult } from 'lit';
import { PageElement } from '../lib/element';
import { icon } from '../lib/icon';
import { t } from '../lib/words';
import { initials } from './model';
import { track, type Other } from './people';
import { giveUpMs, type Room } from './room';

/**
 * One picture of the stage: somebody's camera or screen, and words wherever
 * there is no picture. While a lost call is coming back, ours or theirs, the
 * last picture stays, dimmed. Sound has elements of its own, see ears.ts.
 */
@customElement('call-tile')
export class CallTile extends PageElement {
  @property({ attribute: false }) accessor room!: Room;
  /** Whose picture; nobody while we wait for somebody. */
  @property({ attribute: false }) accessor who: Other | undefined = undefined;
  @property() accessor name = '';
  @property() accessor source: 'camera' | 'screen' = 'camera';
  /** What to say while nobody is there. */
  @property() accessor waiting = '';
  /** One of several: it says its name, and who speaks is outlined. */
  @property({ type: Boolean }) accessor several = false;
  /** A screen that is not the large one. */
  @property({ type: Boolean }) accessor small = false;
  @state() private accessor playing = false;
  @query('video') private accessor video: HTMLVideoElement | null = null;
  @query('canvas') private accessor last: HTMLCanvasElement | null = null;
  #picture: MediaStreamTrack | undefined;
  #kept = false;
  #shown = false;

  protected override willUpdate(): void {
    const shows = this.#shows;
    // Before it is hidden: what is on screen now is the last picture.
    if (this.#shown && !shows) this.#keep();
    this.#shown = shows;
    if (track(this.who, this.source)?.muted) this.#kept = false; // turned off on purpose: nothing of it stays
  }

  protected override updated(): void {
    const picture = track(this.who, this.source)?.track;
    if (!picture || picture === this.#picture || !this.video) return;
    if (this.playing) this.#keep();
    this.#picture = picture;
    this.playing = false;
    this.video.srcObject = new MediaStream([picture]);
    void this.video.play().catch(() => {}); // muted: never held back; a newer source interrupts
  }

  /** The frame on screen is copied before its source goes. */
  #keep(): void {
    const { video, last } = this;
    if (!video || !last || video.videoWidth === 0) return;
    [last.width, last.height] = [video.videoWidth, video.videoHeight];
    last.getContext('2d')?.drawImage(video, 0, 0);
    this.#kept = true;
  }

  get #shows(): boolean {
    const sent = track(this.who, this.source);
    return sent !== undefined && !sent.muted && sent.track !== undefined && this.playing && this.room.state !== 'ended';
  }

  protected override render(): TemplateResult {
    const { room, who, name, source, several } = this;
    const sent = track(who, source);
    const wanted = sent !== undefined && !sent.muted;
    const live = room.state === 'connected';
    const away = live && who?.away === true;
    const shows = this.#shows;
    const still = !shows && this.#kept && (!live || away || wanted);
    const paused = live && source === 'camera' && wanted && !away && who !== undefined && room.stalled(who);
    const dim = !live || away || paused;
    const speaks = several && source === 'camera' && who !== undefined && room.speaker === who.id;
    const hook = source === 'camera' ? 'remote' : 'screen';
    const moving = shows && !dim;
    return html`<div class="tile call__tile ${dim && (shows || still) ? 'tile--dim' : ''} ${speaks ? 'call__tile--speaks' : ''} ${source === 'screen' ? 'call__tile--screen' : ''}" data-test=${hook} data-participant=${who?.id ?? ''} data-picture=${moving ? 'moving' : shows || still ? 'still' : 'none'}>
      <video class="pic" data-test="${hook}-video" autoplay muted playsinline .muted=${true} ?hidden=${!shows} aria-label=${t(source === 'screen' ? 'call.screen-of' : 'call.picture-of', { name })} @loadeddata=${this.#loaded} @resize=${this.#loaded}></video>
      <canvas class="pic" aria-hidden="true" ?hidden=${!still}></canvas>
      ${away && source === 'camera' ? this.#away(who!) : paused ? this.#paused(who!) : shows || still ? nothing : this.#words(wanted)} ${this.#label(speaks)}
      ${this.small && who ? html`<button type="button" class="call__enlarge" data-test="enlarge" @click=${() => room.enlarge(who.id)}><span class="sr">${t('call.screen.enlarge', { name })}</span></button>` : nothing}
    </div>`;
  }

  #label(speaks: boolean): TemplateResult | typeof nothing {
    const { who, name, room } = this;
    if (this.source === 'screen') return html`<span class="tile__name" data-test="screen-words">${icon('screen')}${t('call.screen.other', { name })}</span>`;
    const microphone = track(who, 'microphone');
    const muted = room.state === 'connected' && who !== undefined && !who.away && (microphone === undefined || microphone.muted);
    if (!this.several) return muted ? html`<span class="tile__name" data-test="remote-muted">${icon('mic-off')}${t('call.other.muted', { name })}</span>` : nothing;
    return html`<span class="tile__name" data-test="tile-name">${muted ? html`<span data-test="remote-muted">${icon('mic-off')}<span class="sr">${t('call.other.muted', { name })}</span></span>` : speaks ? html`<span data-test="speaks">${icon('speaker')}<span class="sr">${t('call.other.speaks')}</span></span>` : nothing}<span class="clip">${name}</span></span>`;
  }

  /** They are coming back: for how long we keep their place. */
  #away(who: Other): TemplateResult {
    const left = Math.max(0, Math.ceil((giveUpMs - this.room.awayFor(who)) / 1000));
    return html`<div class="call__nobody call__nobody--card"><div class="call__card" data-test="other-away">
      ${this.#face()}
      <p>${t('call.other.away', { name: this.name })}</p>
      <div class="limit__bar" role="progressbar" aria-label=${t('call.reconnecting.limit')} aria-valuemin="0" aria-valuemax="60" aria-valuenow=${60 - left}><i .style=${`width:${((60 - left) / 60) * 100}%`}></i></div>
      <span class="call__card-sub">${t('call.seconds-left', { n: left })}</span>
    </div></div>`;
  }

  /** The sound goes on: say why the picture does not. */
  #paused(who: Other): TemplateResult {
    const ours = this.room.quality?.word !== 'good' && this.room.quality?.side === 'download';
    const theirs = who.quality !== undefined && who.quality.word !== 'good';
    return html`<div class="call__nobody call__nobody--card"><p class="call__card" data-test="video-paused">${icon('pause')}${t(ours || theirs ? 'call.paused.other' : 'call.paused.picture', { name: this.name })}</p></div>`;
  }

  #words(wanted: boolean): TemplateResult {
    const { room, who, name } = this;
    const words = room.state === 'reconnecting' ? '' : !who || room.state !== 'connected' ? this.waiting : this.source === 'screen' || wanted ? t('call.other.picture-coming', { name }) : t('call.other.camera-off', { name });
    return html`<div class="call__nobody" data-test="remote-words">${this.#face()}<p>${words}</p></div>`;
  }

  #face(): TemplateResult {
    return html`<span class="face call__face" aria-hidden="true">${this.source === 'screen' ? icon('screen') : initials(this.name) || icon('user')}</span>`;
  }

  #loaded = (): void => {
    if (this.video && this.video.videoWidth > 0) this.playing = true;
  };
}
