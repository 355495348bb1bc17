// After the answer: a short look at camera and microphone, the room, and what
// is left of the call.

import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../../lib/icon';
import { languagePicker, statePill, theLine } from '../../lib/parts';
import { t, text } from '../../lib/words';
import { cameraKey, deviceRow, deviceSelects, flipKey, micKey } from '../../call/devices';
import type { LocalMedia } from '../../call/media';
import { initials, visitorName, type Meeting } from '../../call/model';
import type { Room } from '../../call/room';
import type { MeetingSession } from '../../call/session';
import { customer, pageLine, who } from './customer';

export interface EnterActs {
  enter(): void;
  soundOnly(): void;
}

/** devicesPage stands between the answer and the room; the visitor already knows that somebody answered. */
export function devicesPage(session: MeetingSession, media: LocalMedia, acts: EnterActs): TemplateResult {
  const { camera, microphone } = media;
  const asking = camera.asking || microphone.asking;
  return html`<div class="check">
    <div class="check__view stage">
      <div class="tile">
        <call-self .media=${media}></call-self>
        ${media.view ? html`<span class="tile__name">${t('call.you')}</span>` : html`<div class="call__nobody"><span class="face call__face">${icon('user')}</span><p>${asking ? t('device.asking') : t('check.view.off')}</p></div>`}
      </div>
      <div class="bar" role="group" aria-label=${t('check.controls')}><div class="bar__keys">${micKey(media)} ${cameraKey(media)} ${flipKey(media)}</div></div>
    </div>
    <div class="check__main stack stack--loose">
      <div class="stack stack--tight">
        <div class="row">${statePill('live', t('agent.yours'))}</div>
        <h1 tabindex="-1">${t('agent.enter.title', { visitor: who(session.meeting) })}</h1>
        <p class="lead">${t('agent.enter.lead')}</p>
      </div>
      <ul class="card checks" aria-label=${t('check.list')}>${deviceRow(media, 'camera')} ${deviceRow(media, 'microphone')}</ul>
      <div class="stack stack--tight">
        <button type="button" class="btn btn--primary btn--lg btn--block" data-test="enter" ?disabled=${asking} @click=${acts.enter}>${icon('camera')}${t('agent.enter')}</button>
        <div class="check__acts"><button type="button" class="btn btn--ghost" data-test="enter-sound" ?disabled=${asking} @click=${acts.soundOnly}>${icon('mic')}${t('check.sound-only')}</button></div>
      </div>
    </div>
    ${camera.track || microphone.track ? html`<div class="card devs">${deviceSelects(media, 'enter')}</div>` : nothing}
  </div>`;
}

export interface RoomView {
  session: MeetingSession;
  media: LocalMedia;
  room: Room;
  self: string;
  chatOpen: boolean;
  panelOpen: boolean;
  unread: number;
  failed: string;
}

export interface RoomActs {
  chat(): void;
  panel(): void;
  end(): void;
}

export function roomPage(view: RoomView, acts: RoomActs): TemplateResult {
  const { session } = view;
  const { meeting } = session;
  const name = who(meeting);
  return html`<main class="room ${view.chatOpen ? '' : 'room--no-chat'} ${view.panelOpen ? '' : 'room--no-panel'}">
    <header class="room__top">
      <span class="mark">${icon('mark')}<span class="sr">Ringdown</span></span>
      <div class="room__title"><h1 tabindex="-1" class="clip">${name}</h1><span class="sub clip">${pageLine(meeting)}</span></div>
      ${session.fresh ? statePill('live', t('agent.live')) : statePill('waiting', t('page.reconnecting'))}
      <span class="ref push hide-s" data-test="reference">${meeting.reference}</span> ${languagePicker()}
    </header>
    ${view.failed ? html`<div class="banner banner--bad banner--edge room__failed" role="alert">${icon('warning')}<p>${view.failed}</p></div>` : nothing}
    ${view.panelOpen ? html`<aside class="room__left" aria-label=${t('agent.customer')}>${panel(meeting, acts)}</aside>` : nothing}
    <div class="room__mid">
      <call-stage .room=${view.room} .media=${view.media} .meeting=${meeting} .now=${() => session.now()} .other=${name} .self=${view.self} .waiting=${t('agent.waiting', { name })} .chatOpen=${view.chatOpen} .unread=${view.unread} .panelOpen=${view.panelOpen} agent @chat=${acts.chat} @panel=${acts.panel} @leave=${acts.end}></call-stage>
    </div>
    ${view.chatOpen ? html`<aside class="room__right chat" aria-label=${t('chat.title')}><call-chat .session=${session} closable @close=${acts.chat}></call-chat></aside>` : nothing}
  </main>`;
}

function panel(meeting: Meeting, acts: RoomActs): TemplateResult {
  const known = visitorName(meeting);
  return html`<div class="card__head"><h2>${t('agent.customer')}</h2><button type="button" class="btn btn--icon push" aria-label=${t('agent.customer.close')} @click=${acts.panel}>${icon('close')}</button></div>
    <div class="panel">
      <div class="row row--keep"><span class="face">${known ? initials(known) : icon('user')}</span><div class="grow"><b class="room__name">${who(meeting)}</b>${meeting.site.name ? html`<span class="sub">${meeting.site.name}</span>` : nothing}</div></div>
      ${customer(meeting)}
    </div>`;
}

/** summaryPage is what is left: how long, who ended it, and the reference for notes. */
export function summaryPage(session: MeetingSession, chatOpen: boolean, toggleChat: () => void): TemplateResult {
  const { meeting } = session;
  const name = who(meeting);
  const known = visitorName(meeting);
  const ended = meeting.reason === 'network' ? t('left.by-network') : meeting.ended_by === 'visitor' ? t('left.by-other', { name }) : meeting.ended_by === 'agent' ? t('left.by-you') : meeting.reason === 'expired' ? t('left.by-limit') : '';
  return html`<div class="stack stack--loose single" data-test="ended">
    ${theLine('ended', known ? html`<b>${initials(known)}</b>` : icon('user'), icon('user'))}
    <div class="stack stack--tight"><h1 tabindex="-1">${t('left.title')}</h1><p class="lead">${ended}</p></div>
    <dl class="card card--pad facts" data-test="summary">
      <dt>${t('agent.facts.visitor')}</dt><dd>${name}</dd>
      ${meeting.length_seconds === undefined ? nothing : html`<dt>${t('agent.facts.length')}</dt><dd>${text.length(meeting.length_seconds * 1000)}</dd>`}
      ${meeting.ended_at ? html`<dt>${t('agent.facts.ended')}</dt><dd>${text.time(meeting.ended_at)}</dd>` : nothing}
      <dt>${t('page.reference')}</dt><dd class="mono">${meeting.reference}</dd>
    </dl>
    ${session.messages.length > 0 ? html`<button type="button" class="btn btn--line" data-test="chat-toggle" aria-expanded=${chatOpen ? 'true' : 'false'} @click=${toggleChat}>${icon('chat')}${t('left.chat')}</button>` : nothing}
    ${chatOpen ? html`<section class="card chat over__chat" aria-label=${t('chat.title')}><call-chat .session=${session} over></call-chat></section>` : nothing}
    <p class="muted">${t('left.close-page')}</p>
  </div>`;
}
