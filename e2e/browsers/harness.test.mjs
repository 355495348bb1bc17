// The harness itself: it must see a picture that moves and hear a tone, and it
// must not be fooled by a still picture or a muted microphone.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { browsers, launch, newPage } from '../lib/browser.mjs';
import { complaintsOfAxe, gallery, overflow } from '../lib/looks.mjs';
import { audioLevel, received, sawVideoMove, waitForMovingVideo, waitForSound } from '../lib/media.mjs';

const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Loop</title><link rel="icon" href="data:,"></head><body>
<main><h1>Loop</h1><video id="far" autoplay playsinline></video><video id="still" autoplay muted playsinline></video></main>
<script>
const canvas = document.createElement('canvas');
canvas.getContext('2d').fillRect(0, 0, 64, 48);
document.querySelector('#still').srcObject = canvas.captureStream(25);
window.started = (async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  window.microphone = stream.getAudioTracks()[0];
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
  a.onicecandidate = (e) => b.addIceCandidate(e.candidate);
  b.onicecandidate = (e) => a.addIceCandidate(e.candidate);
  b.ontrack = (e) => (document.querySelector('#far').srcObject = e.streams[0]);
  for (const track of stream.getTracks()) a.addTrack(track, stream);
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
})().catch((error) => console.error(String(error)));
</script></body></html>`;

for (const name of browsers) {
  describe(`the harness in ${name}`, () => {
    let browser, page, server;
    before(async () => {
      server = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end(html));
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
      browser = await launch(name);
      page = await newPage(browser);
      await page.goto(`http://localhost:${server.address().port}/`);
    });
    after(async () => {
      await browser?.close();
      server?.close();
    });

    test('sees a moving picture', async () => {
      const seen = await waitForMovingVideo(page, '#far');
      assert.ok(seen.width > 0 && seen.frames >= 10, JSON.stringify(seen));
      assert.ok((await received(page)).framesDecoded >= 10);
    });

    test('is not fooled by a still one', async () => {
      const seen = await sawVideoMove(page, '#still', { forMs: 800 });
      assert.equal(seen.moving, false, JSON.stringify(seen));
    });

    test('hears a tone, and silence after a mute', async () => {
      const { level } = await waitForSound(page);
      assert.ok(level > 0.001, `level ${level}`);
      await page.evaluate(() => (window.microphone.enabled = false));
      await new Promise((resolve) => setTimeout(resolve, 1000)); // what is still in the jitter buffer
      const muted = await audioLevel(page, { forMs: 1500 });
      assert.ok(muted < 0.001, `level ${muted} while muted`);
    });

    test('takes pictures of a page and finds its faults', async () => {
      assert.equal((await gallery(page, `harness-${name}`, { themes: ['light'] })).length, 2);
      assert.deepEqual(await complaintsOfAxe(page), []);
      assert.equal(await overflow(page), 0);
      await page.evaluate(() => {
        document.querySelector('main').insertAdjacentHTML('beforeend', '<img src="data:,"><p>x</p>');
        document.querySelector('p').style.width = '3000px';
      });
      assert.match((await complaintsOfAxe(page)).join(), /image-alt/);
      assert.ok((await overflow(page)) > 1000);
      assert.deepEqual(page.complaints, []);
    });
  });
}
