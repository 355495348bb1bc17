// A third person: a link for a guest or a colleague, how far that person has
// come, and taking the link back.

import { html, nothing, type TemplateResult } from 'lit';
import { Problem } from '../../lib/api';
import { Emitter } from '../../lib/emitter';
import { icon } from '../../lib/icon';
import { live } from '../../lib/live';
import { statePill, type CallState } from '../../lib/parts';
import { t, text } from '../../lib/words';
import type { Invitation } from '../../call/model';
import type { MeetingSession } from '../../call/session';
import { nameLength } from './identity';

const askEveryMs = 5000;
const open = new Set<Invitation['state']>(['created', 'opened']);

export class Invitations extends Emitter<{ change: undefined }> {
  #links = new Map<string, string>();
  #seq = -1;
  #asked = 0;
  #asking = false;
  #failed = false;
  list: readonly Invitation[] = [];
  role: Invitation['role'] = 'visitor';
  name = '';
  busy = false;
  failed = '';
  /** The link just made. */
  made: Invitation | undefined;
  copied: 'yes' | 'no' | undefined;

  constructor(private readonly session: MeetingSession) {
    super();
  }

  /** follow asks again after each change of the meeting, and now and then while somebody is expected. */
  follow(): void {
    const { meeting } = this.session;
    const waits = this.#failed || this.list.some(({ state }) => open.has(state));
    if (this.#asking || (meeting.seq === this.#seq && !(waits && Date.now() - this.#asked > askEveryMs))) return;
    void this.#ask(meeting.seq);
  }

  async #ask(seq: number): Promise<void> {
    this.#asking = true;
    try {
      this.#take(await this.session.invitations());
      this.#failed = false;
    } catch {
      this.#failed = true; // asked again in a while
    }
    [this.#seq, this.#asked, this.#asking] = [seq, Date.now(), false];
  }

  #take(list: readonly Invitation[]): void {
    this.list = list.map((invitation) => {
      const link = invitation.link ?? this.#links.get(invitation.id);
      return link ? { ...invitation, link } : invitation;
    });
    if (this.made && !this.list.some(({ id, state }) => id === this.made!.id && open.has(state))) this.made = undefined;
    this.emit('change', undefined);
  }

  async make(): Promise<void> {
    if (this.busy) return;
    [this.busy, this.failed, this.copied] = [true, '', undefined];
    this.emit('change', undefined);
    try {
      this.made = await this.session.invite(this.role, this.name.trim());
      if (this.made.link) this.#links.set(this.made.id, this.made.link);
      this.name = '';
      this.#take(await this.session.invitations().catch(() => [...this.list, this.made!]));
    } catch (error) {
      this.failed = t(error instanceof Problem && error.code === 'meeting_full' ? 'invite.full' : 'invite.failed');
      live.say(this.failed);
    }
    this.busy = false;
    this.emit('change', undefined);
  }

  async revoke(invitation: Invitation): Promise<void> {
    this.failed = '';
    try {
      await this.session.revoke(invitation.id);
      await this.#ask(this.session.meeting.seq);
    } catch {
      this.failed = t('invite.revoke.failed');
      live.say(this.failed);
    }
    this.emit('change', undefined);
  }

  async copy(link: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(link);
      this.copied = 'yes';
    } catch {
      this.copied = 'no'; // not allowed here: the field can be selected
    }
    live.say(t(this.copied === 'yes' ? 'invite.copied' : 'invite.select'));
    this.emit('change', undefined);
  }

  async share(link: string): Promise<void> {
    await navigator.share({ url: link }).catch(() => {}); // the person thought better of it
  }
}

const looks: Readonly<Record<Invitation['state'], CallState>> = { created: 'waiting', opened: 'ringing', joined: 'live', revoked: 'ended', expired: 'missed' };

/** invitePanel makes a link and tells how each one stands. */
export function invitePanel(invitations: Invitations): TemplateResult {
  const { made, list } = invitations;
  return html`<section class="panel invite" aria-labelledby="invite" data-test="invite">
    <h3 class="label" id="invite">${t('invite.title')}</h3>
    <form class="stack stack--tight" @submit=${(event: Event) => (event.preventDefault(), void invitations.make())}>
      <div class="field"><label for="invite-role">${t('invite.role')}</label>
        <select class="input" id="invite-role" data-test="invite-role" @change=${(event: Event) => (invitations.role = (event.target as HTMLSelectElement).value as Invitation['role'])}>
          <option value="visitor" ?selected=${invitations.role === 'visitor'}>${t('invite.guest')}</option><option value="agent" ?selected=${invitations.role === 'agent'}>${t('invite.colleague')}</option>
        </select></div>
      <div class="field"><label for="invite-name">${t('invite.name')}</label><input class="input" id="invite-name" data-test="invite-name" maxlength=${nameLength} autocomplete="off" .value=${invitations.name} @input=${(event: Event) => (invitations.name = (event.target as HTMLInputElement).value)} /></div>
      <button class="btn btn--line btn--sm" data-test="invite-make" ?disabled=${invitations.busy}>${icon('plus')}${t('invite.add')}</button>
    </form>
    ${invitations.failed ? html`<div class="banner banner--bad" role="alert">${icon('warning')}<p>${invitations.failed}</p></div>` : nothing} ${made?.link ? linkField(invitations, made, made.link) : nothing}
    ${list.length > 0 ? html`<ul class="invite__list" aria-label=${t('invite.list')} data-test="invitations">${list.map((invitation) => row(invitations, invitation))}</ul>` : nothing}
  </section>`;
}

const called = ({ name, role }: Invitation): string => name || t(role === 'agent' ? 'invite.colleague' : 'invite.guest');

function linkField(invitations: Invitations, made: Invitation, link: string): TemplateResult {
  return html`<div class="field">
    <label for="invite-link">${t('invite.link', { name: called(made) })}</label>
    <input class="input mono" id="invite-link" data-test="invite-link" readonly .value=${link} @focus=${(event: Event) => (event.target as HTMLInputElement).select()} />
    <div class="row row--tight">
      <button type="button" class="btn btn--primary btn--sm" data-test="invite-copy" @click=${() => void invitations.copy(link)}>${icon('copy')}${t('invite.copy')}</button>
      ${typeof navigator.share === 'function' ? html`<button type="button" class="btn btn--line btn--sm" data-test="invite-share" @click=${() => void invitations.share(link)}>${icon('send')}${t('invite.share')}</button>` : nothing}
    </div>
    <span class="hint">${invitations.copied === 'yes' ? t('invite.copied') : invitations.copied === 'no' ? t('invite.select') : t('invite.until', { time: text.time(made.expires_at) })}</span>
  </div>`;
}

function row(invitations: Invitations, invitation: Invitation): TemplateResult {
  const name = called(invitation);
  return html`<li class="invite__row" data-test="invitation" data-state=${invitation.state}>
    <div class="grow"><b>${name}</b>${statePill(looks[invitation.state], t(`invite.state.${invitation.state}`))}</div>
    ${open.has(invitation.state) ? html`<button type="button" class="btn btn--ghost btn--sm" data-test="revoke" aria-label=${t('invite.revoke.of', { name })} @click=${() => void invitations.revoke(invitation)}>${t('invite.revoke')}</button>` : nothing}
  </li>`;
}
