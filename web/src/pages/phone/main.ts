// The tab beside a ringing phone: /thirdparty/open/{id}#secret. The head is
// there at once; who is calling comes when the source answers. Nothing that was
// written is lost: it is kept through a reload and saved again until it is.

import { customElement, html, nothing, state } from 'lit';
import { Problem } from '../../lib/api';
import { PageElement } from '../../lib/element';
import { Emitter } from '../../lib/emitter';
import { icon } from '../../lib/icon';
import { keep, kept, takeSecret } from '../../lib/link';
import { live } from '../../lib/live';
import { languagePicker, statePill, theLine } from '../../lib/parts';
import { choose, type Lang } from '../../lib/text';
import { setTheme, themeFrom } from '../../lib/theme';
import { t, text } from '../../lib/words';
import { place, title } from '../../call/frame';
import type { Note } from '../../call/model';
import { Notes, notesPanel } from '../agent/notes';
import { askToClose, delegated, tryDevices } from './host';
import { laterCard } from './later';
import { Client, type PhoneCall, type Work } from './model';
import { contactsCard, People, peopleCard } from './people';
import { videoCard } from './video';
import './phone.css';

type View = 'loading' | 'problem' | 'stale' | 'done' | 'work';

const askEveryMs = 2500;
const oldAfterMs = 45_000;

@customElement('phone-page')
export class PhonePage extends PageElement {
  @state() private accessor problem: '' | 'incomplete' | 'gone' | 'network' = '';
  @state() private accessor busy = false;
  @state() private accessor failed = '';
  @state() private accessor offline = false;
  @state() private accessor later = false;
  @state() private accessor ending = false;
  @state() private accessor room = kept<boolean>('room') === true;
  @state() private accessor blocked = false;
  @state() private accessor closedAlready = false;
  @state() private accessor copied: 'yes' | 'no' | undefined = undefined;
  @state() private accessor sending = { open: false, channel: '', to: '', lang: text.lang as Lang, wrong: '' };
  #call: PhoneCall | undefined;
  #client: Client | undefined;
  #notes: Notes | undefined;
  #people: People | undefined;
  #told = new Emitter<{ notes: readonly Note[] }>();
  #late = false;
  #asking = false;
  #askedAt = 0;
  #here = false;

  override connectedCallback(): void {
    super.connectedCallback();
    text.changed(() => keep('lang', text.lang));
    setInterval(() => this.#tick(), 500);
    addEventListener('online', () => void this.#ask());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.#ask();
    });
    const secret = takeSecret();
    const id = decodeURIComponent(location.pathname.split('/').pop() ?? '');
    if (!secret) this.problem = 'incomplete';
    else this.#client = new Client(id, secret);
    void this.#open();
  }

  async #open(): Promise<void> {
    if (!this.#client) return;
    try {
      const call = await this.#client.open();
      this.problem = '';
      text.use(kept<string>('lang') ?? choose({ search: location.search, given: call.language ?? null, browser: navigator.languages }));
      this.sending = { ...this.sending, lang: text.lang, channel: call.channels[0] ?? '', to: call.channels[0] === 'mail' ? '' : (call.number ?? '') };
      this.#late = Date.parse(call.now) - Date.parse(call.rung_at) > oldAfterMs && call.note === '' && !call.video;
      this.#begin(call);
    } catch (error) {
      this.problem = error instanceof Problem && error.status > 0 && error.status < 500 && error.status !== 429 ? 'gone' : 'network';
    }
  }

  #begin(call: PhoneCall): void {
    this.#take(call);
    if (!this.#trusted || call.stale || call.done || this.#notes) return;
    this.#notes = new Notes({
      saveNote: async (note, last) => [this.#mine(await this.#save({ note }, last))],
      on: (name, listen) => this.#told.on(name as 'notes', listen as (notes: readonly Note[]) => void),
    } as ConstructorParameters<typeof Notes>[0]);
    this.#notes.read([this.#mine(call)]);
    this.#notes.on('change', () => this.requestUpdate());
    this.#people = new People(this.#client!);
    this.#people.on('change', () => {
      const mail = this.#people?.who?.customer?.email;
      if (mail && this.sending.channel === 'mail' && this.sending.to === '') this.sending = { ...this.sending, to: mail };
      this.requestUpdate();
    });
    void this.#people.load();
  }

  #mine = (call: PhoneCall): Note => ({ text: call.note, at: call.now, mine: true });

  get #trusted(): boolean {
    return Boolean(this.#call?.trust.by);
  }

  #take(call: PhoneCall): void {
    const before = this.#call;
    this.#call = call;
    if (!this.#here && call.video?.here && !call.video.agent_here) live.say(t('phone.video.waits'));
    this.#here = Boolean(call.video?.here);
    if (this.room && (!call.video || call.video.ended)) this.#showRoom(false);
    if (before && !before.trust.by && call.trust.by) this.#begin(call); // the proof has come
    this.requestUpdate();
  }

  #showRoom(shown: boolean): void {
    this.room = shown;
    keep('room', shown);
  }

  #tick(): void {
    const view = this.view;
    if (view === 'problem' && this.problem === 'network' && Date.now() - this.#askedAt > askEveryMs) {
      this.#askedAt = Date.now();
      void this.#open();
    }
    if (view === 'work' && Date.now() - this.#askedAt > (this.#call?.trust.pending ? 1000 : askEveryMs)) void this.#ask();
    if (view === 'work') this.requestUpdate(); // "rang 2 minutes ago"
  }

  async #ask(): Promise<void> {
    if (this.#asking || this.busy || this.view !== 'work' || !this.#client) return;
    [this.#asking, this.#askedAt] = [true, Date.now()];
    try {
      const call = await this.#client.read();
      if (!this.busy) this.#take(call);
      this.offline = false;
    } catch (error) {
      if (error instanceof Problem && error.status === 404) this.problem = 'gone';
      else this.offline = true;
    }
    [this.#asking, this.#askedAt] = [false, Date.now()];
  }

  async #save(work: Work, last = false): Promise<PhoneCall> {
    const call = await this.#client!.save(work, last);
    this.#take(call);
    return call;
  }

  get view(): View {
    if (this.problem) return 'problem';
    if (!this.#call) return 'loading';
    return this.#call.stale ? 'stale' : this.#call.done ? 'done' : 'work';
  }

  // What the agent does.

  /** act runs one thing at a time; a refusal is told in the page's words. */
  async #act(act: () => Promise<PhoneCall>, refused: (problem: Problem) => string = () => t('phone.failed')): Promise<boolean> {
    if (this.busy) return false;
    [this.busy, this.failed] = [true, ''];
    try {
      this.#take(await act());
      this.offline = false;
      return true;
    } catch (error) {
      this.failed = error instanceof Problem && error.status > 0 ? refused(error) : t('page.offline');
      if (this.failed) live.say(this.failed);
      return false;
    } finally {
      this.busy = false;
    }
  }

  /** Saves, then asks the agent app to close the page. What cannot be saved keeps it open. */
  #done = async (endVideo = false): Promise<void> => {
    const video = this.#call?.video;
    if (!endVideo && video && !video.ended && (video.here || video.agent_here)) {
      this.ending = true;
      await this.updateComplete;
      this.querySelector<HTMLElement>('[data-test=end-and-done]')?.focus();
      return;
    }
    const note = this.#notes?.text;
    const work: Work = { ...(note !== undefined && { note }), ...(endVideo && { end_video: true }) };
    const finished = await this.#act(
      () => this.#client!.done(work),
      (problem) => {
        if (problem.data['video'] === 'running') {
          this.ending = true;
          return '';
        }
        return problem.fields.some(({ pointer }) => pointer === '/note') ? t('notes.too-long') : t('phone.done.failed');
      },
    );
    if (!finished) return;
    keep('note', undefined);
    this.#close();
  };

  #close = (): void => {
    this.closedAlready = !askToClose(this.#call?.close ?? { message: 'closeThirdParty', origins: [] });
  };

  #start = async (): Promise<void> => {
    // A window opens by itself only in the moment of the press.
    const here = delegated(this.#call?.close.origins ?? []);
    const opened = here === false ? window.open('about:blank', 'ringdown-room') : null;
    const started = await this.#act(() => this.#client!.video(this.sending.lang), (problem) => (problem.status === 429 ? t('page.too-many') : t('phone.failed')));
    const seat = this.#call?.video?.seat;
    if (!started || !seat) {
      opened?.close();
      return;
    }
    await this.#enterBy(here, opened, seat);
  };

  #enter = async (): Promise<void> => {
    const seat = this.#call?.video?.seat;
    if (!seat) return;
    const here = delegated(this.#call?.close.origins ?? []);
    await this.#enterBy(here, here === false ? window.open('about:blank', 'ringdown-room') : null, seat);
  };

  async #enterBy(here: boolean | undefined, opened: Window | null, seat: string): Promise<void> {
    this.blocked = false;
    if (opened) opened.location.replace(seat);
    else if (here === true || (here === undefined && (await tryDevices()))) this.#showRoom(true);
    else this.blocked = true;
  }

  #endVideo = async (): Promise<void> => {
    await this.#act(() => this.#client!.endVideo());
  };

  #copy = async (link: string): Promise<void> => {
    try {
      await navigator.clipboard.writeText(link);
      this.copied = 'yes';
    } catch {
      this.copied = 'no'; // the frame does not allow it: the field can be selected
      this.querySelector<HTMLInputElement>('#link')?.select();
    }
    live.say(t(this.copied === 'yes' ? 'invite.copied' : 'invite.select'));
  };

  #send = async (): Promise<void> => {
    const { channel, to, lang } = this.sending;
    this.sending = { ...this.sending, wrong: '' };
    const bad: string[] = []; // stay in the field; the good ones go out
    let sent = 0;
    let failed = '';
    for (const one of to.split(/[,;\n]/).map((s) => s.trim()).filter(Boolean)) {
      const taken = await this.#act(
        () => this.#client!.send(channel, one, lang),
        (problem) => {
          if (problem.fields.some(({ pointer }) => pointer === '/to')) return '';
          return problem.status === 429 ? t('phone.send.limit') : t('phone.failed');
        },
      );
      if (taken) sent += 1;
      else bad.push(one);
      failed ||= this.failed;
    }
    this.failed = failed;
    if (bad.length > 0) this.sending = { ...this.sending, to: bad.join(', '), wrong: failed ? '' : t(channel === 'mail' ? 'phone.send.wrong.mail' : 'phone.send.wrong.sms') };
    if (sent > 0) live.say(t('phone.sent.queued'));
  };

  #callBack = async (when: Date | undefined): Promise<void> => {
    if (await this.#act(() => this.#client!.save({ call_back: when ? when.toISOString() : '' }), () => t('phone.later.wrong'))) this.later = false;
  };

  #outcomeWord = (word: string): string => {
    const label = this.#call?.outcomes?.find(({ name }) => name === word)?.label;
    return label?.[text.lang] ?? label?.['en'] ?? word;
  };

  // What is shown.

  protected override updated(): void {
    place(this.view);
    title(this.#call ? this.#heading : t('page.loading'), this.#queue);
  }

  get #queue(): string | undefined {
    return this.#call?.queue.label || this.#call?.queue.name;
  }

  get #heading(): string {
    return this.#people?.who?.customer?.name || this.#call?.caller || t('phone.withheld');
  }

  protected override render(): unknown {
    const view = this.view;
    if (view === 'loading') return html`<main class="pane phone"><p class="muted phone__none" role="status">${t('page.loading')}</p></main>`;
    if (view === 'problem') return this.#alone(t(`phone.problem.${this.problem || 'network'}`), t(`phone.problem.${this.problem || 'network'}.lead`));
    return html`<div class="pane phone">${this.#head(view)} ${view === 'work' ? this.#work() : this.#over(view)}</div>`;
  }

  /** A page of one sentence and the way out. */
  #alone(heading: string, lead: string): unknown {
    return html`<main class="pane phone"><div class="phone__none">
      <h1 tabindex="-1">${heading}</h1><p class="lead">${lead}</p>
      ${this.problem === 'network' ? html`<button type="button" class="btn btn--primary" @click=${() => void this.#open()}>${icon('refresh')}${t('page.again')}</button>` : nothing} ${this.#closer('btn--line')}
    </div></main>`;
  }

  #head(view: View): unknown {
    const call = this.#call!;
    const rung = Date.parse(call.rung_at);
    const name = this.#people?.who?.customer?.name;
    return html`<header class="pane__head">
      <div class="phone__top"><span class="face" aria-hidden="true">${icon('phone')}</span>
        <div class="grow phone__who"><h1 tabindex="-1" data-test="caller">${this.#heading}</h1>${name ? html`<span class="small muted" data-test="number">${call.caller || t('phone.withheld')}</span>` : nothing}</div>
        ${languagePicker()}</div>
      <div class="phone__meta">
        ${statePill(view === 'work' ? 'ringing' : 'ended', t('phone.rang', { time: text.time(rung) }))}
        <span class="tag" data-test="queue">${this.#queue ? t('phone.queue', { queue: this.#queue }) : t('phone.direct')}</span>
        ${call.agent ? html`<span class="tag">${icon('user')}${call.agent}</span>` : nothing}
      </div>
    </header>`;
  }

  /** The page is not about the call the agent has, or the work is done. */
  #over(view: 'stale' | 'done' | View): unknown {
    const call = this.#call!;
    const why = call.stale?.why;
    const time = text.time(call.stale?.at ?? call.rung_at);
    const [heading, lead] =
      view === 'done'
        ? [t('phone.done.title'), t('phone.done.lead')]
        : why === 'moved'
          ? [t('phone.stale.title'), t('phone.stale.moved', { name: call.stale?.agent || t('agent.somebody'), time })]
          : why === 'newer'
            ? [t('phone.stale.title'), t('phone.stale.newer', { time })]
            : [t('phone.stale.title'), t('phone.stale.late', { time })];
    return html`<main class="phone__none" data-test=${view} data-why=${why ?? ''}>
      ${theLine('ended', icon('phone'), icon('user'))}
      <h2>${heading}</h2><p class="lead">${lead}</p>${this.#closer('btn--primary')}
    </main>`;
  }

  #closer(look: string): unknown {
    return html`<button type="button" class="btn ${look} phone__close" data-test="close" data-action="close" @click=${this.#close}>${icon('close')}${t('page.close')}</button>
      ${this.closedAlready ? html`<p class="small muted" role="status">${t('left.close-page')}</p>` : nothing}`;
  }

  #work(): unknown {
    const call = this.#call!;
    const people = this.#people;
    return html`<main class="pane__body">
        ${this.offline ? html`<div class="banner banner--warn phone__wide" role="status" data-test="offline">${icon('warning')}<p>${t('page.reconnecting')}</p></div>` : nothing}
        ${this.failed ? html`<div class="banner banner--bad phone__wide" role="alert" data-test="failed">${icon('warning')}<p>${this.failed}</p></div>` : nothing}
        ${this.#late ? html`<div class="banner banner--warn phone__wide" data-test="old">${icon('clock')}<p>${t('phone.old', { length: text.length(Math.max(0, Date.now() - Date.parse(call.rung_at))) })}</p><button type="button" class="btn btn--sm btn--line" @click=${this.#close}>${t('phone.old.close')}</button></div>` : nothing}
        ${this.ending ? this.#endingBanner() : nothing}
        ${this.room && call.video?.seat ? html`<iframe class="phone__room phone__wide" data-test="room" title=${t('phone.video')} src=${call.video.seat} allow="camera; microphone; display-capture; autoplay; fullscreen; clipboard-write"></iframe>` : nothing}
        ${this.#trusted ? this.#columns(call, people!) : this.#untrusted(call)}
      </main>
      <footer class="pane__foot">
        ${this.#trusted ? html`<button type="button" class="btn btn--line" data-test="later" aria-expanded=${this.later ? 'true' : 'false'} @click=${this.#toggleLater}>${icon('callback')}${t('phone.later')}</button>` : nothing}
        <button type="button" class="btn btn--accept push" data-test="done" data-action="done" ?disabled=${this.busy} @click=${() => void this.#done()}>${icon('check')}${t('phone.done')}</button>
      </footer>`;
  }

  #endingBanner(): unknown {
    return html`<div class="banner banner--warn phone__wide" role="alertdialog" aria-label=${t('phone.video.running')} data-test="ending">${icon('camera')}<p>${t('phone.video.running')}</p>
      <button type="button" class="btn btn--sm btn--danger" data-test="end-and-done" @click=${() => void this.#done(true)}>${t('phone.video.end-done')}</button>
      <button type="button" class="btn btn--sm btn--line" @click=${() => (this.ending = false)}>${t('phone.cancel')}</button></div>`;
  }

  #columns(call: PhoneCall, people: People): unknown {
    return html`<div class="phone__main">
        ${peopleCard(people, call.number ?? '')}
        ${videoCard(
          { call, busy: this.busy, room: this.room, blocked: this.blocked, sending: this.sending, copied: this.copied },
          {
            start: () => void this.#start(),
            end: () => void this.#endVideo(),
            enter: () => void this.#enter(),
            opened: () => (this.blocked = false),
            copy: (link) => void this.#copy(link),
            invite: (open) => (this.sending = { ...this.sending, open }),
            channel: (channel) => (this.sending = { ...this.sending, channel, wrong: '', to: channel === 'mail' ? (people.who?.customer?.email ?? '') : (call.number ?? '') }),
            to: (to) => (this.sending = { ...this.sending, to, wrong: '' }),
            lang: (lang) => (this.sending = { ...this.sending, lang }),
            send: () => void this.#send(),
          },
        )}
      </div>
      <div class="phone__main">
        ${laterCard(call.call_back, this.later, this.busy, { open: (open) => (this.later = open), at: (when) => void this.#callBack(when), cancel: () => void this.#callBack(undefined) })}
        <div class="card"><div class="card__body stack">
          ${this.#notes ? notesPanel(this.#notes) : nothing}
          ${call.outcomes?.length
            ? html`<div class="field"><label for="outcome">${t('phone.outcome')}</label><select class="input" id="outcome" data-test="outcome" @change=${(event: Event) => void this.#act(() => this.#client!.save({ outcome: (event.target as HTMLSelectElement).value }))}>
                <option value="" .selected=${call.outcome === ''}>${t('phone.outcome.none')}</option>${call.outcomes.map(({ name }) => html`<option value=${name} .selected=${name === call.outcome}>${this.#outcomeWord(name)}</option>`)}
              </select></div>`
            : nothing}
        </div></div>
        ${contactsCard(people.who?.contacts ?? [], this.#outcomeWord)} ${this.#data(call)}
      </div>`;
  }

  /** Only what the ring itself said. */
  #untrusted(call: PhoneCall): unknown {
    const { pending, why } = call.trust;
    return html`<div class="phone__main phone__wide">
      ${pending
        ? html`<div class="banner" role="status" data-test="pending">${icon('clock')}<p>${t('phone.trust.pending')}</p></div>`
        : html`<div class="banner banner--warn" data-test="untrusted" data-why=${why ?? ''}>${icon('shield')}<p>${t('phone.trust.none')} ${t(why === 'token_refused' || why === 'login_other' ? 'phone.trust.token' : why === 'secret_wrong' ? 'phone.trust.secret' : 'phone.trust.setting')}</p></div>`}
      ${this.#data(call)}
    </div>`;
  }

  #data(call: PhoneCall): unknown {
    const rows = [[t('phone.called'), call.called], [t('phone.queue.number'), call.queue.number], ...Object.entries(call.data ?? {})].filter(([, value]) => value) as [string, string][];
    if (rows.length === 0) return nothing;
    return html`<details class="card card__body phone__data" data-test="data" ?open=${!this.#trusted}><summary>${t('phone.data')}</summary><dl class="facts phone__facts">${rows.map(([key, value]) => html`<dt>${key}</dt><dd>${value}</dd>`)}</dl></details>`;
  }

  #toggleLater = async (): Promise<void> => {
    this.later = !this.later;
    await this.updateComplete;
    if (this.later) this.querySelector<HTMLElement>('#later')?.focus();
  };
}

setTheme(themeFrom(location.search));
