import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Events } from '../out/unit/events.mjs';
import { sockets } from './sockets.mjs';

function client(t) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const net = sockets();
  let token = 'T1';
  const events = new Events({ url: 'ws://x/v1/events', token: () => token, open: net.open });
  const heard = [];
  for (const name of ['meeting', 'message', 'state', 'bye']) events.on(name, (value) => heard.push([name, value]));
  return { events, net, heard, tick: (ms) => t.mock.timers.tick(ms), renew: (to) => (token = to) };
}

test('says hello with the token, then hears snapshots and messages and answers pings', (t) => {
  const { events, net, heard } = client(t);
  events.start();
  assert.equal(net.last().protocol, 'ringdown.events');
  net.last().accept();
  net.last().say({ type: 'meeting', meeting: { seq: 3 } });
  net.last().say({ type: 'message', message: { text: 'Hello' } });
  net.last().say({ type: 'ping', at: 17 });
  net.last().say({ type: 'something new' });
  net.last().say('not json');
  assert.deepEqual(net.last().sent, [{ type: 'hello', token: 'T1' }, { type: 'pong', at: 17 }]);
  assert.deepEqual(heard, [['state', 'connecting'], ['state', 'connected'], ['meeting', { seq: 3 }], ['message', { text: 'Hello' }]]);
  events.stop();
});

test('it is not connected before the first snapshot: a ping alone proves nothing', (t) => {
  const { events, net } = client(t);
  events.start();
  net.last().accept();
  net.last().say({ type: 'ping', at: 1 });
  assert.equal(events.state, 'connecting');
  events.stop();
});

test('three seconds of silence open a new socket, with the token of that moment', (t) => {
  const { events, net, heard, tick, renew } = client(t);
  events.start();
  net.last().accept();
  net.last().say({ type: 'meeting', meeting: { seq: 3 } });
  renew('T2');
  tick(2999);
  assert.equal(events.state, 'connected');
  tick(1);
  assert.equal(events.state, 'reconnecting');
  assert.ok(net.all[0].closed);
  tick(500);
  assert.equal(net.all.length, 2);
  net.last().accept();
  assert.deepEqual(net.last().sent, [{ type: 'hello', token: 'T2' }]);
  net.last().say({ type: 'meeting', meeting: { seq: 4 } });
  assert.deepEqual(heard.slice(-2), [['state', 'connected'], ['meeting', { seq: 4 }]]);
  events.stop();
});

test('tries again and again, at most five seconds apart, until stopped', (t) => {
  const { events, net, tick } = client(t);
  events.start();
  for (let i = 0; i < 6; i++) {
    net.last().drop();
    tick(5000);
  }
  assert.equal(net.all.length, 7);
  net.last().drop();
  events.stop();
  tick(60_000);
  assert.equal(net.all.length, 7);
  assert.equal(events.state, 'closed');
});

test('a bye for good ends it, a bye of a restart does not', (t) => {
  const { events, net, heard, tick } = client(t);
  events.start();
  net.last().accept();
  net.last().say({ type: 'bye', reason: 'server_restart' });
  tick(500);
  assert.equal(net.all.length, 2);
  net.last().accept();
  net.last().say({ type: 'bye', reason: 'ended' });
  tick(60_000);
  assert.equal(net.all.length, 2);
  assert.deepEqual(heard.at(-1), ['bye', 'ended']);
});

test('a refused token is not tried again', (t) => {
  const { events, net, heard, tick } = client(t);
  events.start();
  net.last().accept();
  net.last().say({ type: 'bye', reason: 'bad_token' });
  tick(60_000);
  assert.equal(net.all.length, 1);
  assert.deepEqual(heard.at(-1), ['bye', 'bad_token']);
});

test('an old socket that closes late disturbs nothing', (t) => {
  const { events, net, tick } = client(t);
  events.start();
  net.last().accept();
  tick(3000);
  tick(500);
  net.last().accept();
  net.last().say({ type: 'meeting', meeting: { seq: 3 } });
  net.all[0].onclose({ code: 1006, reason: '' });
  net.all[0].onmessage({ data: '{"type":"bye","reason":"ended"}' });
  assert.equal(events.state, 'connected');
  events.stop();
});
