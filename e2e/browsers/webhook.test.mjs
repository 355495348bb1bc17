// What the program signs, checked by other people's libraries: webhooks by
// standardwebhooks, tokens by jsonwebtoken. No browser is in it, but the
// program that was built.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { hkdfSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import jwt from 'jsonwebtoken';
import { Webhook } from 'standardwebhooks';
import { freePorts, startDaemon } from '../lib/daemon.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const manual = readFileSync(`${root}docs/integrations/webhook.md`, 'utf8');
const secret = () => `whsec_${randomBytes(32).toString('base64')}`;

/** until waits for something to be true, and says what was missing. */
async function until(what, ready, ms = 15_000) {
  for (const end = Date.now() + ms; !(await ready()); await new Promise((done) => setTimeout(done, 20))) {
    assert.ok(Date.now() < end, `${what} did not happen in ${ms} ms`);
  }
}

/** startReceiver takes every request, writes it down, and answers what `answer` says. */
async function startReceiver() {
  const receiver = { got: [], answer: () => 204 };
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const one = { path: request.url, headers: request.headers, body: Buffer.concat(parts) };
    receiver.got.push(one);
    response.writeHead(receiver.answer(one, receiver.got)).end();
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  receiver.url = `http://127.0.0.1:${server.address().port}`;
  receiver.of = (path) => receiver.got.filter((one) => one.path === path);
  receiver.close = () => (server.closeAllConnections(), server.close());
  return receiver;
}

/** startManual runs the receiver that the manual shows, word for word. */
async function startManual(port, key) {
  const [, code] = /^```js\n(.*?)^```/ms.exec(manual);
  mkdirSync(`${root}e2e/out`, { recursive: true });
  writeFileSync(`${root}e2e/out/receiver.mjs`, code);
  const child = spawn(process.execPath, [`${root}e2e/out/receiver.mjs`], { env: { ...process.env, PORT: String(port), WEBHOOK_SECRET: key }, stdio: ['ignore', 'pipe', 'inherit'] });
  const shown = { url: `http://127.0.0.1:${port}`, said: '', stop: () => child.kill() };
  child.stdout.on('data', (data) => (shown.said += data));
  await until('the start of the manual\'s receiver', () => fetch(shown.url).then(() => true, () => false));
  return shown;
}

describe('what the program signs', { timeout: 120_000 }, () => {
  const [first, second] = [secret(), secret()];
  const rootKey = randomBytes(32);
  let receiver, shown, daemon, agent, visitor, meeting, room;

  before(async () => {
    receiver = await startReceiver();
    const [port] = await freePorts(1);
    shown = await startManual(port, first);
    // The first try of a ring fails: it comes again a second later.
    receiver.answer = (one, got) => (one.path === '/first' && got.filter((o) => o.body.includes('"ring.started"') && o.path === '/first').length === 1 && one.body.includes('"ring.started"') ? 500 : 204);
    daemon = await startDaemon({
      config: ({ port, mediaPort, adminPort, dir }) => {
        // With the flags of `make binary`, so that nothing is compiled twice.
        execFileSync('go', ['run', '-trimpath', '-tags', 'nomsgpack', 'e2e/rootkey.go', `${dir}/data`, rootKey.toString('hex')], { cwd: root, stdio: 'inherit', env: { ...process.env, CGO_ENABLED: '0' } });
        return `
listen: 127.0.0.1:${port}
public_url: http://localhost:${port}
admin_listen: 127.0.0.1:${adminPort}
data_dir: ${dir}/data
media: {port: ${mediaPort}, loopback: true}
queues: [{name: advice}]
connectors:
  webhook:
    endpoints:
      - {name: first, url: '${receiver.url}/first', secrets: [${first}], events: ['*']}
      - {name: both, url: '${receiver.url}/both', secrets: [${second}, ${first}], events: ['*']}
      - {name: manual, url: '${shown.url}/', secrets: [${first}], events: ['*']}
`;
      },
    });

    const call = async (method, path, token, body) => {
      const answer = await fetch(daemon.url + path, { method, headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) });
      const said = await answer.text();
      assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${said}`);
      return said ? JSON.parse(said) : undefined;
    };
    const redeem = (link) => {
      const [, id, key] = /\/([^/]+)#(.+)$/.exec(link);
      return call('POST', '/v1/links/redeem', '', { id, secret: key, device: 'device-of-a-test-1' });
    };
    meeting = await call('POST', '/v1/meetings', daemon.apiKey(), { queue: 'advice', ring: 'now', topic: 'Grüße <&> 📹', visitor: { name: 'Zoë' } });
    visitor = await redeem(meeting.links.visitor);
    agent = await redeem(meeting.links.agent);
    const at = `/v1/meetings/${meeting.id}`;
    await call('POST', `${at}/accept`, agent.token, { name: 'Marie' });
    await call('POST', `${at}/messages`, visitor.token, { text: 'Is it “this” one? \u2028 é' });
    room = await call('POST', `${at}/join`, agent.token, { audio: true, video: false });
    await call('POST', `${at}/end`, agent.token);
    await until('the end at every receiver', () => ['/first', '/both'].every((path) => receiver.of(path).some((one) => one.body.includes('"meeting.ended"'))) && shown.said.includes('meeting.ended'));
  });
  after(async () => {
    await daemon?.stop();
    shown?.stop();
    receiver?.close();
  });

  const story = ['meeting.created', 'meeting.requested', 'ring.started', 'meeting.answered', 'message.created', 'meeting.ended'];

  test('every delivery is verified by standardwebhooks, in order', () => {
    for (const [path, keys] of [['/first', [first]], ['/both', [first, second]]]) {
      for (const key of keys) {
        const events = receiver.of(path).map((one) => new Webhook(key).verify(one.body.toString(), one.headers));
        const once = events.filter((event, i) => event.data.id !== events[i - 1]?.data.id);
        assert.deepEqual(once.map((event) => event.type), story);
        assert.deepEqual(once.map((event) => event.data.seq), [1, 2, 3, 4, 5, 6]);
        for (const event of events) {
          assert.equal(event.data.meeting.id, meeting.id);
          assert.equal(event.data.meeting.topic, 'Grüße <&> 📹');
          assert.equal(event.data.meeting.visitor.name, 'Zoë');
        }
        assert.equal(once[4].data.message.text, 'Is it “this” one? \u2028 é');
      }
    }
  });

  test('a second attempt has the same id and another signature', () => {
    const rings = receiver.of('/first').filter((one) => one.body.includes('"ring.started"'));
    assert.equal(rings.length, 2);
    assert.equal(rings[0].headers['webhook-id'], rings[1].headers['webhook-id']);
    assert.deepEqual(rings[0].body, rings[1].body);
    assert.notEqual(rings[0].headers['webhook-timestamp'], rings[1].headers['webhook-timestamp']);
    assert.notEqual(rings[0].headers['webhook-signature'], rings[1].headers['webhook-signature']);
    const ids = new Set(receiver.got.map((one) => one.headers['webhook-id']));
    assert.equal(ids.size, 2 * story.length);
  });

  test('a flipped bit, another secret and another header are refused', () => {
    const { headers, body } = receiver.of('/first').at(-1);
    const refused = (key, text, changed) => assert.throws(() => new Webhook(key).verify(text, { ...headers, ...changed }), /signature|timestamp/i);
    for (let i = 0; i < body.length; i++) {
      const flipped = Buffer.from(body);
      flipped[i] ^= 1 << i % 8;
      refused(first, flipped.toString('latin1'), {});
      refused(first, flipped.toString(), {});
    }
    const text = body.toString();
    assert.equal(new Webhook(first).verify(text, headers).type, 'meeting.ended');
    refused(second, text, {});
    refused(secret(), text, {});
    refused(first, text, { 'webhook-id': receiver.got[0].headers['webhook-id'] });
    refused(first, text, { 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) });
    refused(first, text, { 'webhook-timestamp': String(Number(headers['webhook-timestamp']) - 600) });
    refused(first, text, { 'webhook-signature': headers['webhook-signature'].replace('v1,', 'v2,') });
  });

  test('the manual\'s receiver tells each event once and refuses what is not ours', async () => {
    await until('all six lines', () => shown.said.split('\n').length > story.length);
    assert.deepEqual(shown.said.trim().split('\n').map((line) => line.split(' ')), story.map((type, i) => [type, String(i + 1), meeting.reference]));
    const post = async ({ headers, body }) => (await fetch(shown.url, { method: 'POST', body, headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('webhook-'))) })).status;
    const one = receiver.of('/first').at(-1); // signed with the same secret, with an id of its own
    assert.equal(await post(one), 204);
    assert.equal(await post(one), 204);
    await until('the seventh line', () => shown.said.split('\n').length > story.length + 1);
    const body = Buffer.from(one.body);
    body[20] ^= 1;
    assert.equal(await post({ headers: one.headers, body }), 400);
    assert.equal(shown.said.trim().split('\n').length, story.length + 1);
  });

  test('the manual\'s Python function verifies', (t) => {
    if (spawnSync('python3', ['--version']).status !== 0) return t.skip('python3 is not here');
    const [, code] = /^```python\n(.*?)^```/ms.exec(manual);
    const ask = (key, { headers, body }) => spawnSync('python3', ['-c', `${code}\nimport json, sys\nk, h, b = json.load(sys.stdin)\nprint(verify(k, h, b.encode("latin-1")))`], { input: JSON.stringify([key, headers, body.toString('latin1')]), encoding: 'utf8' }).stdout.trim();
    const one = receiver.of('/both').at(-1);
    assert.equal(ask(first, one), 'True');
    assert.equal(ask(second, one), 'True');
    assert.equal(ask(secret(), one), 'False');
    assert.equal(ask(first, { headers: one.headers, body: Buffer.concat([one.body, Buffer.from(' ')]) }), 'False');
  });

  test('tokens are verified by jsonwebtoken, each kind by its own key only', () => {
    const key = (kind) => Buffer.from(hkdfSync('sha256', rootKey, '', `ringdown/1/${kind}`, 32));
    const rules = (kind) => ({ algorithms: ['HS256'], issuer: 'ringdown', audience: `ringdown:${kind}`, complete: true });
    const flip = (token, part) => {
      const parts = token.split('.');
      const bytes = Buffer.from(parts[part], 'base64url');
      bytes[bytes.length >> 1] ^= 1;
      return Object.assign(parts, { [part]: bytes.toString('base64url') }).join('.');
    };
    for (const [kind, token, other] of [['media', room.token, 'session'], ['session', agent.token, 'media']]) {
      const { header, payload } = jwt.verify(token, key(kind), rules(kind));
      assert.deepEqual({ alg: header.alg, kid: header.kid, typ: header.typ }, { alg: 'HS256', kid: 'k_of_a_test', typ: `${kind}+jwt` });
      assert.equal(payload.meeting, meeting.id);
      assert.equal(payload.exp - payload.iat, kind === 'media' ? 120 : 12 * 3600);
      if (kind === 'media') assert.deepEqual([payload.participant, payload.role, payload.name, payload.audio, payload.video], [room.participant, 'agent', 'Marie', true, false]);

      const refused = (token, by, kind, why, more) => assert.throws(() => jwt.verify(token, by, { ...rules(kind), ...more }), why);
      refused(token, key(other), kind, /invalid signature/);
      refused(token, rootKey, kind, /invalid signature/);
      refused(token, randomBytes(32), kind, /invalid signature/);
      refused(token, key(kind), other, /audience invalid/);
      refused(token, key(kind), kind, /jwt expired/, { clockTimestamp: payload.exp + 1 });
      for (const part of [1, 2]) refused(flip(token, part), key(kind), kind, /invalid (signature|token)/);
      const [head, , signature] = token.split('.');
      refused([head, Buffer.from(JSON.stringify({ ...payload, role: 'observer' })).toString('base64url'), signature].join('.'), key(kind), kind, /invalid signature/);
      refused(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.`, key(kind), kind, /jwt signature is required/);
    }
  });
});
