// A bad network between a page and the daemon: the relays of internal/impair,
// and a page that reaches sound and pictures through them only.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { machineAddress } from './daemon.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * startNetwork puts relays before a daemon: { url, udp, say, close }. `url` leads to the pages,
 * `udp` is host:port; `say` changes both relays, or the one of its `kind`, see internal/impair/cmd.
 */
export async function startNetwork(daemon) {
  const dir = mkdtempSync(`${tmpdir()}/ringdown-net-`);
  execFileSync('go', ['build', '-o', `${dir}/impair`, './internal/impair/cmd'], { cwd: root, stdio: 'inherit' });
  const host = machineAddress(); // Firefox sends no media to loopback, and the demo is served there only
  const relays = {
    tcp: await start(`${dir}/impair`, ['-listen', '127.0.0.1:0', '-tcp', `127.0.0.1:${daemon.port}`]),
    udp: await start(`${dir}/impair`, ['-listen', `${host}:0`, '-udp', `${host}:${daemon.mediaPort}`]),
  };
  return {
    udp: relays.udp.address,
    url: `http://localhost:${relays.tcp.address.split(':')[1]}`,
    async say({ kind, ...command }) {
      for (const relay of kind ? [relays[kind]] : Object.values(relays)) await relay.say(command);
    },
    close() {
      for (const relay of Object.values(relays)) relay.end();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function start(program, args) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value);
  const { relays: [{ address }] } = await next();
  return {
    address,
    async say(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      const reply = await next();
      if (!reply.ok) throw new Error(reply.error);
    },
    end: () => child.stdin.end(),
  };
}

/** viaRelay lets a page's peer connections know the daemon by the relay's UDP address only, or with `tcp` by its own TCP port too. */
export async function viaRelay(page, network, { tcp = false } = {}) {
  await page.evaluateOnNewDocument((relay, keepTCP) => {
    const [host, port] = relay.split(':');
    // RFC 8839 §5.1: foundation, component, transport, priority, address, port, then the rest
    const changed = (line) => {
      const f = line.split(' ');
      if (f[2].toLowerCase() !== 'udp') return keepTCP ? line : '';
      [f[4], f[5]] = [host, port];
      return f.join(' ');
    };
    const { addIceCandidate, setRemoteDescription } = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.addIceCandidate = async function (init) {
      if (!init?.candidate) return addIceCandidate.call(this, init);
      const candidate = changed(init.candidate);
      return candidate ? addIceCandidate.call(this, { ...init, candidate }) : undefined;
    };
    RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
      const lines = sdp.split('\r\n').map((line) => (line.startsWith('a=candidate:') ? changed(line) : line)).filter((line, i, all) => line !== '' || i === all.length - 1);
      return setRemoteDescription.call(this, { type, sdp: lines.join('\r\n') });
    };
  }, network.udp, tcp);
}
