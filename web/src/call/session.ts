// One person's session in one meeting: the link traded for a token, the newest
// snapshot of the meeting, its chat, and whether we are in touch with the
// server. Everything on a page is drawn from here; nothing is guessed.

import { Problem, call, idempotencyKey, socketURL, type CallOptions } from '../lib/api';
import { Emitter } from '../lib/emitter';
import { Events } from '../lib/events';
import { fetchFile, limitBytes, sendFile } from '../lib/files';
import type { Invitation, Meeting, Message, Note, RoomTicket, SentFile, Session } from './model';

export interface Ticket {
  readonly id: string;
  readonly secret: string;
  /** An agent's browser; see the API's Redeem. */
  readonly device?: string;
}

/** A message of our own that the server has not confirmed. */
export interface Pending {
  readonly key: string;
  readonly text: string;
  readonly at: number;
  failed: boolean;
  /** Set when trying again cannot help. */
  refused?: string;
  /** A file on its way. */
  readonly upload?: Upload;
}

export interface Upload {
  readonly file: File;
  /** What has left this machine, from 0 to 1; undefined while it waits for those before it. */
  part?: number;
  /** Why it failed: for the words. */
  problem?: Problem;
  stop?: AbortController;
}

export interface SessionEvents {
  /** The meeting, the chat or the connection is not what it was. */
  change: undefined;
  /** Somebody else wrote just now (not history). */
  said: Message;
  /** The agents' notes, at the beginning of the stream and after each change; visitors are never told. */
  notes: readonly Note[];
  /** The link does not open the meeting any more. */
  lost: Problem;
}

const freshMs = 10_000; // a message older than this is history
const firstMs = 2000;
const rememberedFiles = 20;

export class MeetingSession extends Emitter<SessionEvents> {
  #events: Events<Meeting, Message>;
  #messages = new Map<number, Message>();
  #renewing: Promise<void> | undefined;
  #offset = 0;
  #takenAt = 0;
  #token: string;
  #meeting!: Meeting;
  #bytes = new Map<string, Promise<Blob>>();
  #uploads: Promise<void> = Promise.resolve(); // one after the other
  pending: Pending[] = [];

  private constructor(private readonly ticket: Ticket, session: Session) {
    super();
    this.#token = session.token;
    this.#take(session.meeting);
    this.#events = new Events<Meeting, Message>({ url: socketURL('/v1/events'), token: () => this.#token });
    this.#events.on('meeting', (meeting) => this.#take(meeting));
    this.#events.on('message', (message) => this.#hear(message));
    this.#events.on('notes', (notes) => this.emit('notes', notes as readonly Note[]));
    this.#events.on('state', (state) => {
      if (state === 'connected') this.#sendWaiting();
      this.emit('change', undefined);
    });
    this.#events.on('bye', () => void this.#again());
  }

  /** open trades a link for a session. It rejects with a Problem. */
  static async open(ticket: Ticket): Promise<MeetingSession> {
    return new MeetingSession(ticket, await redeem(ticket));
  }

  get meeting(): Meeting {
    return this.#meeting;
  }

  /** connected is false while what we show may be old. */
  get connected(): boolean {
    return this.#events.state === 'connected';
  }

  /** fresh is also true for the moment between the first snapshot and the stream. Act on nothing that is not fresh. */
  get fresh(): boolean {
    return this.connected || (this.#events.state === 'connecting' && Date.now() - this.#takenAt < firstMs);
  }

  /** The chat in the order of the server. */
  get messages(): Message[] {
    return [...this.#messages.values()].sort((a, b) => a.seq - b.seq);
  }

  /** now is the server's clock. */
  now(): number {
    return Date.now() + this.#offset;
  }

  follow(): void {
    this.#events.start();
  }

  unfollow(): void {
    this.#events.stop();
  }

  /** refresh asks for the meeting as it is now; normally the stream tells. */
  async refresh(): Promise<void> {
    this.#take(await this.#call<Meeting>('', { method: 'GET' }));
  }

  ring(): Promise<void> {
    return this.#act('ring');
  }

  accept(name: string): Promise<void> {
    return this.#act('accept', { name });
  }

  decline(name: string, reason: string): Promise<void> {
    return this.#act('decline', { name, reason });
  }

  leave(): Promise<void> {
    return this.#act('leave', undefined, { keepalive: true });
  }

  end(): Promise<void> {
    return this.#act('end', undefined, { keepalive: true });
  }

  /** join asks for a place in the room; the name fills an empty one. */
  join(name = ''): Promise<RoomTicket> {
    return this.#call<RoomTicket>('join', { body: { audio: true, video: true, ...(name && { name }) } });
  }

  /** saveNote puts our own note; `last` is the page's last breath. */
  async saveNote(words: string, last = false): Promise<readonly Note[]> {
    return (await this.#call<{ notes: Note[] }>('notes/mine', { method: 'PUT', body: { text: words }, keepalive: last })).notes;
  }

  async notes(): Promise<readonly Note[]> {
    return (await this.#call<{ notes: Note[] }>('notes', { method: 'GET' })).notes;
  }

  async invitations(): Promise<readonly Invitation[]> {
    return (await this.#call<{ invitations: Invitation[] }>('invitations', { method: 'GET' })).invitations;
  }

  invite(role: Invitation['role'], name: string): Promise<Invitation> {
    return this.#call<Invitation>('invitations', { body: { role, ...(name && { name }) }, idempotencyKey: idempotencyKey() });
  }

  async revoke(id: string): Promise<void> {
    await this.#call<unknown>(`invitations/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  /** say sends a message; it stands in `pending` until the server has it. */
  say(text: string): void {
    const pending: Pending = { key: idempotencyKey(), text, at: this.now(), failed: false };
    this.pending = [...this.pending, pending];
    void this.#send(pending);
  }

  /** send sends files, one after the other; each stands in `pending` until the server has it. */
  send(files: Iterable<File>): void {
    for (const file of files) {
      const pending: Pending = { key: idempotencyKey(), text: '', at: this.now(), failed: false, upload: { file } };
      this.pending = [...this.pending, pending];
      void this.#send(pending);
    }
  }

  /** What could not be sent while we were out of touch goes out once we are back. */
  #sendWaiting(): void {
    for (const pending of this.pending) if (pending.failed && !pending.refused) this.again(pending);
  }

  /** again tries a failed message once more, under the same key. */
  again(pending: Pending): void {
    pending.failed = false;
    void this.#send(pending);
  }

  /** drop takes a message of ours back that the server does not have. */
  drop(pending: Pending): void {
    this.pending = this.pending.filter((other) => other !== pending);
    pending.upload?.stop?.abort();
    this.emit('change', undefined);
  }

  /** bytes fetches a file; the last ones are remembered. It rejects with a Problem. */
  bytes(file: SentFile): Promise<Blob> {
    const known = this.#bytes.get(file.id);
    if (known) return known;
    const fresh = this.#withToken((token) => fetchFile(`/v1/meetings/${this.#meeting.id}/files/${file.id}`, token));
    this.#bytes.set(file.id, fresh);
    fresh.catch(() => this.#bytes.delete(file.id));
    if (this.#bytes.size > rememberedFiles) this.#bytes.delete(this.#bytes.keys().next().value!);
    return fresh;
  }

  async #send(pending: Pending): Promise<void> {
    this.emit('change', undefined);
    try {
      const message = await (pending.upload
        ? this.#upload(pending, pending.upload)
        : this.#call<Message>('messages', { body: { text: pending.text }, idempotencyKey: pending.key }));
      this.#messages.set(message.seq, { ...message, mine: true });
      this.pending = this.pending.filter((other) => other !== pending);
    } catch (error) {
      pending.failed = true;
      if (pending.upload) pending.upload.problem = error instanceof Problem ? error : new Problem('unknown', '', 0);
      // Half a file may be whole the next time.
      if (error instanceof Problem && final(error) && !(pending.upload && error.code === 'bad_request')) pending.refused = error.code;
    }
    this.emit('change', undefined);
  }

  /** upload waits for its turn and sends the bytes. */
  #upload({ key }: Pending, upload: Upload): Promise<Message> {
    const { file } = upload;
    if (file.size > limitBytes) return Promise.reject(new Problem('too_large', '', 413));
    const stop = (upload.stop = new AbortController());
    upload.part = undefined;
    const sent = this.#uploads.then(() =>
      this.#withToken((token) =>
        sendFile<Message>(`/v1/meetings/${this.#meeting.id}/files?name=${encodeURIComponent([...file.name].slice(-200).join(''))}`, file, {
          token, idempotencyKey: key, signal: stop.signal,
          onProgress: (part) => {
            upload.part = part;
            this.emit('change', undefined);
          },
        }),
      ),
    );
    this.#uploads = sent.then(() => {}, () => {});
    return sent;
  }

  async #act(verb: string, body?: object, options?: CallOptions): Promise<void> {
    this.#take(await this.#call<Meeting>(verb, { method: 'POST', ...(body && { body }), ...options }));
  }

  /** A call in this meeting. */
  #call<T>(path: string, options: CallOptions): Promise<T> {
    return this.#withToken((token) => call<T>(`/v1/meetings/${this.#meeting.id}${path && `/${path}`}`, { ...options, token }));
  }

  /** A token that ran out is renewed once. */
  async #withToken<T>(send: (token: string) => Promise<T>): Promise<T> {
    try {
      return await send(this.#token);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      await this.#renew();
      return send(this.#token);
    }
  }

  #renew(): Promise<void> {
    this.#renewing ??= redeem(this.ticket)
      .then((session) => {
        this.#token = session.token;
        this.#take(session.meeting);
      })
      .catch((error: unknown) => {
        if (error instanceof Problem && final(error)) this.emit('lost', error);
        throw error;
      })
      .finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  /** again follows anew with a new token, and tries until it has one or the link is of no use any more. */
  async #again(): Promise<void> {
    try {
      await this.#renew();
      this.#events.start();
    } catch (error) {
      if (!(error instanceof Problem && final(error))) setTimeout(() => void this.#again(), 3000);
    }
  }

  /** An answer and the stream may cross: the older one is dropped. */
  #take(meeting: Meeting): void {
    const at = Date.parse(meeting.now);
    if (this.#meeting && meeting.seq < this.#meeting.seq) return;
    this.#meeting = meeting;
    this.#offset = at - Date.now();
    this.#takenAt = Date.now();
    this.emit('change', undefined);
  }

  #hear(message: Message): void {
    const known = this.#messages.has(message.seq);
    this.#messages.set(message.seq, message);
    // Our own message may come by the stream before its answer does, or instead of it.
    const own = message.mine && !known && !message.file ? this.pending.find((p) => p.text === message.text) : undefined;
    if (own) this.pending = this.pending.filter((p) => p !== own);
    this.emit('change', undefined);
    if (!known && !message.mine && this.now() - Date.parse(message.at) < freshMs) this.emit('said', message);
  }
}

function redeem({ id, secret, device }: Ticket): Promise<Session> {
  return call<Session>('/v1/links/redeem', { body: { id, secret, ...(device && { device }) } });
}

/** final tells whether asking again cannot change the answer. */
export function final(problem: Problem): boolean {
  return problem.status >= 400 && problem.status < 500 && problem.status !== 408 && problem.status !== 429;
}
