// The room of a call: the signalling client fed with our devices, and what the
// page needs to know of the others.

import { Problem, socketURL } from '../lib/api';
import { Emitter } from '../lib/emitter';
import type { Reason } from '../lib/protocol';
import { Signal, type RemoteTrack, type Ticket } from '../lib/signal';
import type { Quality } from '../lib/stats';
import type { LocalMedia } from './media';
import type { Role } from './model';
import { Shares, others, track, type Other } from './people';
import { Screen } from './screen';
import { final, type MeetingSession } from './session';

export interface RoomEvents {
  change: undefined;
  /** Somebody began to share the screen. */
  shares: Other;
}

const qualityMs = 2000;
const stalledAfter = 2; // readings without a new picture
export const giveUpMs = 60_000;

export class Room extends Emitter<RoomEvents> {
  #signal: Signal | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #release: (() => void)[] = [];
  #sent: { camera?: MediaStreamTrack | null; microphone?: MediaStreamTrack | null } = {};
  #shares = new Shares();
  #decoded = new Map<string, { frames: number; still: number }>();
  #awaySince = new Map<string, number>();
  readonly screen = new Screen();
  /** Our own connection, in a word that does not flicker. */
  quality: Quality | undefined;
  /** The name to join with where the invitation has none. */
  name = '';
  /** Who speaks, "" for nobody. */
  speaker = '';
  /** When the session was lost, by our own clock. */
  lostAt = 0;
  /** Set once it is over and will not come back by itself, with the time by our own clock. */
  ended: Reason | undefined;
  endedAt = 0;

  constructor(
    private readonly session: MeetingSession,
    private readonly media: LocalMedia,
    private readonly otherRole: Role,
  ) {
    super();
  }

  get state(): Signal['state'] {
    return this.#signal?.state ?? 'idle';
  }

  /** dropped is why we are out of the room against our will, or undefined. */
  get dropped(): Reason | undefined {
    return this.ended === 'left' || this.ended === 'ended' ? undefined : this.ended;
  }

  /** Everybody else, whoever we came to talk to first. */
  get others(): Other[] {
    const { meeting } = this.session;
    return others(meeting, this.#signal?.participants ?? [], meeting.you?.participant ?? this.#signal?.me, this.otherRole);
  }

  /** Whoever we came to talk to. */
  get other(): Other | undefined {
    return this.others[0];
  }

  /** Whose screen is shown large. */
  get large(): string | undefined {
    return this.#shares.large;
  }

  enlarge(id: string): void {
    this.#shares.enlarge(id);
    this.emit('change', undefined);
  }

  /** stalled tells of a camera that is on and sends no picture. */
  stalled(p: Other): boolean {
    return (this.#decoded.get(track(p, 'camera')?.track?.id ?? '')?.still ?? 0) >= stalledAfter;
  }

  /** awayFor is for how long somebody has been coming back, in milliseconds by our own clock. */
  awayFor(p: Other): number {
    return p.away ? Date.now() - (this.#awaySince.get(p.id) ?? Date.now()) : 0;
  }

  track(source: RemoteTrack['source']): RemoteTrack | undefined {
    return track(this.other, source);
  }

  /** enter joins, once; after an end it joins anew. */
  enter(): void {
    if (this.#signal && !this.ended) return;
    this.#leaveSignal();
    this.ended = undefined;
    const signal = new Signal({ url: socketURL('/v1/signal'), ticket: () => this.#ticket(), giveUpMs });
    this.#signal = signal;
    signal.on('participants', () => this.#tell());
    signal.on('speakers', ({ active }) => {
      this.speaker = active;
      this.emit('change', undefined);
    });
    signal.on('lost', () => (this.lostAt = Date.now()));
    signal.on('state', (state) => {
      if (state !== 'connected') this.quality = undefined;
      if (state !== 'connected') this.speaker = '';
      this.#tell();
    });
    signal.on('ended', (reason) => {
      [this.ended, this.endedAt] = [reason, Date.now()];
      this.screen.stop();
      this.#tell();
    });
    const { camera, microphone } = this.media;
    this.#sent = { camera: this.media.view, microphone: microphone.track ?? null };
    signal.publish([
      { source: 'microphone', kind: 'audio', track: this.#sent.microphone ?? null, muted: !microphone.on },
      { source: 'camera', kind: 'video', track: this.#sent.camera ?? null, muted: !camera.on },
    ]);
    signal.join();
    const online = () => signal.retry();
    const shown = () => {
      if (document.visibilityState === 'visible') signal.retry();
    };
    addEventListener('online', online);
    document.addEventListener('visibilitychange', shown);
    this.#timer = setInterval(() => void this.#measure(signal), qualityMs);
    this.#release = [
      this.media.on('change', () => void this.#follow(signal)),
      this.screen.on('change', () => this.#share(signal)),
      this.session.on('change', () => this.#tell()),
      () => removeEventListener('online', online),
      () => document.removeEventListener('visibilitychange', shown),
      () => clearInterval(this.#timer),
    ];
    this.#tell();
  }

  leave(): void {
    this.screen.stop();
    this.#leaveSignal();
    this.#signal = undefined;
  }

  #leaveSignal(): void {
    for (const release of this.#release.splice(0)) release();
    if (this.#signal && this.#signal.state !== 'ended') this.#signal.leave();
    this.#decoded.clear();
    this.quality = undefined;
  }

  #tell(): void {
    const now = this.others;
    const away = now.filter((p) => p.away).map((p) => p.id);
    for (const id of [...this.#awaySince.keys()]) if (!away.includes(id)) this.#awaySince.delete(id);
    for (const id of away) if (!this.#awaySince.has(id)) this.#awaySince.set(id, Date.now());
    const began = this.#shares.read(now);
    this.emit('change', undefined);
    for (const p of began) this.emit('shares', p);
  }

  async #ticket(): Promise<Ticket> {
    try {
      const { token, signal_url, ice_servers } = await this.session.join(this.name);
      return { url: socketURL(signal_url), token, iceServers: [...ice_servers] };
    } catch (error) {
      if (error instanceof Problem && final(error)) Object.assign(error, { final: true });
      throw error;
    }
  }

  /** Our devices changed: the same senders carry the new track, nothing is negotiated. */
  async #follow(signal: Signal): Promise<void> {
    const { camera, microphone } = this.media;
    const now = { camera: this.media.view, microphone: microphone.track ?? null };
    // First silent, then changed; and changed before it is heard again.
    if (!camera.on) signal.setMuted('camera', true);
    if (!microphone.on) signal.setMuted('microphone', true);
    for (const source of ['camera', 'microphone'] as const) {
      if (now[source] === this.#sent[source]) continue;
      this.#sent[source] = now[source];
      await signal.replaceTrack(source, now[source]);
    }
    if (this.media.camera.on) signal.setMuted('camera', false);
    if (this.media.microphone.on) signal.setMuted('microphone', false);
  }

  /** The screen is a track of its own beside the camera: published while it lasts, then withdrawn. */
  #share(signal: Signal): void {
    const { video, audio } = this.screen;
    if (video) {
      signal.publish([
        { source: 'screen', kind: 'video', track: video, muted: false },
        ...(audio ? [{ source: 'screen_audio' as const, kind: 'audio' as const, track: audio, muted: false }] : []),
      ]);
    } else {
      signal.unpublish('screen');
      signal.unpublish('screen_audio');
    }
    this.emit('change', undefined);
  }

  async #measure(signal: Signal): Promise<void> {
    if (signal.state !== 'connected') return;
    const now = await signal.quality().catch(() => undefined);
    if (signal !== this.#signal || !now) return;
    this.quality = now;
    if (document.visibilityState === 'visible') this.#watch(now.frames);
    this.emit('change', undefined);
  }

  /** watch counts the readings in which a camera that should move brought nothing. */
  #watch(frames: ReadonlyMap<string, number>): void {
    const cameras = this.others.map((p) => track(p, 'camera'));
    this.#decoded = new Map(
      cameras.flatMap((camera) => {
        const count = frames.get(camera?.track?.id ?? '');
        if (!camera?.track || camera.muted || count === undefined) return [];
        const was = this.#decoded.get(camera.track.id);
        return [[camera.track.id, { frames: count, still: was && count > 0 && was.frames === count ? was.still + 1 : 0 }] as const];
      }),
    );
  }
}
