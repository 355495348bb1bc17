// Who else is in a call: what the room tells of media, and what the meeting
// tells of people, in one list.

import type { Participant, RemoteTrack } from '../lib/signal';
import type { Meeting, Role } from './model';

export interface Other {
  readonly id: string;
  readonly role: Role;
  /** "" while nobody told it. */
  readonly name: string;
  /** Lost the connection; the place is kept for a while. */
  readonly away: boolean;
  /** What they say of their own connection. */
  readonly quality?: Participant['quality'];
  readonly tracks: readonly RemoteTrack[];
}

/**
 * others lists everybody else: first the role we came to talk to, then in the
 * order of the meeting. Whoever is in the meeting but not in the room lost the
 * connection.
 */
export function others(meeting: Meeting, seen: readonly Participant[], me: string | undefined, first: Role): Other[] {
  const here = new Map(seen.map((p) => [p.id, p]));
  const known = meeting.participants.filter((p) => p.id !== me);
  const list: Other[] = [];
  for (const p of known) {
    const there = here.get(p.id);
    here.delete(p.id);
    if (there) list.push({ id: p.id, role: p.role, name: p.name || there.name, away: there.away, tracks: there.tracks, ...(there.quality && { quality: there.quality }) });
    else if (p.joined_at !== undefined && !p.left_at) list.push({ id: p.id, role: p.role, name: p.name ?? '', away: true, tracks: [] });
  }
  for (const p of here.values()) list.push({ id: p.id, role: p.role as Role, name: p.name, away: p.away, tracks: p.tracks, ...(p.quality && { quality: p.quality }) });
  return list.sort((a, b) => Number(b.role === first) - Number(a.role === first));
}

/** Shares remembers who shares a screen, and which of them is shown large: the newest, unless somebody chose. */
export class Shares {
  #ids: string[] = [];
  #large: string | undefined;

  /** read takes the newest list and tells who began since. */
  read(list: readonly Other[]): Other[] {
    const sharing = list.filter((p) => track(p, 'screen'));
    const began = sharing.filter((p) => !this.#ids.includes(p.id));
    this.#ids = [...this.#ids.filter((id) => sharing.some((p) => p.id === id)), ...began.map((p) => p.id)];
    if (began.length > 0 || !this.#ids.includes(this.#large ?? '')) this.#large = this.#ids.at(-1);
    return began;
  }

  get large(): string | undefined {
    return this.#large;
  }

  enlarge(id: string): void {
    if (this.#ids.includes(id)) this.#large = id;
  }
}

/** track is what somebody sends from one source, if anything. */
export function track(p: Pick<Other, 'tracks'> | undefined, source: RemoteTrack['source']): RemoteTrack | undefined {
  return p?.tracks.find((t) => t.source === source);
}
