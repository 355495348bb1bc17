// The page that shows us in a frame, if there is one. It is told where the call
// stands, and asked for what a frame may not do itself: to go elsewhere, to
// close. Only it is heard, and only from the origin the browser names.

export type ToHost =
  /** state is the meeting's; ended also once the visitor has left. */
  | { type: 'ringdown.state'; state: string; reference: string; outcome?: string }
  | { type: 'ringdown.redirect'; url: string }
  | { type: 'ringdown.close' };

/** leave: the host takes the call away (its own close button, after asking). */
export type FromHost = { type: 'ringdown.leave' };

export class Host {
  /** Undefined where nobody frames us, or somebody unknown. */
  readonly origin: string | undefined;

  constructor(private readonly us: Window = window) {
    this.origin = us.parent === us ? undefined : framedBy(us);
  }

  /** framed is true inside another page, known or not. */
  get framed(): boolean {
    return this.us.parent !== this.us;
  }

  tell(message: ToHost): void {
    if (this.origin) this.us.parent.postMessage(message, this.origin);
  }

  /** heard calls listener with what the host says. */
  heard(listener: (message: FromHost) => void): void {
    this.us.addEventListener('message', (event: MessageEvent<unknown>) => {
      if (event.source !== this.us.parent || this.origin === undefined || event.origin !== this.origin) return;
      const data = event.data as { type?: unknown } | null;
      if (data?.type === 'ringdown.leave') listener({ type: 'ringdown.leave' });
    });
  }
}

/** What the browser says comes before what the address says. */
function framedBy(us: Window): string | undefined {
  return (
    origin(us.location.ancestorOrigins?.[0]) ??
    origin(us.document.referrer) ??
    origin(new URLSearchParams(us.location.search).get('host'))
  );
}

function origin(address: string | null | undefined): string | undefined {
  try {
    const url = new URL(address ?? '');
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.origin : undefined;
  } catch {
    return undefined;
  }
}
