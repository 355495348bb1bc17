// The video call made from a phone call: starting it, getting the caller in by
// link, QR code, SMS or mail, and seeing how far that got.

import { html, nothing, svg, type TemplateResult } from 'lit';
import { icon } from '../../lib/icon';
import { statePill, type CallState } from '../../lib/parts';
import { languages, ownName, type Lang } from '../../lib/text';
import { t, text, type Key } from '../../lib/words';
import type { PhoneCall, Sent, Video } from './model';

export interface VideoView {
  call: PhoneCall;
  busy: boolean;
  /** The room is shown on this page. */
  room: boolean;
  /** The room's window could not be opened by itself. */
  blocked: boolean;
  sending: { open: boolean; channel: string; to: string; lang: Lang; wrong: string };
  copied: 'yes' | 'no' | undefined;
}

export interface VideoActs {
  start(): void;
  end(): void;
  enter(): void;
  opened(): void;
  copy(link: string): void;
  invite(open: boolean): void;
  channel(channel: string): void;
  to(to: string): void;
  lang(lang: Lang): void;
  send(): void;
}

export function videoCard(view: VideoView, acts: VideoActs): TemplateResult {
  const { video } = view.call;
  const on = video && !video.ended;
  return html`<section class="card" aria-labelledby="video" data-test="video" data-state=${video ? (video.ended ? 'ended' : video.here ? 'here' : video.opened ? 'opened' : 'open') : 'none'}>
    <div class="card__head"><h2 id="video">${t('phone.video')}</h2>${video ? html`<span class="push">${pill(video)}</span>` : nothing}</div>
    <div class="card__body stack">
      ${video?.ended ? html`<p class="small muted">${video.length_seconds ? t('phone.video.ended', { length: text.length(video.length_seconds * 1000), reference: video.reference }) : t('phone.video.unused', { reference: video.reference })}</p>` : nothing}
      ${on ? running(view, video, acts) : html`<div class="row row--tight">
            <button type="button" class="btn btn--primary" data-test="start-video" ?disabled=${view.busy} @click=${acts.start}>${icon('camera')}${t(video ? 'phone.video.again' : 'phone.video.start')}</button>
            ${view.sending.open ? nothing : html`<button type="button" class="btn btn--line" data-test="invite" ?disabled=${view.busy} @click=${() => acts.invite(true)}>${icon('send')}${t('phone.invite')}</button>`}
          </div>`}
      ${!on && view.sending.open ? sendForm(view, acts) : nothing} ${view.call.sent.length > 0 ? html`<ul class="stack stack--tight" aria-label=${t('phone.sent')} data-test="sent">${view.call.sent.map(sentRow)}</ul>` : nothing}
    </div>
  </section>`;
}

function pill(video: Video): TemplateResult {
  const [look, word]: [CallState, Key] = video.ended ? ['ended', 'phone.video.over'] : video.here ? ['live', 'phone.video.here'] : video.joined_at ? ['waiting', 'phone.video.left'] : video.opened ? ['ringing', 'phone.video.opened'] : ['waiting', 'phone.video.waiting'];
  return statePill(look, t(word));
}

function running(view: VideoView, video: Video, acts: VideoActs): TemplateResult {
  return html`${video.here && !video.agent_here && !view.room ? html`<div class="banner banner--ok" role="alert" data-test="waits">${icon('bell')}<p>${t('phone.video.waits')}</p></div>` : nothing}
    ${view.room
      ? nothing
      : view.blocked
        ? html`<a class="btn btn--primary" data-test="open-window" href=${video.seat ?? ''} target="ringdown-room" @click=${acts.opened}>${icon('external')}${t('phone.video.window')}</a>`
        : html`<button type="button" class="btn btn--primary" data-test="enter-video" ?disabled=${view.busy} @click=${acts.enter}>${icon('camera')}${t('phone.video.enter')}</button>`}
    ${video.here || !video.link ? nothing : html`<div class="phone__link">
          ${video.qr ? qr(video.qr) : nothing}
          <div class="field grow"><label for="link">${t('phone.link')}</label><input class="input input--sm mono" id="link" readonly data-test="link" .value=${video.link} @focus=${(event: Event) => (event.target as HTMLInputElement).select()} />
            <div class="row row--tight"><button type="button" class="btn btn--line btn--sm" data-test="copy" @click=${() => acts.copy(video.link!)}>${icon('copy')}${t('invite.copy')}</button>
            <span class="hint" role="status">${view.copied === 'yes' ? t('invite.copied') : view.copied === 'no' ? t('invite.select') : ''}</span></div>
            <span class="hint">${t('phone.link.hint')}</span></div>
        </div>
        ${sendForm(view, acts)}`}
    <div class="row row--tight"><button type="button" class="btn btn--ghost btn--sm phone__end" data-test="end-video" ?disabled=${view.busy} @click=${acts.end}>${icon('hang-up')}${t('phone.video.end')}</button><span class="ref push">${video.reference}</span></div>`;
}

/** qr draws the code dark on white in both themes, or a camera cannot read it. */
function qr({ size, path }: { readonly size: number; readonly path: string }): TemplateResult {
  return html`<figure class="phone__qr"><svg viewBox="-4 -4 ${size + 8} ${size + 8}" role="img" aria-label=${t('phone.qr')}>${svg`<path d=${path}></path>`}</svg></figure>`;
}

function sendForm({ call, sending, busy }: VideoView, acts: VideoActs): TemplateResult {
  if (call.channels.length === 0) return html`<p class="small muted" data-test="no-channel">${t('phone.send.none')}</p>`;
  const mail = sending.channel === 'mail';
  return html`<form class="stack stack--tight" data-test="send" @submit=${(event: Event) => (event.preventDefault(), acts.send())}>
    ${call.channels.length > 1
      ? html`<fieldset class="row"><legend class="sr">${t('phone.send.by')}</legend>${call.channels.map(
          (c) => html`<label class="tick"><input type="radio" name="channel" value=${c} .checked=${c === sending.channel} @change=${() => acts.channel(c)} /><span>${t(c === 'mail' ? 'phone.send.mail' : 'phone.send.sms')}</span></label>`,
        )}</fieldset>`
      : nothing}
    <div class="field ${sending.wrong ? 'field--bad' : ''}"><label for="to">${t(mail ? 'agent.facts.email' : 'phone.send.number')}</label>
      <input class="input" id="to" data-test="to" type=${mail ? 'email' : 'tel'} ?multiple=${mail} autocomplete="off" required .value=${sending.to} aria-invalid=${sending.wrong ? 'true' : 'false'} aria-describedby="to-why" @input=${(event: Event) => acts.to((event.target as HTMLInputElement).value)} />
      ${sending.wrong ? html`<span class="why" id="to-why" role="alert">${icon('warning')}${sending.wrong}</span>` : nothing}</div>
    <div class="field"><label for="send-lang">${t('phone.send.language')}</label><select class="input" id="send-lang" @change=${(event: Event) => acts.lang((event.target as HTMLSelectElement).value as Lang)}>${languages.map((lang) => html`<option value=${lang} lang=${lang} .selected=${lang === sending.lang}>${ownName(lang)}</option>`)}</select></div>
    ${words(call, sending)}
    <div class="row row--tight"><button class="btn btn--line" data-test="send-now" ?disabled=${busy}>${icon(mail ? 'mail' : 'sms')}${t(mail ? 'phone.send.now.mail' : 'phone.send.now.sms')}</button>
      ${call.video && !call.video.ended ? nothing : html`<button type="button" class="btn btn--ghost" @click=${() => acts.invite(false)}>${t('phone.cancel')}</button>`}</div>
  </form>`;
}

/** words show what would be sent; a long text costs more than one SMS, and says so. */
function words(call: PhoneCall, { channel, lang }: VideoView['sending']): TemplateResult | typeof nothing {
  const said = call.words.find((w) => w.channel === channel && w.language === lang);
  if (!said) return nothing;
  return html`<details class="phone__data"><summary>${t('phone.send.preview')}${said.parts ? ` · ${t('phone.send.parts', { n: said.parts })}` : ''}</summary>
    <div class="well small" data-test="preview" lang=${lang}>${said.subject ? html`<b class="phone__sub">${said.subject}</b>` : nothing}<p class="phone__words">${said.text}</p></div></details>`;
}

const looks: Readonly<Record<Sent['state'], CallState>> = { queued: 'waiting', sent: 'live', delivered: 'live', failed: 'failed' };
const reasons = new Set(['number_refused', 'address_refused', 'auth', 'quota', 'expired', 'timeout', 'gateway_down', 'rejected']);

function sentRow(sent: Sent): TemplateResult {
  const why = sent.reason ? t(reasons.has(sent.reason) ? (`phone.sent.why.${sent.reason}` as Key) : 'phone.sent.why.other') : '';
  return html`<li class="phone__sent" data-test="dispatch" data-state=${sent.state}>${icon(sent.channel === 'mail' ? 'mail' : 'sms')}<div class="grow"><b class="phone__sub">${sent.to}</b>${why ? html`<span class="small phone__why">${why}</span>` : nothing}</div>${statePill(looks[sent.state], t(`phone.sent.${sent.state}`))}</li>`;
}
