// Who the agent is on this computer: a random word that makes all tabs of one
// browser the same agent, and the name visitors see. Where storage is forbidden
// both last as long as the tab.

import { keep, kept } from '../../lib/link';

const deviceKey = 'ringdown.device';
const nameKey = 'ringdown.name';
const readyKey = 'ringdown.ready';

function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return kept<string>(key);
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    keep(key, value);
  }
}

/** device is this browser's word, made on the first day. */
export function device(): string {
  const known = read(deviceKey);
  if (known && /^[A-Za-z0-9_-]{16,64}$/.test(known)) return known;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const word = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  write(deviceKey, word);
  return word;
}

export const nameLength = 60;

/** name is what visitors see, "" before the agent said. */
export function name(): string {
  return (read(nameKey) ?? '').slice(0, nameLength);
}

export function rename(to: string): void {
  write(nameKey, to.trim().slice(0, nameLength));
}

/** ready tells whether camera and microphone were looked at on this computer. */
export function ready(): boolean {
  return read(readyKey) === 'yes';
}

export function beReady(): void {
  write(readyKey, 'yes');
}
