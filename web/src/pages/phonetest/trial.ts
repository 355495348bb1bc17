// One trial of the address that agents' browsers ask: what is sent, what came
// back, and what that means. It runs here and, as text, in the agent app itself.

export type Finding = 'no-url' | 'mixed' | 'unreachable' | 'status' | 'html' | 'not-json' | 'none' | 'open' | 'popup' | 'run' | 'hold' | 'odd';
export type Proof = 'trusted' | 'untrusted' | 'wrong-secret' | 'pending' | 'unknown';

export interface Result {
  finding: Finding;
  status: number;
  tookMs: number;
  /** The request crossed origins, so that the browser judged our CORS headers. */
  crossed: boolean;
  proof: Proof;
  answer: string;
}

/** The body has nothing of a real call in it; a rule may fit all the same. */
export const body = { user: { userId: 0, agentId: null, firstName: 'Test', lastName: 'Test', fullName: 'Test' }, callee: '', caller: '', userData: { USR_RINGDOWN_TEST: '1' } };

export async function tryOut(address: string, here: Pick<Location, 'href' | 'protocol'>, send: typeof fetch = fetch, now: () => number = () => performance.now()): Promise<Result> {
  const result: Result = { finding: 'no-url', status: 0, tookMs: 0, crossed: false, proof: 'unknown', answer: '' };
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return result;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return result;
  result.crossed = url.origin !== new URL(here.href).origin;
  if (here.protocol === 'https:' && url.protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)) return { ...result, finding: 'mixed' };
  const began = now();
  let answer: Response;
  try {
    answer = await send(url, { method: 'POST', credentials: 'omit', headers: { 'Content-Type': 'application/json;charset=utf-8', Accept: 'application/json, text/plain, */*' }, body: JSON.stringify(body) });
  } catch {
    return { ...result, finding: 'unreachable', tookMs: now() - began };
  }
  const text = await answer.text().catch(() => '');
  Object.assign(result, { status: answer.status, tookMs: now() - began, answer: text.replace(/#[\w-]+/g, '#…').slice(0, 2000) });
  if (!answer.ok) return { ...result, finding: 'status' };
  if (/^\s*</.test(text)) return { ...result, finding: 'html' };
  let said: { action?: string; url?: string; triggered?: boolean };
  try {
    said = JSON.parse(text) as typeof said;
  } catch {
    return { ...result, finding: 'not-json' };
  }
  const finding = said?.triggered ? 'hold' : said?.action;
  result.finding = finding === 'none' || finding === 'open' || finding === 'popup' || finding === 'run' || finding === 'hold' ? finding : 'odd';
  if (said?.url && (finding === 'open' || finding === 'popup')) result.proof = await proofOf(said.url, send);
  return result;
}

/** proofOf opens the page that was answered, as the pane would, and reads what proved the ring. */
async function proofOf(address: string, send: typeof fetch): Promise<Proof> {
  const url = new URL(address);
  const id = url.pathname.split('/').pop() ?? '';
  const answer = await send(`${url.origin}/thirdparty/calls/${id}/open`, { method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${url.hash.slice(1)}` }, body: '{}' }).catch(() => undefined);
  if (!answer?.ok) return 'unknown';
  const { trust } = (await answer.json()) as { trust?: { by?: string; pending?: boolean; why?: string } };
  return trust?.by ? 'trusted' : trust?.pending ? 'pending' : trust?.why === 'secret_wrong' ? 'wrong-secret' : 'untrusted';
}

/** snippet is a trial to paste into the console of the agent app, where the request crosses origins as the real one does. */
export function snippet(address: string): string {
  return `fetch(${JSON.stringify(address)}, {method: 'POST', credentials: 'omit', headers: {'Content-Type': 'application/json;charset=utf-8'}, body: ${JSON.stringify(JSON.stringify(body))}})
  .then(async (a) => console.log('Ringdown answers', a.status, (await a.text()).replace(/#[\\w-]+/g, '#…')), (e) => console.log('The browser did not let the request through:', e.message, '- look at the line above it: CORS, mixed content, a certificate, or the local network permission.'))`;
}
