// What browser tests ask of a daemon when all have gone, of a server of our own.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { held, settle } from '../lib/leak.mjs';

let now = { fds: 20, goroutines: 30, rooms: 0, peers: 0 };
const ended = [];
const server = createServer((request, answer) => {
  if (request.url === '/metrics') {
    answer.end(`# HELP\nprocess_open_fds ${now.fds}\nprocess_open_fds_other 7\ngo_goroutines ${now.goroutines}\nringdown_media_rooms ${now.rooms}\nringdown_media_peers ${now.peers}\n`);
  } else if (request.method === 'GET') {
    answer.end(JSON.stringify({ meetings: [{ id: 'mtg_1' }] }));
  } else {
    ended.push(request.url, request.headers.authorization);
    now = { ...now, rooms: 0, peers: 0 };
    answer.end('{}');
  }
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const url = `http://127.0.0.1:${server.address().port}`;
const daemon = { url, adminURL: url, apiKey: () => 'key' };
after(() => server.close());

test('a daemon that let go of everything is fine', async () => {
  const before = await held(url);
  assert.deepEqual(before, now);
  now = { ...now, fds: 25, goroutines: 33 };
  await settle(daemon, before, { within: 300 });
});

test('a call that was left open is ended first', async () => {
  const before = { ...now };
  now = { ...now, rooms: 1, peers: 2 };
  await settle(daemon, before, { within: 300 });
  assert.deepEqual(ended, ['/v1/meetings/mtg_1/end', 'Bearer key']);
});

test('what is left is named', async () => {
  const before = { ...now };
  now = { ...now, fds: before.fds + 40 };
  await assert.rejects(settle(daemon, before, { within: 150 }), new RegExp(`${now.fds} fds \\(${before.fds} at its start\\)`));
});
