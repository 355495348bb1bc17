// What stands around a configured daemon: a certificate, a desk, and somebody
// else's shop on an origin of its own.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { binary } from './daemon.mjs';

/** selfMade makes a certificate for an IP address, good for a day. */
export function selfMade(host) {
  const dir = mkdtempSync(`${tmpdir()}/ringdown-cert-`);
  const [cert, key] = [`${dir}/cert.pem`, `${dir}/key.pem`];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1',
    '-subj', `/CN=${host}`, '-addext', `subjectAltName=IP:${host}`, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { cert, key, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** startDesk runs `ringdown emulate xcally`; it trusts the certificate of the Reply URL. */
export async function startDesk(port, replyURL, ca) {
  const child = spawn(binary, ['emulate', 'xcally', '--json', '--listen', `127.0.0.1:${port}`, '--reply-url', replyURL],
    { env: { ...process.env, SSL_CERT_FILE: ca }, stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  for await (const part of child.stdout) {
    said += part;
    if (said.trimEnd().endsWith('}')) break;
  }
  const { inbox, receive_url: receiveURL } = JSON.parse(said);
  return { inbox, receiveURL, stop: () => child.kill() };
}

/** startShop serves one https page with the button of a daemon at another origin. */
export async function startShop(host, { cert, key }, daemonURL) {
  let origin;
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_, answer) => {
    answer.setHeader('Content-Type', 'text/html; charset=utf-8');
    answer.end(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Onda</title><link rel="icon" href="data:,">
<script src="${daemonURL}/button.js" async></script></head><body><h1>Onda pendant lamp</h1>
<ringdown-button site="pk_test_shop" redirect-url="${origin}/?after=call"></ringdown-button></body></html>`);
  });
  await new Promise((done) => server.listen(0, '0.0.0.0', done));
  origin = `https://${host}:${server.address().port}`;
  return { origin, close: () => (server.closeAllConnections(), server.close()) };
}
