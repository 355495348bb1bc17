import { customElement, html, nothing, property, query, state, type TemplateResult } from 'lit';
import { PageElement } from '../lib/element';
import { save } from '../lib/files';
import { icon } from '../lib/icon';
import { t, text } from '../lib/words';
import type { SentFile } from './model';
import type { MeetingSession } from './session';

/** sizeOf writes a size as a person reads it: 1.2 MB, 340 kB. */
export function sizeOf(bytes: number): string {
  const [n, unit] = bytes >= 1024 * 1024 ? [bytes / 1024 / 1024, 'megabyte'] : bytes >= 1024 ? [bytes / 1024, 'kilobyte'] : [bytes, 'byte'];
  return text.number(n, { style: 'unit', unit, unitDisplay: unit === 'byte' ? 'long' : 'short', maximumFractionDigits: n < 10 && unit === 'megabyte' ? 1 : 0 });
}

/** A file in the chat: a picture to look at, anything else as a row; both can be saved. */
@customElement('chat-file')
export class ChatFile extends PageElement {
  @property({ attribute: false }) accessor session!: MeetingSession;
  @property({ attribute: false }) accessor file!: SentFile;
  @state() private accessor url = '';
  @state() private accessor busy = false;
  @state() private accessor lost = false;
  @query('.msg__pic') private accessor frame: HTMLElement | null = null;
  @query('dialog') private accessor viewer: HTMLDialogElement | null = null;
  #near?: IntersectionObserver;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#near?.disconnect();
    this.#near = undefined;
    URL.revokeObjectURL(this.url);
    this.url = '';
  }

  protected override updated(): void {
    // Pictures are fetched when somebody is about to see them.
    if (!this.frame || this.url || this.#near || !this.isConnected) return;
    this.#near = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && void this.#show(), { rootMargin: '200px' });
    this.#near.observe(this.frame);
  }

  protected override render(): TemplateResult {
    const picture = this.file.type.startsWith('image/');
    return html`${picture ? this.#picture() : this.#row()}
      ${this.lost ? html`<p class="msg__lost" role="alert">${t('file.lost')} <button type="button" class="btn btn--ghost btn--sm" @click=${picture ? this.#show : this.#save}>${icon('refresh')}${t('file.again')}</button></p>` : nothing}`;
  }

  #picture(): TemplateResult {
    const { name, width, height } = this.file;
    return html`<button type="button" class="msg__pic" aria-label=${t('file.open', { name })} data-test="file-picture" @click=${this.#open}>
        <img src=${this.url || blank} width=${width ?? 4} height=${height ?? 3} alt="" data-test=${this.url ? 'file-image' : nothing} />
      </button>
      <dialog class="viewer" aria-label=${name} @keydown=${(event: Event) => event.stopPropagation()} @click=${this.#outside}>
        <div class="viewer__bar">
          <p class="clip grow">${name}</p>
          <button type="button" class="btn btn--icon" aria-label=${t('file.download', { name })} data-test="file-save" @click=${this.#save}>${icon('download')}</button>
          <button type="button" class="btn btn--icon" aria-label=${t('file.close')} data-test="file-close" @click=${() => this.viewer?.close()}>${icon('close')}</button>
        </div>
        ${this.url ? html`<img src=${this.url} alt=${name} />` : nothing}
      </dialog>`;
  }

  #row(): TemplateResult {
    const { name, size } = this.file;
    return html`<div class="msg__b msg__file" data-test="file-row">
      ${icon('attach')}
      <p class="msg__name"><span>${name}</span> <span class="msg__size">${sizeOf(size)}</span></p>
      <button type="button" class="btn btn--icon" aria-label=${t('file.download', { name })} aria-busy=${this.busy ? 'true' : 'false'} data-test="file-save" @click=${this.#save}>${icon('download')}</button>
    </div>`;
  }

  #show = async (): Promise<void> => {
    this.#near?.disconnect();
    await this.#fetch((blob) => {
      if (this.isConnected && !this.url) this.url = URL.createObjectURL(blob);
    });
  };

  #open = async (): Promise<void> => {
    if (!this.url) await this.#show();
    if (this.url) this.viewer?.showModal();
  };

  #save = (): Promise<void> => this.#fetch((blob) => save(blob, this.file.name));

  async #fetch(then: (blob: Blob) => void): Promise<void> {
    if (this.busy) return;
    [this.busy, this.lost] = [true, false];
    try {
      then(await this.session.bytes(this.file));
    } catch {
      this.lost = true;
    } finally {
      this.busy = false;
    }
  }

  /** A click beside the picture closes it. */
  #outside = (event: Event): void => {
    if (event.target === this.viewer) this.viewer?.close();
  };
}

const blank = 'data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==';
