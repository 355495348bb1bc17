// What the agent writes down during a call. Visitors never see it. Nothing is
// lost: what is not saved yet is kept in this tab, through a reload too, and
// tried again until it is.

import { html, nothing, type TemplateResult } from 'lit';
import { Problem } from '../../lib/api';
import { Emitter } from '../../lib/emitter';
import { icon } from '../../lib/icon';
import { keep, kept } from '../../lib/link';
import { t, text } from '../../lib/words';
import type { Note } from '../../call/model';
import { final, type MeetingSession } from '../../call/session';

export const debounceMs = 800;
const againMs = 4000;
const limitBytes = 8192;
const draftKey = 'note';

export type NoteState = 'idle' | 'saving' | 'saved' | 'unsaved' | 'refused' | 'too-long';

export class Notes extends Emitter<{ change: undefined }> {
  #text = '';
  #saved = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<void> | undefined;
  state: NoteState = 'idle';
  /** When the server took it, by the server's clock. */
  savedAt = '';
  others: readonly Note[] = [];

  constructor(private readonly session: Pick<MeetingSession, 'saveNote' | 'on'>) {
    super();
    const draft = kept<string>(draftKey);
    if (draft !== undefined) {
      this.#text = draft;
      this.#later(0);
    }
    session.on('notes', (notes) => this.read(notes));
    addEventListener('pagehide', () => this.#last());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden') this.flush();
    });
    addEventListener('online', () => this.flush());
  }

  get text(): string {
    return this.#text;
  }

  get #dirty(): boolean {
    return this.#text !== this.#saved;
  }

  /** read takes the server's list: what is being written here is newer. */
  read(notes: readonly Note[]): void {
    const mine = notes.find((note) => note.mine);
    this.others = notes.filter((note) => !note.mine && note.text !== '');
    if (!this.#dirty) {
      this.#text = this.#saved = mine?.text ?? '';
      if (mine?.text) [this.state, this.savedAt] = ['saved', mine.at];
    } else if (mine) {
      this.#saved = mine.text;
      if (!this.#dirty) this.#done(mine.at);
    }
    this.emit('change', undefined);
  }

  write(words: string): void {
    this.#text = words;
    keep(draftKey, words);
    if (new TextEncoder().encode(words).length > limitBytes) {
      clearTimeout(this.#timer);
      this.state = 'too-long';
    } else if (this.state !== 'refused') {
      if (this.state !== 'unsaved') this.state = 'saving';
      this.#later(debounceMs);
    }
    this.emit('change', undefined);
  }

  /** flush saves at once what waits: the field was left, the tab goes away. */
  flush(): void {
    if (this.#dirty && this.state !== 'too-long' && this.state !== 'refused') this.#later(0);
  }

  #later(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void (this.#saving ??= this.#save().finally(() => (this.#saving = undefined))), ms);
  }

  /** One save at a time; what was written meanwhile goes with the next. */
  async #save(): Promise<void> {
    const words = this.#text;
    try {
      const notes = await this.session.saveNote(words);
      this.#saved = words;
      if (this.#dirty) this.#later(debounceMs);
      else this.#done(notes.find((note) => note.mine)?.at ?? new Date().toISOString());
    } catch (error) {
      const refused = error instanceof Problem && final(error);
      this.state = refused ? 'refused' : 'unsaved';
      if (!refused) this.#later(againMs);
    }
    this.emit('change', undefined);
  }

  #done(at: string): void {
    [this.state, this.savedAt] = ['saved', at];
    keep(draftKey, undefined);
  }

  #last(): void {
    clearTimeout(this.#timer);
    if (this.#dirty && this.state !== 'too-long') void this.session.saveNote(this.#text, true).catch(() => {});
  }
}

/** notesPanel is the sheet to write on, with what colleagues wrote below. */
export function notesPanel(notes: Notes): TemplateResult {
  const bad = notes.state === 'unsaved' || notes.state === 'refused' || notes.state === 'too-long';
  const words = { idle: '', saving: t('notes.saving'), saved: t('notes.saved', { time: notes.savedAt ? text.time(notes.savedAt) : '' }), unsaved: t('notes.unsaved'), refused: t('notes.refused'), 'too-long': t('notes.too-long') }[notes.state];
  return html`<section class="panel notes" aria-labelledby="notes">
    <div class="field ${bad ? 'field--bad' : ''}">
      <label id="notes" for="note">${t('notes.title')}</label>
      <textarea class="input notes__text" id="note" rows="4" data-test="note" aria-describedby="note-state note-hint" aria-invalid=${bad ? 'true' : 'false'} .value=${notes.text}
        @input=${(event: Event) => notes.write((event.target as HTMLTextAreaElement).value)} @blur=${() => notes.flush()}></textarea>
      <span class=${bad ? 'why' : 'hint'} id="note-state" role=${bad ? 'alert' : 'presentation'} data-test="note-state" data-state=${notes.state}>${bad ? icon('warning') : nothing}${words}</span>
      <span class="hint" id="note-hint">${t('notes.hint')}</span>
    </div>
    ${notes.others.length > 0
      ? html`<div class="stack stack--tight" data-test="other-notes"><h3 class="label">${t('notes.others')}</h3>
          ${notes.others.map((note) => html`<figure class="notes__other"><figcaption class="sub">${note.name || t('agent.somebody')} · <time datetime=${note.at}>${text.time(note.at)}</time></figcaption><p>${note.text}</p></figure>`)}
        </div>`
      : nothing}
  </section>`;
}
