// What the button asks of the daemon: what the site wants, and one meeting.

import { Problem, call, idempotencyKey } from '../../lib/api';
import type { FieldSpec } from './form';
import type { Key, Spoken } from './words';

/** Site is the answer of GET /v1/button. */
export interface Site extends Spoken {
  readonly site: string;
  readonly name: string;
  readonly brand?: string;
  readonly privacy?: string;
  readonly page_to_agent?: boolean;
  readonly open?: boolean;
  readonly fields: readonly FieldSpec[];
}

/** NewMeeting is the body of POST /v1/meetings. */
export interface NewMeeting {
  queue?: string;
  topic?: string;
  language?: string;
  visitor?: Record<string, string>;
  fields?: Record<string, string>;
  metadata?: Record<string, string>;
  page?: { url: string; title?: string };
  redirect_url?: string;
}

export interface Meeting {
  readonly id: string;
  readonly reference: string;
  readonly state: string;
  readonly links: { readonly visitor: string };
}

export class Daemon {
  #body = '';
  #key = '';

  /** origin is the daemon's, key the site's publishable one. */
  constructor(
    readonly origin: string,
    readonly key: string,
  ) {}

  /** site asks about the button; of one that rings another queue than the site's own, with its name. */
  site(queue?: string | null): Promise<Site> {
    const query = queue ? `?queue=${encodeURIComponent(queue)}` : '';
    return call<Site>(`${this.origin}/v1/button${query}`, { site: this.key });
  }

  /**
   * meet makes a meeting. Asked again after a failure with the same wishes it
   * sends the same Idempotency-Key: what was made unseen is not made twice.
   */
  async meet(wishes: NewMeeting): Promise<Meeting> {
    const body = JSON.stringify(wishes);
    if (body !== this.#body) [this.#body, this.#key] = [body, idempotencyKey()];
    const meeting = await call<Meeting>(`${this.origin}/v1/meetings`, { body: wishes, site: this.key, idempotencyKey: this.#key });
    this.#body = '';
    return meeting;
  }
}

/** visitorLink is the meeting's link if it is a web address. */
export function visitorLink(meeting: Meeting): URL | undefined {
  const link = webAddress(meeting.links?.visitor);
  return link?.hash ? link : undefined;
}

/** webAddress reads an http or https address; anything else is undefined. */
export function webAddress(text: unknown): URL | undefined {
  try {
    const url = new URL(String(text));
    return url.protocol === 'https:' || url.protocol === 'http:' ? url : undefined;
  } catch {
    return undefined;
  }
}

/** sentence says to a visitor what a failure means for them. */
export function sentence(error: unknown): Key {
  if (!(error instanceof Problem)) return 'fault.later';
  if (error.code === 'offline') return 'fault.offline';
  if (error.status === 429) return 'fault.busy';
  return error.status >= 400 && error.status < 500 ? 'fault.setup' : 'fault.later';
}

/** repair says to who built the page what a failure means for them. */
export function repair(error: unknown, origin: string): string {
  if (!(error instanceof Problem)) return String(error);
  switch (error.code) {
    case 'offline':
      return `${origin} cannot be reached. If the address is right, this page's Content-Security-Policy may lack "connect-src ${origin}", or its origin ${location.origin} is not in the site's list.`;
    case 'unauthorized':
      return `the site key is not known: ${error.message}`;
    default:
      return `${error.message} (${error.code}${error.data['instance'] ? `, ${String(error.data['instance'])}` : ''})`;
  }
}
