// What the emulated server tells: its records, with Motion's names, and the
// calls the inbox makes.

export interface Message {
  readonly id: number;
  readonly OpenchannelInteractionId: number;
  readonly UserId: number | null;
  readonly direction: 'in' | 'out';
  readonly body: string;
  readonly secret: boolean;
  readonly createdAt: string;
  readonly status?: 'sending' | 'sent' | 'failed';
  readonly error?: string;
}

export interface Interaction {
  readonly id: number;
  readonly OpenchannelAccountId: number;
  readonly UserId: number | null;
  readonly threadId: string | null;
  readonly externalUrl: string | null;
  readonly closed: boolean;
  readonly disposition: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly Contact: Readonly<Record<string, string | number | null>> & { readonly id: number };
  readonly emulator: {
    readonly revision: number;
    readonly variables: Readonly<Record<string, string>>;
    readonly from: string;
    readonly mapKey: string;
    readonly last: Message | null;
  };
}

export interface Agent {
  readonly id: number;
  readonly name: string;
  readonly fullname: string;
}

export interface Account {
  readonly id: number;
  readonly name: string;
  readonly mapKey: string;
  readonly receiveUrl: string;
  readonly replies: boolean;
}

export type TroubleKind = 'status' | 'hang' | 'reset';

export interface Trouble {
  readonly kind: TroubleKind;
  readonly times: number;
  readonly status: number;
  readonly afterStoring: boolean;
}

export interface Settings {
  readonly accounts: readonly Account[];
  readonly agents: readonly Agent[];
  readonly troubles: Readonly<Record<string, Trouble>>;
}

export interface Change {
  readonly interaction: Interaction;
  readonly message: Message | null;
}

/** Refusal is an answer that is not a success; status 0: no answer at all. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly status: number,
    message: string,
    /** Who has the interaction, when it was taken. */
    readonly owner?: number,
  ) {
    super(message);
  }
}

/** request calls the server; the header says that it is the inbox who asks. */
export async function request<T>(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers: { 'X-Emulator-Page': 'inbox', ...(body !== undefined && { 'Content-Type': 'application/json' }) },
      cache: 'no-store',
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Refusal(0, '');
  }
  const raw = await answer.text();
  if (answer.ok) return (raw === '' ? undefined : JSON.parse(raw)) as T;
  const told = parse(raw);
  throw new Refusal(answer.status, String(told['message'] ?? `HTTP ${answer.status}`), Number(told['UserId']) || undefined);
}

function parse(raw: string): Record<string, unknown> {
  try {
    return JSON.parse(raw) as Record<string, unknown>;
  } catch {
    return {};
  }
}

// The server gives a beat every 15 s.
const alive = { patience: 35_000, retry: 1_000 };

/**
 * listen keeps a stream of changes open. `ready` is called at each new
 * connection: what happened before is to be read from the lists.
 */
export function listen(on: { ready(): void; change(change: Change): void; down(): void }): void {
  let source: EventSource;
  let silence: ReturnType<typeof setTimeout>;
  const open = () => {
    source = new EventSource('/emulator/events');
    source.addEventListener('ready', () => (heard(), on.ready()));
    source.addEventListener('beat', () => heard());
    source.addEventListener('change', (event) => (heard(), on.change(JSON.parse((event as MessageEvent<string>).data) as Change)));
    source.addEventListener('error', () => again(alive.retry));
    heard();
  };
  const again = (wait: number) => {
    source.close();
    clearTimeout(silence);
    on.down();
    setTimeout(open, wait);
  };
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => again(0), alive.patience);
  };
  open();
}
