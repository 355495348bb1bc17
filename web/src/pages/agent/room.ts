// After the answer: a short look at camera and microphone, the room, and what
// is left of the call.

import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../../lib/icon';
import { languagePicker, statePill, theLine } from '../../lib/parts';
import { t, text } from '../../lib/words';
import { cameraKey, deviceRow, deviceSelects, flipKey, micKey } from '../../call/devices';
import type { LocalMedia } from '../../call/media';
import { initials, visitorName } from '../../call/model';
import type { Room } from '../../call/room';
import { problemPicture } from '../../call/problem-picture';
import type { MeetingSession } from '../../call/session';
import { customer, pageLine, who } from './customer';
import { nameLength } from './identity';
import { invitePanel, type Invitations } from './invite';
import { notesPanel, type Notes } from './notes';

export interface EnterActs {
  enter(): void;
  soundOnly(): void;
  named(name: string): void;
}

/** A colleague who came by an invitation. */
export interface Asked {
  /** Nobody knows the name yet. */
  ask: boolean;
  name: string;
  missing: boolean;
}

/** devicesPage stands before the room: after an answer (the visitor knows of it already), for a colleague who was asked in, and for who starts a call. */
export function devicesPage(session: MeetingSession, media: LocalMedia, acts: EnterActs, why: 'enter' | 'guest' | 'start', asked?: Asked): TemplateResult {
  const { camera, microphone } = media;
  const visitor = who(session.meeting);
  const asking = camera.asking || microphone.asking;
  return html`<div class="check">
    <div class="check__view stage">
      <div class="tile">
        ${camera.problem ? html`<div data-test="picture-camera" data-problem=${camera.problem}>${problemPicture(camera.problem, 'camera')}</div>` : nothing}
        <call-self .media=${media}></call-self>
        ${media.view ? html`<span class="tile__name">${t('call.you')}</span>` : camera.problem ? html`<span class="tile__name">${icon('camera-off')}${t('check.view.problem')}</span>` : html`<div class="call__nobody"><span class="face call__face">${icon('user')}</span><p>${asking ? t('device.asking') : t('check.view.off')}</p></div>`}
      </div>
      ${camera.problem ? nothing : html`<div class="bar" role="group" aria-label=${t('check.controls')}><div class="bar__keys">${micKey(media)} ${cameraKey(media)} ${flipKey(media)}</div></div>`}
    </div>
    <div class="check__main stack stack--loose">
      <div class="stack stack--tight">
        ${why === 'enter' ? html`<div class="row">${statePill('live', t('agent.yours'))}</div>` : nothing}
        <h1 tabindex="-1">${t(`agent.${why}.title`, { visitor })}</h1>
        <p class="lead">${t(`agent.${why}.lead`)}</p>
      </div>
      <ul class="card checks" aria-label=${t('check.list')}>${deviceRow(media, 'camera', false)} ${deviceRow(media, 'microphone')}</ul>
      ${asked?.ask
        ? html`<div class="field ${asked.missing ? 'field--bad' : ''}"><label for="name">${t('agent.name')}</label>
            <input class="input" id="name" data-test="name" autocomplete="name" maxlength=${nameLength} required .value=${asked.name} aria-invalid=${asked.missing ? 'true' : 'false'} aria-describedby="name-help" @input=${(event: Event) => acts.named((event.target as HTMLInputElement).value)} />
            ${asked.missing ? html`<span class="why" id="name-help">${icon('warning')}${t('guest.name.missing')}</span>` : html`<span class="hint" id="name-help">${t('agent.name.why')}</span>`}</div>`
        : nothing}
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
  notes: Notes;
  invitations: Invitations;
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
  leave(): void;
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
    ${view.panelOpen ? html`<aside class="room__left" aria-label=${t('agent.customer')}>${panel(view, acts)}</aside>` : nothing}
    <div class="room__mid">
      <call-stage .room=${view.room} .media=${view.media} .meeting=${meeting} .now=${() => session.now()} .other=${name} .self=${view.self} .waiting=${t('agent.waiting', { name })} .chatOpen=${view.chatOpen} .unread=${view.unread} .panelOpen=${view.panelOpen} agent @chat=${acts.chat} @panel=${acts.panel} @end=${acts.end} @leave=${acts.leave}></call-stage>
    </div>
    ${view.chatOpen ? html`<aside class="room__right chat" aria-label=${t('chat.title')}><call-chat .session=${session} closable @close=${acts.chat}></call-chat></aside>` : nothing}
  </main>`;
}

function panel({ session: { meeting }, notes, invitations }: RoomView, acts: RoomActs): TemplateResult {
  const known = visitorName(meeting);
  return html`<div class="card__head"><h2>${t('agent.customer')}</h2><button type="button" class="btn btn--icon push" aria-label=${t('agent.customer.close')} @click=${acts.panel}>${icon('close')}</button></div>
    <div class="panel">
      <div class="row row--keep"><span class="face">${known ? initials(known) : icon('user')}</span><div class="grow"><b class="room__name">${who(meeting)}</b>${meeting.site.name ? html`<span class="sub">${meeting.site.name}</span>` : nothing}</div></div>
      ${customer(meeting)}
    </div>
    ${notesPanel(notes)} ${invitePanel(invitations)}`;
}

/** summaryPage is what is left: how long, who ended it, the notes, and the reference. */
export function summaryPage(session: MeetingSession, notes: Notes, left: '' | 'left' | 'late', chatOpen: boolean, toggleChat: () => void): TemplateResult {
  const { meeting } = session;
  const name = who(meeting);
  const known = visitorName(meeting);
  const ended = left === 'late' ? t('left.gone-late') : left && meeting.state !== 'ended' ? t('call.left-alone') : meeting.reason === 'network' ? t('left.by-network') : meeting.ended_by === 'visitor' ? t('left.by-other', { name }) : meeting.ended_by === 'agent' ? t('left.by-you') : meeting.reason === 'expired' ? t('left.by-limit') : '';
  return html`<div class="stack stack--loose single" data-test="ended">
    ${theLine('ended', known ? html`<b>${initials(known)}</b>` : icon('user'), icon('user'))}
    <div class="stack stack--tight"><h1 tabindex="-1">${t('left.title')}</h1><p class="lead">${ended}</p></div>
    <dl class="card card--pad facts" data-test="summary">
      <dt>${t('agent.facts.visitor')}</dt><dd>${name}</dd>
      ${meeting.length_seconds === undefined ? nothing : html`<dt>${t('agent.facts.length')}</dt><dd>${text.length(meeting.length_seconds * 1000)}</dd>`}
      ${meeting.ended_at ? html`<dt>${t('agent.facts.ended')}</dt><dd>${text.time(meeting.ended_at)}</dd>` : nothing}
      <dt>${t('page.reference')}</dt><dd class="mono">${meeting.reference}</dd>
    </dl>
    <div class="card">${notesPanel(notes)}</div>
    ${session.messages.length > 0 ? html`<button type="button" class="btn btn--line" data-test="chat-toggle" aria-expanded=${chatOpen ? 'true' : 'false'} @click=${toggleChat}>${icon('chat')}${t('left.chat')}</button>` : nothing}
    ${chatOpen ? html`<section class="card chat over__chat" aria-label=${t('chat.title')}><call-chat .session=${session} over></call-chat></section>` : nothing}
    <p class="muted">${t('left.close-page')}</p>
  </div>`;
}
