// The real program, on free ports and a folder of its own.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { held, settle } from './leak.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The built program; RINGDOWN_BIN names another. */
export const binary = process.env.RINGDOWN_BIN ?? `${root}bin/ringdown`;

/** machineAddress is an IPv4 address of this machine that is not loopback. */
export function machineAddress() {
  const all = Object.values(networkInterfaces()).flat();
  const own = all.find((address) => address && address.family === 'IPv4' && !address.internal);
  if (!own) throw new Error('this machine has no address but loopback: Firefox sends no media there');
  return own.address;
}

/** freePorts gives n port numbers that nobody listens on at this moment. */
export async function freePorts(n) {
  const servers = await Promise.all(
    Array.from({ length: n }, () => new Promise((done, failed) => {
      const server = createServer().once('error', failed).listen(0, '0.0.0.0', () => done(server));
    })),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/**
 * startDaemon runs `ringdown serve` and waits until it is ready.
 *
 * config   text of a configuration file, or a function of { port, mediaPort, adminPort, dir } that
 *          gives it; none starts the demo
 * env      more variables, RINGDOWN_… or not
 * origin   the address pages are opened at, if not http://localhost:<port>
 *
 * The result has url, port, mediaPort, adminURL, dir, facts (the start banner: inbox, media, …),
 * apiKey(), log() and stop().
 */
export async function startDaemon({ config, env = {}, origin, args = [], readyMs = 15_000 } = {}) {
  if (!existsSync(binary)) throw new Error(`${binary} is not built: make build`);
  const dir = mkdtempSync(`${tmpdir()}/ringdown-e2e-`);
  const [port, mediaPort, adminPort] = await freePorts(3);
  const url = origin?.({ port }) ?? `http://localhost:${port}`;
  const given = typeof config === 'function' ? config({ port, mediaPort, adminPort, dir }) : config;
  const settings = given === undefined
    ? { RINGDOWN_LISTEN: `127.0.0.1:${port}`, RINGDOWN_PUBLIC_URL: url, RINGDOWN_ADMIN_LISTEN: `127.0.0.1:${adminPort}`, RINGDOWN_MEDIA_PORT: String(mediaPort), RINGDOWN_DATA_DIR: dir }
    : {};
  if (given !== undefined) {
    writeFileSync(`${dir}/config.yaml`, given);
    args = ['--config', `${dir}/config.yaml`, ...args];
  }
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('RINGDOWN_')));
  const child = spawn(binary, ['serve', '--json', ...args], { cwd: dir, env: { ...inherited, ...settings, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, banner] = ['', ''];
  child.stdout.on('data', (data) => (output += data) && (banner += data));
  child.stderr.on('data', (data) => (output += data));
  const exited = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })));
  let [exit, before] = [];
  void exited.then((e) => (exit = e));

  const daemon = {
    url, port, mediaPort, dir,
    adminURL: `http://127.0.0.1:${adminPort}`,
    pid: child.pid,
    log: () => output,
    facts: undefined,
    /** apiKey is the key the daemon made for its administrator. */
    apiKey: () => readFileSync(resolve(dir, daemon.facts.admin_key_file), 'utf8').trim(),
    /**
     * stop asks politely, waits, and tells how it ended. Before, everybody has to be gone: it
     * rejects if the daemon holds on to something then. `leaks: false` is for those who stop it
     * in the middle of something.
     */
    async stop({ signal = 'SIGTERM', keep = false, leaks = true } = {}) {
      let left;
      if (leaks && before && !exit) left = await settle(daemon, before).catch((error) => error);
      if (!exit) child.kill(signal);
      const hard = setTimeout(() => child.kill('SIGKILL'), 15_000);
      const end = await exited;
      clearTimeout(hard);
      if (!keep) rmSync(dir, { recursive: true, force: true });
      if (left instanceof Error) throw left;
      return end;
    },
  };
  const until = Date.now() + readyMs;
  while (!(daemon.facts = read(banner)) || !(await isReady(url, Number(new URL(url).port) || port))) {
    if (exit || Date.now() > until) {
      await daemon.stop();
      throw new Error(`ringdown ${exit ? `ended (${exit.code ?? exit.signal})` : `was not ready in ${readyMs} ms`}:\n${output}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  if (daemon.facts.admin) before = await held(daemon.adminURL);
  return daemon;
}

/** read gives the start banner once all of it has come; nothing else is printed to stdout. */
function read(banner) {
  try {
    return JSON.parse(banner);
  } catch {
    return undefined;
  }
}

async function isReady(url, port) {
  if (url.startsWith('https:')) return canConnect(new URL(url).hostname, port); // a self-made certificate: fetch would refuse it
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}

async function canConnect(host, port) {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: 1000 });
    const end = (ok) => (socket.destroy(), done(ok));
    socket.once('connect', () => end(true)).once('error', () => end(false)).once('timeout', () => end(false));
  });
}
