// The line of browser tests, before a server of our own.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { startLine, takeLine } from '../lib/line.mjs';

const server = createServer((_, answer) => answer.end('here'));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const address = `127.0.0.1:${server.address().port}`;
after(() => server.close());

test('a line carries, is cut and mended, and tells what passed', async () => {
  const line = await startLine({ web: address, media: '127.0.0.1:9' });
  try {
    const ask = (ms) => fetch(line.url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(ms) }).then((answer) => answer.text());
    assert.equal(await ask(5000), 'here');
    await line.cut();
    await assert.rejects(ask(300), { name: 'TimeoutError' });
    await line.mend();
    assert.equal(await ask(5000), 'here');
    await line.set({ kind: 'udp', loss: 0.03, delay_ms: 75 });
    await assert.rejects(line.set({ loss: 7 }), /0 to 1/);
    const web = (await line.counts()).find((relay) => relay.server === address);
    assert.ok(web.up.packets >= 2 && web.down.bytes > 0, JSON.stringify(web));
    await line.rebind();
    await line.reset();
  } finally {
    await line.stop();
  }
});

test('a page on the line knows the server by the line alone', async () => {
  const seen = [];
  globalThis.RTCPeerConnection = class {
    setRemoteDescription(description) { seen.push(description); }
    addIceCandidate(candidate) { seen.push(candidate); }
  };
  takeLine({ udp: '127.0.0.1:1111', tcp: '127.0.0.1:2222' });
  const pc = new RTCPeerConnection();
  pc.setRemoteDescription({ type: 'answer', sdp: 'v=0\r\na=candidate:1 1 udp 99 192.0.2.1 7882 typ host\r\na=candidate:2 1 tcp 98 2001:db8::1 7882 typ host tcptype passive\r\na=end-of-candidates\r\n' });
  pc.addIceCandidate({ candidate: 'candidate:3 1 UDP 97 10.0.0.1 7882 typ host', sdpMid: '0' });
  pc.addIceCandidate(null);
  assert.equal(seen[0].sdp, 'v=0\r\na=candidate:1 1 udp 99 127.0.0.1 1111 typ host\r\na=candidate:2 1 tcp 98 127.0.0.1 2222 typ host tcptype passive\r\na=end-of-candidates\r\n');
  assert.equal(seen[1].candidate, 'candidate:3 1 UDP 97 127.0.0.1 1111 typ host');
  assert.equal(seen[1].sdpMid, '0');
  assert.equal(seen[2], null);
});
