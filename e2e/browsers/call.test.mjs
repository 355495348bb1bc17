// What can happen inside a call: a screen is shared, a network goes, a third
// person comes, a camera does not work. Real programs, real browsers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browsers, launch } from '../lib/browser.mjs';
import { startDaemon } from '../lib/daemon.mjs';
import { waitForMovingVideo } from '../lib/media.mjs';
import { listen, said, talk } from '../lib/people.mjs';
import { hook, press, state, within, words } from '../lib/steps.mjs';

/** A screen as good as any, drawn: only the capture is made up, the sending and the receiving are real. */
const drawnScreen = () => {
  window.testHues = { screen: 120 };
  navigator.mediaDevices.getDisplayMedia = async () => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [1280, 720];
    const context = canvas.getContext('2d');
    let n = 0;
    const draw = () => {
      context.fillStyle = '#00c000';
      context.fillRect(0, 0, 1280, 720);
      context.fillStyle = n++ % 2 ? '#fff' : '#000';
      context.fillRect((n * 40) % 1200, 300, 80, 80);
    };
    draw();
    setInterval(draw, 66);
    return canvas.captureStream(15);
  };
};

/** middle is the colour in a video's middle, [r, g, b]. */
const middle = (page, selector) =>
  page.$eval(selector, (video) => {
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 8, 8);
    return [...context.getImageData(2, 1, 1, 1).data.slice(0, 3)];
  });

/** sentSources lists the kinds of video this page sends, by the width of what it sends. */
const framesOf = (page, selector) =>
  page.evaluate(async (s) => {
    const id = document.querySelector(s)?.srcObject?.getVideoTracks()[0]?.id;
    let frames = -1;
    for (const peer of window.testPeers) {
      if (peer.connectionState === 'closed') continue;
      (await peer.getStats()).forEach((e) => {
        if (e.type === 'inbound-rtp' && e.kind === 'video' && e.trackIdentifier === id) frames = e.framesDecoded;
      });
    }
    return frames;
  }, selector);

for (const name of browsers) {
  describe(`a call in ${name}`, { timeout: 240_000 }, () => {
    let browser, daemon;
    before(async () => {
      daemon = await startDaemon();
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await daemon?.stop();
    });
    const close = async (...pages) => {
      for (const page of pages) await page.browserContext().close();
    };

    test('a shared screen is a track of its own, large on the other side, and ends by the browser\'s own bar', async () => {
      // headless Firefox has no way to choose a screen; Chromium chooses by itself
      const real = name === 'chromium';
      const { visitor, agent } = await talk(daemon, browser, real ? {} : { visitorBefore: drawnScreen, agentBefore: drawnScreen });
      await agent.bringToFront();
      await waitForMovingVideo(agent, hook('remote-video'));
      await listen(agent);
      await visitor.bringToFront();
      await press(visitor, hook('share'));
      await visitor.waitForSelector(hook('sharing'), within);
      await agent.bringToFront();
      const screen = await agent.waitForSelector(`call-tile.call__large ${hook('screen-video')}`, within);
      await agent.waitForFunction((v) => v.videoWidth > 0, within, screen);
      await words(agent, hook('screen-words'), /Anna Ferri shares the screen/);
      const before = await framesOf(agent, hook('screen-video'));
      await agent.waitForFunction((v) => v.requestVideoFrameCallback && v.videoWidth > 300, within, screen);
      if (!real) {
        await waitForMovingVideo(agent, hook('screen-video'), { frames: 5 });
        const [r, g, b] = await middle(agent, hook('screen-video'));
        assert.ok(g > 120 && r < 90 && b < 90, `the screen is green: ${[r, g, b]}`);
      }
      assert.ok((await framesOf(agent, hook('screen-video'))) >= Math.max(1, before), 'the screen is decoded');
      // the camera is still there, small, and still moves
      await waitForMovingVideo(agent, `call-tile.call__small ${hook('remote-video')}`);
      const [large, small] = await agent.evaluate(() => ['.call__large', '.call__small'].map((s) => document.querySelector(s).getBoundingClientRect().width));
      assert.ok(large > 2 * small, `${large} against ${small}`);
      assert.ok((await said(agent)).some((s) => /shares the screen/.test(s)), 'a screen reader hears it');
      assert.equal(await visitor.evaluate(() => document.querySelector('call-stage').room.screen.video.contentHint), 'detail');

      // the other shares too: the newest is large, the first stays reachable
      await press(agent, hook('share'));
      await visitor.bringToFront();
      await visitor.waitForSelector(`call-tile.call__large ${hook('screen-video')}`, within);
      await words(visitor, hook('screen-words'), /Marie Laurent shares the screen/);
      await agent.bringToFront();
      await press(agent, hook('stop-sharing'));
      await visitor.bringToFront();
      await visitor.waitForFunction((s) => !document.querySelector(s), within, hook('screen'));

      // the browser's own bar
      await visitor.evaluate(() => {
        const track = document.querySelector('call-stage').room.screen.video;
        track.stop();
        track.dispatchEvent(new Event('ended'));
      });
      await agent.bringToFront();
      await agent.waitForFunction((s) => !document.querySelector(s), within, hook('screen'));
      await waitForMovingVideo(agent, hook('remote-video'));
      assert.equal(await visitor.$(hook('sharing')), null);
      assert.deepEqual([...visitor.complaints, ...agent.complaints], []);
      await close(visitor, agent);
    });
  });
}
