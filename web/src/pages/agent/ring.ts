// The ring card: who calls, since when, until when, and the two answers. While
// we are out of touch with the server there are no answers: somebody else may
// have taken the call meanwhile.

import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../../lib/icon';
import { statePill, theLine } from '../../lib/parts';
import { t, text } from '../../lib/words';
import { initials, visitorName } from '../../call/model';
import type { MeetingSession } from '../../call/session';
import { customer, pageLine, who } from './customer';
import { nameLength } from './identity';

export const reasons = ['busy', 'break', 'not_mine', 'no_camera', 'other'] as const;
export type DeclineReason = '' | (typeof reasons)[number];

export interface RingView {
  session: MeetingSession;
  name: string;
  /** The agent is writing the name. */
  naming: boolean;
  nameMissing: boolean;
  busy: boolean;
  failed: string;
  menu: boolean;
  silent: boolean;
}

export interface RingActs {
  accept(): void;
  decline(reason: DeclineReason): void;
  menu(open: boolean): void;
  rename(): void;
  typed(name: string): void;
  sound(): void;
}

export function ringPage(view: RingView, acts: RingActs): TemplateResult {
  const { session } = view;
  const { meeting } = session;
  const { ring } = meeting;
  const from = Date.parse(ring?.started_at ?? meeting.requested_at ?? meeting.created_at);
  const since = session.now() - from;
  const page = pageLine(meeting);
  const known = visitorName(meeting);
  return html`<article class="ringcard ${session.fresh ? '' : 'ringcard--calm'}" data-test="ring-card" aria-labelledby="who">
    <div class="ringcard__top" role="status">
      ${session.fresh ? statePill('ringing', (ring?.round ?? 1) > 1 ? t('agent.ring.again') : t('agent.ring.now')) : statePill('waiting', t('page.reconnecting'))}
      <span class="push" data-test="since"><span aria-hidden="true">${text.clock(since)}</span></span>
      ${view.silent ? html`<button type="button" class="btn btn--ghost btn--sm" @click=${acts.sound}>${icon('speaker-off')}${t('agent.ring.sound')}</button>` : nothing}
    </div>
    ${bar(session)}
    <div class="ringcard__line">${theLine(session.fresh ? 'ringing' : 'waiting', known ? html`<b>${initials(known)}</b>` : icon('user'), icon('phone'))}</div>
    <div class="ringcard__who">
      <h1 id="who" tabindex="-1">${who(meeting)}</h1>
      ${page === nothing ? nothing : html`<p class="lead">${page}</p>`} ${meeting.topic ? html`<p class="ringcard__topic">${meeting.topic}</p>` : nothing}
    </div>
    <form class="ringcard__body stack" @submit=${(event: Event) => (event.preventDefault(), acts.accept())}>
      ${view.failed ? html`<div class="banner banner--bad" role="alert">${icon('warning')}<p>${view.failed}</p></div>` : nothing} ${nameField(view, acts)}
      ${session.fresh ? answers(view, acts) : html`<div class="banner" data-test="reconnecting">${icon('refresh')}<p>${t('agent.ring.reconnecting')}</p></div>`}
      <p class="small muted ringcard__until">${ring?.round_ends_at ? limitWords(session) : nothing}</p>
    </form>
    <div class="ringcard__details"><h2 class="label">${t('agent.details')}</h2>${customer(meeting)}</div>
  </article>`;
}

function limitWords(session: MeetingSession): string {
  const ring = session.meeting.ring!;
  return t('agent.ring.limit', { time: text.clock(Date.parse(ring.round_ends_at!) - session.now()), round: ring.round ?? 1, rounds: ring.rounds ?? 1 });
}

/** How much of this round is gone. */
function bar(session: MeetingSession): TemplateResult {
  const ring = session.meeting.ring;
  const end = Date.parse(ring?.round_ends_at ?? '');
  const start = Date.parse(ring?.started_at ?? '');
  const length = (end - start) / (ring?.round ?? 1);
  const gone = length > 0 ? Math.min(1, Math.max(0, 1 - (end - session.now()) / length)) : 0;
  return html`<div class="ringcard__time" role="progressbar" aria-label=${t('agent.ring.bar')} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(gone * 100)}><i .style=${`width:${gone * 100}%`}></i></div>`;
}

function nameField(view: RingView, acts: RingActs): TemplateResult {
  if (!view.naming) {
    return html`<p class="small ringcard__me">${t('agent.you-are', { name: view.name })} <button type="button" class="btn btn--ghost btn--sm" data-test="rename" @click=${acts.rename}>${t('agent.change')}</button></p>`;
  }
  return html`<div class="field ${view.nameMissing ? 'field--bad' : ''}">
    <label for="name">${t('agent.name')}</label>
    <input class="input" id="name" data-test="name" autocomplete="name" maxlength=${nameLength} .value=${view.name} required aria-invalid=${view.nameMissing ? 'true' : 'false'} aria-describedby="name-help" @input=${(event: Event) => acts.typed((event.target as HTMLInputElement).value)} />
    ${view.nameMissing ? html`<span class="why" id="name-help">${icon('warning')}${t('agent.name.missing')}</span>` : html`<span class="hint" id="name-help">${t('agent.name.why')}</span>`}
  </div>`;
}

function answers(view: RingView, acts: RingActs): TemplateResult {
  return html`<div class="answers">
    <button class="btn btn--accept btn--lg" data-test="accept" ?disabled=${view.busy} formnovalidate>${icon('accept')}${t('agent.accept')}</button>
    <div class="split answers__no">
      <button type="button" class="btn btn--line btn--lg grow" data-test="decline" ?disabled=${view.busy} @click=${() => acts.decline('')}>${icon('decline')}${t('agent.decline')}</button>
      <button type="button" class="btn btn--line btn--lg" data-test="decline-reasons" aria-haspopup="menu" aria-expanded=${view.menu ? 'true' : 'false'} aria-label=${t('agent.decline.why')} ?disabled=${view.busy} @click=${() => acts.menu(!view.menu)}>${icon('chevron-down')}</button>
      ${view.menu
        ? html`<div class="menu" role="menu" aria-label=${t('agent.decline.why')} @keydown=${(event: KeyboardEvent) => menuKey(event, acts)}>
            ${reasons.map((reason) => html`<button type="button" class="menu__item" role="menuitem" tabindex="-1" data-test="reason-${reason}" @click=${() => acts.decline(reason)}>${t(`agent.decline.${reason}`)}</button>`)}
          </div>`
        : nothing}
    </div>
  </div>`;
}

function menuKey(event: KeyboardEvent, acts: RingActs): void {
  const items = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role=menuitem]')];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === 'Escape' || event.key === 'Tab') acts.menu(false);
  else if (to !== undefined) items.at(to % items.length)?.focus();
  else return;
  if (event.key !== 'Tab') event.preventDefault();
}

/** Everything a ring can turn into that this agent does not answer. */
export function notePage(kind: 'planned' | 'taken' | 'elsewhere' | 'declined' | 'missed' | 'cancelled' | 'refused' | 'expired' | 'over', session: MeetingSession, talkHere: () => void): TemplateResult {
  const { meeting } = session;
  const name = meeting.ring?.taken_by ?? t('agent.somebody');
  const look = kind === 'planned' ? 'waiting' : kind === 'taken' || kind === 'elsewhere' ? 'live' : kind === 'missed' || kind === 'expired' ? 'failed' : 'ended';
  const known = visitorName(meeting);
  const waits = kind === 'planned' || kind === 'declined';
  return html`<div class="stack stack--loose single" data-test=${kind === 'taken' ? 'taken-by' : kind}>
    ${theLine(look, known ? html`<b>${initials(known)}</b>` : icon('user'), kind === 'taken' || kind === 'elsewhere' ? html`<b>${initials(name)}</b>` : icon(kind === 'planned' ? 'clock' : 'phone'))}
    <div class="stack stack--tight"><h1 tabindex="-1">${t(`agent.note.${kind}`, { name })}</h1><p class="lead">${t(`agent.note.${kind}.why`, { visitor: who(meeting) })}</p></div>
    ${kind === 'elsewhere' ? html`<button type="button" class="btn btn--line single__act" data-test="talk-here" @click=${talkHere}>${icon('camera')}${t('call.rejoin-here')}</button>` : nothing}
    ${waits && !session.fresh ? statePill('waiting', t('page.reconnecting')) : nothing}
    ${kind === 'planned' || kind === 'missed' || kind === 'cancelled' ? html`<section class="card"><div class="card__head"><h2>${t('agent.details')}</h2></div><div class="card__body">${customer(meeting)}</div></section>` : nothing}
  </div>`;
}
