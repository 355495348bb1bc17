// The client of docs/protocol.md: one WebSocket, one peer connection to publish
// on and one to subscribe on. No DOM in here; sockets and peer connections can
// be brought by a test. A lost session is replaced by a new one, which sends
// the same tracks again; the old legs stay until the new welcome has come, so
// that the last picture stays too.

import { Emitter } from './emitter';
import { PublishLeg, type Publication } from './publish';
import { StatsReader, type Quality } from './stats';
import { SubscribeLeg, type Offer } from './subscribe';
import { Wire, backoff, type Message, type OpenSocket } from './wire';

export type Source = 'microphone' | 'camera' | 'screen' | 'screen_audio';
export type Kind = 'audio' | 'video';
export type Reason = 'left' | 'ended' | 'network' | 'server_restart' | 'kicked' | 'duplicate' | 'expired' | 'overload' | 'unknown';

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
  readonly tracks: readonly RemoteTrack[];
}

/** Where to go and with what; asked for again at every reconnection. */
export interface Ticket {
  url: string;
  token: string;
}

export interface SignalOptions {
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
  /** The session was lost; a new one is on its way. */
  lost: 'network' | 'server_restart' | 'overload';
  /** It is over, and will not come back by itself. */
  ended: Reason;
  /** A complaint of the server, not fatal. */
  problem: { code: string; detail: string };
}

interface Presence {
  id: string;
  role: string;
  name: string;
  tracks: { source: Source; kind: Kind; muted: boolean }[];
}

interface Welcome {
  type: 'welcome';
  me: string;
  ice_servers?: RTCIceServer[];
  participants: Presence[];
  limits?: { video_bitrate?: number };
  ping_ms: number;
}

interface TrackNews {
  type: 'track' | 'untrack';
  participant: string;
  source: Source;
  kind?: Kind;
  muted?: boolean;
}

interface Complaint {
  type: 'error';
  code: string;
  detail?: string;
  fatal?: boolean;
}

type FromServer =
  | Welcome
  | ({ type: 'offer' } & Offer)
  | { type: 'answer'; id: number; sdp: string }
  | { type: 'candidate'; leg: 'publish' | 'subscribe'; candidate: RTCIceCandidateInit | null }
  | { type: 'joined'; participant: Presence }
  | { type: 'left'; participant: string }
  | TrackNews
  | { type: 'bye'; reason: string }
  | Complaint;

/** Everything that belongs to one socket. */
interface Session {
  wire: Wire | undefined;
  publish?: PublishLeg;
  subscribe?: SubscribeLeg;
  /** Messages are handled one after the other, each to its end. */
  chain: Promise<void>;
  welcomed: boolean;
}

const protocolVersion = 1;
const firstWordMs = 6000;
const comesBack = new Set<string>(['network', 'server_restart', 'overload', 'draining', 'unknown']);
const fatalReason: Readonly<Record<string, Reason>> = { bad_token: 'expired', room_full: 'overload', server_full: 'overload', draining: 'server_restart' };

export class Signal extends Emitter<SignalEvents> {
  #session: Session | undefined;
  #old: Session | undefined;
  #state: SignalEvents['state'] | 'idle' = 'idle';
  #tries = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #lostAt = 0;
  #me = '';
  #present = new Map<string, Presence>();
  #media = new Map<string, MediaStreamTrack>();
  #published = new Map<Source, Publication>();
  #reader = new StatsReader();

  constructor(private readonly options: SignalOptions) {
    super();
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
    this.#lostAt = Date.now();
    this.#become('connecting');
    void this.#connect();
  }

  /** publish sends these sources, now and after every reconnection. A null track is a source that is off for now. */
  publish(publications: readonly Publication[]): void {
    for (const p of publications) this.#published.set(p.source, { ...p });
    this.#session?.publish?.set(this.#published);
  }

  /** unpublish withdraws a source (it renegotiates; to turn a source off use setMuted). */
  unpublish(source: Source): void {
    if (this.#published.delete(source)) this.#session?.publish?.set(this.#published);
  }

  /** setMuted turns a source off or on without renegotiation, and tells the others. */
  setMuted(source: Source, muted: boolean): void {
    const p = this.#published.get(source);
    if (!p || p.muted === muted) return;
    p.muted = muted;
    this.#session?.publish?.refresh(p);
    this.#session?.wire?.send({ type: 'track', source, muted });
  }

  /** replaceTrack changes the device behind a source without renegotiation. */
  async replaceTrack(source: Source, track: MediaStreamTrack | null): Promise<void> {
    const p = this.#published.get(source);
    if (!p) return;
    p.track = track;
    await this.#session?.publish?.refresh(p);
  }

  /** leave says goodbye and ends everything. */
  leave(): void {
    this.#session?.wire?.send({ type: 'leave' });
    this.#finish('left');
  }

  /** retry skips the wait before the next try (the network came back, the page is visible again). */
  retry(): void {
    if (this.#state !== 'reconnecting' || this.#session) return;
    clearTimeout(this.#retry);
    void this.#connect();
  }

  /** quality measures both legs since the last call, or gives undefined without a session. */
  async quality(): Promise<Quality | undefined> {
    const { publish, subscribe } = this.#session ?? {};
    if (!publish || !subscribe) return undefined;
    return this.#reader.read(await publish.peer.getStats(), await subscribe.peer.getStats());
  }

  async #connect(): Promise<void> {
    let ticket: Ticket;
    try {
      ticket = await this.options.ticket();
    } catch (error) {
      if (this.#over) return;
      if ((error as { final?: boolean } | null)?.final) this.#finish('expired');
      else this.#later();
      return;
    }
    if (this.#over || this.#session) return;
    const session: Session = { wire: undefined, chain: Promise.resolve(), welcomed: false };
    session.wire = new Wire({
      url: ticket.url,
      protocol: 'ringdown.signal',
      hello: { type: 'hello', versions: [protocolVersion], token: ticket.token },
      silenceMs: firstWordMs,
      ...(this.options.open && { open: this.options.open }),
      onMessage: (message) => {
        session.chain = session.chain.then(() => this.#handle(session, message)).catch(() => this.#lose(session, 'network'));
      },
      // after what has already arrived: a bye that came before the close must be heard first
      onDown: () => void session.chain.then(() => this.#lose(session, 'network')),
    });
    this.#session = session;
  }

  async #handle(session: Session, message: Message): Promise<void> {
    if (session !== this.#session) return;
    const m = message as FromServer;
    switch (m.type) {
      case 'welcome':
        this.#welcome(session, m);
        break;
      case 'offer':
        await session.subscribe?.offer(m);
        break;
      case 'answer':
        await session.publish?.answer(m);
        break;
      case 'candidate':
        await (m.leg === 'publish' ? session.publish : session.subscribe)?.candidate(m.candidate);
        break;
      case 'joined':
        this.#present.set(m.participant.id, m.participant);
        this.#tellPresence();
        break;
      case 'left':
        this.#forget(m.participant);
        this.#tellPresence();
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

  #welcome(session: Session, welcome: Welcome): void {
    session.welcomed = true;
    session.wire?.patience(3 * welcome.ping_ms);
    this.#me = welcome.me;
    this.#tries = 0;
    this.#media.clear();
    this.#present = new Map(welcome.participants.filter((p) => p.id !== welcome.me).map((p) => [p.id, p]));
    const config: RTCConfiguration = { iceServers: welcome.ice_servers ?? [], bundlePolicy: 'max-bundle' };
    const makePeer = this.options.peer ?? ((c) => new RTCPeerConnection(c));
    const dead = () => this.#lose(session, 'network');
    const send = (message: object) => session.wire?.send(message);
    session.subscribe = new SubscribeLeg(makePeer(config), send, dead, (media) => {
      this.#media = media;
      this.#tellPresence();
    });
    session.publish = new PublishLeg(makePeer(config), send, dead, welcome.limits?.video_bitrate);
    session.publish.set(this.#published);
    this.#drop(this.#old);
    this.#old = undefined;
    this.#become('connected');
    this.#tellPresence();
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

  #bye(session: Session, reason: string): void {
    if (comesBack.has(reason)) this.#lose(session, reason === 'server_restart' || reason === 'overload' ? reason : 'network');
    else this.#finish(reason as Reason);
  }

  #error(session: Session, m: Complaint): void {
    this.emit('problem', { code: m.code, detail: m.detail ?? '' });
    if (!m.fatal) return;
    const reason = fatalReason[m.code] ?? 'unknown';
    if (m.code === 'draining' || m.code === 'flood' || m.code === 'internal') this.#lose(session, 'server_restart');
    else this.#finish(reason);
  }

  #lose(session: Session, why: SignalEvents['lost']): void {
    if (session !== this.#session || this.#over) return;
    session.wire?.close();
    this.#session = undefined;
    if (session.welcomed) {
      this.#drop(this.#old);
      this.#old = session;
      this.#lostAt = Date.now();
      this.#become('reconnecting');
      this.emit('lost', why);
    } else {
      this.#drop(session);
    }
    this.#later();
  }

  #later(): void {
    if (Date.now() - this.#lostAt >= (this.options.giveUpMs ?? 60_000)) {
      this.#finish('network');
      return;
    }
    this.#retry = setTimeout(() => void this.#connect(), backoff(this.#tries));
    this.#tries += 1;
  }

  #finish(reason: Reason): void {
    if (this.#over) return;
    clearTimeout(this.#retry);
    this.#drop(this.#session);
    this.#drop(this.#old);
    this.#session = this.#old = undefined;
    this.#present.clear();
    this.#media.clear();
    this.#become('ended');
    this.emit('ended', reason);
  }

  #drop(session: Session | undefined): void {
    session?.wire?.close();
    session?.publish?.close();
    session?.subscribe?.close();
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
    this.emit('state', state);
  }
}
