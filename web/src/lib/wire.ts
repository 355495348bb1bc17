// One life of one WebSocket: a first message, ping and pong, and exactly one
// end. A silent socket is dead after `silenceMs`; nobody waits for TCP to
// notice. What to do next (a new wire, or none) is the owner's business.

/** The part of WebSocket that we use, so that tests can bring their own. */
export interface Socket {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
}
export type OpenSocket = (url: string, protocol: string) => Socket;

export const openSocket: OpenSocket = (url, protocol) => new WebSocket(url, protocol) as Socket;

export interface Message {
  readonly type: string;
}

export interface WireOptions {
  url: string;
  protocol: string;
  /** Sent as soon as the socket is open and it is known. Its owner closes the wire if it never will be. */
  hello: object | Promise<object>;
  /** Called right behind the hello. */
  onHello?(): void;
  /** How long the other side may say nothing, also before its first word. */
  silenceMs: number;
  open?: OpenSocket;
  onMessage(message: Message): void;
  /** Called once, when the wire ends for any reason but `close()`. */
  onDown(why: 'closed' | 'silent' | 'refused'): void;
}

const isOpen = 1; // WebSocket.OPEN

export class Wire {
  #socket: Socket;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #silenceMs: number;
  #ended = false;
  #spoken = false;
  #greeted = false;

  constructor(private readonly options: WireOptions) {
    this.#silenceMs = options.silenceMs;
    this.#socket = (options.open ?? openSocket)(options.url, options.protocol);
    const { hello } = options;
    const opened = new Promise<void>((open) => (this.#socket.onopen = () => (hello instanceof Promise ? open() : this.#greet(hello))));
    if (hello instanceof Promise) Promise.all([hello, opened]).then(([known]) => this.#greet(known), () => {});
    this.#socket.onmessage = (event) => this.#receive(event.data);
    this.#socket.onclose = () => this.#down(this.#spoken ? 'closed' : 'refused');
    this.#socket.onerror = () => {}; // a close follows
    this.#listen();
  }

  /** patience sets a new limit of silence, e.g. the one a welcome named. */
  patience(ms: number): void {
    this.#silenceMs = ms;
    this.#listen();
  }

  /** send drops the message if the hello is not out, or the socket is not open any more: the next wire starts afresh. */
  send(message: object): void {
    if (this.#greeted && !this.#ended && this.#socket.readyState === isOpen) this.#socket.send(JSON.stringify(message));
  }

  /** close ends the wire from our side; onDown is not called. */
  close(): void {
    this.#end();
    this.#socket.close(1000);
  }

  #greet(hello: object): void {
    if (this.#ended) return;
    this.#greeted = true;
    this.send(hello);
    this.options.onHello?.();
  }

  #receive(data: unknown): void {
    if (this.#ended) return;
    this.#spoken = true;
    this.#listen();
    const message = parse(data);
    if (!message) return;
    if (message.type === 'ping') this.send({ type: 'pong', at: (message as { at?: unknown }).at });
    else this.options.onMessage(message);
  }

  #listen(): void {
    clearTimeout(this.#silence);
    if (!this.#ended) this.#silence = setTimeout(() => this.#down('silent'), this.#silenceMs);
  }

  #down(why: 'closed' | 'silent' | 'refused'): void {
    if (this.#ended) return;
    this.#end();
    this.#socket.close();
    this.options.onDown(why);
  }

  #end(): void {
    this.#ended = true;
    clearTimeout(this.#silence);
  }
}

function parse(data: unknown): Message | undefined {
  try {
    const value: unknown = JSON.parse(String(data));
    if (typeof value === 'object' && value !== null && typeof (value as Message).type === 'string') return value as Message;
  } catch {
    // not JSON: ignored like an unknown type, but it counted as a sign of life
  }
  return undefined;
}

/** backoff is the wait before try n (from 0): 0.5 s doubling to 3 s, a little spread. */
export function backoff(n: number): number {
  return Math.min(3000, 500 * 2 ** n) * (0.8 + 0.2 * Math.random());
}
