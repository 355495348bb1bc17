// What a daemon holds, as its operator reads it, and whether it lets go of it
// when everybody has gone.
import http from 'node:http';
import https from 'node:https';

/** held gives what the daemon holds: { fds, goroutines, rooms, peers }. */
export async function held(adminURL) {
  const text = await (await fetch(`${adminURL}/metrics`, { headers: { connection: 'close' } })).text();
  const of = (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return { fds: of('process_open_fds'), goroutines: of('go_goroutines'), rooms: of('ringdown_media_rooms'), peers: of('ringdown_media_peers') };
}

// What a daemon opens with its first visitors and keeps: connections to its
// database and to the desks, and a goroutine or two for each.
const kept = { fds: 12, goroutines: 16 };

/**
 * settle waits until the daemon holds no more than `before`, which was read when it had just
 * started: nobody in a room, files and goroutines back. Calls that a test left open are ended
 * first. The error says what is left.
 */
export async function settle(daemon, before, { within = 15_000 } = {}) {
  await endAll(daemon);
  const until = Date.now() + within;
  for (;;) {
    const now = await held(daemon.adminURL);
    const left = Object.keys(now).filter((what) => now[what] > before[what] + (kept[what] ?? 0));
    if (left.length === 0) return now;
    if (Date.now() > until) throw new Error(`the daemon holds ${left.map((what) => `${now[what]} ${what} (${before[what]} at its start)`).join(', ')}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** endAll ends every call that goes on, if there is a room at all. */
async function endAll(daemon) {
  if ((await held(daemon.adminURL)).rooms === 0) return;
  const list = JSON.parse(await ask(daemon, 'GET', '/v1/meetings?state=active'));
  for (const { id } of list.meetings) await ask(daemon, 'POST', `/v1/meetings/${id}/end`);
}

/** ask calls the API as the administrator, whatever its certificate. */
function ask(daemon, method, path) {
  const url = new URL(path, daemon.url);
  const options = { method, agent: false, rejectUnauthorized: false, headers: { authorization: `Bearer ${daemon.apiKey()}` } };
  return new Promise((done, failed) => {
    const request = (url.protocol === 'https:' ? https : http).request(url, options, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (data) => (text += data)).on('end', () => {
        if (answer.statusCode < 300) done(text);
        else failed(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
      });
    });
    request.once('error', failed).end();
  });
}
