// Two servers for tests of the call button: a daemon that only pretends to
// answer /v1 but serves the pages as built, and somebody else's shop whose
// policy is as strict as a page that shows the button can have it.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../../web/dist/', import.meta.url));
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

const pagePolicy = (framers) =>
  `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob: mediastream:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors ${framers}`;

const listen = (handle) =>
  new Promise((resolve) => {
    const server = createServer((request, answer) => void handle(request, answer)).listen(0, '127.0.0.1', () =>
      resolve({ url: `http://localhost:${server.address().port}`, close: () => (server.closeAllConnections(), server.close()) }));
  });

const bodyOf = async (request) => {
  let body = '';
  for await (const part of request) body += part;
  return body;
};

/** What GET /v1/button answers unless a test says otherwise. */
export const site = {
  site: 'demo-shop', name: 'Maison Vela', brand: '#9a3f2b', language: 'en', languages: ['en', 'fr', 'it'], page_to_agent: true, open: true, privacy: 'https://shop.example/privacy',
  fields: [{ name: 'name', type: 'text', required: true }, { name: 'topic', type: 'text' }, { name: 'terms', type: 'consent', required: true }],
};

/** The visitor's page of the pretended daemon: it says what a test tells it to, and writes down what it hears. */
const visitor = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Visitor</title><link rel="icon" href="data:,"><script src="/visitor.js"></script></head><body><h1>The visitor’s page</h1></body></html>';
const visitorScript = `window.heard = [];
addEventListener('message', (event) => window.heard.push([event.origin, event.data.type]));
window.say = (message) => parent.postMessage(message, '*');`;

/**
 * startDaemon gives { url, calls, asked, reply, close }: `calls` lists every POST /v1/meetings, `asked` every request,
 * `reply.button` and `reply.meeting` may be replaced by a test: { status, body, wait }.
 */
export async function startDaemon({ pages = {} } = {}) {
  const daemon = { calls: [], asked: [], reply: { button: { body: site }, meeting: {} } };
  const json = (answer, status, body) => {
    answer.writeHead(status, { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json' });
    answer.end(JSON.stringify(body));
  };
  const file = (answer, name, headers = {}) => {
    const path = normalize(dist + name);
    if (!path.startsWith(dist) || !existsSync(path)) return answer.writeHead(404).end();
    answer.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'application/octet-stream', ...headers }).end(readFileSync(path));
  };
  const server = await listen(async (request, answer) => {
    const { pathname } = new URL(request.url, daemon.url);
    daemon.asked.push(`${request.method} ${pathname}`);
    const cors = { 'Access-Control-Allow-Origin': request.headers.origin ?? '*', Vary: 'Origin', 'Access-Control-Allow-Headers': request.headers['access-control-request-headers'] ?? '', 'Access-Control-Allow-Methods': 'GET, POST' };
    if (pathname.startsWith('/v1/')) {
      for (const [name, value] of Object.entries(cors)) if (value) answer.setHeader(name, value);
      if (request.method === 'OPTIONS') return answer.writeHead(204).end();
      if (request.headers.cookie) return json(answer, 400, { code: 'bad_request', detail: 'a cookie came along' });
      const body = await bodyOf(request);
      const [what, reply] = pathname === '/v1/button' ? ['button', daemon.reply.button] : ['meeting', daemon.reply.meeting];
      if (what === 'meeting') daemon.calls.push({ key: request.headers['idempotency-key'], site: request.headers['ringdown-site'], body: JSON.parse(body) });
      if (reply.wait) await reply.wait;
      return json(answer, reply.status ?? (what === 'button' ? 200 : 201), reply.body ?? { id: 'mtg_1', code: 'CODE1', reference: 'C-7F3K2', state: 'planned', links: { visitor: `${daemon.url}/m/CODE1#secret` } });
    }
    if (pathname === '/button.js') return file(answer, 'button.js', { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' });
    if (pathname.startsWith('/static/')) return file(answer, pathname.slice('/static/'.length));
    if (pathname.startsWith('/m/')) return answer.writeHead(200, { 'Content-Type': types['.html'] }).end(visitor);
    if (pathname === '/visitor.js') return answer.writeHead(200, { 'Content-Type': types['.js'] }).end(visitorScript);
    if (pathname in pages) {
      const page = pages[pathname];
      return typeof page === 'string' ? file(answer, page, { 'Content-Security-Policy': pagePolicy("'none'") }) : json(answer, 200, page);
    }
    answer.writeHead(404).end();
  });
  return Object.assign(daemon, server);
}

/** startShop serves pages of another origin; `attributes` go on the button; without `strict` there is no policy. */
export async function startShop(daemonURL, { headers = {}, attributes = '' } = {}) {
  const shop = { attributes, headers, strict: true };
  const server = await listen((_, answer) => {
    const policy = `default-src 'none'; script-src ${daemonURL}; connect-src ${daemonURL}; frame-src ${daemonURL}; img-src data:; require-trusted-types-for 'script'; trusted-types 'none'`;
    answer.writeHead(200, { 'Content-Type': types['.html'], ...(shop.strict && { 'Content-Security-Policy': policy }), ...shop.headers });
    answer.end(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Onda pendant lamp</title><link rel="icon" href="data:,">
<script src="${daemonURL}/button.js" async></script></head><body><main><h1>Onda pendant lamp</h1><p>Copper.</p></main><ringdown-button site="pk_demo_shop" ${shop.attributes}></ringdown-button></body></html>`);
  });
  return Object.assign(shop, server);
}
