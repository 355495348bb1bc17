// Addresses in a message. Only http and https become links, and only what the
// person wrote is shown: a link never says something else than where it goes.

export type Piece = { readonly text: string; readonly href?: string };

const address = /\bhttps?:\/\/[^\s<>"'`{}|\\^]+/gi;

/** pieces splits a message into plain text and addresses. */
export function pieces(message: string): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of message.matchAll(address)) {
    const text = trimmed(match[0]);
    const href = safe(text);
    if (!href) continue;
    if (match.index > from) found.push({ text: message.slice(from, match.index) });
    found.push({ text, href });
    from = match.index + text.length;
  }
  if (from < message.length) found.push({ text: message.slice(from) });
  return found;
}

/** A full stop or a closing bracket behind an address belongs to the sentence. */
function trimmed(text: string): string {
  let end = text;
  for (;;) {
    const last = end.at(-1) ?? '';
    const openBracket = last === ')' && end.split('(').length >= end.split(')').length;
    if (!'.,;:!?)]*_~'.includes(last) || last === '' || openBracket) return end;
    end = end.slice(0, -1);
  }
}

/** safe gives an address that may stand in a link, or undefined. */
export function safe(text: string | undefined): string | undefined {
  try {
    const url = new URL(text ?? '');
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : undefined;
  } catch {
    return undefined;
  }
}
