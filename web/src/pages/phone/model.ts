// A phone call as its page sees it; see thirdparty/pane_view.go.

import { call } from '../../lib/api';

export interface Found {
  readonly id: string;
  readonly external_id?: string;
  readonly name?: string;
  readonly company?: string;
  readonly email?: string;
  readonly phones?: readonly string[];
  readonly language?: string;
  readonly fields?: readonly { readonly label: string; readonly value: string }[];
  readonly links?: readonly { readonly label: string; readonly url: string }[];
  readonly source: string;
  readonly as_of: string;
  readonly stale?: boolean;
}

export interface Contact {
  readonly id: string;
  readonly kind: 'call' | 'video' | 'callback';
  readonly at: string;
  readonly agent?: string;
  readonly queue?: string;
  readonly outcome?: string;
  readonly note?: string;
  readonly reference?: string;
  readonly due?: string;
}

export interface Who {
  readonly state: 'found' | 'none' | 'off' | 'down';
  readonly customer?: Found;
  readonly contacts: readonly Contact[];
}

export interface Sent {
  readonly id: string;
  readonly channel: string;
  readonly to: string;
  readonly state: 'queued' | 'sent' | 'delivered' | 'failed';
  readonly reason?: string;
  readonly at: string;
}

export interface Video {
  readonly reference: string;
  readonly ended: boolean;
  readonly length_seconds?: number;
  readonly link?: string;
  readonly qr?: { readonly size: number; readonly path: string };
  readonly seat?: string;
  readonly opened: boolean;
  readonly joined_at?: string;
  readonly here: boolean;
  readonly agent_here: boolean;
}

export interface PhoneCall {
  readonly id: string;
  readonly now: string;
  readonly rung_at: string;
  readonly agent: string;
  readonly caller: string;
  readonly number?: string;
  readonly called?: string;
  readonly queue: { readonly id?: string; readonly name?: string; readonly label?: string; readonly number?: string };
  readonly language?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly stale?: { readonly why: 'late' | 'newer' | 'moved'; readonly agent?: string; readonly at?: string };
  readonly done: boolean;
  readonly trust: { readonly by?: string; readonly pending?: boolean; readonly why?: string };
  readonly close: { readonly message: string; readonly origins: readonly string[] };
  readonly note: string;
  readonly outcome: string;
  readonly call_back?: string;
  readonly outcomes?: readonly { readonly name: string; readonly label: Readonly<Record<string, string>> }[];
  readonly channels: readonly string[];
  readonly words: readonly { readonly channel: string; readonly language: string; readonly subject?: string; readonly text: string; readonly parts?: number }[];
  readonly video?: Video;
  readonly sent: readonly Sent[];
}

export interface Work {
  note?: string;
  outcome?: string;
  call_back?: string;
  customer?: string;
  end_video?: boolean;
}

/** Client asks and does what the page of one phone call may. */
export class Client {
  constructor(
    private readonly id: string,
    private readonly secret: string,
  ) {}

  #call<T>(path: string, options: Parameters<typeof call>[1] = {}): Promise<T> {
    return call<T>(`/thirdparty/calls/${encodeURIComponent(this.id)}${path}`, { ...options, token: this.secret });
  }

  open = () => this.#call<PhoneCall>('/open', { body: {} });
  read = () => this.#call<PhoneCall>('');
  save = (work: Work, last = false) => this.#call<PhoneCall>('', { method: 'PUT', body: work, keepalive: last });
  done = (work: Work) => this.#call<PhoneCall>('/done', { body: work });
  who = () => this.#call<Who>('/customer');
  search = async (words: string) => (await this.#call<{ customers: Found[] }>(`/customers?q=${encodeURIComponent(words)}`)).customers;
  create = (record: { name: string; company: string; email: string; phone: string }) => this.#call<Found>('/customers', { body: record });
  video = (language: string) => this.#call<PhoneCall>('/video', { body: { language } });
  endVideo = () => this.#call<PhoneCall>('/video', { method: 'DELETE' });
  send = (channel: string, to: string, language: string) => this.#call<PhoneCall>('/invitations', { body: { channel, to, language } });
}
