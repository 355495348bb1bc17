// The client of /v1/events: what happens in one meeting, as the server sees
// it. It connects again by itself; a snapshot follows each time, so a page
// never has to guess what it missed.

import { Emitter } from './emitter';
import { Wire, backoff, type Message, type OpenSocket } from './wire';

export interface EventsOptions<Meeting, Chat> {
  url: string;
  /** Read at each connection, so that a renewed token is used. */
  token: () => string;
  open?: OpenSocket;
  /** Only for the types. */
  readonly shapes?: [Meeting, Chat];
}

export interface EventsMap<Meeting, Chat> {
  /** A whole snapshot; replaces the last one. */
  meeting: Meeting;
  /** One chat message; the same one may come twice after a reconnect. */
  message: Chat;
  /** All notes of the agents, to agents. */
  notes: readonly unknown[];
  state: 'connecting' | 'connected' | 'reconnecting' | 'closed';
  /** The server ended the stream for good. */
  bye: string;
}

const silenceMs = 3000; // the server pings every second
const finalReasons = new Set(['bad_token', 'ended', 'expired', 'kicked', 'duplicate', 'left']);

export class Events<Meeting, Chat> extends Emitter<EventsMap<Meeting, Chat>> {
  #wire: Wire | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  #state: EventsMap<Meeting, Chat>['state'] = 'closed';

  constructor(private readonly options: EventsOptions<Meeting, Chat>) {
    super();
  }

  get state(): EventsMap<Meeting, Chat>['state'] {
    return this.#state;
  }

  /** start connects; calling it while waiting for the next try connects at once. */
  start(): void {
    if (this.#wire) return;
    clearTimeout(this.#retry);
    this.#become(this.#tries === 0 ? 'connecting' : 'reconnecting');
    this.#wire = new Wire({
      url: this.options.url,
      protocol: 'ringdown.events',
      hello: { type: 'hello', token: this.options.token() },
      silenceMs,
      ...(this.options.open && { open: this.options.open }),
      onMessage: (message) => this.#receive(message),
      onDown: () => this.#down(),
    });
  }

  stop(): void {
    clearTimeout(this.#retry);
    this.#wire?.close();
    this.#wire = undefined;
    this.#tries = 0;
    this.#become('closed');
  }

  #receive(message: Message): void {
    this.#tries = 1; // from now on a loss is a reconnection, tried at once
    this.#become('connected');
    switch (message.type) {
      case 'meeting':
        this.emit('meeting', (message as Message & { meeting: Meeting }).meeting);
        break;
      case 'message':
        this.emit('message', (message as Message & { message: Chat }).message);
        break;
      case 'notes':
        this.emit('notes', (message as Message & { notes: readonly unknown[] }).notes);
        break;
      case 'bye': {
        const reason = (message as Message & { reason?: string }).reason ?? 'unknown';
        if (finalReasons.has(reason)) {
          this.stop();
          this.emit('bye', reason);
        } else {
          this.#wire?.close();
          this.#down();
        }
        break;
      }
    }
  }

  #down(): void {
    this.#wire = undefined;
    this.#become('reconnecting');
    const wait = backoff(Math.max(0, this.#tries - 1));
    this.#tries += 1;
    this.#retry = setTimeout(() => this.start(), wait);
  }

  #become(state: EventsMap<Meeting, Chat>['state']): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit('state', state);
  }
}
