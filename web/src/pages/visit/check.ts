// Before the call: what the browser will ask, how one looks and sounds, and
// what to do about a camera that does not work. Nothing here stops anybody from
// calling with less.

import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../../lib/icon';
import { platform, type DeviceProblem } from '../../lib/devices';
import { t } from '../../lib/words';
import { cameraKey, deviceRow, deviceSelects, flipKey, micKey, wholeProblem } from '../../call/devices';
import type { LocalMedia } from '../../call/media';
import { problemPicture } from '../../call/problem-picture';

export interface CheckActs {
  call(): void;
  soundOnly(): void;
  chatOnly(): void;
  again(): void;
  openWindow(): void;
  named(name: string): void;
}

/** Somebody who was asked into a running call. */
export interface Guest {
  /** Nobody knows the name yet. */
  ask: boolean;
  name: string;
  missing: boolean;
}

export function checkPage(media: LocalMedia, acts: CheckActs, busy: boolean, failed: string, guest?: Guest): TemplateResult {
  const whole = wholeProblem(media);
  return html`<div class="check">
    ${view(media, media.camera.problem)}
    <div class="check__main stack stack--loose">
      ${whole ? blocked(media, whole, acts) : ready(media, guest !== undefined)} ${guest?.ask ? nameField(guest, acts) : nothing}
      ${failed ? html`<div class="banner banner--bad" role="alert">${icon('warning')}<p>${failed}</p></div>` : nothing}
      ${whole ? nothing : callActs(media, acts, busy, guest !== undefined)}
    </div>
    ${selects(media)}
  </div>`;
}

function nameField(guest: Guest, acts: CheckActs): TemplateResult {
  return html`<div class="field ${guest.missing ? 'field--bad' : ''}">
    <label for="guest-name">${t('guest.name')}</label>
    <input class="input" id="guest-name" data-test="guest-name" autocomplete="name" maxlength="60" required .value=${guest.name} aria-invalid=${guest.missing ? 'true' : 'false'} aria-describedby="guest-name-help" @input=${(event: Event) => acts.named((event.target as HTMLInputElement).value)} />
    ${guest.missing ? html`<span class="why" id="guest-name-help">${icon('warning')}${t('guest.name.missing')}</span>` : html`<span class="hint" id="guest-name-help">${t('guest.name.why')}</span>`}
  </div>`;
}

function view(media: LocalMedia, problem: DeviceProblem | undefined): TemplateResult {
  const words = media.camera.asking ? t('device.asking') : t('check.view.off');
  return html`<div class="check__view stage">
    <div class="tile">
      ${problem ? html`<div data-test="picture-camera" data-problem=${problem}>${problemPicture(problem, 'camera')}</div>` : nothing}
      <call-self .media=${media}></call-self>
      ${media.view ? html`<span class="tile__name">${t('call.you')}</span>` : problem ? html`<span class="tile__name">${icon('camera-off')}${t('check.view.problem')}</span>` : html`<div class="call__nobody"><span class="face call__face">${icon('user')}</span><p>${words}</p></div>`}
    </div>
    ${problem ? nothing : html`<div class="bar" role="group" aria-label=${t('check.controls')}><div class="bar__keys">${micKey(media)} ${cameraKey(media)} ${flipKey(media)}</div></div>`}
  </div>`;
}

function selects(media: LocalMedia): TemplateResult | typeof nothing {
  return media.camera.track || media.microphone.track ? html`<div class="card devs">${deviceSelects(media, 'check')}</div>` : nothing;
}

function ready(media: LocalMedia, guest: boolean): TemplateResult {
  const { camera, microphone } = media;
  const problem = camera.problem ?? microphone.problem;
  const [title, lead] = problem
    ? [camera.problem ? 'check.no-camera' : 'check.no-microphone', camera.problem ? 'check.no-camera.lead' : 'check.no-microphone.lead'] as const
    : camera.on && microphone.on
      ? [guest ? 'guest.title' : 'check.ready', guest ? 'guest.lead' : 'check.ready.lead'] as const
      : microphone.on
        ? [guest ? 'guest.title' : 'check.sound', guest ? 'guest.lead' : 'check.ready.lead'] as const
        : guest
          ? ['guest.title', 'guest.lead'] as const
          : ['check.title', 'check.lead'] as const;
  return html`
    <div class="stack stack--tight"><h1 tabindex="-1">${t(title)}</h1><p class="lead">${t(lead)}</p></div>
    <ul class="card checks" aria-label=${t('check.list')}>${deviceRow(media, 'camera', false)} ${deviceRow(media, 'microphone')}</ul>
  `;
}

function callActs(media: LocalMedia, acts: CheckActs, busy: boolean, guest: boolean): TemplateResult {
  const { camera, microphone } = media;
  return html`<div class="stack stack--tight">
    <button type="button" class="btn btn--primary btn--lg btn--block" data-test="call" ?disabled=${busy || camera.asking || microphone.asking} @click=${acts.call}>${icon('camera')}${t(guest ? 'guest.join' : 'check.call')}</button>
    <div class="check__acts">
      ${camera.on || !microphone.on ? html`<button type="button" class="btn btn--ghost" data-test="sound-only" ?disabled=${busy} @click=${acts.soundOnly}>${icon('mic')}${t('check.sound-only')}</button>` : nothing}
      <button type="button" class="btn btn--ghost" data-test="chat-only" ?disabled=${busy} @click=${acts.chatOnly}>${icon('chat')}${t('check.chat-only')}</button>
    </div>
  </div>`;
}

function blocked(media: LocalMedia, why: NonNullable<ReturnType<typeof wholeProblem>>, acts: CheckActs): TemplateResult {
  const where = platform();
  return html`
    <div class="stack stack--tight" data-test="whole-problem" data-problem=${why}><h1 tabindex="-1">${t(`check.${why}`)}</h1><p class="lead">${t(`check.${why}.lead`)}</p></div>
    ${why === 'blocked_here'
      ? html`<ol class="steps"><li><span>${t(where === 'other' ? 'check.blocked.step1' : `check.blocked.step1.${where}`)}</span></li><li><span>${t('check.blocked.step2')}</span></li><li><span>${t('check.blocked.step3')}</span></li></ol>`
      : nothing}
    ${why === 'mixed' ? html`<ul class="card checks" aria-label=${t('check.list')}>${deviceRow(media, 'camera', false)} ${deviceRow(media, 'microphone')}</ul>` : nothing}
    ${why === 'insecure'
      ? nothing
      : why === 'frame'
        ? html`<button type="button" class="btn btn--primary btn--lg btn--block" data-test="open-window" @click=${acts.openWindow}>${icon('external')}${t('check.open-window')}</button>`
        : html`<button type="button" class="btn btn--primary btn--lg btn--block" data-test="try-again" ?disabled=${media.camera.asking || media.microphone.asking} @click=${acts.again}>${icon('refresh')}${t('page.try-again')}</button>`}
    <hr class="rule" />
    <div class="stack stack--tight">
      <h2 class="check__or">${t('check.without')}</h2>
      <p class="small muted">${t('check.without.why')}</p>
      <div class="row row--tight"><button type="button" class="btn btn--line" data-test="chat-only" @click=${acts.chatOnly}>${icon('chat')}${t('check.chat-only')}</button></div>
    </div>
  `;
}
