// The visitor's page, /m/{code}#secret: one program from the check to the end.
// Where it stands follows from the meeting alone; see `view`.

import { customElement, html, nothing, state, type TemplateResult } from 'lit';
import { Problem } from '../../lib/api';
import { PageElement } from '../../lib/element';
import { keep, kept, takeSecret } from '../../lib/link';
import { live } from '../../lib/live';
import { choose } from '../../lib/text';
import { setTheme, themeFrom } from '../../lib/theme';
import { t, text } from '../../lib/words';
import { brand } from '../../call/brand';
import '../../call/chat';
import { spoken } from '../../call/chat';
import { wholeProblem } from '../../call/devices';
import { frame, place, title } from '../../call/frame';
import { gonePage, goneTitle, rejoin, rejoinMs } from '../../call/gone';
import { linkPage, linkProblem, type LinkProblem } from '../../call/link-problem';
import { safe } from '../../call/link-text';
import { LocalMedia } from '../../call/media';
import { agentName, ownName, visitorName, type Message } from '../../call/model';
import { Room } from '../../call/room';
import { MeetingSession } from '../../call/session';
import { sounds } from '../../call/sounds';
import '../../call/stage';
import { checkPage } from './check';
import { Host } from './host';
import { leftPage } from './left';
import { waitingPage } from './waiting';
import './visit.css';

type View = 'loading' | 'problem' | 'check' | 'waiting' | 'call' | 'gone' | 'left' | 'missed' | 'cancelled' | 'declined' | 'expired' | 'failed';

const redirectAfterMs = 5000;
const answeredTitleMs = 4000;

@customElement('visit-page')
export class VisitPage extends PageElement {
  @state() private accessor problem: LinkProblem | undefined = undefined;
  @state() private accessor chatOpen = false;
  @state() private accessor unread = 0;
  @state() private accessor busy = false;
  @state() private accessor failed = '';
  @state() private accessor goAt: number | undefined = undefined;
  @state() private accessor closeYourself = false;
  @state() private accessor guestName = '';
  @state() private accessor nameMissing = false;
  #session: MeetingSession | undefined;
  #media = new LocalMedia();
  #room: Room | undefined;
  #host = new Host();
  #secret = takeSecret();
  #code = decodeURIComponent(location.pathname.split('/')[2] ?? '');
  #view: View = 'loading';
  /** An invited third: there is nobody to ring, the call is there already. */
  #guest = this.#code.startsWith('inv_');
  #joined = false;
  #left = false;
  /** Left because the time to come back is over. */
  #tooLate = false;
  #late = true;
  #answeredAt = 0;
  #told = '';

  override connectedCallback(): void {
    super.connectedCallback();
    text.changed(() => keep('lang', text.lang));
    this.#media.on('change', () => this.requestUpdate());
    addEventListener('beforeunload', (event) => {
      if (this.#view === 'call' || this.#view === 'waiting') event.preventDefault();
    });
    addEventListener('online', () => {
      if (this.problem === 'network') void this.#open();
    });
    if (this.#host.framed) document.documentElement.dataset.framed = ''; // the frame shows the shop's name already
    this.#host.heard(() => void this.#leave());
    setInterval(() => this.#tick(), 500);
    void this.#open();
  }

  async #open(): Promise<void> {
    if (!this.#secret) {
      this.problem = 'incomplete';
      return;
    }
    try {
      const session = await MeetingSession.open({ id: this.#code, secret: this.#secret });
      this.problem = undefined;
      this.#begin(session);
    } catch (error) {
      this.problem = error instanceof Problem ? linkProblem(error) : 'network';
    }
  }

  #begin(session: MeetingSession): void {
    this.#session = session;
    const { meeting } = session;
    brand(meeting.site.brand);
    text.use(kept<string>('lang') ?? choose({ search: location.search, given: meeting.language, browser: navigator.languages }));
    this.#room = new Room(session, this.#media, 'agent');
    // Who comes for the first time when it is under way already is shown camera
    // and microphone first: the agent started it, or this is a second window.
    this.#guest ||= meeting.state === 'active' && kept('looked') !== true && kept('joined') !== true;
    this.#joined = !this.#guest || kept('joined') === true;
    this.#room.name = kept<string>('name') ?? '';
    this.#room.on('change', () => {
      if ((this.#view === 'gone') !== (this.view === 'gone')) this.#changed();
    });
    session.on('change', () => this.#changed());
    session.on('said', (message) => this.#said(message));
    session.on('lost', (problem) => this.#lost(problem));
    this.#late = meeting.state === 'ended' && !kept('seen');
    if (meeting.state !== 'ended') {
      keep('seen', true);
      session.follow();
      const wishes = this.#media.wishes; // what was on before a reload
      if (wishes.camera) void this.#media.open('camera');
      if (wishes.microphone) void this.#media.open('microphone');
    }
    this.#changed();
  }

  #lost(problem: Problem): void {
    this.problem = linkProblem(problem);
    this.#view = 'problem';
    this.#room?.leave();
    this.#media.stop();
    this.#session?.unfollow();
  }

  /** The one place where it is decided what is shown. */
  get view(): View {
    const meeting = this.#session?.meeting;
    if (this.problem) return 'problem';
    if (!meeting) return 'loading';
    if (this.#left || (meeting.state === 'ended' && meeting.answered_at)) return 'left';
    switch (meeting.state) {
      case 'planned':
        return 'check';
      case 'requested':
        return 'waiting';
      case 'active':
        return !this.#joined ? 'check' : this.#room?.dropped ? 'gone' : 'call';
      case 'ended':
        return meeting.outcome === 'completed' || meeting.outcome === undefined ? 'left' : meeting.outcome;
    }
  }

  #changed(): void {
    const [was, now] = [this.#view, this.view];
    if (was !== now) this.#moved(was, now);
    this.#tellHost();
    this.requestUpdate();
  }

  #moved(was: View, now: View): void {
    this.#view = now;
    this.failed = '';
    const meeting = this.#session!.meeting;
    if (now === 'call') {
      keep('joined', true); // a reload comes back to the call
      if (was === 'waiting' || was === 'check') {
        sounds.answered();
        navigator.vibrate?.(200);
        this.#answeredAt = Date.now();
        live.say(t('call.answered', { name: this.#agent }));
      }
      // On a phone the chat covers the picture: it stays only where there is nothing else.
      const { camera, microphone } = this.#media;
      if (!matchMedia('(min-width: 56.01rem)').matches && (camera.on || microphone.on)) this.chatOpen = false;
      this.#room?.enter();
      return;
    }
    if (now === 'check' || now === 'waiting') return;
    if (now === 'gone') {
      this.chatOpen = false;
      this.#media.stop(); // nobody is there to see us: the light goes out
      live.say(goneTitle(this.#room!.dropped!));
      return;
    }
    // It is over, one way or another.
    this.chatOpen = false;
    this.#room?.leave();
    this.#media.stop();
    this.#session?.unfollow();
    if (was === 'call' || was === 'gone') sounds.left();
    if (now === 'left' && !this.#late && was === 'call' && safe(meeting.redirect_url)) this.goAt = Date.now() + redirectAfterMs;
  }

  get #agent(): string {
    return agentName(this.#session!.meeting) ?? t('call.advisor');
  }

  #tellHost(): void {
    const meeting = this.#session?.meeting;
    if (!meeting) return;
    const state = this.#left ? 'ended' : meeting.state;
    const key = `${state}/${meeting.outcome ?? ''}`;
    if (key === this.#told) return;
    this.#told = key;
    this.#host.tell({ type: 'ringdown.state', state, reference: meeting.reference, ...(meeting.outcome && { outcome: meeting.outcome }) });
  }

  #tick(): void {
    if (this.goAt !== undefined && Date.now() >= this.goAt) this.#go();
    if (this.#view === 'gone' && Date.now() - this.#room!.endedAt > rejoinMs) {
      this.#tooLate = true;
      void this.#leave();
    }
    if (this.#view === 'waiting' || this.#view === 'gone' || this.goAt !== undefined || this.#answeredAt > 0) this.requestUpdate();
    if (this.#answeredAt > 0 && Date.now() - this.#answeredAt > answeredTitleMs) this.#answeredAt = 0;
  }

  #said(message: Message): void {
    sounds.message();
    live.say(spoken(message));
    if (!this.chatOpen) this.unread += 1;
  }

  // What the person does.

  #call = async (): Promise<void> => {
    // One press is enough: what was not asked for is asked for now, then the call, if nothing needs words.
    let fine = true;
    for (const kind of ['camera', 'microphone'] as const) {
      if (!this.#media.asked(kind)) fine = (await this.#media.open(kind)) && fine;
    }
    if (fine) await this.#ring();
  };

  #soundOnly = async (): Promise<void> => {
    await this.#media.turn('camera', false);
    this.#media.settle('camera');
    if (!this.#media.microphone.on && !(await this.#media.open('microphone'))) return;
    await this.#ring();
  };

  #chatOnly = async (): Promise<void> => {
    this.#media.stop();
    keep('media', { camera: false, microphone: false });
    this.chatOpen = true;
    await this.#ring();
  };

  /** A guest goes straight into the call, by name. */
  #join = async (): Promise<void> => {
    const name = ownName(this.#session!.meeting) || this.guestName.trim();
    if (!name) {
      this.nameMissing = true;
      live.say(t('guest.name.missing'));
      await this.updateComplete;
      this.querySelector<HTMLElement>('#guest-name')?.focus();
      return;
    }
    for (const kind of ['camera', 'microphone'] as const) {
      if (!this.#media.asked(kind) && !(await this.#media.open(kind))) return;
    }
    keep('name', name);
    keep('joined', true);
    this.#room!.name = name;
    this.#joined = true;
    this.#changed();
  };

  #rejoin = async (): Promise<void> => {
    this.busy = true;
    this.failed = await rejoin(this.#session!, this.#media, this.#room!, () => this.view === 'gone');
    if (this.failed) live.say(this.failed);
    this.busy = false;
    this.#changed();
  };

  #again = async (): Promise<void> => {
    await this.#media.open('camera');
    await this.#media.open('microphone');
  };

  async #ring(): Promise<void> {
    if (this.#guest) return this.#join();
    keep('looked', true);
    await this.#try(() => this.#session!.ring());
  }

  #leave = async (): Promise<void> => {
    if (!this.#session || this.#session.meeting.state === 'ended') return;
    if (this.#view === 'call' || this.#view === 'gone') {
      // Whatever the network says, the person has left.
      this.#left = true;
      this.#changed();
      await this.#session.leave().catch(() => {});
      this.#changed();
      return;
    }
    await this.#try(() => this.#session!.leave());
  };

  async #try(act: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.failed = '';
    try {
      await act();
    } catch (error) {
      // A refusal because things have moved on is answered by the stream.
      const conflict = error instanceof Problem && (error.status === 409 || error.status === 410);
      if (!conflict) this.failed = t(error instanceof Problem && error.code === 'too_many' ? 'page.too-many' : 'page.offline');
      if (this.failed) live.say(this.failed);
    } finally {
      this.busy = false;
    }
  }

  #toggleChat = async (): Promise<void> => {
    this.chatOpen = !this.chatOpen;
    this.unread = 0;
    await this.updateComplete;
    if (this.chatOpen) this.querySelector<HTMLElement>('call-chat')?.focus();
    else this.querySelector<HTMLElement>('[data-test=chat], [data-test=chat-toggle]')?.focus();
  };

  #go = (): void => {
    const url = safe(this.#session?.meeting.redirect_url);
    this.goAt = undefined;
    if (!url) return;
    if (this.#host.framed) this.#host.tell({ type: 'ringdown.redirect', url });
    else location.assign(url);
  };

  #close = (): void => {
    if (this.#host.framed) {
      this.#host.tell({ type: 'ringdown.close' });
      return;
    }
    window.close();
    this.closeYourself = true; // unless a script opened the page, it stays
  };

  #openWindow = (): void => {
    const url = new URL(location.pathname, location.href);
    url.searchParams.set('lang', text.lang);
    url.hash = this.#secret ?? '';
    window.open(url, '_blank', 'noopener');
  };

  // What is shown.

  protected override updated(): void {
    const view = this.view;
    place(view);
    title(this.#title(view), this.#session?.meeting.site.name);
  }

  #title(view: View): string {
    switch (view) {
      case 'loading':
        return t('page.loading');
      case 'problem':
        return t(`link.${this.problem ?? 'network'}`);
      case 'check':
        return t(this.#guest ? 'guest.title' : 'check.title');
      case 'waiting':
        return t('waiting.title');
      case 'gone':
        return goneTitle(this.#room?.dropped ?? 'network');
      case 'call':
        return this.#answeredAt > 0 ? t('call.answered', { name: this.#agent }) : t('call.with', { name: this.#agent });
      case 'left':
        return t('left.title');
      default:
        return t(`left.${view}`);
    }
  }

  protected override render(): unknown {
    const session = this.#session;
    const view = this.view;
    if (view === 'problem') return frame(session?.meeting, linkPage(this.problem ?? 'network', () => void this.#open(), this.#closer()), { slim: true });
    if (!session) return frame(undefined, html`<p class="muted single" role="status">${t('page.loading')}</p>`, { slim: true });
    switch (view) {
      case 'check':
        return frame(session.meeting, checkPage(this.#media, { call: this.#guest ? this.#join : this.#call, soundOnly: this.#soundOnly, chatOnly: this.#chatOnly, again: this.#again, openWindow: this.#openWindow, named: this.#named }, this.busy, this.failed, this.#guestView()));
      case 'waiting':
        return frame(
          session.meeting,
          waitingPage(
            { session, media: this.#media, chatOpen: this.chatOpen, unread: this.unread, devices: !kept('looked') && wholeProblem(this.#media) !== 'frame', busy: this.busy, failed: this.failed },
            { cancel: () => void this.#leave(), chat: () => void this.#toggleChat() },
          ),
          { slim: true },
        );
      case 'call':
        return this.#callPage(session);
      case 'gone':
        return frame(
          session.meeting,
          gonePage(
            { why: this.#room!.dropped!, at: this.#room!.endedAt, self: this.#self, other: this.#agent, busy: this.busy, failed: this.failed },
            { rejoin: () => void this.#rejoin(), leave: () => void this.#leave() },
          ),
          { slim: true },
        );
      default:
        return frame(session.meeting, this.#leftPage(session), { slim: true });
    }
  }

  #named = (name: string): void => {
    this.guestName = name;
    this.nameMissing = false;
  };

  #guestView(): { ask: boolean; name: string; missing: boolean } | undefined {
    return this.#guest ? { ask: ownName(this.#session!.meeting) === '', name: this.guestName, missing: this.nameMissing } : undefined;
  }

  get #self(): string {
    const { meeting } = this.#session!;
    return ownName(meeting) || this.#room?.name || (this.#guest ? '' : visitorName(meeting)) || '';
  }

  #callPage(session: MeetingSession): TemplateResult {
    const { meeting } = session;
    return html`<main class="call">
      <h1 class="sr" tabindex="-1">${t('call.with', { name: this.#agent })}</h1>
      <call-stage
        .room=${this.#room} .media=${this.#media} .meeting=${meeting} .now=${() => session.now()} .other=${this.#agent} .self=${this.#self} windowed
        .waiting=${t('call.connecting', { name: this.#agent })} .chatOpen=${this.chatOpen} .unread=${this.unread}
        @chat=${this.#toggleChat} @leave=${this.#leave} @window=${this.#openWindow}></call-stage>
      ${this.chatOpen ? html`<aside class="chat call__sheet" aria-label=${t('chat.title')} @keydown=${this.#escape}><call-chat .session=${session} closable @close=${this.#toggleChat}></call-chat></aside>` : nothing}
    </main>`;
  }

  #escape = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') void this.#toggleChat();
  };

  #leftPage(session: MeetingSession): TemplateResult {
    const { meeting } = session;
    const site = meeting.site.key;
    return leftPage(
      {
        meeting,
        left: this.#left,
        tooLate: this.#tooLate,
        late: this.#late,
        seconds: this.goAt === undefined ? undefined : Math.max(0, Math.ceil((this.goAt - Date.now()) / 1000)),
        again: site && !this.#host.framed ? `/call/${encodeURIComponent(site)}?lang=${text.lang}` : undefined,
        chatOpen: this.chatOpen,
        chat: session.messages.length > 0 ? html`<section class="card chat wait__chat" aria-label=${t('chat.title')}><call-chat .session=${session} over></call-chat></section>` : nothing,
        closable: this.#host.framed,
        closeYourself: this.closeYourself,
      },
      {
        stay: () => {
          this.goAt = undefined;
          live.say(t('left.staying'));
        },
        go: this.#go,
        close: this.#close,
        chat: () => {
          this.goAt = undefined; // somebody who reads wants to stay
          void this.#toggleChat();
        },
      },
    );
  }

  #closer(): TemplateResult | typeof nothing {
    return this.#host.framed ? html`<button type="button" class="btn btn--line single__act" data-test="close" @click=${this.#close}>${t('page.close')}</button>` : nothing;
  }
}

setTheme(themeFrom(location.search));
