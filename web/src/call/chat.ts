import { customElement, html, ifDefined, nothing, property, query, repeat, state, type TemplateResult } from 'lit';
import { PageElement } from '../lib/element';
import { icon } from '../lib/icon';
import { t, text } from '../lib/words';
import { pieces } from './link-text';
import type { Message } from './model';
import type { MeetingSession, Pending } from './session';

const limitBytes = 4096;

/** How the desks write their own names. */
const deskNames: Readonly<Record<string, string>> = { xcally: 'XCALLY', iadvize: 'iAdvize', vidaoo: 'Vidaoo', apizee: 'Apizee', xassist: 'xAssist', thirdparty: 'XiVO' };

/** sender is who wrote a message, with the desk it came through: "Anna Verdi, XCALLY". */
export function sender(message: Message): string {
  if (message.mine) return t('chat.you');
  const name = message.name || t(message.role === 'agent' ? 'call.advisor' : 'call.visitor');
  const desk = message.via?.split('/')[0];
  return desk ? `${name}, ${deskNames[desk] ?? desk}` : name;
}

/** The chat beside a call: the log, what is on its way, and the line to write on. */
@customElement('call-chat')
export class CallChat extends PageElement {
  @property({ attribute: false }) accessor session!: MeetingSession;
  /** Nothing can be said any more. */
  @property({ type: Boolean }) accessor over = false;
  @property({ type: Boolean }) accessor closable = false;
  @state() private accessor tooLong = false;
  @query('.chat__log') private accessor log: HTMLElement | null = null;
  @query('textarea') private accessor input: HTMLTextAreaElement | null = null;
  #release?: () => void;
  #atEnd = true;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#release = this.session?.on('change', () => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#release?.();
  }

  override focus(): void {
    this.input?.focus();
  }

  protected override willUpdate(): void {
    const log = this.log;
    this.#atEnd = !log || log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  }

  protected override updated(): void {
    if (this.#atEnd && this.log) this.log.scrollTop = this.log.scrollHeight;
  }

  protected override render(): TemplateResult {
    const { messages, pending } = this.session;
    return html`
      <div class="card__head">
        <h2>${t('chat.title')}</h2>
        ${this.closable ? html`<button type="button" class="btn btn--icon push" aria-label=${t('chat.close')} data-test="chat-close" @click=${() => this.#tell('close')}>${icon('close')}</button>` : nothing}
      </div>
      <div class="chat__log" role="log" aria-live="off" aria-label=${t('chat.log')} tabindex="0" data-test="chat-log">
        ${messages.length + pending.length === 0 ? html`<p class="note-line">${this.over ? t('chat.none') : t('chat.empty')}</p>` : nothing}
        ${repeat(messages, (m) => m.seq, (m) => this.#message(m))} ${repeat(pending, (p) => p.key, (p) => this.#pending(p))}
      </div>
      ${this.over ? nothing : this.#compose()}
    `;
  }

  #message(m: Message): TemplateResult {
    return html`<div class="msg ${m.mine ? 'msg--me' : ''}" data-test="message">
      <span class="msg__by">${sender(m)} · <time datetime=${m.at}>${text.time(m.at)}</time></span>
      <p class="msg__b">${linked(m.text)}</p>
    </div>`;
  }

  #pending(p: Pending): TemplateResult {
    return html`<div class="msg msg--me ${p.failed ? 'msg--failed' : 'msg--pending'}" data-test="message-pending">
      <span class="msg__by">${p.failed ? t('chat.failed') : t('chat.sending')}</span>
      <p class="msg__b">${linked(p.text)}</p>
      ${p.failed && !p.refused ? html`<button type="button" class="btn btn--ghost btn--sm msg__again" @click=${() => this.session.again(p)}>${icon('refresh')}${t('chat.again')}</button>` : nothing}
    </div>`;
  }

  #compose(): TemplateResult {
    return html`<form class="compose" @submit=${this.#submit}>
      <textarea class="input" rows="1" maxlength=${limitBytes} enterkeyhint="send" data-test="chat-input" aria-label=${t('chat.write')} placeholder=${t('chat.write')}
        aria-invalid=${this.tooLong ? 'true' : 'false'} aria-describedby=${ifDefined(this.tooLong ? 'chat-long' : undefined)}
        @keydown=${this.#key} @input=${() => (this.tooLong = false)}></textarea>
      <button class="btn btn--icon btn--primary" aria-label=${t('chat.send')} data-test="chat-send">${icon('send')}</button>
      ${this.tooLong ? html`<p class="compose__why" id="chat-long" role="alert">${t('chat.long')}</p>` : nothing}
    </form>`;
  }

  #key = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#send();
  };

  #submit = (event: Event): void => {
    event.preventDefault();
    this.#send();
    this.input?.focus();
  };

  #send(): void {
    const words = this.input?.value.trim() ?? '';
    if (!this.input || words === '') return;
    if (new TextEncoder().encode(words).length > limitBytes) {
      this.tooLong = true;
      return;
    }
    this.input.value = '';
    this.#atEnd = true;
    this.session.say(words);
  }

  #tell(name: string): void {
    this.dispatchEvent(new CustomEvent(name));
  }
}

function linked(message: string): unknown[] {
  return pieces(message).map((piece) => (piece.href ? html`<a href=${piece.href} target="_blank" rel="noopener noreferrer">${piece.text}</a>` : piece.text));
}
