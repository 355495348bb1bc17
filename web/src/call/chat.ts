import { customElement, html, ifDefined, nothing, property, query, repeat, state, type TemplateResult } from 'lit';
import type { Problem } from '../lib/api';
import { PageElement } from '../lib/element';
import { accepted } from '../lib/files';
import { icon } from '../lib/icon';
import { t, text, type Keys } from '../lib/words';
import { sizeOf } from './chat-file';
import { pieces } from './link-text';
import type { Message } from './model';
import type { MeetingSession, Pending, Upload } from './session';

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

/** spoken is a message as it is read out. */
export function spoken(message: Message): string {
  return `${sender(message)}: ${[message.text, message.file && t('file.said', { name: message.file.name })].filter(Boolean).join(' ')}`;
}

/** why is what a person reads of a file that was not sent. */
function why(problem: Problem | undefined): Keys<'file.failed.'> {
  const reason = problem?.code === 'file_refused' ? problem.data['reason'] : undefined;
  if (reason === 'kind' || reason === 'pixels' || reason === 'broken') return `file.failed.${reason}`;
  switch (problem?.code) {
    case 'too_large': return 'file.failed.large';
    case 'files_full': return 'file.failed.full';
    case 'too_many': return 'file.failed.busy';
    case 'offline': return 'file.failed.offline';
    default: return 'file.failed.other';
  }
}

/** The chat beside a call: the log, what is on its way, and the line to write on. */
@customElement('call-chat')
export class CallChat extends PageElement {
  @property({ attribute: false }) accessor session!: MeetingSession;
  /** Nothing can be said any more. */
  @property({ type: Boolean }) accessor over = false;
  @property({ type: Boolean }) accessor closable = false;
  @state() private accessor tooLong = false;
  @state() private accessor dropping = false;
  @query('.chat__log') private accessor log: HTMLElement | null = null;
  @query('textarea') private accessor input: HTMLTextAreaElement | null = null;
  @query('input[type=file]') private accessor chooser: HTMLInputElement | null = null;
  #release?: () => void;
  #atEnd = true;

  override connectedCallback(): void {
    super.connectedCallback();
    for (const kind of dragging) this.addEventListener(kind, this.#drag);
    this.#release = this.session?.on('change', () => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const kind of dragging) this.removeEventListener(kind, this.#drag);
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
      <div class="chat__log ${this.dropping ? 'chat__log--drop' : ''}" role="log" aria-live="off" aria-label=${t('chat.log')} tabindex="0" data-test="chat-log">
        ${messages.length + pending.length === 0 ? html`<p class="note-line">${this.over ? t('chat.none') : t('chat.empty')}</p>` : nothing}
        ${repeat(messages, (m) => m.seq, (m) => this.#message(m))} ${repeat(pending, (p) => p.key, (p) => this.#pending(p))}
      </div>
      ${this.over ? nothing : this.#compose()}
    `;
  }

  #message(m: Message): TemplateResult {
    return html`<div class="msg ${m.mine ? 'msg--me' : ''}" data-test="message">
      <span class="msg__by">${sender(m)} · <time datetime=${m.at}>${text.time(m.at)}</time></span>
      ${m.text ? html`<p class="msg__b">${linked(m.text)}</p>` : nothing}
      ${m.file ? html`<chat-file .session=${this.session} .file=${m.file}></chat-file>` : nothing}
    </div>`;
  }

  #pending(p: Pending): TemplateResult {
    if (p.upload) return this.#upload(p, p.upload);
    return html`<div class="msg msg--me ${p.failed ? 'msg--failed' : 'msg--pending'}" data-test="message-pending">
      <span class="msg__by">${p.failed ? t('chat.failed') : t('chat.sending')}</span>
      <p class="msg__b">${linked(p.text)}</p>
      ${p.failed && !p.refused ? html`<button type="button" class="btn btn--ghost btn--sm msg__again" @click=${() => this.session.again(p)}>${icon('refresh')}${t('chat.again')}</button>` : nothing}
    </div>`;
  }

  /** A file on its way: how far it is, and a way back; or why not, and what can be done. */
  #upload(p: Pending, { file, part, problem }: Upload): TemplateResult {
    const { name } = file;
    const doing = part === undefined ? t('file.waiting') : part < 1 ? t('file.sending', { part: text.number(part, { style: 'percent' }) }) : t('file.checking');
    return html`<div class="msg msg--me ${p.failed ? 'msg--failed' : ''}" data-test="file-pending">
      <span class="msg__by">${p.failed ? t('chat.failed') : doing}</span>
      <div class="msg__b msg__file">
        ${icon('attach')}
        <p class="msg__name"><span>${name}</span> <span class="msg__size">${sizeOf(file.size)}</span></p>
        <button type="button" class="btn btn--icon" aria-label=${t(p.failed ? 'file.remove' : 'file.cancel', { name })} data-test="file-drop" @click=${() => this.session.drop(p)}>${icon('close')}</button>
        ${p.failed ? nothing : html`<progress max="1" .value=${part ?? 0} aria-label=${t('file.progress', { name })}></progress>`}
      </div>
      ${p.failed ? html`<p class="msg__why" role="alert" data-test="file-why">${t(why(problem))}</p>` : nothing}
      ${p.failed && !p.refused ? html`<button type="button" class="btn btn--ghost btn--sm msg__again" data-test="file-again" @click=${() => this.session.again(p)}>${icon('refresh')}${t('file.again')}</button>` : nothing}
    </div>`;
  }

  #compose(): TemplateResult {
    return html`<form class="compose" @submit=${this.#submit}>
      <input type="file" hidden multiple accept=${accepted} data-test="file-input" @change=${this.#chosen} />
      <button type="button" class="btn btn--icon" aria-label=${t('chat.attach')} data-test="file-attach" @click=${() => this.chooser?.click()}>${icon('attach')}</button>
      <textarea class="input" rows="1" maxlength=${limitBytes} enterkeyhint="send" data-test="chat-input" aria-label=${t('chat.write')} placeholder=${t('chat.write')}
        aria-invalid=${this.tooLong ? 'true' : 'false'} aria-describedby=${ifDefined(this.tooLong ? 'chat-long' : undefined)}
        @keydown=${this.#key} @paste=${this.#paste} @input=${() => (this.tooLong = false)}></textarea>
      <button class="btn btn--icon btn--primary" aria-label=${t('chat.send')} data-test="chat-send">${icon('send')}</button>
      ${this.tooLong ? html`<p class="compose__why" id="chat-long" role="alert">${t('chat.long')}</p>` : nothing}
    </form>`;
  }

  #key = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#send();
  };

  #chosen = (): void => {
    if (!this.chooser?.files) return;
    this.#sendFiles(this.chooser.files);
    this.chooser.value = ''; // the same file may be chosen again
  };

  #paste = (event: ClipboardEvent): void => {
    const files = event.clipboardData?.files;
    if (!files?.length) return;
    event.preventDefault();
    this.#sendFiles(files);
  };

  #drag = (event: DragEvent): void => {
    if (this.over || !event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    this.dropping = event.type === 'dragenter' || event.type === 'dragover';
    if (event.type === 'drop') this.#sendFiles(event.dataTransfer.files);
  };

  #sendFiles(files: FileList): void {
    this.#atEnd = true;
    this.session.send([...files]);
  }

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

const dragging = ['dragenter', 'dragover', 'dragleave', 'drop'] as const;

function linked(message: string): unknown[] {
  return pieces(message).map((piece) => (piece.href ? html`<a href=${piece.href} target="_blank" rel="noopener noreferrer">${piece.text}</a>` : piece.text));
}

// A file that is dropped beside the chat must not take the place of the call.
for (const kind of ['dragover', 'drop'] as const) {
  addEventListener(kind, (event) => {
    if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'none';
  });
}
