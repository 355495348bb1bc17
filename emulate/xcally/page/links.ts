// Links in what people write. Only http and https become links, and a point or
// a bracket that ends the sentence is no part of the address.

export type Piece = { readonly text: string } | { readonly href: string };

const address = /https?:\/\/[^\s<>"']+/gi;

/** pieces cuts a text into plain text and addresses. */
export function pieces(body: string): Piece[] {
  const out: Piece[] = [];
  let from = 0;
  for (const match of body.matchAll(address)) {
    const href = match[0].replace(/[.,;:!?)\]}»…]+$/u, '');
    if (!parses(href)) continue;
    if (match.index > from) out.push({ text: body.slice(from, match.index) });
    out.push({ href });
    from = match.index + href.length;
  }
  if (from < body.length) out.push({ text: body.slice(from) });
  return out;
}

/** firstLink is the first address in a text. */
export function firstLink(body: string): string | undefined {
  for (const piece of pieces(body)) if ('href' in piece) return piece.href;
  return undefined;
}

function parses(href: string): boolean {
  try {
    return new URL(href).host !== '';
  } catch {
    return false;
  }
}
