// Out of the call against one's will: a page that says why, and the way back
// while there is one. The meeting may be over meanwhile; then its own page says
// so before anything is promised.

import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../lib/icon';
import { theLine } from '../lib/parts';
import type { Reason } from '../lib/protocol';
import { t, text } from '../lib/words';
import type { LocalMedia } from './media';
import { initials } from './model';
import type { Room } from './room';
import type { MeetingSession } from './session';

/** How long the way back stays open. */
export const rejoinMs = 10 * 60_000;

export interface GoneView {
  why: Reason;
  /** When we fell out, by our own clock. */
  at: number;
  self: string;
  other: string;
  busy: boolean;
  failed: string;
}

export interface GoneActs {
  rejoin(): void;
  leave(): void;
}

/** goneTitle is the tab's. */
export const goneTitle = (why: Reason): string => t(`call.gone.${kind(why)}`);

const kind = (why: Reason): 'duplicate' | 'overload' | 'network' => (why === 'duplicate' || why === 'overload' ? why : 'network');

export function gonePage(view: GoneView, acts: GoneActs): TemplateResult {
  const why = kind(view.why);
  const gone = Math.min(rejoinMs, Date.now() - view.at);
  return html`<div class="stack stack--loose single" data-test="gone" data-reason=${why}>
    ${theLine('failed', html`<b>${initials(view.self) || icon('user')}</b>`, html`<b>${initials(view.other) || icon('user')}</b>`)}
    <div class="stack stack--tight"><h1 tabindex="-1">${t(`call.gone.${why}`)}</h1><p class="lead">${t(`call.gone.${why}.why`)}</p></div>
    ${why === 'duplicate'
      ? nothing
      : html`<div class="limit card card--pad">
          <div class="limit__bar" role="progressbar" aria-label=${t('call.gone.limit')} aria-valuemin="0" aria-valuemax="10" aria-valuenow=${Math.floor(gone / 60_000)} aria-valuetext=${t('call.gone.until', { time: text.time(view.at + rejoinMs) })}><i .style=${`width:${(gone / rejoinMs) * 100}%`}></i></div>
          <div class="limit__words"><span>${t('call.gone.until', { time: text.time(view.at + rejoinMs) })}</span></div>
        </div>`}
    ${view.failed ? html`<div class="banner banner--bad" role="alert">${icon('warning')}<p>${view.failed}</p></div>` : nothing}
    <div class="single__acts">
      <button type="button" class="btn btn--primary btn--lg" data-test="rejoin" ?disabled=${view.busy} aria-busy=${view.busy ? 'true' : 'false'} @click=${acts.rejoin}>${icon('refresh')}${t(why === 'duplicate' ? 'call.rejoin-here' : 'call.rejoin')}</button>
      ${why === 'duplicate' ? nothing : html`<button type="button" class="btn btn--line" data-test="gone-leave" @click=${acts.leave}>${icon('hang-up')}${t('call.gone.leave')}</button>`}
    </div>
  </div>`;
}

/**
 * rejoin asks how the meeting stands before it goes back, with what was on
 * before. It gives the sentence to show when it cannot go, "" when it does or
 * when the meeting itself is over: then we are not `gone` any more.
 */
export async function rejoin(session: MeetingSession, media: LocalMedia, room: Room, gone: () => boolean): Promise<string> {
  try {
    await session.refresh();
  } catch {
    return t('call.gone.still');
  }
  if (!gone()) return '';
  const { camera, microphone } = media.wishes;
  if (camera) await media.open('camera');
  if (microphone) await media.open('microphone');
  room.enter();
  return '';
}
