// After the call: how it ended, in words, and the way on.

import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../../lib/icon';
import { theLine } from '../../lib/parts';
import { t, text } from '../../lib/words';
import { safe } from '../../call/link-text';
import { agentName, host, initials, visitorName, type Meeting, type Outcome } from '../../call/model';

export interface LeftView {
  meeting: Meeting;
  /** The visitor pressed leave. */
  left: boolean;
  /** The visitor fell out of the call and did not come back in time. */
  tooLate: boolean;
  /** The page was opened after the end. */
  late: boolean;
  /** Seconds until the browser goes on; undefined if it stays. */
  seconds: number | undefined;
  /** Where a new call starts. */
  again: string | undefined;
  chatOpen: boolean;
  chat: TemplateResult | typeof nothing;
  closable: boolean;
  /** The browser did not let us close the page. */
  closeYourself: boolean;
}

export interface LeftActs {
  stay(): void;
  go(): void;
  close(): void;
  chat(): void;
}

export function leftPage(view: LeftView, acts: LeftActs): TemplateResult {
  return view.meeting.answered_at ? answered(view, acts) : unanswered(view, acts, view.meeting.outcome ?? 'cancelled');
}

/** goesOn tells whether others of the visitor's side are still in the call that we left. */
function goesOn(meeting: Meeting): boolean {
  return meeting.state === 'active' && meeting.participants.some((p) => p.role === 'visitor' && p.here && p.id !== meeting.you?.participant);
}

function answered(view: LeftView, acts: LeftActs): TemplateResult {
  const { meeting } = view;
  const name = agentName(meeting) ?? t('call.advisor');
  const ms = meeting.length_seconds !== undefined ? meeting.length_seconds * 1000 : undefined;
  const spoke = ms === undefined ? '' : t('left.spoke', { name, time: text.length(ms) });
  const url = safe(meeting.redirect_url);
  const where = meeting.site.name ?? host(url); // a site's redirect is one of its own pages
  return html`<div class="stack stack--loose single" data-test="ended">
    ${theLine('ended', initials(visitorName(meeting)) || icon('user'), initials(name) || icon('user'))}
    <div class="stack stack--tight"><h1 tabindex="-1">${view.late ? t('left.over') : t('left.title')}</h1><p class="lead">${[spoke, view.late ? '' : view.tooLate ? t('left.gone-late') : goesOn(meeting) ? t('call.left-alone') : whoEnded(meeting, view.left, name)].filter(Boolean).join(' ')}</p></div>
    ${view.seconds !== undefined && url
      ? html`<div class="banner left__go"><span aria-hidden="true">${icon('arrow-right')}</span><p>${t('left.back-in', { n: view.seconds, host: where })}</p><button type="button" class="btn btn--ghost" data-test="stay" @click=${acts.stay}>${t('left.stay')}</button></div>`
      : nothing}
    <div class="single__acts">
      ${url ? html`<button type="button" class="btn btn--primary btn--lg" data-test="redirect" @click=${acts.go}>${t('left.back-to', { host: where })}</button>` : nothing}
      ${(view.late || view.tooLate || meeting.reason === 'network') && view.again ? html`<a class="btn ${url ? 'btn--line' : 'btn--primary btn--lg'}" data-test="again" href=${view.again}>${icon('camera')}${t('left.call-again')}</a>` : nothing}
      ${view.chat === nothing ? nothing : html`<button type="button" class="btn btn--line" data-test="chat-toggle" aria-expanded=${view.chatOpen ? 'true' : 'false'} @click=${acts.chat}>${icon('chat')}${t('left.chat')}</button>`}
      ${view.closable ? html`<button type="button" class="btn btn--ghost" data-test="close" @click=${acts.close}>${t('page.close')}</button>` : nothing}
    </div>
    ${view.chatOpen ? view.chat : nothing} ${url || view.closable ? nothing : html`<p class="muted">${t('left.close-page')}</p>`}
  </div>`;
}

function whoEnded(meeting: Meeting, left: boolean, name: string): string {
  if (meeting.reason === 'network') return t('left.by-network');
  if (left || meeting.ended_by === 'visitor') return t('left.by-you');
  if (meeting.ended_by === 'agent') return t('left.by-other', { name });
  return meeting.reason === 'expired' ? t('left.by-limit') : '';
}

function unanswered(view: LeftView, acts: LeftActs, outcome: Outcome): TemplateResult {
  const kind = outcome === 'completed' ? 'cancelled' : outcome;
  const calm = kind === 'cancelled';
  return html`<div class="stack stack--loose single" data-test="ended">
    ${calm ? theLine('ended', icon('user'), icon('phone')) : theLine('failed', icon('user'), icon(kind === 'expired' ? 'clock' : 'phone'))}
    <div class="stack stack--tight"><h1 tabindex="-1">${t(`left.${kind}`)}</h1><p class="lead">${t(`left.${kind}.why`)}</p></div>
    <div class="single__acts">
      ${view.again ? html`<a class="btn btn--primary btn--lg" data-test="again" href=${view.again}>${icon(calm ? 'camera' : 'refresh')}${t(calm ? 'left.call-again' : 'page.try-again')}</a>` : nothing}
      <button type="button" class="btn btn--line" data-test="close" @click=${acts.close}>${t('page.close')}</button>
    </div>
    ${view.closeYourself ? html`<p class="muted" role="status">${t('left.close-page')}</p>` : nothing}
  </div>`;
}
