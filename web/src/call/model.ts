// The shapes of /v1 that the pages of a call use; see api/openapi.yaml.

export type State = 'planned' | 'requested' | 'active' | 'ended';
export type Outcome = 'completed' | 'missed' | 'cancelled' | 'declined' | 'expired' | 'failed';
export type Role = 'visitor' | 'agent' | 'observer' | 'device';
export type Flat = Readonly<Record<string, string>>;

export interface Person {
  readonly id: string;
  readonly role: Role;
  readonly name?: string;
  readonly here: boolean;
  readonly joined_at?: string;
  readonly left_at?: string;
  readonly reason?: string;
}

export interface Ring {
  readonly round?: number;
  readonly rounds?: number;
  readonly started_at?: string;
  readonly round_ends_at?: string;
  readonly until?: string;
  readonly taken_by?: string;
  readonly you_declined?: boolean;
}

export interface Meeting {
  readonly id: string;
  readonly code: string;
  readonly reference: string;
  readonly seq: number;
  readonly state: State;
  readonly outcome?: Outcome;
  readonly ended_by?: Role;
  readonly reason?: string;
  readonly site: { readonly id?: string; readonly key?: string; readonly name?: string; readonly brand?: string; readonly privacy?: string };
  readonly queue: string;
  readonly topic?: string;
  readonly language: string;
  readonly ring?: Ring;
  readonly participants: readonly Person[];
  readonly you?: { readonly role: Role; readonly participant?: string };
  readonly created_at: string;
  readonly requested_at?: string;
  readonly answered_at?: string;
  readonly ended_at?: string;
  readonly length_seconds?: number;
  readonly redirect_url?: string;
  readonly now: string;
  readonly visitor?: { readonly name?: string; readonly email?: string; readonly phone?: string; readonly external_id?: string };
  readonly fields?: Flat;
  readonly metadata?: Flat;
  readonly page?: { readonly url?: string; readonly title?: string };
}

export interface Message {
  readonly id: string;
  readonly seq: number;
  readonly from?: string;
  readonly role: Role;
  readonly name?: string;
  readonly via?: string;
  /** May be empty beside a file. */
  readonly text: string;
  readonly file?: SentFile;
  readonly at: string;
  readonly mine: boolean;
}

/** What an agent wrote down; visitors never see one. */
export interface Note {
  readonly name?: string;
  readonly text: string;
  readonly at: string;
  readonly mine: boolean;
}

/** A link for one further person. */
export interface Invitation {
  readonly id: string;
  readonly role: 'visitor' | 'agent';
  readonly name?: string;
  /** Only told to who may hand it on. */
  readonly link?: string;
  readonly expires_at: string;
  readonly participant?: string;
  readonly state: 'created' | 'opened' | 'joined' | 'revoked' | 'expired';
}

export interface SentFile {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly width?: number;
  readonly height?: number;
}

export interface Session {
  readonly token: string;
  readonly expires_at: string;
  readonly role: Role;
  readonly meeting: Meeting;
}

export interface RoomTicket {
  readonly token: string;
  readonly signal_url: string;
  readonly ice_servers: readonly RTCIceServer[];
  readonly participant: string;
}

/** The name of whoever answers, or undefined before that. */
export function agentName(m: Meeting): string | undefined {
  return m.ring?.taken_by ?? m.participants.find((p) => p.role === 'agent')?.name;
}

/** The visitor's name as far as anybody told it. */
export function visitorName(m: Meeting): string | undefined {
  return m.visitor?.name || m.participants.find((p) => p.role === 'visitor')?.name || undefined;
}

/** ownName is how others see us, "" while nobody told. */
export function ownName(m: Meeting): string {
  return m.participants.find((p) => p.id === m.you?.participant)?.name ?? '';
}

/** initials are one or two letters for a round picture: "Marie Laurent" is ML. */
export function initials(name: string | undefined): string {
  const words = (name ?? '').trim().split(/\s+/).filter(Boolean);
  const first = (word: string | undefined) => (word ? String.fromCodePoint(word.codePointAt(0)!).toLocaleUpperCase() : '');
  return first(words[0]) + (words.length > 1 ? first(words.at(-1)) : '');
}

/** host is the readable part of an address, "" if it is none. */
export function host(address: string | undefined): string {
  try {
    return new URL(address ?? '').host.replace(/^www\./, '');
  } catch {
    return '';
  }
}
