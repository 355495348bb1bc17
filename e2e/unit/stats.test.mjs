import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cells } from '../out/unit/devices.mjs';
import { StatsReader } from '../out/unit/stats.mjs';

const report = (...entries) => new Map(entries.map((entry, i) => [String(i), entry]));
const sent = (at, bytes, packets, lost = 0, more = {}) => report({ type: 'outbound-rtp', timestamp: at, bytesSent: bytes, packetsSent: packets, ...more }, { type: 'remote-inbound-rtp', packetsLost: lost }, { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.034 });
const received = (at, bytes, packets, lost = 0) => report({ type: 'inbound-rtp', timestamp: at, bytesReceived: bytes, packetsReceived: packets, packetsLost: lost, framesDecoded: 30, audioLevel: 0.2 });

test('the second reading tells of the time between', () => {
  const reader = new StatsReader();
  reader.read(sent(1000, 0, 0), received(1000, 0, 0));
  const q = reader.read(sent(2000, 125_000, 100), received(2000, 250_000, 200));
  assert.equal(q.word, 'good');
  assert.equal(q.rttMs, 34);
  assert.equal(q.up.bitsPerSecond, 1_000_000);
  assert.equal(q.down.bitsPerSecond, 2_000_000);
  assert.equal(q.down.framesDecoded, 30);
  assert.equal(q.down.audioLevel, 0.2);
});

test('loss makes it fair, much loss weak, and names the side', () => {
  const reader = new StatsReader();
  reader.read(sent(1000, 0, 0), received(1000, 0, 0));
  let q = reader.read(sent(2000, 1000, 100, 4), received(2000, 1000, 100));
  assert.deepEqual([q.word, q.side], ['fair', 'upload']);
  q = reader.read(sent(3000, 2000, 200, 4), received(3000, 2000, 180, 20));
  assert.deepEqual([q.word, q.side], ['weak', 'download']);
});

test('too little bandwidth to send is a fair upload', () => {
  const q = new StatsReader().read(sent(1000, 1, 1, 0, { qualityLimitationReason: 'bandwidth' }), received(1000, 1, 1));
  assert.deepEqual([q.word, q.side], ['fair', 'upload']);
});

test('the meter is dark in silence and full near clipping', () => {
  assert.equal(cells(new Float32Array(512)), 0);
  assert.equal(cells(new Float32Array(512).fill(0.9)), 10);
  assert.equal(cells(new Float32Array(512).fill(0.018)), 5);
});
