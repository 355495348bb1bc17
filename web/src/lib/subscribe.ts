// The leg we receive on: the server offers whatever the others send, we answer.

import { add } from './publish';
import type { Kind, Source } from './protocol';

export interface Offer {
  id: number;
  sdp: string;
  /** Left out while nobody sends anything. */
  tracks?: { mid: string; participant: string; source: Source; kind: Kind }[];
}

export class SubscribeLeg {
  #told = false; // the answer is out: candidates may follow
  #early: (RTCIceCandidateInit | null)[] = [];
  #late: RTCIceCandidateInit[] = [];

  constructor(
    readonly peer: RTCPeerConnection,
    private readonly send: (message: object) => void,
    /** Called when the connection's state changed. */
    changed: () => void,
    /** Gets all media of the last offer, by `participant/source`. */
    private readonly heard: (media: Map<string, MediaStreamTrack>) => void,
  ) {
    peer.onicecandidate = ({ candidate }) => {
      const init = candidate ? candidate.toJSON() : null;
      if (this.#told) this.#sendCandidate(init);
      else this.#early.push(init);
    };
    peer.onconnectionstatechange = changed;
  }

  async offer(m: Offer): Promise<void> {
    this.#told = false;
    await this.peer.setRemoteDescription({ type: 'offer', sdp: m.sdp });
    for (const candidate of this.#late.splice(0)) await add(this.peer, candidate);
    await this.peer.setLocalDescription(await this.peer.createAnswer());
    this.send({ type: 'answer', leg: 'subscribe', id: m.id, sdp: this.peer.localDescription?.sdp });
    this.#told = true;
    for (const candidate of this.#early.splice(0)) this.#sendCandidate(candidate);

    const byMid = new Map(this.peer.getTransceivers().map((t) => [t.mid, t.receiver.track]));
    const media = new Map<string, MediaStreamTrack>();
    for (const { mid, participant, source } of m.tracks ?? []) {
      const track = byMid.get(mid);
      if (track) media.set(`${participant}/${source}`, track);
    }
    this.heard(media);
  }

  /** restart asks for an offer with new addresses: the path of the old ones is dead. */
  restart(): void {
    this.send({ type: 'restart', leg: 'subscribe' });
  }

  async candidate(candidate: RTCIceCandidateInit | null): Promise<void> {
    if (!candidate) return;
    if (this.peer.remoteDescription) await add(this.peer, candidate);
    else this.#late.push(candidate);
  }

  close(): void {
    this.peer.onicecandidate = this.peer.onconnectionstatechange = null;
    this.peer.close();
  }

  #sendCandidate(candidate: RTCIceCandidateInit | null): void {
    this.send({ type: 'candidate', leg: 'subscribe', candidate });
  }
}
