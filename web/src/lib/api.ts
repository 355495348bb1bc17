// Calls to /v1. A refusal arrives as a Problem: the code is for programs, the
// detail is a sentence, the fields say what is wrong where.

export interface ProblemField {
  readonly pointer: string;
  readonly detail: string;
}

/** Problem is an answer that is not a success, or none at all (code "offline"). */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly code: string,
    detail: string,
    readonly status: number,
    readonly fields: readonly ProblemField[] = [],
    /** Public extra members, e.g. taken_by. */
    readonly data: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail);
  }
}

export interface CallOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: unknown;
  token?: string;
  /** The publishable key of a site, for the button. */
  site?: string;
  /** One key per act of a person: the same key twice is one act. */
  idempotencyKey?: string;
  signal?: AbortSignal;
  /** Let the request outlive the page (leaving). */
  keepalive?: boolean;
}

/** idempotencyKey makes a key for one act; keep it while retrying. */
export function idempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is missing where the page is not https
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Longer than any answer of ours takes; nobody waits without an end. */
const patienceMs = 15_000;

/** call sends a request and gives the decoded answer, undefined for an empty one. */
export async function call<T>(path: string, options: CallOptions = {}, send: typeof fetch = fetch): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (options.body !== undefined) headers['Content-Type'] = 'application/json';
  if (options.token) headers['Authorization'] = `Bearer ${options.token}`;
  if (options.site) headers['Ringdown-Site'] = options.site;
  if (options.idempotencyKey) headers['Idempotency-Key'] = options.idempotencyKey;
  const end = new AbortController();
  const stop = () => end.abort(options.signal?.reason);
  if (options.signal?.aborted) stop();
  options.signal?.addEventListener('abort', stop);
  const late = setTimeout(() => end.abort(), patienceMs);
  try {
    const answer = await send(path, {
      method: options.method ?? (options.body === undefined ? 'GET' : 'POST'),
      headers,
      credentials: 'omit',
      cache: 'no-store',
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
      signal: end.signal,
      ...(options.keepalive && { keepalive: true }),
    });
    const body = decode(await answer.text());
    if (answer.ok) return body as T;
    throw toProblem(answer.status, body);
  } catch (error) {
    if (error instanceof Problem || options.signal?.aborted) throw error;
    throw new Problem('offline', 'The server cannot be reached.', 0);
  } finally {
    clearTimeout(late);
    options.signal?.removeEventListener('abort', stop);
  }
}

/** decode reads JSON; undefined for anything else. */
export function decode(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** toProblem makes a Problem of a refusal. */
export function toProblem(status: number, body: unknown): Problem {
  const { code, detail, title, errors, type: _type, status: _status, ...data } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  return new Problem(
    typeof code === 'string' ? code : status >= 500 ? 'unavailable' : 'unknown',
    typeof detail === 'string' ? detail : typeof title === 'string' ? title : `HTTP ${status}`,
    status,
    (Array.isArray(errors) ? errors : []) as ProblemField[],
    data,
  );
}

/** socketURL turns a path or an http address of ours into its ws address. */
export function socketURL(path: string, base: string = location.href): string {
  const url = new URL(path, base);
  url.protocol = url.protocol === 'https:' || url.protocol === 'wss:' ? 'wss:' : 'ws:';
  return url.href;
}
