// While it rings: that it does, until when, and the ways out.

import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../../lib/icon';
import { statePill } from '../../lib/parts';
import { t, text } from '../../lib/words';
import { deviceRow } from '../../call/devices';
import type { LocalMedia } from '../../call/media';
import type { MeetingSession } from '../../call/session';

export interface WaitingActs {
  cancel(): void;
  chat(): void;
}

export interface WaitingView {
  session: MeetingSession;
  media: LocalMedia;
  chatOpen: boolean;
  unread: number;
  /** The visitor has not looked at camera and microphone yet. */
  devices: boolean;
  busy: boolean;
  failed: string;
}

export function waitingPage(view: WaitingView, acts: WaitingActs): TemplateResult {
  const { session, media, chatOpen, unread } = view;
  return html`<div class="stack stack--loose single">
    <div class="line line--ringing" aria-hidden="true">
      <span class="line__end"><span class="in">${media.view ? html`<call-self .media=${media}></call-self>` : icon('user')}</span></span><span class="line__wire"></span
      ><span class="line__end line__end--far"><span class="in">${icon('phone')}</span></span>
    </div>
    <div class="stack stack--tight"><h1 tabindex="-1">${t('waiting.title')}</h1><p class="lead">${t('waiting.lead')}</p></div>
    <div class="card card--pad stack">
      <div class="row">
        ${session.fresh ? statePill('ringing', (session.meeting.ring?.round ?? 1) > 1 ? t('waiting.ringing-again') : t('waiting.ringing')) : statePill('waiting', t('page.reconnecting'))}
      </div>
      ${limit(session)}
      ${view.failed ? html`<div class="banner banner--bad" role="alert">${icon('warning')}<p>${view.failed}</p></div>` : nothing}
    </div>
    ${view.devices
      ? html`<section class="card"><div class="card__head"><h2>${t('waiting.devices')}</h2></div><ul class="checks">${deviceRow(media, 'camera')} ${deviceRow(media, 'microphone')}</ul></section>`
      : nothing}
    <div class="wait__acts">
      <button type="button" class="btn btn--line" data-test="chat-toggle" aria-expanded=${chatOpen ? 'true' : 'false'} @click=${acts.chat}>
        ${icon('chat')}${t('waiting.chat')}${unread > 0 ? html`<span class="count count--hot" data-test="chat-dot">${unread}</span>` : nothing}
      </button>
      <button type="button" class="btn btn--line wait__cancel" data-test="cancel" ?disabled=${view.busy} @click=${acts.cancel}>${icon('close')}${t('waiting.cancel')}</button>
    </div>
    ${chatOpen ? html`<section class="card chat wait__chat" aria-label=${t('chat.title')}><call-chat .session=${session}></call-chat></section>` : nothing}
  </div>`;
}

/** The bar fills until the limit of the wait; times are the server's. */
function limit(session: MeetingSession): TemplateResult | typeof nothing {
  const { ring, requested_at } = session.meeting;
  const from = Date.parse(ring?.started_at ?? requested_at ?? '');
  const until = Date.parse(ring?.until ?? '');
  if (!(until > from)) return nothing;
  const [gone, whole] = [Math.min(until, Math.max(from, session.now())) - from, until - from];
  const words = t('waiting.of', { gone: text.clock(gone), whole: text.clock(whole) });
  return html`<div class="limit limit--ringing" data-test="wait-limit">
    <div class="limit__bar" role="progressbar" aria-label=${t('waiting.limit')} aria-valuemin="0" aria-valuemax=${Math.round(whole / 1000)} aria-valuenow=${Math.floor(gone / 1000)} aria-valuetext=${words}><i .style=${`width:${(gone / whole) * 100}%`}></i></div>
    <div class="limit__words"><span>${words}</span><span>${t('waiting.until', { time: text.time(until) })}</span></div>
  </div>`;
}
