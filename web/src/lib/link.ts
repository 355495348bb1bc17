// A link is …/{id}#{secret}. The secret never stays in the address bar and is
// never stored: it lives in this history entry, so that a reload finds it and
// a new tab does not.

interface Place {
  location: Pick<Location, 'hash' | 'pathname' | 'search'>;
  history: Pick<History, 'state' | 'replaceState'>;
}

const looksRight = /^[A-Za-z0-9_-]{8,128}$/;

/** takeSecret gives the secret this page was opened with, or undefined. */
export function takeSecret({ location, history }: Place = globalThis): string | undefined {
  const state: Record<string, unknown> = typeof history.state === 'object' && history.state !== null ? history.state : {};
  if (location.hash.length > 1) {
    const secret = location.hash.slice(1);
    const fits = looksRight.test(secret);
    history.replaceState(fits ? { ...state, secret } : state, '', location.pathname + location.search);
    if (fits) return secret;
  }
  return typeof state['secret'] === 'string' ? state['secret'] : undefined;
}

/** keep stores a value in this history entry beside the secret (a reload finds it, a new tab does not). */
export function keep(name: string, value: unknown, { history, location }: Place = globalThis): void {
  history.replaceState({ ...(history.state as object | null), [name]: value }, '', location.pathname + location.search);
}

/** kept gives back what keep stored. */
export function kept<T>(name: string, { history }: Pick<Place, 'history'> = globalThis): T | undefined {
  return (history.state as Record<string, T> | null)?.[name];
}
