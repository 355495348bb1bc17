import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem, call, idempotencyKey, socketURL } from '../out/unit/api.mjs';

const answer = (status, body) => async (...request) => {
  answer.last = request;
  return new Response(body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body), { status });
};

test('a call carries its token and key and gives the decoded answer', async () => {
  const got = await call('/v1/meetings', { body: { site: 'demo' }, token: 'T', idempotencyKey: 'K' }, answer(201, { id: 'mtg_1' }));
  assert.deepEqual(got, { id: 'mtg_1' });
  const [path, init] = answer.last;
  assert.equal(path, '/v1/meetings');
  assert.equal(init.method, 'POST');
  assert.equal(init.headers['Authorization'], 'Bearer T');
  assert.equal(init.headers['Idempotency-Key'], 'K');
  assert.equal(init.credentials, 'omit');
});

test('an empty answer is undefined', async () => {
  assert.equal(await call('/v1/x', { method: 'POST' }, answer(204)), undefined);
});

test('a refusal is a Problem with code, sentence, fields and extra members', async () => {
  const body = { type: 'about:blank', title: 'Conflict', status: 409, code: 'ring_taken', detail: 'Marie took the call.', taken_by: 'Marie', errors: [{ pointer: '/x', detail: 'y' }] };
  await assert.rejects(call('/v1/rings/1/accept', { method: 'POST' }, answer(409, body)), (error) => {
    assert.ok(error instanceof Problem);
    assert.deepEqual([error.code, error.message, error.status, error.data, error.fields], ['ring_taken', 'Marie took the call.', 409, { taken_by: 'Marie' }, [{ pointer: '/x', detail: 'y' }]]);
    return true;
  });
});

test('an answer that is not ours, and no answer at all, have a code too', async () => {
  await assert.rejects(call('/v1/x', {}, answer(502, '<html>bad gateway')), { code: 'unavailable', status: 502 });
  await assert.rejects(call('/v1/x', {}, async () => { throw new TypeError('fetch failed'); }), { code: 'offline', status: 0 });
});

test('an aborted call is not a Problem', async () => {
  const abort = new AbortController();
  abort.abort();
  await assert.rejects(call('/v1/x', { signal: abort.signal }, async () => { throw abort.signal.reason; }), { name: 'AbortError' });
});

test('a call that is never answered ends after a while', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const never = (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const waiting = assert.rejects(call('/v1/x', {}, never), { code: 'offline' });
  t.mock.timers.tick(15_000);
  await waiting;
});

test('an abort while waiting is the caller\'s own error', async () => {
  const abort = new AbortController();
  const never = (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const waiting = assert.rejects(call('/v1/x', { signal: abort.signal }, never), { name: 'AbortError' });
  abort.abort();
  await waiting;
});

test('keys differ, socket addresses follow the page', () => {
  assert.match(idempotencyKey(), /^[0-9a-f]{32}$/);
  assert.notEqual(idempotencyKey(), idempotencyKey());
  assert.equal(socketURL('/v1/events', 'https://a.example/m/1'), 'wss://a.example/v1/events');
  assert.equal(socketURL('/v1/events', 'http://localhost:8080/'), 'ws://localhost:8080/v1/events');
});
