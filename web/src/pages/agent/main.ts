// The agent's page: /ring/{id}#secret asks, /room/{id} talks. One program, so
// that an answer needs no second page. Where it stands follows from the
// meeting; see `view`.

import { customElement, html, state } from 'lit';
import { Problem } from '../../lib/api';
import { PageElement } from '../../lib/element';
import { keep, kept, takeSecret } from '../../lib/link';
import { live } from '../../lib/live';
import { setTheme, themeFrom } from '../../lib/theme';
import { t, text } from '../../lib/words';
import { brand } from '../../call/brand';
import '../../call/chat';
import { spoken } from '../../call/chat';
import { frame, place, title } from '../../call/frame';
import { gonePage, goneTitle, rejoin, rejoinMs } from '../../call/gone';
import { linkPage, linkProblem, type LinkProblem } from '../../call/link-problem';
import { LocalMedia } from '../../call/media';
import { ownName, type Message } from '../../call/model';
import { Room } from '../../call/room';
import { MeetingSession } from '../../call/session';
import { sounds } from '../../call/sounds';
import '../../call/stage';
import { who } from './customer';
import { beReady, device, name, ready, rename } from './identity';
import { Invitations } from './invite';
import { Notes } from './notes';
import { notePage, ringPage, type DeclineReason } from './ring';
import { devicesPage, roomPage, summaryPage } from './room';
import { Tab } from './tab';
import './agent.css';

type View = 'loading' | 'problem' | 'planned' | 'ring' | 'taken' | 'declined' | 'over' | 'devices' | 'room' | 'gone' | 'left';

@customElement('agent-page')
export class AgentPage extends PageElement {
  @state() private accessor problem: LinkProblem | undefined = undefined;
  @state() private accessor busy = false;
  @state() private accessor failed = '';
  @state() private accessor menu = false;
  @state() private accessor agentName = name();
  @state() private accessor naming = name() === '';
  @state() private accessor nameMissing = false;
  @state() private accessor chatOpen = false;
  @state() private accessor panelOpen = false;
  @state() private accessor unread = 0;
  @state() private accessor entered = false;
  #session: MeetingSession | undefined;
  #media = new LocalMedia();
  #room: Room | undefined;
  #notes: Notes | undefined;
  #invitations: Invitations | undefined;
  #secret = takeSecret();
  #id = decodeURIComponent(location.pathname.split('/')[2] ?? '');
  #view: View = 'loading';
  #tab = new Tab();
  #ticks = 0;
  /** Came by an invitation into a running call. */
  #asked = this.#id.startsWith('inv_') && location.pathname.startsWith('/room/') && kept<boolean>('answered') !== true;
  /** Opened the call: nobody was rung. */
  #started = false;
  /** Went, and left the others together; or did not come back in time. */
  #left: '' | 'left' | 'late' = '';
  /** This tab is the one that talks: it answered, or was opened after the answer. */
  #here = false;

  override connectedCallback(): void {
    super.connectedCallback();
    const lang = kept<string>('lang');
    if (lang) text.use(lang);
    text.changed(() => keep('lang', text.lang));
    this.#media.on('change', () => this.requestUpdate());
    addEventListener('beforeunload', (event) => {
      if (this.#view === 'room') event.preventDefault();
    });
    addEventListener('online', () => {
      if (this.problem === 'network') void this.#open();
    });
    for (const name of ['pointerdown', 'keydown'] as const) addEventListener(name, () => setTimeout(() => this.requestUpdate(), 100));
    addEventListener('pointerdown', (event) => {
      if (this.menu && !(event.target as Element).closest('.answers__no')) this.menu = false;
    });
    setInterval(() => this.#tick(), 500);
    void this.#open();
  }

  async #open(): Promise<void> {
    if (!this.#secret) {
      this.problem = 'incomplete';
      return;
    }
    try {
      const session = await MeetingSession.open({ id: this.#id, secret: this.#secret, device: device() });
      this.problem = undefined;
      this.#begin(session);
    } catch (error) {
      this.problem = error instanceof Problem ? linkProblem(error) : 'network';
    }
  }

  #begin(session: MeetingSession): void {
    this.#session = session;
    this.#room = new Room(session, this.#media, 'visitor');
    this.#room.on('change', () => {
      if ((this.#view === 'gone') !== (this.view === 'gone')) this.#changed();
    });
    this.#notes = new Notes(session);
    this.#notes.on('change', () => this.requestUpdate());
    this.#invitations = new Invitations(session);
    this.#invitations.on('change', () => this.requestUpdate());
    const { meeting } = session;
    this.#started = !meeting.ring && meeting.participants.find(({ role }) => role === 'agent')?.id === meeting.you?.participant;
    this.#asked &&= !this.#started;
    if (this.#asked) this.#room.name = this.agentName;
    brand(meeting.site.brand);
    this.entered = kept<boolean>('entered') === true; // a reload comes back to the room
    this.#here = meeting.state === 'active';
    session.on('change', () => this.#changed());
    session.on('said', (message) => this.#said(message));
    session.on('lost', (problem) => this.#lost(problem));
    session.follow();
    if (this.entered) {
      const wishes = this.#media.wishes;
      if (wishes.camera) void this.#media.open('camera');
      if (wishes.microphone) void this.#media.open('microphone');
    }
    this.#changed();
  }

  get #mine(): boolean {
    return Boolean(this.#session?.meeting.you?.participant);
  }

  /** The one place where it is decided what is shown. */
  get view(): View {
    const meeting = this.#session?.meeting;
    if (this.problem) return 'problem';
    if (!meeting) return 'loading';
    switch (meeting.state) {
      case 'planned':
        return 'planned';
      case 'requested':
        return meeting.ring?.you_declined ? 'declined' : 'ring';
      case 'active':
        if (this.#left) return 'left';
        return !this.#mine || !this.#here ? 'taken' : !this.entered ? 'devices' : this.#room?.dropped ? 'gone' : 'room';
      case 'ended':
        return this.#mine ? 'left' : 'over';
    }
  }

  #changed(): void {
    const [was, now] = [this.#view, this.view];
    this.#view = now;
    if (was !== now) this.#moved(was, now);
    this.#sound();
    this.requestUpdate();
  }

  #moved(was: View, now: View): void {
    this.failed = '';
    this.menu = false;
    if (now === 'devices' || now === 'room') {
      if (!this.#asked) keep('answered', true);
      // The room has an address of its own; the secret stays in the history entry.
      if (!location.pathname.startsWith('/room/')) history.replaceState(history.state, '', `/room/${encodeURIComponent(this.#id)}${location.search}`);
    }
    if (now === 'devices') void this.#prepare(was === 'ring' || this.#started);
    if (now === 'room') {
      if (was !== 'gone') this.panelOpen = this.chatOpen = matchMedia('(min-width: 68.01rem)').matches;
      this.#room?.enter();
    }
    if (now === 'gone') {
      this.#media.stop(); // nobody is there to see us: the light goes out
      live.say(goneTitle(this.#room!.dropped!));
    }
    if (now === 'taken' || now === 'over' || now === 'left') {
      this.#room?.leave();
      this.#media.stop();
      if (was === 'room' || was === 'gone') sounds.left();
    }
    if (now === 'taken' && !this.#mine) live.say(t('agent.note.taken', { name: this.#session?.meeting.ring?.taken_by ?? t('agent.somebody') }));
    if (now === 'left') void this.#readNotes();
    if (now === 'left' || now === 'over') this.#session?.unfollow();
    if (now === 'left') this.chatOpen = false;
  }

  /**
   * Devices that were looked at before need no second look: the winner goes
   * straight in, and they open meanwhile. One that does not says so in the call.
   */
  async #prepare(justWon: boolean): Promise<void> {
    const known = ready();
    const opening = Promise.all([this.#media.open('camera'), this.#media.open('microphone')]);
    await Promise.resolve(); // the page is still moving
    if (justWon && known) void this.#enter();
    await opening;
  }

  /** Opened after the end there is no stream to tell them. */
  async #readNotes(): Promise<void> {
    const notes = await this.#session?.notes().catch(() => undefined);
    if (notes) this.#notes?.read(notes);
  }

  #lost(problem: Problem): void {
    this.problem = linkProblem(problem);
    this.#view = 'problem';
    this.#room?.leave();
    this.#media.stop();
    this.#session?.unfollow();
    this.#sound();
  }

  #sound(): void {
    if (this.#view === 'ring' && this.#session?.fresh) sounds.startRing();
    else sounds.stopRing();
  }

  #said(message: Message): void {
    if (this.#view !== 'room') return;
    sounds.message();
    live.say(spoken(message));
    if (!this.chatOpen) this.unread += 1;
  }

  #tick(): void {
    this.#ticks += 1;
    this.#sound(); // being fresh runs out by time alone
    if (this.#view === 'ring' || this.#view === 'planned' || this.#view === 'gone') this.requestUpdate();
    if (this.#view === 'room' && this.panelOpen) this.#invitations?.follow();
    if (this.#view === 'gone' && Date.now() - this.#room!.endedAt > rejoinMs) void this.#leave('late');
  }

  // What the agent does.

  #accept = async (): Promise<void> => {
    const called = this.agentName.trim();
    if (called === '') {
      this.naming = this.nameMissing = true;
      await this.updateComplete;
      this.querySelector<HTMLElement>('#name')?.focus();
      return;
    }
    this.#named(called);
    this.#here = true;
    await this.#try(() => this.#session!.accept(called));
  };

  #decline = async (reason: DeclineReason): Promise<void> => {
    this.menu = false;
    const called = this.agentName.trim();
    if (called !== '') this.#named(called);
    await this.#try(() => this.#session!.decline(called || t('call.advisor'), reason));
  };

  #named(called: string): void {
    rename(called);
    this.agentName = called;
    this.naming = this.nameMissing = false;
  }

  #typed = (typed: string): void => {
    this.agentName = typed;
    this.nameMissing = false;
  };

  #talkHere = (): void => {
    this.#here = true;
    this.#changed();
  };

  #enter = async (): Promise<void> => {
    const { meeting } = this.#session!;
    if (this.#asked && ownName(meeting) === '') {
      const called = this.agentName.trim();
      if (called === '') {
        this.naming = this.nameMissing = true;
        live.say(t('guest.name.missing'));
        await this.updateComplete;
        this.querySelector<HTMLElement>('#name')?.focus();
        return;
      }
      this.#named(called);
      this.#room!.name = called;
    }
    beReady();
    keep('entered', true);
    this.entered = true;
    this.#changed();
  };

  #soundOnly = async (): Promise<void> => {
    await this.#media.turn('camera', false);
    this.#media.settle('camera');
    if (!this.#media.microphone.on) await this.#media.open('microphone');
    await this.#enter();
  };

  #end = async (): Promise<void> => {
    await this.#try(() => this.#session!.end());
  };

  /** Only ourselves; whatever the network says, the person has left. */
  #leave = async (why: 'left' | 'late' = 'left'): Promise<void> => {
    if (this.#left) return;
    this.#left = why;
    this.#changed();
    await this.#session!.leave().catch(() => {});
    this.#changed();
  };

  #rejoin = async (): Promise<void> => {
    this.busy = true;
    this.failed = await rejoin(this.#session!, this.#media, this.#room!, () => this.view === 'gone');
    if (this.failed) live.say(this.failed);
    this.busy = false;
    this.#changed();
  };

  async #try(act: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.failed = '';
    try {
      await act();
    } catch (error) {
      // Somebody was quicker, or it is over: the stream says so in its own words.
      const moved = error instanceof Problem && error.status === 409;
      this.failed = moved ? '' : t('page.offline');
      if (moved) await this.#session!.refresh().catch(() => {});
      if (this.failed) live.say(this.failed);
    } finally {
      this.busy = false;
    }
  }

  #openMenu = async (open: boolean): Promise<void> => {
    this.menu = open;
    await this.updateComplete;
    this.querySelector<HTMLElement>(open ? '[role=menuitem]' : '[data-test=decline-reasons]')?.focus();
  };

  #rename = async (): Promise<void> => {
    this.naming = true;
    await this.updateComplete;
    this.querySelector<HTMLInputElement>('#name')?.select();
  };

  #toggleChat = async (): Promise<void> => {
    this.chatOpen = !this.chatOpen;
    this.unread = 0;
    if (this.chatOpen && !matchMedia('(min-width: 68.01rem)').matches) this.panelOpen = false;
    await this.updateComplete;
    if (this.chatOpen) this.querySelector<HTMLElement>('call-chat')?.focus();
    else this.querySelector<HTMLElement>('[data-test=chat], [data-test=chat-toggle]')?.focus();
  };

  #togglePanel = async (): Promise<void> => {
    this.panelOpen = !this.panelOpen;
    if (this.panelOpen && !matchMedia('(min-width: 68.01rem)').matches) this.chatOpen = false;
    await this.updateComplete;
    this.querySelector<HTMLElement>(this.panelOpen ? '.room__left button' : '[data-test=customer]')?.focus();
  };

  // What is shown.

  protected override updated(): void {
    const view = this.view;
    place(view);
    const meeting = this.#session?.meeting;
    const ringing = view === 'ring' && this.#session?.fresh === true;
    this.#tab.ringing(ringing);
    const calls = meeting ? t('agent.tab.ringing', { name: who(meeting) }) : '';
    title(ringing ? (this.#ticks % 4 < 2 ? calls : t('agent.ring.now')) : this.#title(view), ringing ? undefined : meeting?.site.name);
  }

  #title(view: View): string {
    const meeting = this.#session?.meeting;
    if (view === 'problem') return t(`link.${this.problem ?? 'network'}`);
    if (!meeting) return t('page.loading');
    if (view === 'room') return t('call.with', { name: who(meeting) });
    if (view === 'gone') return goneTitle(this.#room?.dropped ?? 'network');
    if (view === 'devices') return t(`agent.${this.#entering}.title`, { visitor: who(meeting) });
    if (view === 'left') return t('left.title');
    if (view === 'ring') return t('page.reconnecting');
    return t(`agent.note.${this.#note(view)}`, { name: meeting.ring?.taken_by ?? t('agent.somebody') });
  }

  get #entering(): 'guest' | 'start' | 'enter' {
    return this.#asked ? 'guest' : this.#started ? 'start' : 'enter';
  }

  #note(view: 'planned' | 'taken' | 'declined' | 'over' | 'loading'): Parameters<typeof notePage>[0] {
    if (view === 'taken' && this.#mine) return 'elsewhere';
    if (view !== 'over' && view !== 'loading') return view;
    const outcome = this.#session?.meeting.outcome;
    switch (outcome) {
      case 'missed':
      case 'cancelled':
      case 'expired':
        return outcome;
      case 'declined':
        return 'refused';
      default:
        return 'over';
    }
  }

  protected override render(): unknown {
    const session = this.#session;
    const view = this.view;
    const slim = { slim: true, ours: true };
    if (view === 'problem') return frame(session?.meeting, linkPage(this.problem ?? 'network', () => void this.#open()), slim);
    if (!session) return frame(undefined, html`<p class="muted single" role="status">${t('page.loading')}</p>`, slim);
    switch (view) {
      case 'ring':
        return frame(
          session.meeting,
          ringPage(
            { session, name: this.agentName, naming: this.naming, nameMissing: this.nameMissing, busy: this.busy, failed: this.failed, menu: this.menu, silent: !sounds.audible },
            {
              accept: () => void this.#accept(),
              decline: (reason) => void this.#decline(reason),
              menu: (open) => void this.#openMenu(open),
              rename: () => void this.#rename(),
              typed: this.#typed,
              sound: () => sounds.unlock(),
            },
          ),
          slim,
        );
      case 'devices':
        return frame(session.meeting, devicesPage(session, this.#media, { enter: () => void this.#enter(), soundOnly: () => void this.#soundOnly(), named: this.#typed }, this.#entering, this.#asked ? { ask: ownName(session.meeting) === '', name: this.agentName, missing: this.nameMissing } : undefined), { ours: true });
      case 'room':
        return roomPage(
          { session, media: this.#media, room: this.#room!, notes: this.#notes!, invitations: this.#invitations!, self: ownName(session.meeting) || this.agentName, chatOpen: this.chatOpen, panelOpen: this.panelOpen, unread: this.unread, failed: this.failed },
          { chat: () => void this.#toggleChat(), panel: () => void this.#togglePanel(), end: () => void this.#end(), leave: () => void this.#leave() },
        );
      case 'gone':
        return frame(
          session.meeting,
          gonePage(
            { why: this.#room!.dropped!, at: this.#room!.endedAt, self: ownName(session.meeting) || this.agentName, other: who(session.meeting), busy: this.busy, failed: this.failed },
            { rejoin: () => void this.#rejoin(), leave: () => void this.#leave() },
          ),
          slim,
        );
      case 'left':
        return frame(session.meeting, summaryPage(session, this.#notes!, this.#left, this.chatOpen, () => void this.#toggleChat()), slim);
      default:
        return frame(session.meeting, notePage(this.#note(view), session, this.#talkHere), slim);
    }
  }
}

setTheme(themeFrom(location.search));
