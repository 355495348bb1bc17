// The pieces of looking at one's own camera and microphone: used before a call
// by both sides, and in a call to change a device.

import { customElement, html, ifDefined, nothing, property, query, state, type TemplateResult } from 'lit';
import { choosesSpeaker, platform, remember, remembered, type DeviceKind, type DeviceProblem } from '../lib/devices';
import { PageElement } from '../lib/element';
import { icon } from '../lib/icon';
import { levelMeter } from '../lib/parts';
import { sounds } from './sounds';
import { t } from '../lib/words';
import type { LocalMedia } from './media';
import { problemPicture } from './problem-picture';

/** micKey and cameraKey say what they will do, and whether they are pressed (off). */
export function micKey(media: LocalMedia): TemplateResult {
  const { on, asking } = media.microphone;
  return html`<button type="button" class="key" data-test="mic" aria-pressed=${on ? 'false' : 'true'} aria-busy=${asking ? 'true' : 'false'} aria-label=${t(on ? 'call.mic.off' : 'call.mic.on')} @click=${() => void media.turn('microphone', !on)}>
    ${icon(on ? 'mic' : 'mic-off')}<span aria-hidden="true">${t(on ? 'call.mic.off.key' : 'call.mic.on.key')}</span>
  </button>`;
}

export function cameraKey(media: LocalMedia): TemplateResult {
  const { on, asking } = media.camera;
  return html`<button type="button" class="key" data-test="camera" aria-pressed=${on ? 'false' : 'true'} aria-busy=${asking ? 'true' : 'false'} aria-label=${t(on ? 'call.camera.off' : 'call.camera.on')} @click=${() => void media.turn('camera', !on)}>
    ${icon(on ? 'camera' : 'camera-off')}<span aria-hidden="true">${t('call.camera.key')}</span>
  </button>`;
}

/** flipKey changes the camera of a phone; nothing where there is only one. */
export function flipKey(media: LocalMedia): TemplateResult | typeof nothing {
  if (!media.camera.on || media.devices.cameras.length < 2 || !matchMedia('(pointer: coarse)').matches) return nothing;
  return html`<button type="button" class="key" data-test="flip" aria-label=${t('call.flip')} @click=${() => void media.flip()}>${icon('flip')}<span aria-hidden="true">${t('call.flip.key')}</span></button>`;
}

/** deviceRow is one line of the check: what is on, or why not and what to do, with a picture unless the page shows a large one. */
export function deviceRow(media: LocalMedia, kind: DeviceKind, pictured = true): TemplateResult {
  const slot = media[kind];
  const name = t(`device.${kind}`);
  const words = slot.problem ? t(`device.${kind}.${slot.problem}`) : slot.asking ? t('device.asking') : slot.on ? slot.track?.label || t('device.on') : slot.track ? t('device.muted') : t('device.off');
  const look = slot.problem ? 'bad' : slot.on ? 'ok' : 'off';
  const sign = slot.problem ? 'warning' : slot.on ? 'check' : kind === 'camera' ? 'camera-off' : 'mic-off';
  return html`<li class="dev dev--${look}" data-test="row-${kind}" data-problem=${ifDefined(slot.problem)}>
    <span class="dev__dot">${icon(sign)}</span>
    <div class="grow"><b>${name}</b><span class="sub">${words}</span>${slot.problem ? phoneHint(slot.problem) : nothing}</div>
    ${slot.on ? nothing : html`<button type="button" class="btn btn--line dev__act" data-test="on-${kind}" aria-label=${`${name}: ${t(slot.problem ? 'device.again' : 'device.turn-on')}`} ?disabled=${slot.asking} @click=${() => void media.turn(kind, true)}>${t(slot.problem ? 'device.again' : 'device.turn-on')}</button>`}
    ${slot.problem && pictured ? html`<div class="dev__pic stage" data-test="picture-${kind}">${problemPicture(slot.problem, kind)}</div>` : nothing}
  </li>`;
}

/** On a phone the settings are elsewhere than in an address line. */
function phoneHint(problem: DeviceProblem): TemplateResult | typeof nothing {
  const where = platform();
  if (where === 'other' || (problem !== 'denied' && problem !== 'blocked_here')) return nothing;
  return html`<span class="sub">${t(`device.phone.${where}`)}</span>`;
}

/** problemHelp is a problem in the call: a picture, what happened, and the next step. */
export function problemHelp(media: LocalMedia, kind: DeviceKind, acts: { close(): void; openWindow?: (() => void) | undefined }): TemplateResult | typeof nothing {
  const { problem, asking } = media[kind];
  if (!problem) return nothing;
  return html`<section class="ask call__problem" role="group" aria-labelledby="problem" data-test="problem" data-problem=${problem}>
    <div class="call__problem-pic stage">${problemPicture(problem, kind)}</div>
    <div class="ask__words"><h2 id="problem" tabindex="-1">${t(`device.${kind}.problem`)}</h2><p class="small muted">${t(`device.${kind}.${problem}`)}</p>${phoneHint(problem)}</div>
    <div class="ask__acts ${problem === 'insecure' ? 'ask__acts--one' : ''}">
      <button type="button" class="btn btn--line" data-test="problem-close" @click=${acts.close}>${t('device.without')}</button>
      ${problem === 'insecure'
        ? nothing
        : problem === 'frame' && acts.openWindow
          ? html`<button type="button" class="btn btn--primary" data-test="open-window" @click=${acts.openWindow}>${icon('external')}${t('check.open-window')}</button>`
          : html`<button type="button" class="btn btn--primary" data-test="problem-again" ?disabled=${asking} @click=${() => void media.turn(kind, true)}>${icon('refresh')}${t('device.again')}</button>`}
    </div>
  </section>`;
}

/** deviceSelects are the lists of what is plugged in; empty before anything was opened. */
export function deviceSelects(media: LocalMedia, id: string, heard?: (speaker: string) => void): TemplateResult {
  const { cameras, microphones, speakers } = media.devices;
  const current = (kind: DeviceKind) => media[kind].track?.getSettings().deviceId ?? remembered()[kind];
  const options = (devices: MediaDeviceInfo[], chosen: string | undefined, word: string) =>
    devices.map((device, i) => html`<option value=${device.deviceId} ?selected=${device.deviceId === chosen}>${device.label || `${word} ${i + 1}`}</option>`);
  const pick = (kind: DeviceKind) => (event: Event) => void media.choose(kind, (event.target as HTMLSelectElement).value);
  return html`
    ${media.microphone.track && microphones.length > 0
      ? html`<div class="field">
          <label for="${id}-mic">${t('device.microphone')}</label>
          <select class="input" id="${id}-mic" data-test="choose-microphone" @change=${pick('microphone')}>${options(microphones, current('microphone'), t('device.microphone'))}</select>
          <call-level .media=${media}></call-level>
          <span class="hint">${media.microphone.on ? t('device.say-something') : t('device.muted')}</span>
        </div>`
      : nothing}
    ${media.camera.track && cameras.length > 0
      ? html`<div class="field">
          <label for="${id}-cam">${t('device.camera')}</label>
          <select class="input" id="${id}-cam" data-test="choose-camera" @change=${pick('camera')}>${options(cameras, current('camera'), t('device.camera'))}</select>
        </div>`
      : nothing}
    <call-speaker .speakers=${speakers} .heard=${heard} field=${`${id}-out`}></call-speaker>
  `;
}

/** The speaker: which one, where the browser lets a page choose, and what it sounds like. */
@customElement('call-speaker')
export class CallSpeaker extends PageElement {
  @property({ attribute: false }) accessor speakers: MediaDeviceInfo[] = [];
  /** Told of each choice. */
  @property({ attribute: false }) accessor heard: ((speaker: string) => void) | undefined = undefined;
  @property() accessor field = 'speaker';
  @state() private accessor chosen = remembered().speaker ?? '';
  @state() private accessor said: 'played' | 'failed' | undefined = undefined;

  protected override render(): TemplateResult {
    const list = choosesSpeaker() && this.speakers.length > 0;
    return html`<div class="field">
      ${list
        ? html`<label for=${this.field}>${t('device.speaker')}</label><select class="input" id=${this.field} data-test="choose-speaker" @change=${this.#choose}>
            ${this.speakers.some((s) => s.deviceId === 'default') ? nothing : html`<option value="" ?selected=${this.chosen === ''}>${t('device.speaker.system')}</option>`}
            ${this.speakers.map((s, i) => html`<option value=${s.deviceId} ?selected=${s.deviceId === this.chosen}>${s.label || `${t('device.speaker')} ${i + 1}`}</option>`)}
          </select>`
        : html`<span class="label">${t('device.speaker')}</span><span class="hint" data-test="speaker-fixed">${t('device.speaker.fixed')}</span>`}
      <button type="button" class="btn btn--line btn--sm field__act" data-test="test-sound" @click=${() => void this.#test()}>${icon('speaker')}${t('device.test-sound')}</button>
      <span class="hint" role="status" data-test="test-said">${this.said === 'failed' ? t('device.speaker.failed') : this.said === 'played' ? t('device.speaker.played') : nothing}</span>
    </div>`;
  }

  #choose = (event: Event): void => {
    this.chosen = (event.target as HTMLSelectElement).value;
    this.said = undefined;
    remember({ speaker: this.chosen });
    this.heard?.(this.chosen);
  };

  async #test(): Promise<void> {
    this.said = undefined;
    try {
      await sounds.tryOut(choosesSpeaker() && this.speakers.some((s) => s.deviceId === this.chosen) ? this.chosen : '');
      this.said = 'played';
    } catch {
      this.said = 'failed';
    }
  }
}

/** The level meter draws itself: it moves often, and nothing else should. */
@customElement('call-level')
export class CallLevel extends PageElement {
  @property({ attribute: false }) accessor media!: LocalMedia;
  @state() private accessor level = 0;
  #release?: () => void;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#release = this.media.on('level', (level) => (this.level = level));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#release?.();
  }

  protected override render(): TemplateResult {
    return levelMeter(this.level);
  }
}

/** Our own picture, mirrored as in a mirror unless it is the back camera. */
@customElement('call-self')
export class CallSelf extends PageElement {
  @property({ attribute: false }) accessor media!: LocalMedia;
  @query('video') private accessor video: HTMLVideoElement | null = null;
  #release?: () => void;
  #shown: MediaStreamTrack | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#release = this.media.on('change', () => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#release?.();
  }

  protected override updated(): void {
    const [video, track] = [this.video, this.media.view];
    if (!video || !track || (video.srcObject && track === this.#shown)) return;
    this.#shown = track;
    video.srcObject = new MediaStream([track]);
    void video.play().catch(() => {}); // autoplay has it already, or will
  }

  protected override render(): TemplateResult | typeof nothing {
    if (!this.media.view) return nothing;
    const back = this.media.camera.track?.getSettings().facingMode === 'environment';
    return html`<video class="pic ${back ? '' : 'pic--mirror'}" data-test="self-video" autoplay muted playsinline .muted=${true} aria-label=${t('call.your-picture')}></video>`;
  }
}

/** wholeProblem is the problem that stops both devices, or undefined. */
export function wholeProblem(media: LocalMedia): DeviceProblem | 'mixed' | undefined {
  const { camera, microphone } = media;
  if (!camera.problem || !microphone.problem) return undefined;
  return camera.problem === microphone.problem ? camera.problem : 'mixed';
}
