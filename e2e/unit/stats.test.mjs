import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cells } from '../out/unit/devices.mjs';
import { StatsReader, Steady } from '../out/unit/stats.mjs';

const report = (...entries) => new Map(entries.map((entry, i) => [String(i), entry]));
const sent = (at, bytes, packets, lost = 0, more = {}) => report({ type: 'outbound-rtp', timestamp: at, bytesSent: bytes, packetsSent: packets, ...more }, { type: 'remote-inbound-rtp', packetsLost: lost }, { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.034 });
const received = (at, bytes, packets, lost = 0) => report({ type: 'inbound-rtp', timestamp: at, bytesReceived: bytes, packetsReceived: packets, packetsLost: lost, framesDecoded: 30, audioLevel: 0.2 });

test('the second reading tells of the time between', () => {
  const reader = new StatsReader();
  reader.measure(sent(1000, 0, 0), received(1000, 0, 0));
  const q = reader.measure(sent(2000, 125_000, 100), received(2000, 250_000, 200));
  assert.equal(q.word, 'good');
  assert.equal(q.rttMs, 34);
  assert.equal(q.up.bitsPerSecond, 1_000_000);
  assert.equal(q.down.bitsPerSecond, 2_000_000);
  assert.equal(q.down.framesDecoded, 30);
  assert.equal(q.down.audioLevel, 0.2);
});

test('loss makes it fair, much loss weak, and names the side', () => {
  const reader = new StatsReader();
  reader.measure(sent(1000, 0, 0), received(1000, 0, 0));
  let q = reader.measure(sent(2000, 1000, 100, 4), received(2000, 1000, 100));
  assert.deepEqual([q.word, q.side], ['fair', 'upload']);
  q = reader.measure(sent(3000, 2000, 200, 4), received(3000, 2000, 180, 20));
  assert.deepEqual([q.word, q.side], ['weak', 'download']);
});

test('too little bandwidth to send is a fair upload once it lasts', () => {
  const reader = new StatsReader();
  const words = [1000, 3000, 5000].map((at) => reader.measure(sent(at, at, at, 0, { qualityLimitationReason: 'bandwidth' }), received(at, at, at)));
  assert.deepEqual(words.map((q) => q.word), ['good', 'good', 'fair']);
  assert.deepEqual([words[2].side, words[2].why], ['upload', 'bandwidth']);
});

test('a long way is slow, and has its own reason', () => {
  const far = (rtt) => report({ type: 'outbound-rtp', timestamp: 1, bytesSent: 1, packetsSent: 1 }, { type: 'candidate-pair', nominated: true, currentRoundTripTime: rtt });
  let q = new StatsReader().measure(far(0.5), received(1000, 1, 1));
  assert.deepEqual([q.word, q.why], ['fair', 'delay']);
  q = new StatsReader().measure(far(0.9), received(1000, 1, 1));
  assert.deepEqual([q.word, q.why], ['weak', 'delay']);
});

test('a picture that no longer fits beside the sound is paused', () => {
  const narrow = (at, framesEncoded) => report({ type: 'outbound-rtp', kind: 'video', timestamp: at, bytesSent: 1, packetsSent: 1, framesEncoded, qualityLimitationReason: 'bandwidth' });
  const reader = new StatsReader();
  assert.equal(reader.measure(narrow(1000, 30), received(1000, 1, 1)).paused, false);
  assert.equal(reader.measure(narrow(2000, 40), received(2000, 1, 1)).paused, false);
  const q = reader.measure(narrow(3000, 40), received(3000, 1, 1));
  assert.deepEqual([q.paused, q.word, q.side], [true, 'weak', 'upload']);
});

test('decoded pictures are told by track', () => {
  const q = new StatsReader().measure(report(), report({ type: 'inbound-rtp', kind: 'video', trackIdentifier: 'a', framesDecoded: 7 }, { type: 'inbound-rtp', kind: 'video', trackIdentifier: 'b', framesDecoded: 0 }));
  assert.deepEqual([...q.frames], [['a', 7], ['b', 0]]);
});

const reading = (word, why = word === 'good' ? undefined : 'loss', side = 'upload') => ({ word, why, side });
/** shown is what stands on the screen after each of these readings. */
const shown = (...readings) => {
  const steady = new Steady();
  return readings.map((r) => steady.read(r).word);
};

test('the word shown does not flicker: worse after two readings, better after four', () => {
  assert.deepEqual(shown(...['good', 'weak', 'good', 'weak', 'good'].map((w) => reading(w))), ['good', 'good', 'good', 'good', 'good']);
  assert.deepEqual(shown(...['good', 'weak', 'weak', 'weak'].map((w) => reading(w))), ['good', 'good', 'weak', 'weak']);
  assert.deepEqual(shown(...['weak', 'good', 'good', 'good', 'weak', 'good', 'good', 'good', 'good'].map((w) => reading(w))), ['weak', 'weak', 'weak', 'weak', 'weak', 'weak', 'weak', 'weak', 'good']);
});

test('of a better stretch the worst is shown, and worse is worse whatever its degree', () => {
  assert.deepEqual(shown(...['weak', 'good', 'fair', 'good', 'good'].map((w) => reading(w))).at(-1), 'fair');
  assert.deepEqual(shown(...['good', 'fair', 'weak'].map((w) => reading(w))), ['good', 'good', 'weak']);
});

test('a reason changes after three readings', () => {
  const steady = new Steady();
  steady.read(reading('weak'));
  for (const side of ['upload', 'upload', 'download']) assert.equal(steady.read(reading('weak', 'loss', 'download')).side, side);
  assert.equal(steady.read(reading('weak', 'delay', 'download')).why, 'loss');
});

test('what a reader tells is steady, what it measured is new', () => {
  const reader = new StatsReader();
  reader.read(sent(1000, 0, 0), received(1000, 0, 0));
  const words = [20, 40, 40].map((lost, i) => reader.read(sent(2000 + i * 1000, 1000 * i, 100 + 100 * i, lost), received(2000 + i * 1000, 1, 1)));
  assert.deepEqual(words.map((q) => [q.word, q.up.loss]), [['good', 0.2], ['weak', 0.2], ['weak', 0]]);
});

test('the meter is dark in silence and full near clipping', () => {
  assert.equal(cells(new Float32Array(512)), 0);
  assert.equal(cells(new Float32Array(512).fill(0.9)), 10);
  assert.equal(cells(new Float32Array(512).fill(0.018)), 5);
});

test('the path that packets take decides, not one that was nominated before; where there is plenty the bandwidth is not to blame', () => {
  const narrow = (at, available) => new Map([
    ['o', { type: 'outbound-rtp', kind: 'video', timestamp: at, bytesSent: 1, packetsSent: 1, qualityLimitationReason: 'bandwidth' }],
    ['t', { type: 'transport', selectedCandidatePairId: 'b' }],
    ['b', { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.02, availableOutgoingBitrate: available }],
    ['a', { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.9, availableOutgoingBitrate: 300_000 }],
  ]);
  for (const [available, word] of [[1_900_000, 'good'], [300_000, 'fair']]) {
    const reader = new StatsReader();
    let q;
    for (let i = 1; i < 6; i++) q = reader.measure(narrow(i, available), new Map());
    assert.deepEqual([q.word, q.rttMs], [word, 20]);
  }
});
