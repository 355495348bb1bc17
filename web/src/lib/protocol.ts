// The words of docs/protocol.md, and what the server says in them.

import type { Quality } from './stats';
import type { Offer } from './subscribe';

export type Source = 'microphone' | 'camera' | 'screen' | 'screen_audio';
export type Kind = 'audio' | 'video';
export type Reason = 'left' | 'ended' | 'network' | 'server_restart' | 'kicked' | 'duplicate' | 'expired' | 'overload' | 'unknown';

/** Who speaks now, '' for nobody, and the loudness of each microphone, 0 to 127. */
export interface Speakers {
  readonly active: string;
  readonly levels: Readonly<Record<string, number>>;
}

export interface Presence {
  id: string;
  role: string;
  name: string;
  away?: boolean;
  quality?: { word: Quality['word']; side: Quality['side'] };
  tracks: { source: Source; kind: Kind; muted: boolean }[];
}

export interface Welcome {
  type: 'welcome';
  me: string;
  participants: Presence[];
  limits?: { video_bitrate?: number };
  ping_ms: number;
  resume?: string;
  resumed?: boolean;
}

export interface TrackNews {
  type: 'track' | 'untrack';
  participant: string;
  source: Source;
  kind?: Kind;
  muted?: boolean;
}

export interface Complaint {
  type: 'error';
  code: string;
  detail?: string;
  fatal?: boolean;
}

export type FromServer =
  | Welcome
  | ({ type: 'offer' } & Offer)
  | { type: 'answer'; id: number; sdp: string }
  | { type: 'candidate'; leg: 'publish' | 'subscribe'; candidate: RTCIceCandidateInit | null }
  | { type: 'joined'; participant: Presence }
  | { type: 'left'; participant: string }
  | { type: 'away'; participant: string; away: boolean }
  | { type: 'quality'; participant: string; word: Quality['word']; side: Quality['side'] }
  | ({ type: 'speakers' } & Speakers)
  | TrackNews
  | { type: 'bye'; reason: string }
  | Complaint;
