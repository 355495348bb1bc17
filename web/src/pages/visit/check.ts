// Before the call: what the browser will ask, how one looks and sounds, and
// what to do about a camera that does not work. Nothing here stops anybody from
// calling with less.

import { html, nothing, type TemplateResult } from 'lit';
import { icon, picture } from '../../lib/icon';
import { t } from '../../lib/words';
import { cameraKey, deviceRow, deviceSelects, flipKey, micKey, wholeProblem } from '../../call/devices';
import type { LocalMedia } from '../../call/media';
import blockedPicture from './blocked.svg';

export interface CheckActs {
  call(): void;
  soundOnly(): void;
  chatOnly(): void;
  again(): void;
  openWindow(): void;
}

export function checkPage(media: LocalMedia, acts: CheckActs, busy: boolean, failed: string): TemplateResult {
  const whole = wholeProblem(media);
  return html`<div class="check">
    ${view(media, whole === 'blocked')}
    <div class="check__main stack stack--loose">
      ${whole ? blocked(media, whole, acts) : ready(media)}
      ${failed ? html`<div class="banner banner--bad" role="alert">${icon('warning')}<p>${failed}</p></div>` : nothing}
      ${whole ? nothing : callActs(media, acts, busy)}
    </div>
    ${selects(media)}
  </div>`;
}

function view(media: LocalMedia, isBlocked: boolean): TemplateResult {
  const words = media.camera.asking ? t('device.asking') : media.camera.problem ? t('check.view.problem') : t('check.view.off');
  return html`<div class="check__view stage">
    <div class="tile">
      ${isBlocked ? picture(blockedPicture) : nothing}
      <call-self .media=${media}></call-self>
      ${isBlocked ? nothing : media.view ? html`<span class="tile__name">${t('call.you')}</span>` : html`<div class="call__nobody"><span class="face call__face">${icon('user')}</span><p>${words}</p></div>`}
    </div>
    ${isBlocked ? nothing : html`<div class="bar" role="group" aria-label=${t('check.controls')}><div class="bar__keys">${micKey(media)} ${cameraKey(media)} ${flipKey(media)}</div></div>`}
  </div>`;
}

function selects(media: LocalMedia): TemplateResult | typeof nothing {
  return media.camera.track || media.microphone.track ? html`<div class="card devs">${deviceSelects(media, 'check')}</div>` : nothing;
}

function ready(media: LocalMedia): TemplateResult {
  const { camera, microphone } = media;
  const problem = camera.problem ?? microphone.problem;
  const [title, lead] = problem
    ? [camera.problem ? 'check.no-camera' : 'check.no-microphone', camera.problem ? 'check.no-camera.lead' : 'check.no-microphone.lead'] as const
    : camera.on && microphone.on
      ? ['check.ready', 'check.ready.lead'] as const
      : microphone.on
        ? ['check.sound', 'check.ready.lead'] as const
        : ['check.title', 'check.lead'] as const;
  return html`
    <div class="stack stack--tight"><h1 tabindex="-1">${t(title)}</h1><p class="lead">${t(lead)}</p></div>
    <ul class="card checks" aria-label=${t('check.list')}>${deviceRow(media, 'camera')} ${deviceRow(media, 'microphone')}</ul>
  `;
}

function callActs(media: LocalMedia, acts: CheckActs, busy: boolean): TemplateResult {
  const { camera, microphone } = media;
  return html`<div class="stack stack--tight">
    <button type="button" class="btn btn--primary btn--lg btn--block" data-test="call" ?disabled=${busy || camera.asking || microphone.asking} @click=${acts.call}>${icon('camera')}${t('check.call')}</button>
    <div class="check__acts">
      ${camera.on || !microphone.on ? html`<button type="button" class="btn btn--ghost" data-test="sound-only" ?disabled=${busy} @click=${acts.soundOnly}>${icon('mic')}${t('check.sound-only')}</button>` : nothing}
      <button type="button" class="btn btn--ghost" data-test="chat-only" ?disabled=${busy} @click=${acts.chatOnly}>${icon('chat')}${t('check.chat-only')}</button>
    </div>
  </div>`;
}

function blocked(media: LocalMedia, why: NonNullable<ReturnType<typeof wholeProblem>>, acts: CheckActs): TemplateResult {
  return html`
    <div class="stack stack--tight"><h1 tabindex="-1">${t(`check.${why}`)}</h1><p class="lead">${t(`check.${why}.lead`)}</p></div>
    ${why === 'blocked'
      ? html`<ol class="steps"><li><span>${t('check.blocked.step1')}</span></li><li><span>${t('check.blocked.step2')}</span></li><li><span>${t('check.blocked.step3')}</span></li></ol>`
      : nothing}
    ${why === 'mixed' ? html`<ul class="card checks" aria-label=${t('check.list')}>${deviceRow(media, 'camera')} ${deviceRow(media, 'microphone')}</ul>` : nothing}
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
