import { customElement, html, nothing, property, query, state, type TemplateResult } from 'lit';
import { PageElement } from '../lib/element';
import { icon } from '../lib/icon';
import { t } from '../lib/words';
import { remembered } from '../lib/devices';
import { initials } from './model';
import type { Room } from './room';

/**
 * The other person: picture, sound, and words wherever there is no picture.
 * Sound has an element of its own, so that a picture may play where the browser
 * holds sound back until a click. While a lost call is coming back the last
 * picture stays, dimmed.
 */
@customElement('call-remote')
export class CallRemote extends PageElement {
  @property({ attribute: false }) accessor room!: Room;
  @property() accessor name = '';
  /** What to say while nobody is there. */
  @property() accessor waiting = '';
  /** The other side is in the meeting but lost its connection. */
  @property({ type: Boolean }) accessor away = false;
  @state() private accessor playing = false;
  @state() private accessor held = false;
  @query('video') private accessor video: HTMLVideoElement | null = null;
  @query('audio') private accessor audio: HTMLAudioElement | null = null;
  @query('canvas') private accessor last: HTMLCanvasElement | null = null;
  #release?: () => void;
  #picture: MediaStreamTrack | undefined;
  #sound: MediaStreamTrack | undefined;
  #kept = false;
  #live = false;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#release = this.room.on('change', () => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#release?.();
  }

  /** speaker sends the sound to another device. */
  speaker(id: string): void {
    void (this.audio as (HTMLAudioElement & { setSinkId?(id: string): Promise<void> }) | null)?.setSinkId?.(id).catch(() => {});
  }

  protected override willUpdate(): void {
    // Before anything is hidden: what is on screen now is the last picture.
    if (this.room.state === 'reconnecting' && this.#live && this.playing) this.#keepPicture();
    this.#live = this.room.state === 'connected';
  }

  protected override updated(): void {
    const [picture, sound] = [this.room.track('camera')?.track, this.room.track('microphone')?.track];
    if (picture && picture !== this.#picture && this.video) {
      if (this.playing) this.#keepPicture();
      this.#picture = picture;
      this.playing = false;
      this.video.srcObject = new MediaStream([picture]);
      void this.video.play().catch(() => {}); // muted: never held back; a newer source interrupts
    }
    if (sound && sound !== this.#sound && this.audio) {
      this.#sound = sound;
      this.audio.srcObject = new MediaStream([sound]);
      const { speaker } = remembered();
      if (speaker) this.speaker(speaker);
      void this.#listen();
    }
  }

  /** The frame on screen is copied before its source goes. */
  #keepPicture(): void {
    const { video, last } = this;
    if (!video || !last || video.videoWidth === 0) return;
    [last.width, last.height] = [video.videoWidth, video.videoHeight];
    last.getContext('2d')?.drawImage(video, 0, 0);
    this.#kept = true;
  }

  async #listen(): Promise<void> {
    try {
      await this.audio?.play();
      this.held = false;
    } catch (error) {
      this.held = error instanceof DOMException && error.name === 'NotAllowedError';
    }
  }

  protected override render(): TemplateResult {
    const { room } = this;
    const camera = room.track('camera');
    const microphone = room.track('microphone');
    const live = room.state === 'connected';
    const wanted = camera !== undefined && !camera.muted;
    const moving = live && wanted && this.playing && camera.track !== undefined;
    const still = !moving && this.#kept && (!live || wanted);
    const muted = live && room.other !== undefined && (microphone === undefined || microphone.muted);
    return html`<div class="tile call__main ${still ? 'tile--dim' : ''}" data-test="remote" data-picture=${moving ? 'moving' : still ? 'still' : 'none'}>
      <video class="pic" data-test="remote-video" autoplay muted playsinline .muted=${true} ?hidden=${!moving} aria-label=${t('call.picture-of', { name: this.name })} @loadeddata=${this.#shows} @resize=${this.#shows}></video>
      <canvas class="pic" aria-hidden="true" ?hidden=${!still}></canvas>
      <audio data-test="remote-audio" autoplay></audio>
      ${moving || still ? nothing : this.#words(wanted)}
      ${muted && live ? html`<span class="tile__name" data-test="remote-muted">${icon('mic-off')}${t('call.other.muted', { name: this.name })}</span>` : nothing}
      ${this.held ? html`<button type="button" class="btn btn--primary btn--lg call__tap" data-test="tap-to-hear" @click=${() => void this.#listen()}>${icon('speaker')}${t('call.tap-to-hear')}</button>` : nothing}
    </div>`;
  }

  #words(wanted: boolean): TemplateResult {
    const { room } = this;
    const here = room.other !== undefined && room.state === 'connected';
    const words = room.state === 'reconnecting' ? '' : this.away ? t('call.other.away', { name: this.name }) : !here ? this.waiting : wanted ? t('call.other.picture-coming', { name: this.name }) : t('call.other.camera-off', { name: this.name });
    return html`<div class="call__nobody" data-test="remote-words">
      <span class="face call__face">${initials(this.name) || icon('user')}</span>
      <p>${words}</p>
    </div>`;
  }

  #shows = (): void => {
    if (this.video && this.video.videoWidth > 0) this.playing = true;
  };
}
