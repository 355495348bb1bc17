// The room of a call: the signalling client fed with our devices, and what the
// page needs to know of the other side.

import { Problem, socketURL } from '../lib/api';
import { Emitter } from '../lib/emitter';
import { Signal, type Participant, type Reason, type RemoteTrack } from '../lib/signal';
import type { Quality } from '../lib/stats';
import type { LocalMedia } from './media';
import type { Role } from './model';
import { final, type MeetingSession } from './session';

export interface RoomEvents {
  change: undefined;
}

const qualityMs = 2000;
export const giveUpMs = 60_000;

export class Room extends Emitter<RoomEvents> {
  #signal: Signal | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #release: (() => void)[] = [];
  #sent: { camera?: MediaStreamTrack | null; microphone?: MediaStreamTrack | null } = {};
  quality: Quality | undefined;
  /** When the session was lost, by our own clock. */
  lostAt = 0;
  /** Set once it is over and will not come back by itself. */
  ended: Reason | undefined;

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

  get entered(): boolean {
    return this.#signal !== undefined;
  }

  /** Whoever we talk to, as the room sees them. */
  get other(): Participant | undefined {
    const all = this.#signal?.participants ?? [];
    return all.find((p) => p.role === this.otherRole) ?? all[0];
  }

  track(source: RemoteTrack['source']): RemoteTrack | undefined {
    return this.other?.tracks.find((track) => track.source === source);
  }

  /** enter joins, once; after an end it joins anew. */
  enter(): void {
    if (this.#signal && !this.ended) return;
    this.#leaveSignal();
    this.ended = undefined;
    const signal = new Signal({ ticket: () => this.#ticket(), giveUpMs });
    this.#signal = signal;
    const tell = () => this.emit('change', undefined);
    signal.on('participants', tell);
    signal.on('lost', () => (this.lostAt = Date.now()));
    signal.on('state', (state) => {
      if (state !== 'connected') this.quality = undefined;
      tell();
    });
    signal.on('ended', (reason) => {
      this.ended = reason;
      tell();
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
      () => removeEventListener('online', online),
      () => document.removeEventListener('visibilitychange', shown),
      () => clearInterval(this.#timer),
    ];
    tell();
  }

  leave(): void {
    this.#leaveSignal();
    this.#signal = undefined;
  }

  #leaveSignal(): void {
    for (const release of this.#release.splice(0)) release();
    if (this.#signal && this.#signal.state !== 'ended') this.#signal.leave();
  }

  async #ticket(): Promise<{ url: string; token: string }> {
    try {
      const { token, signal_url } = await this.session.join();
      return { url: socketURL(signal_url), token };
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

  async #measure(signal: Signal): Promise<void> {
    if (signal.state !== 'connected') return;
    const quality = await signal.quality().catch(() => undefined);
    if (signal !== this.#signal || quality?.word === this.quality?.word && quality?.side === this.quality?.side) return;
    this.quality = quality;
    this.emit('change', undefined);
  }
}
