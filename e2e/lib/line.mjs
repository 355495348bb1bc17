// A bad network for browsers: the relays of internal/impair before a daemon.
// Pages, signalling and media of whoever is on a line pass it, and a test cuts
// it, slows it down or gives it a new address.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * startLine opens a line to servers: { web, media } are addresses "ip:port" of the daemon's pages
 * and of its media. The result:
 *
 * url           where pages are to be opened, http://localhost:…
 * ready(page)   call it before the page is opened: its calls then take the line
 * set(c)        conditions: loss, delay_ms, jitter_ms, reorder, duplicate, kbit_per_second, block,
 *               for some only with kind (udp, tcp), server and direction (up, down)
 * cut(), mend() nothing passes; it does again
 * rebind()      every client of the media gets a new port
 * reset()       every connection is torn
 * counts()      what passed, for each relay
 * stop()
 */
export async function startLine({ web, media, seed = 1 }) {
  const dir = mkdtempSync(`${tmpdir()}/ringdown-line-`);
  execFileSync('go', ['build', '-o', `${dir}/impair`, './internal/impair/cmd'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const child = spawn(`${dir}/impair`, ['-seed', String(seed), '-tcp', web, '-tcp', media, '-udp', media], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise((done) => child.once('exit', done));
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(JSON.parse(line)));
  const answer = () => new Promise((done, failed) => {
    waiting.push(done);
    void exited.then(() => failed(new Error('the relay has ended')));
  });
  const { relays } = await answer();
  const at = (kind, server) => relays.find((relay) => relay.kind === kind && relay.server === server).address;
  const ways = { udp: at('udp', media), tcp: at('tcp', media) };
  const send = async (command) => {
    const reply = answer();
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const { ok, error, counts } = await reply;
    if (!ok) throw new Error(error);
    return counts;
  };
  return {
    url: `http://localhost:${at('tcp', web).split(':')[1]}`,
    relays,
    ready: (page) => page.evaluateOnNewDocument(takeLine, ways),
    set: send,
    cut: () => send({ block: true }),
    mend: () => send({ block: false }),
    rebind: () => send({ rebind: true }),
    reset: () => send({ reset: true }),
    counts: () => send({ counts: true }),
    async stop() {
      child.stdin.end();
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/**
 * takeLine runs in a page: what the server says of its addresses is replaced by the line's. The
 * server never calls a client first, so this is the only way. RFC 8839 §5.1: the fields of a
 * candidate are foundation, component, transport, priority, address and port.
 */
export function takeLine(ways) {
  const through = (text) => text?.replace(
    /candidate:(\S+) (\d+) (udp|tcp) (\d+) \S+ \d+/gi,
    (_, foundation, component, transport, priority) => {
      const [ip, port] = ways[transport.toLowerCase()].split(':');
      return `candidate:${foundation} ${component} ${transport} ${priority} ${ip} ${port}`;
    },
  );
  const { setRemoteDescription, addIceCandidate } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.setRemoteDescription = function set(description, ...rest) {
    return setRemoteDescription.call(this, description && { type: description.type, sdp: through(description.sdp) }, ...rest);
  };
  RTCPeerConnection.prototype.addIceCandidate = function add(candidate, ...rest) {
    const { sdpMid, sdpMLineIndex, usernameFragment } = candidate ?? {};
    return addIceCandidate.call(this, candidate && { candidate: through(candidate.candidate), sdpMid, sdpMLineIndex, usernameFragment }, ...rest);
  };
}
