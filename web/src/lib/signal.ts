// The client of docs/protocol.md: one WebSocket, one peer connection to publish
// on and one to subscribe on. No DOM in here; sockets and peer connections can
// be brought by a test.
//
// A lost socket is replaced by a new one that resumes: the peer connections live
// on, with new addresses where their path is dead. If the server has nothing to
// resume we join again and send the same tracks; the old legs stay until the new
// welcome has come, so that the last picture stays too.

import { Emitter } from './emitter';
import type { Complaint, FromServer, Kind, Presence, Reason, Source, Speakers, TrackNews, Welcome } from './protocol';
import { PublishLeg, alive, type Publication } from './publish';
import { StatsReader, type Quality } from './stats';
import { SubscribeLeg } from './subscribe';
import { Wire, backoff, type Message, type OpenSocket } from './wire';

/** What somebody sends; `track` is there once its media has been negotiated. */
export interface RemoteTrack {
  readonly source: Source;
  readonly kind: Kind;
  readonly muted: boolean;
  readonly track?: MediaStreamTrack;
}

export interface Participant {
  readonly id: string;
  readonly role: string;
  readonly name: string;
  /** Reconnecting; their place and their tracks are kept. */
  readonly away: boolean;
  /** What they say of their own connection. */
  readonly quality?: { readonly word: Quality['word']; readonly side: Quality['side'] };
  readonly tracks: readonly RemoteTrack[];
}

/** Where to go and with what; asked for again at every reconnection. */
export interface Ticket {
  url: string;
  token: string;
  iceServers?: RTCIceServer[];
}

export interface SignalOptions {
  /** Where the ticket most likely leads: the socket is opened while the ticket is on its way. */
  url: string;
  /** Gets a fresh ticket: the same call that joined the first time. A rejection whose `final` is true ends the call. */
  ticket: () => Promise<Ticket>;
  open?: OpenSocket;
  peer?: (config: RTCConfiguration) => RTCPeerConnection;
  /** How long to keep trying after a loss. */
  giveUpMs?: number;
}

export interface SignalEvents {
  state: 'connecting' | 'connected' | 'reconnecting' | 'ended';
  /** Somebody came, went, or changed what they send. The list does not hold oneself. */
  participants: readonly Participant[];
  speakers: Speakers;
  /** The socket or the path of the media was lost; a new one is on its way. */
  lost: 'network' | 'server_restart' | 'overload';
  /** It is over, and will not come back by itself. */
  ended: Reason;
  /** A complaint of the server, not fatal. */
  problem: { code: string; detail: string };
}

/** One socket. */
interface Session {
  wire: Wire | undefined;
  /** Messages are handled one after the other, each to its end. */
  chain: Promise<void>;
  welcomed: boolean;
  /** Ours only after the welcome; the old ones stay until then. Undefined while it resumes. */
  legs: Legs | undefined;
}

/** The peer connections. They outlive a socket. */
interface Legs {
  publish: PublishLeg;
  subscribe: SubscribeLeg;
  /** What a new socket names to take them over; empty once that is in vain. */
  resume: string;
}

const protocolVersion = 1;
const unheardMs = 90_000; // a loss is noticed late, and mended within a minute
const firstWordMs = 6000;
/** How long a try to come back may take; it is given up for the next one, which may find the network back. */
const tryMs = [2000, 2000, 3000, 4000, 6000] as const;
const mendFirstMs = 1000; // a path that stutters often comes back by itself
const mendAgainMs = 5000;
const mendGiveUpMs = 20_000; // then everything is made anew
const comesBack = new Set<string>(['network', 'server_restart', 'overload', 'draining', 'unknown']);
const fatalReason: Readonly<Record<string, Reason>> = { bad_token: 'expired', room_full: 'overload', server_full: 'overload', draining: 'server_restart' };

export class Signal extends Emitter<SignalEvents> {
  #session: Session | undefined;
  #legs: Legs | undefined;
  #url: string;
  #asked: Promise<Ticket> | undefined;
  #state: SignalEvents['state'] | 'idle' = 'idle';
  #tries = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #giveUp: ReturnType<typeof setTimeout> | undefined;
  #mending: ReturnType<typeof setTimeout> | undefined;
  #deadSince = 0;
  #reported = '';
  #me = '';
  #present = new Map<string, Presence>();
  #media = new Map<string, MediaStreamTrack>();
  #published = new Map<Source, Publication>();
  /** When a source was last turned off or on: told into a dead socket, it is told again. */
  #turned = new Map<Source, number>();
  #reader = new StatsReader();

  constructor(private readonly options: SignalOptions) {
    super();
    this.#url = options.url;
  }

  get state(): SignalEvents['state'] | 'idle' {
    return this.#state;
  }

  /** Our own participant id, known after the first welcome. */
  get me(): string {
    return this.#me;
  }

  get participants(): readonly Participant[] {
    return [...this.#present.values()].map((p) => ({
      ...p,
      away: p.away ?? false,
      tracks: p.tracks.map((track) => {
        const media = this.#media.get(`${p.id}/${track.source}`);
        return media ? { ...track, track: media } : track;
      }),
    }));
  }

  /** join connects for the first time; `state` tells how it goes. */
  join(): void {
    if (this.#state !== 'idle' && this.#state !== 'ended') return;
    this.#tries = 0;
    this.#become('connecting');
    void this.#connect();
  }

  /** publish sends these sources, now and after every reconnection. A null track is a source that is off for now. */
  publish(publications: readonly Publication[]): void {
    for (const p of publications) this.#published.set(p.source, { ...p });
    this.#newest?.publish.set(this.#published);
  }

  /** unpublish withdraws a source (it renegotiates; to turn a source off use setMuted). */
  unpublish(source: Source): void {
    if (this.#published.delete(source)) this.#newest?.publish.set(this.#published);
  }

  /** setMuted turns a source off or on without renegotiation, and tells the others. */
  setMuted(source: Source, muted: boolean): void {
    const p = this.#published.get(source);
    if (!p || p.muted === muted) return;
    p.muted = muted;
    this.#turned.set(source, Date.now());
    this.#newest?.publish.refresh(p);
    this.#session?.wire?.send({ type: 'track', source, muted });
  }

  /** replaceTrack changes the device behind a source without renegotiation. */
  async replaceTrack(source: Source, track: MediaStreamTrack | null): Promise<void> {
    const p = this.#published.get(source);
    if (!p) return;
    p.track = track;
    await this.#newest?.publish.refresh(p);
  }

  /** leave says goodbye and ends everything. */
  leave(): void {
    this.#session?.wire?.send({ type: 'leave' });
    this.#finish('left');
  }

  /** retry skips the wait for the next try (the network came back, the page is visible again). */
  retry(): void {
    if (this.#state !== 'reconnecting' || this.#session?.welcomed) return;
    this.#drop();
    clearTimeout(this.#retry);
    void this.#connect();
  }

  /** quality measures both legs since the last call, or gives undefined without a session. The others are told when it changed. */
  async quality(): Promise<Quality | undefined> {
    if (!this.#legs || !this.#session?.welcomed) return undefined;
    const { publish, subscribe } = this.#legs;
    const quality = this.#reader.read(await publish.peer.getStats(), await subscribe.peer.getStats());
    const { word, side } = quality;
    if (this.#reported !== `${word} ${side}`) {
      this.#reported = `${word} ${side}`;
      this.#send({ type: 'quality', word, side });
    }
    return quality;
  }

  async #connect(): Promise<void> {
    const resume = this.#legs?.resume;
    const patience = this.#state === 'reconnecting' ? tryMs[Math.min(this.#tries, tryMs.length - 1)]! : firstWordMs;
    if (resume) {
      this.#open(this.#url, { resume }, patience);
      return;
    }
    const ticket = this.#ticket(patience);
    const session = this.#open(this.#url, ticket, patience);
    try {
      const { url } = await ticket;
      if (session !== this.#session || url === this.#url) return;
      this.#drop();
      this.#url = url;
      this.#open(url, ticket, patience);
    } catch (error) {
      if (session !== this.#session) return;
      this.#drop();
      if ((error as { final?: boolean } | null)?.final) this.#finish('expired');
      else this.#later(backoff(this.#tries));
    }
  }

  /**
   * A ticket. While joining, a socket that ends before it has come does not ask
   * for another; while reconnecting it is not waited for longer than a try takes.
   */
  #ticket(patience: number): Promise<Ticket> {
    if (this.#state !== 'reconnecting') return (this.#asked ??= this.options.ticket().finally(() => (this.#asked = undefined)));
    let late: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<never>((_, reject) => (late = setTimeout(() => reject(new Error('late')), patience)));
    return Promise.race([this.options.ticket(), limit]).finally(() => clearTimeout(late));
  }

  /** open says hello as soon as there are a socket and a proof. What we send is offered right behind it: the server reads one after the other. */
  #open(url: string, proof: Promise<Ticket> | { resume: string }, silenceMs: number): Session {
    const session: Session = { wire: undefined, chain: Promise.resolve(), welcomed: false, legs: undefined };
    const hello = { type: 'hello', versions: [protocolVersion] };
    session.wire = new Wire({
      url,
      protocol: 'ringdown.signal',
      hello:
        'resume' in proof
          ? { ...hello, ...proof }
          : proof.then((ticket) => {
              if (session !== this.#session || ticket.url !== url) throw new Error('not for this socket any more');
              session.legs = this.#makeLegs(ticket.iceServers ?? []);
              return { ...hello, token: ticket.token };
            }),
      silenceMs,
      ...(this.options.open && { open: this.options.open }),
      onHello: () => session.legs?.publish.set(this.#published),
      onMessage: (message) => {
        session.chain = session.chain.then(() => this.#handle(session, message)).catch(() => this.#broken(session));
      },
      // after what has already arrived: a bye that came before the close must be heard first
      onDown: (why) => void session.chain.then(() => this.#lose(session, 'network', why === 'silent' ? 0 : backoff(this.#tries))),
    });
    return (this.#session = session);
  }

  /** drop lets go of the socket, and of legs that never became ours. */
  #drop(): void {
    const session = this.#session;
    session?.wire?.close();
    if (session?.legs !== this.#legs) shut(session?.legs);
    this.#session = undefined;
  }

  async #handle(session: Session, message: Message): Promise<void> {
    if (session !== this.#session) return;
    const m = message as FromServer;
    switch (m.type) {
      case 'welcome':
        await this.#welcome(session, m);
        break;
      case 'offer':
        await this.#legs?.subscribe.offer(m);
        break;
      case 'answer':
        await this.#legs?.publish.answer(m);
        break;
      case 'candidate':
        await (m.leg === 'publish' ? this.#legs?.publish : this.#legs?.subscribe)?.candidate(m.candidate);
        break;
      case 'joined':
        this.#present.set(m.participant.id, m.participant);
        this.#tellPresence();
        break;
      case 'left':
        this.#forget(m.participant);
        this.#tellPresence();
        break;
      case 'away':
        this.#change(m.participant, { away: m.away });
        break;
      case 'quality':
        this.#change(m.participant, { quality: { word: m.word, side: m.side } });
        break;
      case 'speakers':
        this.emit('speakers', { active: m.active, levels: m.levels });
        break;
      case 'track':
      case 'untrack':
        this.#track(m);
        break;
      case 'bye':
        this.#bye(session, m.reason);
        break;
      case 'error':
        this.#error(session, m);
        break;
    }
  }

  async #welcome(session: Session, welcome: Welcome): Promise<void> {
    session.welcomed = true;
    session.wire?.patience(3 * welcome.ping_ms);
    this.#me = welcome.me;
    this.#tries = 0;
    this.#reported = '';
    this.#present = new Map(welcome.participants.filter((p) => p.id !== welcome.me).map((p) => [p.id, p]));
    if (welcome.resumed && this.#legs) {
      for (const key of [...this.#media.keys()]) if (!this.#present.has(key.split('/')[0]!)) this.#media.delete(key);
      this.#tellPresence();
      void this.#resume(this.#legs);
      return;
    }
    shut(this.#legs);
    this.#legs = session.legs;
    if (!this.#legs) throw new Error('welcome to nothing');
    this.#legs.resume = welcome.resume ?? '';
    if (welcome.limits?.video_bitrate) void this.#legs.publish.limit(welcome.limits.video_bitrate);
    this.#media.clear();
    this.#deadSince = 0;
    this.#become('connected');
    this.#tellPresence();
  }

  #makeLegs(iceServers: RTCIceServer[]): Legs {
    const config: RTCConfiguration = { iceServers, bundlePolicy: 'max-bundle' };
    const makePeer = this.options.peer ?? ((c) => new RTCPeerConnection(c));
    const send = (message: object) => this.#send(message);
    const weigh = () => this.#weigh(legs);
    const subscribe = new SubscribeLeg(makePeer(config), send, weigh, (media) => {
      this.#media = media;
      this.#tellPresence();
    });
    const broken = () => legs === this.#newest && this.#session && this.#broken(this.#session);
    const legs: Legs = { publish: new PublishLeg(makePeer(config), send, weigh, broken), subscribe, resume: '' };
    return legs;
  }

  /** The legs that a change is for: those of a hello that was not answered yet, or ours. */
  get #newest(): Legs | undefined {
    return this.#session?.legs ?? this.#legs;
  }

  /** A new socket has the old legs: what was on its way is said again, and a path that nothing comes through gets new addresses. */
  async #resume(legs: Legs): Promise<void> {
    for (const { source, muted } of this.#published.values()) {
      if (Date.now() - (this.#turned.get(source) ?? -Infinity) < unheardMs) this.#send({ type: 'track', source, muted });
    }
    legs.publish.again();
    const [up, down] = await Promise.all([alive(legs.publish.peer), alive(legs.subscribe.peer)]);
    if (legs !== this.#legs) return;
    if (!up) legs.publish.restart();
    if (!down) legs.subscribe.restart();
    this.#deadSince = 0; // they have their time from here
    this.#weigh(legs);
  }

  /** A leg changed its state: either all is well, or its path is mended. */
  #weigh(legs: Legs): void {
    if (legs !== this.#legs || this.#over) return;
    const states = [legs.publish.peer.connectionState, legs.subscribe.peer.connectionState];
    const dead = states.includes('failed') || states.includes('disconnected');
    if (!dead) {
      clearTimeout(this.#mending);
      this.#mending = undefined;
      this.#deadSince = 0;
      if (this.#session?.welcomed) this.#become('connected');
      return;
    }
    if (this.#deadSince === 0) this.#deadSince = Date.now();
    this.#mending ??= setTimeout(() => this.#mend(legs), states.includes('failed') ? 0 : mendFirstMs);
  }

  #mend(legs: Legs): void {
    this.#mending = undefined;
    const session = this.#session;
    if (legs !== this.#legs || this.#deadSince === 0 || !session?.welcomed) return; // a new socket looks at the legs again
    if (Date.now() - this.#deadSince > mendGiveUpMs) {
      this.#broken(session);
      return;
    }
    if (this.#state === 'connected') {
      this.#become('reconnecting');
      this.emit('lost', 'network');
    }
    const dead = (peer: RTCPeerConnection) => peer.connectionState === 'failed' || peer.connectionState === 'disconnected';
    if (dead(legs.publish.peer)) legs.publish.restart();
    if (dead(legs.subscribe.peer)) legs.subscribe.restart();
    this.#mending = setTimeout(() => this.#mend(legs), mendAgainMs);
  }

  /** Something is wrong that new addresses do not mend: join anew. */
  #broken(session: Session): void {
    if (this.#legs) this.#legs.resume = '';
    this.#lose(session, 'network', backoff(this.#tries));
  }

  #track(m: TrackNews): void {
    const p = this.#present.get(m.participant);
    if (!p) return;
    const at = p.tracks.findIndex((track) => track.source === m.source);
    if (m.type === 'untrack') {
      this.#media.delete(`${p.id}/${m.source}`);
      p.tracks = p.tracks.filter((_, i) => i !== at);
    } else {
      const kind = m.kind ?? (m.source === 'camera' || m.source === 'screen' ? 'video' : 'audio');
      const track = { source: m.source, kind, muted: m.muted ?? false };
      p.tracks = at < 0 ? [...p.tracks, track] : p.tracks.map((old, i) => (i === at ? track : old));
    }
    this.#tellPresence();
  }

  #change(id: string, change: Partial<Presence>): void {
    const p = this.#present.get(id);
    if (!p) return;
    Object.assign(p, change);
    this.#tellPresence();
  }

  #bye(session: Session, reason: string): void {
    if (this.#legs) this.#legs.resume = '';
    if (comesBack.has(reason)) this.#lose(session, reason === 'server_restart' || reason === 'overload' ? reason : 'network', backoff(this.#tries));
    else this.#finish(reason as Reason);
  }

  #error(session: Session, m: Complaint): void {
    this.emit('problem', { code: m.code, detail: m.detail ?? '' });
    if (!m.fatal) return;
    if (this.#legs) this.#legs.resume = '';
    if (m.code === 'gone') this.#lose(session, 'network', 0);
    else if (m.code === 'draining' || m.code === 'flood' || m.code === 'internal') this.#lose(session, 'server_restart', backoff(this.#tries));
    else this.#finish(fatalReason[m.code] ?? 'unknown');
  }

  /** The socket is gone. The legs stay: their media may go on. */
  #lose(session: Session, why: SignalEvents['lost'], waitMs: number): void {
    if (session !== this.#session || this.#over) return;
    this.#drop();
    if (session.welcomed && this.#state === 'connected') {
      this.#become('reconnecting');
      this.emit('lost', why);
    }
    this.#later(waitMs);
  }

  #later(waitMs: number): void {
    this.#retry = setTimeout(() => void this.#connect(), waitMs);
    this.#tries += 1;
  }

  #finish(reason: Reason): void {
    if (this.#over) return;
    clearTimeout(this.#retry);
    clearTimeout(this.#mending);
    this.#drop();
    shut(this.#legs);
    this.#legs = undefined;
    this.#present.clear();
    this.#media.clear();
    this.#become('ended');
    this.emit('ended', reason);
  }

  #send(message: object): void {
    this.#session?.wire?.send(message);
  }

  #forget(id: string): void {
    this.#present.delete(id);
    for (const key of [...this.#media.keys()]) if (key.startsWith(`${id}/`)) this.#media.delete(key);
  }

  #tellPresence(): void {
    this.emit('participants', this.participants);
  }

  get #over(): boolean {
    return this.#state === 'ended' || this.#state === 'idle';
  }

  #become(state: SignalEvents['state']): void {
    if (state === this.#state) return;
    this.#state = state;
    clearTimeout(this.#giveUp);
    if (state === 'connecting' || state === 'reconnecting') this.#giveUp = setTimeout(() => this.#finish('network'), this.options.giveUpMs ?? 60_000);
    this.emit('state', state);
  }
}

function shut(legs: Legs | undefined): void {
  legs?.publish.close();
  legs?.subscribe.close();
}
