import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Signal } from '../out/unit/signal.mjs';
import { settle, sockets } from './sockets.mjs';

/** A peer connection that writes down what was done with it. */
class Peer {
  log = [];
  transceivers = [];
  remoteDescription = null;
  localDescription = null;
  connectionState = 'new';
  constructor(config) {
    this.config = config;
  }
  addTransceiver(trackOrKind, init) {
    const sender = {
      track: typeof trackOrKind === 'string' ? null : trackOrKind,
      parameters: { encodings: structuredClone(init.sendEncodings ?? [{}]) },
      replaceTrack: async (track) => void (sender.track = track),
      getParameters: () => structuredClone(sender.parameters),
      setParameters: async (parameters) => void (sender.parameters = parameters),
    };
    const transceiver = { mid: null, direction: init.direction, init, sender, receiver: { track: {} } };
    this.transceivers.push(transceiver);
    return transceiver;
  }
  getTransceivers() {
    return this.transceivers;
  }
  async createOffer() {
    return { type: 'offer', sdp: `offer${this.transceivers.length}` };
  }
  async createAnswer() {
    return { type: 'answer', sdp: 'answer' };
  }
  async setLocalDescription(description) {
    this.localDescription = description;
    if (description.type === 'offer') this.transceivers.forEach((t, i) => (t.mid = String(i)));
    this.onicecandidate?.({ candidate: { toJSON: () => ({ candidate: `${description.type}-candidate` }) } }); // before we could have sent anything
  }
  async setRemoteDescription(description) {
    this.log.push(description.type);
    await settle();
    this.remoteDescription = description;
    if (description.type === 'offer') this.transceivers = [{ mid: '0', receiver: { track: { id: 'remote video' } } }];
  }
  async addIceCandidate(candidate) {
    assert.ok(this.remoteDescription, 'a candidate before the description');
    this.log.push(candidate.candidate);
  }
  close() {
    this.closed = true;
  }
  /** become changes the state as the browser does. */
  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
  restartIce() {
    this.log.push('restart');
  }
  /** heard is how many bytes have come in; every reading finds `more` of them. */
  heard = 0;
  more = 0;
  async getStats() {
    this.heard += this.more;
    return new Map([['pair', { type: 'candidate-pair', bytesReceived: this.heard }]]);
  }
}

const welcome = (more = {}) => ({ type: 'welcome', version: 1, room: 'mtg_1', me: 'par_me', participants: [{ id: 'par_me', role: 'visitor', name: 'Anna', tracks: [] }, { id: 'par_a', role: 'agent', name: 'Marie', tracks: [{ source: 'camera', kind: 'video', muted: false }] }], limits: { tracks: 4, video_bitrate: 1_500_000 }, ping_ms: 2000, resume: 'R', resumed: false, ...more });
const microphone = () => ({ source: 'microphone', kind: 'audio', track: { kind: 'audio', enabled: true }, muted: false });
const camera = (muted = false) => ({ source: 'camera', kind: 'video', track: { kind: 'video', enabled: true }, muted });

function client(t, ticket = async () => ({ url: 'ws://x/v1/signal', token: 'T', iceServers: [{ urls: ['stun:x'] }] })) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const net = sockets();
  const peers = [];
  const signal = new Signal({ url: 'ws://x/v1/signal', ticket, open: net.open, peer: (config) => (peers.push(new Peer(config)), peers.at(-1)), giveUpMs: 60_000 });
  const heard = [];
  for (const name of ['state', 'lost', 'ended', 'problem']) signal.on(name, (value) => heard.push([name, value]));
  return { signal, net, peers, heard, tick: (ms) => t.mock.timers.tick(ms), legs: () => ({ subscribe: peers.at(-2), publish: peers.at(-1) }) };
}

async function joined(t) {
  const c = client(t);
  c.signal.publish([microphone(), camera()]);
  c.signal.join();
  await settle();
  c.net.last().accept();
  c.net.last().say(welcome());
  await settle();
  return c;
}

const types = (socket) => socket.sent.map((m) => m.type);

test('hello first, then the offer, and only then its candidates', async (t) => {
  const { net, heard, legs } = await joined(t);
  const [hello, offer, candidate] = net.last().sent;
  assert.deepEqual(hello, { type: 'hello', versions: [1], token: 'T' });
  assert.deepEqual([offer.type, offer.leg, offer.id], ['offer', 'publish', 1]);
  assert.deepEqual(offer.tracks, [{ mid: '0', kind: 'audio', source: 'microphone', muted: false }, { mid: '1', kind: 'video', source: 'camera', muted: false }]);
  assert.deepEqual(candidate, { type: 'candidate', leg: 'publish', candidate: { candidate: 'offer-candidate' } });
  assert.deepEqual(legs().publish.config.iceServers, [{ urls: ['stun:x'] }]);
  assert.deepEqual(legs().publish.transceivers[1].sender.parameters.encodings, [{ maxBitrate: 1_500_000 }]);
  assert.deepEqual(heard, [['state', 'connecting'], ['state', 'connected']]);
});

test('the socket opens while the ticket is on its way, and the offer does not wait for the welcome', async (t) => {
  let grant;
  const { signal, net, peers } = client(t, () => new Promise((resolve) => (grant = resolve)));
  signal.publish([microphone()]);
  signal.join();
  net.last().accept();
  await settle();
  signal.setMuted('microphone', true); // nothing goes before the hello; the offer says it
  assert.deepEqual([net.all.length, net.last().sent, peers.length], [1, [], 0]);
  grant({ url: 'ws://x/v1/signal', token: 'T' });
  await settle();
  assert.deepEqual(types(net.last()), ['hello', 'offer', 'candidate']);
  assert.equal(net.last().sent[1].tracks[0].muted, true);
  signal.publish([camera()]); // before the welcome: the same leg's next offer
  net.last().say(welcome());
  net.last().say({ type: 'answer', leg: 'publish', id: 1, sdp: 'a' });
  for (let i = 0; i < 5; i++) await settle();
  assert.deepEqual(net.last().sent.filter((m) => m.type === 'offer').map((m) => m.tracks.length), [1, 2]);
  assert.equal(peers.length, 2);
});

test('a ticket slower than the server waits for a hello is not asked for twice', async (t) => {
  let grant, asked = 0;
  const { signal, net, tick } = client(t, () => (asked++, new Promise((resolve) => (grant = resolve))));
  signal.join();
  net.last().accept();
  net.last().drop();
  await settle();
  tick(500);
  await settle();
  assert.deepEqual([net.all.length, asked], [2, 1]);
  grant({ url: 'ws://x/v1/signal', token: 'T' });
  net.last().accept();
  await settle();
  assert.deepEqual(types(net.last()), ['hello']);
});

test('a ticket for another node closes the first socket, which hears no token', async (t) => {
  const { signal, net } = client(t, async () => ({ url: 'ws://y/v1/signal', token: 'T' }));
  signal.join();
  net.last().accept();
  await settle();
  assert.deepEqual(net.all.map((socket) => [socket.url, socket.closed ?? false]), [['ws://x/v1/signal', true], ['ws://y/v1/signal', false]]);
  net.last().accept();
  await settle();
  assert.deepEqual(net.all.map((socket) => socket.sent.length), [0, 1]);
  net.last().say(welcome());
  await settle();
  assert.equal(signal.state, 'connected');
});

test('connections of a hello that was never answered are closed, with the socket', async (t) => {
  const { signal, net, peers, tick } = client(t);
  signal.publish([microphone()]);
  signal.join();
  await settle();
  net.last().accept();
  await settle();
  assert.equal(peers.length, 2);
  net.last().drop();
  await settle();
  assert.ok(peers[0].closed && peers[1].closed);
  tick(500);
  await settle();
  signal.leave();
  await settle();
  assert.ok(net.all.length === 2 && net.last().closed && peers.every((peer) => peer.closed));
});

test('messages are handled in order, each to its end', async (t) => {
  const { net, legs } = await joined(t);
  net.last().say({ type: 'candidate', leg: 'publish', candidate: { candidate: 'early' } });
  net.last().say({ type: 'answer', leg: 'publish', id: 1, sdp: 'a' });
  net.last().say({ type: 'candidate', leg: 'publish', candidate: { candidate: 'late' } });
  net.last().say({ type: 'candidate', leg: 'publish', candidate: null });
  for (let i = 0; i < 5; i++) await settle();
  assert.deepEqual(legs().publish.log, ['answer', 'early', 'late']);
});

test('no second offer before the answer; what changed meanwhile goes into the next', async (t) => {
  const { signal, net } = await joined(t);
  signal.publish([{ source: 'screen', kind: 'video', track: { kind: 'video', enabled: true }, muted: false }]);
  await settle();
  assert.equal(types(net.last()).filter((type) => type === 'offer').length, 1);
  net.last().say({ type: 'answer', leg: 'publish', id: 7, sdp: 'of another offer' });
  await settle();
  net.last().say({ type: 'answer', leg: 'publish', id: 1, sdp: 'a' });
  for (let i = 0; i < 5; i++) await settle();
  const offers = net.last().sent.filter((m) => m.type === 'offer');
  assert.equal(offers.length, 2);
  assert.deepEqual([offers[1].id, offers[1].tracks.map((x) => x.source)], [2, ['microphone', 'camera', 'screen']]);
});

test('off and on again without renegotiation: a muted picture is not sent, a muted microphone is disabled', async (t) => {
  const { signal, net, legs } = await joined(t);
  const [audio, video] = legs().publish.transceivers;
  signal.setMuted('camera', true);
  signal.setMuted('microphone', true);
  signal.setMuted('camera', true);
  await settle();
  assert.equal(video.sender.track, null);
  assert.equal(audio.sender.track.enabled, false);
  signal.setMuted('camera', false);
  await settle();
  assert.equal(video.sender.track.enabled, true);
  assert.deepEqual(net.last().sent.filter((m) => m.type === 'track'), [{ type: 'track', source: 'camera', muted: true }, { type: 'track', source: 'microphone', muted: true }, { type: 'track', source: 'camera', muted: false }]);
  assert.equal(types(net.last()).filter((type) => type === 'offer').length, 1);
  const other = { kind: 'video', enabled: false };
  await signal.replaceTrack('camera', other);
  assert.equal(video.sender.track, other);
  assert.equal(other.enabled, true);
});

test('a withdrawn source is offered again without its mid', async (t) => {
  const { signal, net } = await joined(t);
  net.last().say({ type: 'answer', leg: 'publish', id: 1, sdp: 'a' });
  for (let i = 0; i < 5; i++) await settle();
  signal.unpublish('camera');
  await settle();
  assert.deepEqual(net.last().sent.at(-2).tracks.map((x) => x.source), ['microphone']);
});

test('answers the subscribe offer, then sends candidates, and shows media with its sender', async (t) => {
  const { signal, net, legs } = await joined(t);
  net.last().say({ type: 'offer', leg: 'subscribe', id: 1, sdp: 's', tracks: [{ mid: '0', participant: 'par_a', source: 'camera', kind: 'video', muted: false }] });
  for (let i = 0; i < 5; i++) await settle();
  const sent = net.last().sent.filter((m) => m.leg === 'subscribe');
  assert.deepEqual(sent.map((m) => m.type), ['answer', 'candidate']);
  assert.equal(sent[0].id, 1);
  assert.deepEqual(signal.participants[0].tracks, [{ source: 'camera', kind: 'video', muted: false, track: { id: 'remote video' } }]);
  assert.deepEqual(legs().subscribe.log, ['offer']);
});

test('an offer without tracks is answered too', async (t) => {
  const { signal, net } = await joined(t);
  net.last().say({ type: 'offer', leg: 'subscribe', id: 1, sdp: 's' });
  for (let i = 0; i < 5; i++) await settle();
  assert.equal(types(net.last()).at(-2), 'answer');
  assert.equal(signal.state, 'connected');
});

test('presence: who is here, what they send, who left', async (t) => {
  const { signal, net } = await joined(t);
  assert.equal(signal.me, 'par_me');
  assert.deepEqual(signal.participants.map((p) => p.name), ['Marie']);
  net.last().say({ type: 'track', participant: 'par_a', source: 'camera', kind: 'video', muted: true });
  net.last().say({ type: 'track', participant: 'par_a', source: 'microphone', kind: 'audio', muted: false });
  net.last().say({ type: 'joined', participant: { id: 'par_b', role: 'observer', name: 'Ugo', tracks: [] } });
  await settle();
  assert.deepEqual(signal.participants[0].tracks, [{ source: 'camera', kind: 'video', muted: true }, { source: 'microphone', kind: 'audio', muted: false }]);
  assert.equal(signal.participants.length, 2);
  net.last().say({ type: 'untrack', participant: 'par_a', source: 'camera' });
  net.last().say({ type: 'left', participant: 'par_b', reason: 'left' });
  await settle();
  assert.deepEqual(signal.participants.map((p) => p.tracks.map((x) => x.source)), [['microphone']]);
});

test('three pings of silence lose the socket; a server that has nothing to resume gets the same tracks anew', async (t) => {
  const { signal, net, peers, heard, tick } = await joined(t);
  net.last().say({ type: 'ping', at: 5 });
  assert.deepEqual(net.last().sent.at(-1), { type: 'pong', at: 5 });
  tick(5999);
  await settle();
  assert.equal(signal.state, 'connected');
  tick(1);
  await settle();
  assert.deepEqual(heard.slice(-2), [['state', 'reconnecting'], ['lost', 'network']]);
  tick(500);
  await settle();
  assert.equal(net.all.length, 2);
  assert.ok(!peers[0].closed, 'the last picture stays');
  net.last().accept();
  assert.deepEqual(net.last().sent[0], { type: 'hello', versions: [1], resume: 'R' });
  net.last().say({ type: 'error', code: 'gone', detail: 'x', fatal: true });
  await settle();
  tick(0);
  await settle();
  assert.equal(net.all.length, 3);
  net.last().accept();
  await settle();
  assert.deepEqual(net.last().sent[0], { type: 'hello', versions: [1], token: 'T' });
  net.last().say(welcome());
  await settle();
  assert.ok(peers[0].closed && peers[1].closed);
  assert.equal(signal.state, 'connected');
  assert.deepEqual(net.last().sent.find((m) => m.type === 'offer').tracks.map((x) => x.source), ['microphone', 'camera']);
});

/** Both legs are up, the socket is gone, and a new one has resumed. */
async function resumed(t, prepare = () => {}) {
  const c = await joined(t);
  c.net.last().say({ type: 'answer', leg: 'publish', id: 1, sdp: 'a' });
  for (let i = 0; i < 5; i++) await settle();
  const { publish, subscribe } = c.legs();
  for (const leg of [publish, subscribe]) leg.become('connected');
  publish.more = subscribe.more = 100;
  prepare(c, publish, subscribe);
  c.net.last().drop();
  await settle();
  c.tick(500);
  await settle();
  c.net.last().accept();
  c.net.last().say(welcome({ resumed: true }));
  await settle();
  c.tick(400);
  await settle();
  return { ...c, publish, subscribe };
}

test('a new socket takes over the legs; media that goes on is left alone', async (t) => {
  const { signal, net, peers, publish, subscribe, heard } = await resumed(t);
  assert.deepEqual(types(net.last()), ['hello']);
  assert.equal(peers.length, 2);
  assert.ok(!publish.closed && !subscribe.closed && !publish.log.includes('restart'));
  assert.deepEqual(heard.slice(-3), [['state', 'reconnecting'], ['lost', 'network'], ['state', 'connected']]);
  assert.equal(signal.participants.length, 1);
});

test('a leg that nothing comes through gets new addresses, each in its own way', async (t) => {
  const { net, publish } = await resumed(t, (_, p, s) => (p.more = s.more = 0));
  assert.ok(publish.log.includes('restart'));
  assert.deepEqual(types(net.last()), ['hello', 'restart', 'offer', 'candidate']);
  assert.equal(net.last().sent.find((m) => m.type === 'offer').id, 2);
  assert.equal(net.last().sent.find((m) => m.type === 'restart').leg, 'subscribe');
});

test('a mute told into a dead socket is told again on the new one', async (t) => {
  const { net } = await resumed(t, ({ signal }) => signal.setMuted('camera', true));
  assert.deepEqual(net.last().sent.filter((m) => m.type === 'track'), [{ type: 'track', source: 'camera', muted: true }]);
});

test('an offer without an answer is made again on the new socket', async (t) => {
  const { net } = await resumed(t, ({ signal }) => signal.unpublish('camera'));
  const offer = net.last().sent.find((m) => m.type === 'offer');
  assert.deepEqual([offer.id, offer.tracks.map((x) => x.source)], [3, ['microphone']]);
});

test('a dead path is mended while the socket lives; after twenty seconds all is made anew', async (t) => {
  const { signal, net, publish, tick } = await resumed(t);
  publish.become('disconnected');
  tick(500);
  publish.become('connected');
  tick(1000);
  assert.equal(signal.state, 'connected', 'a stutter is no loss');
  publish.become('disconnected');
  tick(1000);
  await settle();
  assert.equal(signal.state, 'reconnecting');
  assert.ok(publish.log.includes('restart'));
  publish.become('connected');
  assert.equal(signal.state, 'connected');
  const sockets = net.all.length;
  publish.become('failed');
  let seconds = 0;
  for (; net.all.length === sockets && seconds < 60; seconds++) {
    tick(1000);
    net.last().say({ type: 'ping', at: seconds });
    await settle();
  }
  assert.ok(seconds > 20 && seconds < 30, `${seconds} s`);
  net.last().accept();
  await settle();
  assert.equal(net.last().sent[0].token, 'T');
});

test('who is away, how their connection is, and who speaks', async (t) => {
  const { signal, net } = await joined(t);
  let speakers;
  signal.on('speakers', (value) => (speakers = value));
  assert.equal(signal.participants[0].away, false);
  net.last().say({ type: 'away', participant: 'par_a', away: true });
  net.last().say({ type: 'quality', participant: 'par_a', word: 'weak', side: 'upload' });
  net.last().say({ type: 'speakers', active: 'par_a', levels: { par_a: 90 } });
  await settle();
  assert.equal(signal.participants[0].away, true);
  assert.deepEqual(signal.participants[0].quality, { word: 'weak', side: 'upload' });
  assert.deepEqual(speakers, { active: 'par_a', levels: { par_a: 90 } });
});

test('after a minute of failures it ends with "network"', async (t) => {
  const { net, heard, tick } = await joined(t);
  for (let i = 0; i < 40; i++) {
    net.last().drop();
    await settle();
    tick(5000);
    await settle();
  }
  assert.deepEqual(heard.at(-1), ['ended', 'network']);
  assert.ok(net.all.length > 8 && net.all.length < 25, `${net.all.length} tries`);
});

test('bye: for good, or until the next session', async (t) => {
  const { signal, net, heard, tick } = await joined(t);
  net.last().say({ type: 'bye', reason: 'server_restart' });
  net.last().drop(1000);
  await settle();
  assert.deepEqual(heard.at(-1), ['lost', 'server_restart']);
  tick(500);
  await settle();
  net.last().accept();
  net.last().say(welcome());
  net.last().say({ type: 'bye', reason: 'ended' });
  net.last().drop(1000);
  await settle();
  tick(60_000);
  await settle();
  assert.deepEqual(heard.at(-1), ['ended', 'ended']);
  assert.equal(signal.state, 'ended');
  assert.equal(net.all.length, 2);
});

test('a refused token ends it, a full complaint list does not', async (t) => {
  const { signal, net, heard } = client(t);
  signal.join();
  await settle();
  net.last().accept();
  net.last().say({ type: 'error', code: 'unknown_type', detail: 'x', fatal: false });
  await settle();
  assert.equal(signal.state, 'connecting');
  net.last().say({ type: 'error', code: 'bad_token', detail: 'no', fatal: true });
  await settle();
  assert.deepEqual(heard.at(-1), ['ended', 'expired']);
});

test('a ticket that cannot be had is asked for again, unless the refusal is final', async (t) => {
  let [calls, final] = [0, false];
  const { signal, heard, tick } = client(t, async () => {
    calls++;
    throw Object.assign(new Error('no'), { final });
  });
  signal.join();
  await settle();
  tick(500);
  await settle();
  assert.equal(calls, 2);
  final = true;
  tick(1000);
  await settle();
  assert.deepEqual(heard.at(-1), ['ended', 'expired']);
});

test('leave says so and closes everything', async (t) => {
  const { signal, net, heard, legs, tick } = await joined(t);
  signal.leave();
  assert.equal(types(net.last()).at(-1), 'leave');
  assert.ok(net.last().closed && legs().publish.closed && legs().subscribe.closed);
  tick(60_000);
  await settle();
  assert.equal(net.all.length, 1);
  assert.deepEqual(heard.at(-1), ['ended', 'left']);
});

test('an answer asks the browser to begin with a good picture, for each codec once', async (t) => {
  const { net, legs } = await joined(t);
  const sdp = 'm=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:98 H264/90000\r\na=fmtp:98 packetization-mode=1\r\n';
  net.last().say({ type: 'answer', leg: 'publish', id: 1, sdp });
  for (let i = 0; i < 5; i++) await settle();
  assert.equal(legs().publish.remoteDescription.sdp, 'm=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\na=rtpmap:96 VP8/90000\r\na=fmtp:96 x-google-start-bitrate=800\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:98 H264/90000\r\na=fmtp:98 packetization-mode=1;x-google-start-bitrate=800\r\n');
});
