// The leg we send on: we offer, the server answers. One offer at a time; what
// changes meanwhile goes into the next one.

import type { Kind, Source } from './protocol';

export interface Publication {
  source: Source;
  kind: Kind;
  /** Null while the source is off and its device released. */
  track: MediaStreamTrack | null;
  muted: boolean;
}

export class PublishLeg {
  #senders = new Map<Source, RTCRtpTransceiver>();
  #wanted: ReadonlyMap<Source, Publication> = new Map();
  #offers = 0;
  #offering = false;
  #again = false;
  #told = false; // the offer is out: candidates may follow
  #early: (RTCIceCandidateInit | null)[] = [];
  #late: RTCIceCandidateInit[] = [];
  #videoBitrate: number | undefined;

  constructor(
    readonly peer: RTCPeerConnection,
    private readonly send: (message: object) => void,
    /** Called when the connection's state changed. */
    changed: () => void,
    /** Called when no offer could be made. */
    private readonly broken: () => void,
  ) {
    peer.onicecandidate = ({ candidate }) => {
      const init = candidate ? candidate.toJSON() : null;
      if (this.#told) this.#sendCandidate(init);
      else this.#early.push(init);
    };
    peer.onconnectionstatechange = changed;
  }

  /** set makes the leg send exactly these, with a new offer if the sources changed. */
  set(wanted: ReadonlyMap<Source, Publication>): void {
    this.#wanted = wanted;
    let changed = false;
    for (const p of wanted.values()) {
      const transceiver = this.#senders.get(p.source);
      if (!transceiver) {
        this.#senders.set(p.source, this.#add(p));
        changed = true;
      } else {
        if (transceiver.direction === 'inactive') {
          transceiver.direction = 'sendonly';
          changed = true;
        }
        void this.refresh(p);
      }
    }
    for (const [source, transceiver] of this.#senders) {
      if (wanted.has(source) || transceiver.direction === 'inactive') continue;
      transceiver.direction = 'inactive';
      void transceiver.sender.replaceTrack(null);
      changed = true;
    }
    if (changed) this.#negotiate();
  }

  /** refresh lets the sender follow the publication's track and mute. */
  async refresh(p: Publication): Promise<void> {
    if (p.track) p.track.enabled = !p.muted;
    const sender = this.#senders.get(p.source)?.sender;
    const track = sendable(p);
    if (sender && sender.track !== track) await sender.replaceTrack(track);
  }

  #add(p: Publication): RTCRtpTransceiver {
    if (p.track) p.track.enabled = !p.muted;
    const limit = p.kind === 'video' ? { sendEncodings: [{ ...(this.#videoBitrate && { maxBitrate: this.#videoBitrate }) }] } : {};
    return this.peer.addTransceiver(sendable(p) ?? p.kind, { direction: 'sendonly', ...limit });
  }

  /** limit bounds what each picture may take, in bits per second. */
  async limit(videoBitrate: number): Promise<void> {
    this.#videoBitrate = videoBitrate;
    for (const [source, { sender }] of this.#senders) {
      if (this.#wanted.get(source)?.kind !== 'video') continue;
      const parameters = sender.getParameters();
      for (const encoding of parameters.encodings) encoding.maxBitrate = videoBitrate;
      await sender.setParameters(parameters).catch(() => {}); // the server's own feedback bounds it too
    }
  }

  #negotiate(): void {
    if (this.#offering) {
      this.#again = true;
      return;
    }
    this.#offering = true;
    this.#offer().catch(() => this.broken());
  }

  /** again repeats an offer that has no answer: a new socket may have lost either. */
  again(): void {
    if (!this.#offering) return;
    this.#offering = this.#again = false;
    this.#negotiate();
  }

  /** restart offers with new addresses: the path of the old ones is dead. */
  restart(): void {
    if (this.#offers === 0) return;
    this.peer.restartIce();
    this.#negotiate();
  }

  async #offer(): Promise<void> {
    this.#told = false;
    const offered = this.#offered(); // as the description has it: what changes while it is made goes into the next one
    await this.peer.setLocalDescription(await this.peer.createOffer());
    this.#offers += 1;
    const tracks = offered.map(([p, transceiver]) => ({ mid: transceiver.mid, kind: p.kind, source: p.source, muted: p.muted }));
    this.send({ type: 'offer', leg: 'publish', id: this.#offers, sdp: this.peer.localDescription?.sdp, tracks });
    this.#told = true;
    for (const candidate of this.#early.splice(0)) this.#sendCandidate(candidate);
  }

  /** What is sent now, with its section. */
  #offered(): [Publication, RTCRtpTransceiver][] {
    return [...this.#senders].flatMap(([source, transceiver]) => {
      const p = this.#wanted.get(source);
      return p && transceiver.direction === 'sendonly' ? [[p, transceiver] as [Publication, RTCRtpTransceiver]] : [];
    });
  }

  async answer(m: { id: number; sdp: string }): Promise<void> {
    if (!this.#offering || m.id !== this.#offers) return;
    await this.peer.setRemoteDescription({ type: 'answer', sdp: quickly(m.sdp) });
    for (const candidate of this.#late.splice(0)) await add(this.peer, candidate);
    this.#offering = false;
    if (this.#again) {
      this.#again = false;
      this.#negotiate();
    }
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
    this.send({ type: 'candidate', leg: 'publish', candidate });
  }
}

/** A muted picture is not sent at all; a muted microphone sends its silence, which costs little and starts at once. */
function sendable(p: Publication): MediaStreamTrack | null {
  return p.kind === 'video' && p.muted ? null : p.track;
}

/** add ignores a candidate that the browser cannot use: others may work. */
export async function add(peer: RTCPeerConnection, candidate: RTCIceCandidateInit): Promise<void> {
  try {
    await peer.addIceCandidate(candidate);
  } catch {
    // e.g. an address family this machine does not have
  }
}

const startKbps = 800; // browsers begin at 300: a stamp for the first ten seconds

/** quickly asks the browser to begin with a picture worth looking at; what does not fit is found out at once. */
export function quickly(sdp: string): string {
  const video = [...sdp.matchAll(/^a=rtpmap:(\d+) (?:VP8|VP9|H264|AV1)\/90000\r?$/gm)].map((m) => m[1]!);
  return video.reduce((text, type) => {
    const line = new RegExp(`^(a=fmtp:${type} [^\\r\\n]*)`, 'm');
    const start = `x-google-start-bitrate=${startKbps}`;
    return line.test(text) ? text.replace(line, `$1;${start}`) : text.replace(new RegExp(`^(a=rtpmap:${type} [^\\r\\n]*)`, 'm'), `$1\r\na=fmtp:${type} ${start}`);
  }, sdp);
}

/** alive tells whether anything comes in on a connection now. */
export async function alive(peer: RTCPeerConnection): Promise<boolean> {
  if (peer.connectionState !== 'connected') return false;
  const before = await received(peer);
  await new Promise((resolve) => setTimeout(resolve, aliveMs));
  return (await received(peer)) > before;
}

const aliveMs = 400; // feedback comes every 100 ms on what we send

async function received(peer: RTCPeerConnection): Promise<number> {
  let bytes = 0;
  (await peer.getStats()).forEach((entry: { type: string; bytesReceived?: number }) => {
    if (entry.type === 'candidate-pair' || entry.type === 'transport') bytes += entry.bytesReceived ?? 0;
  });
  return bytes;
}
