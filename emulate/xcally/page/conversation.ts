// One conversation: who it is, the meeting to open, what was said, the answer.

import { customElement, html, live as liveValue, nothing, repeat, state } from 'lit';
import { icon } from '../../../web/src/lib/icon';
import { desk, nameOf } from './desk';
import { DeskElement, initials, pill, waited } from './element';
import { facts } from './facts';
import { firstLink, pieces } from './links';
import type { Interaction, Message } from './motion';
import { t, text } from './words';

@customElement('motion-conversation')
export class MotionConversation extends DeskElement {
  @state() private accessor draft = '';
  @state() private accessor asked = false;
  @state() private accessor showFacts = false;
  #shown: number | undefined;
  #drafts = new Map<number, string>();
  #scrolledFor = '';

  override connectedCallback(): void {
    super.connectedCallback();
    this.every(1000);
  }

  protected override willUpdate(): void {
    if (this.#shown === desk.selected) return;
    if (this.#shown !== undefined) this.#drafts.set(this.#shown, this.draft);
    this.#shown = desk.selected;
    this.draft = this.#drafts.get(desk.selected ?? 0) ?? '';
    this.asked = false;
  }

  /** The log stays at its end when something is said, or when the room for it changes. */
  protected override updated(): void {
    const now = [this.#shown, desk.messages(this.#shown ?? 0).at(-1)?.id, desk.current && desk.place(desk.current), this.asked].join();
    if (now === this.#scrolledFor) return;
    this.#scrolledFor = now;
    const log = this.querySelector('.chat__log');
    if (log) log.scrollTop = log.scrollHeight;
  }

  protected override render(): unknown {
    const interaction = desk.current;
    if (!interaction) return this.#nothingOpen();
    const messages = desk.messages(interaction.id);
    const link = meetingLink(messages);
    return html`
      <article class="in-talk" aria-labelledby="talk-name">
        <header class="in-talk__head">
          <button class="btn btn--ghost btn--sm btn--icon phone-only" @click=${() => desk.open(undefined)} aria-label=${t('back')}>${icon('arrow-left')}</button>
          <span class="face" aria-hidden="true">${initials(nameOf(interaction))}</span>
          <div class="grow">
            <h2 id="talk-name" class="clip">${nameOf(interaction)}</h2>
            <p class="in-talk__state">${pill(interaction)}<span class="sub clip">${desk.account(interaction.OpenchannelAccountId)?.name} · #${interaction.id}</span></p>
          </div>
          <button class="btn btn--line btn--sm btn--icon in-facts-key" aria-expanded=${this.showFacts} aria-controls="facts" aria-label=${t('details')} title=${t('details')} @click=${() => void this.#toggleFacts()}>${icon('info')}</button>
          ${desk.place(interaction) === 'mine' ? html`<button class="btn btn--line btn--sm" ?disabled=${!desk.connected} @click=${() => (this.asked = true)}>${icon('check')}${t('close')}</button>` : nothing}
        </header>
        ${this.asked && !interaction.closed ? this.#closing(interaction) : nothing}
        <div class="chat in-talk__chat">
          <div class="chat__log" role="log" aria-label=${t('messages')} aria-live="off" tabindex="0">
            ${messages[0] ? html`<p class="note-line">${text.day(messages[0].createdAt)}</p>` : nothing}
            ${repeat(messages, (message) => message.id, (message) => this.#message(interaction, message))}
            ${interaction.closed ? html`<p class="note-line">${t('closed_at', { time: text.time(interaction.updatedAt) })}${interaction.disposition ? ` · ${interaction.disposition}` : ''}</p>` : nothing}
          </div>
          ${this.#meeting(interaction, link)}
          ${this.#answer(interaction)}
        </div>
      </article>
      <aside id="facts" class="in-facts ${this.showFacts ? 'in-facts--open' : ''}" aria-label=${t('details')}
        @keydown=${(event: KeyboardEvent) => event.key === 'Escape' && this.showFacts && void this.#toggleFacts()}>
        <button class="btn btn--ghost btn--sm btn--icon in-facts__close" aria-label=${t('hide_details')} @click=${() => void this.#toggleFacts()}>${icon('close')}</button>
        ${facts(interaction)}
      </aside>
    `;
  }

  #nothingOpen(): unknown {
    const account = desk.settings.accounts[0];
    if (!desk.loaded) return nothing;
    return html`<div class="in-idle">
      <div class="line line--waiting" aria-hidden="true">
        <span class="line__end">${icon('user')}</span><span class="line__wire"></span><span class="line__end">${initials(desk.me?.fullname ?? '')}</span>
      </div>
      <h2>${t('idle')}</h2>
      <p class="lead">${t('idle_next')}</p>
      ${account ? html`<div class="in-idle__url">${receiveURL(account.receiveUrl, t('receive_url_of', { name: account.name }))}</div>` : nothing}
    </div>`;
  }

  /** The card that matters most: take the request, then go to the meeting. */
  #meeting(interaction: Interaction, link: string | undefined): unknown {
    const place = desk.place(interaction);
    if (place === 'waiting') {
      return html`<div class="in-ask in-ask--ringing">
        <div class="line line--sm line--ringing" aria-hidden="true">
          <span class="line__end">${initials(nameOf(interaction))}</span><span class="line__wire"></span><span class="line__end line__end--far">${icon('phone')}</span>
        </div>
        <p class="grow"><b>${t('asks', { name: nameOf(interaction) })}</b><span class="sub">${t('asks_since', { time: waited(interaction.createdAt) })}</span></p>
        <div class="in-ask__acts">
          <button class="btn btn--accept" ?disabled=${!desk.connected} @click=${() => void this.#accept(interaction)}>${icon('accept')}${t('accept')}</button>
          ${link ? html`<a class="btn btn--line" href=${link} target="_blank" rel="noopener noreferrer">${t('look')}${icon('external')}</a>` : nothing}
        </div>
      </div>`;
    }
    if (!link || place !== 'mine') return nothing;
    return html`<div class="in-ask in-ask--live">
      <div class="line line--sm line--live" aria-hidden="true">
        <span class="line__end">${initials(nameOf(interaction))}</span><span class="line__wire"></span><span class="line__end">${initials(desk.me?.fullname ?? '')}</span>
      </div>
      <p class="grow"><b>${t('yours')}</b><span class="sub clip">${new URL(link).host}</span></p>
      <div class="in-ask__acts"><a class="btn btn--primary" href=${link} target="_blank" rel="noopener noreferrer">${icon('camera')}${t('open_meeting')}</a></div>
    </div>`;
  }

  #message(interaction: Interaction, message: Message): unknown {
    const ours = message.direction === 'out';
    const by = ours ? (message.UserId === desk.me?.id && message.UserId !== null ? t('you') : (desk.agent(message.UserId)?.fullname ?? t('automatic'))) : nameOf(interaction);
    return html`<div class="msg ${ours ? 'msg--me' : ''} ${message.secret ? 'in-msg--note' : ''}">
      <p class="msg__by">${by} · ${text.time(message.createdAt)}${message.secret ? html` · ${t('note')}` : nothing}</p>
      <p class="msg__b in-msg__text">${pieces(message.body).map((piece) =>
        'href' in piece ? html`<a href=${piece.href} target="_blank" rel="noopener noreferrer">${piece.href}</a>` : piece.text,
      )}</p>
      ${this.#fate(interaction, message)}
    </div>`;
  }

  #fate(interaction: Interaction, message: Message): unknown {
    switch (message.status) {
      case 'sending':
        return html`<p class="msg__by">${t('sending')}</p>`;
      case 'sent':
        return html`<p class="msg__by in-fate">${icon('check')}${t('sent')}</p>`;
      case 'failed':
        return html`<p class="in-fate in-fate--failed" role="alert">${icon('warning')}<span><b>${t('failed')}</b> <span class="mono">${message.error}</span></span>
          ${desk.place(interaction) === 'mine' ? html`<button class="btn btn--ghost btn--sm" @click=${() => this.#again(message)}>${t('write_again')}</button>` : nothing}</p>`;
    }
    return nothing;
  }

  #answer(interaction: Interaction): unknown {
    const place = desk.place(interaction);
    if (place === 'waiting') return nothing;
    if (place === 'closed') return html`<p class="in-silent">${icon('wire-ended')}${t('closed_next')}</p>`;
    if (place === 'taken') return html`<p class="in-silent">${icon('lock')}${t('taken_by', { name: desk.agent(interaction.UserId)?.fullname ?? '' })}</p>`;
    if (!desk.account(interaction.OpenchannelAccountId)?.replies) {
      // Motion's own words; an account without a Reply URL has no text area there either.
      return html`<p class="in-silent in-silent--bad">${icon('warning')}<span><b>Account HTTP Method or URL is not configured.</b> ${t('no_reply_url')}</span></p>`;
    }
    return html`<form class="compose" @submit=${(event: Event) => (event.preventDefault(), void this.#send(interaction))}>
      <label class="sr" for="answer">${t('answer_to', { name: nameOf(interaction) })}</label>
      <textarea id="answer" class="input in-answer" rows="1" maxlength="4000" placeholder=${t('write')} .value=${liveValue(this.draft)}
        @input=${(event: Event) => (this.draft = (event.target as HTMLTextAreaElement).value)} @keydown=${(event: KeyboardEvent) => this.#key(event, interaction)}></textarea>
      <button class="btn btn--line btn--icon" aria-label=${t('send')} title=${t('send')} ?disabled=${this.draft.trim() === '' || !desk.connected}>${icon('send')}</button>
    </form>`;
  }

  #closing(interaction: Interaction): unknown {
    const submit = (event: Event) => {
      event.preventDefault();
      this.asked = false;
      void desk.close(interaction, String(new FormData(event.target as HTMLFormElement).get('disposition') ?? ''));
    };
    return html`<form class="in-closing" @submit=${submit} @keydown=${(event: KeyboardEvent) => event.key === 'Escape' && (this.asked = false)}>
      <div class="field grow"><label for="disposition">${t('disposition')}</label>
        <select id="disposition" name="disposition" class="input input--sm" autofocus>${(['solved', 'no_answer', 'call_back', 'other'] as const).map((key) => html`<option>${t(`disposition_${key}`)}</option>`)}</select></div>
      <button class="btn btn--line btn--sm" type="button" @click=${() => (this.asked = false)}>${t('keep_open')}</button>
      <button class="btn btn--danger btn--sm">${t('close_now')}</button>
    </form>`;
  }

  /** The facts lie over the conversation where there is no room beside it; the keyboard goes with them. */
  async #toggleFacts(): Promise<void> {
    this.showFacts = !this.showFacts;
    await this.updateComplete;
    this.querySelector<HTMLElement>(this.showFacts ? '.in-facts__close' : '.in-facts-key')?.focus();
  }

  async #accept(interaction: Interaction): Promise<void> {
    await desk.accept(interaction);
    await this.updateComplete;
    // The next thing to press is where the keyboard is.
    (this.querySelector<HTMLElement>('.in-ask--live .btn--primary, #answer') ?? this).focus();
  }

  async #send(interaction: Interaction): Promise<void> {
    const body = this.draft.trim();
    if (body === '' || !desk.connected) return;
    this.draft = '';
    if (!(await desk.reply(interaction, body)) && this.draft === '') this.draft = body;
  }

  #again(message: Message): void {
    this.draft = message.body;
    this.querySelector<HTMLElement>('#answer')?.focus();
  }

  #key(event: KeyboardEvent, interaction: Interaction): void {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void this.#send(interaction);
  }
}

/**
 * meetingLink is the newest address the request itself could have carried: the
 * first one the customer's side sent, or a later one of the same place. Other
 * addresses are talk.
 */
function meetingLink(messages: readonly Message[]): string | undefined {
  const links = messages.flatMap((message) => (message.direction === 'in' ? (firstLink(message.body) ?? []) : []));
  return links.filter((link) => new URL(link).origin === new URL(links[0]!).origin).at(-1);
}

/** receiveURL shows an account's address with a key to copy it. */
export function receiveURL(path: string, label: string): unknown {
  const url = location.origin + path;
  return html`<div class="field"><span class="label">${label}</span>
    <div class="copy"><code tabindex="0">${url}</code>
      <button class="btn btn--ghost btn--sm" type="button" @click=${() => void copy(url)}>${icon('copy')}${t('copy')}</button></div></div>`;
}

async function copy(url: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(url);
    desk.say(t('copied'));
  } catch {
    desk.say(t('not_copied'));
  }
}
