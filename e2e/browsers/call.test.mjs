// What can happen inside a call: a screen is shared, a network goes, a third
// person comes, a camera does not work. Real programs, real browsers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browsers, launch } from '../lib/browser.mjs';
import { startDaemon } from '../lib/daemon.mjs';
import { waitForMovingVideo } from '../lib/media.mjs';
import { api, listen, said, talk, turnOn, visit } from '../lib/people.mjs';
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

/** framesOf asks the decoder how many pictures of a video element's track it has made. */
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

/** A network that can be cut for one page alone, and a clock that can be put forward. */
const fragile = () => {
  const Real = window.WebSocket;
  const live = new Set();
  let cut = false;
  window.WebSocket = class extends Real {
    constructor(url, ...more) {
      super(cut ? url.replace('/v1/', '/v1/nowhere/') : url, ...more); // refused
      live.add(this);
    }
  };
  window.testCut = () => {
    cut = true;
    for (const socket of live) socket.close();
  };
  window.testHeal = () => (cut = false);
  const now = Date.now.bind(Date);
  let ahead = 0;
  Date.now = () => now() + ahead;
  // long timers go by this clock too
  const [soon, forget] = [window.setTimeout.bind(window), window.clearTimeout.bind(window)];
  const long = new Map();
  window.setTimeout = (what, ms, ...args) => {
    const id = soon(() => (long.delete(id), what(...args)), ms);
    if (ms >= 20_000) long.set(id, { at: Date.now() + ms, what });
    return id;
  };
  window.testLater = (ms) => {
    ahead += ms;
    for (const [id, { at, what }] of long) if (Date.now() >= at) forget(id), long.delete(id), what();
  };
  window.clearTimeout = (id) => (long.delete(id), forget(id));
  const ask = window.fetch.bind(window);
  window.fetch = (...args) => (cut ? Promise.reject(new TypeError('no network')) : ask(...args));
};

/** Statistics of a bad network, as the browser would tell them. */
const badStatistics = () => {
  const real = RTCPeerConnection.prototype.getStats;
  let lost = 0;
  RTCPeerConnection.prototype.getStats = async function () {
    const report = new Map(await real.call(this));
    if (!window.testBad) return report;
    const sends = [...report.values()].find((e) => e.type === 'outbound-rtp');
    for (const [id, e] of report) {
      if (window.testBad === 'paused' && e.type === 'outbound-rtp' && e.kind === 'video') report.set(id, { ...e, qualityLimitationReason: 'bandwidth', framesEncoded: 500 });
    }
    if (window.testBad === 'upload' && sends) report.set('lost', { type: 'remote-inbound-rtp', packetsLost: (lost += 100_000) });
    if (window.testBad === 'still') for (const [id, e] of report) if (e.type === 'inbound-rtp' && e.kind === 'video') report.set(id, { ...e, framesDecoded: 77 });
    return report;
  };
};

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
    /** drop lets a minute without a network pass for one page. */
    const drop = async (page) => {
      await page.evaluate(() => window.testCut());
      await page.waitForSelector(hook('reconnecting'), within);
      await page.evaluate(() => window.testLater(61_000));
      await state(page, 'gone');
    };
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

    // what a cut does to sound and pictures is seen in cut.test.mjs, through real relays; here it is the words
    test('a cut: the last picture stays, both are told, and the words are one message', async () => {
      const { visitor, agent } = await talk(daemon, browser, { visitorBefore: fragile });
      for (const page of [agent, visitor]) {
        await page.bringToFront();
        await waitForMovingVideo(page, hook('remote-video'));
        await listen(page);
      }
      await visitor.evaluate(() => window.testCut());
      await words(visitor, hook('reconnecting'), /Reconnecting[^]*seconds left[^]*10 minutes/);
      await visitor.waitForSelector(`${hook('remote')}[data-picture=still].tile--dim`, within);
      await words(agent, hook('other-away'), /Anna Ferri is reconnecting/);
      await agent.waitForSelector(`${hook('remote')}[data-picture=still].tile--dim`, within);
      await press(visitor, hook('mic')); // the keys still work
      await visitor.waitForSelector(`${hook('mic')}[aria-pressed=true]`, within);
      await visitor.evaluate(() => window.testHeal());
      await visitor.waitForFunction((s) => !document.querySelector(s), within, hook('reconnecting'));
      await agent.waitForFunction((s) => !document.querySelector(s), within, hook('other-away'));
      await visitor.bringToFront();
      await waitForMovingVideo(visitor, hook('remote-video'));
      await visitor.waitForFunction(() => window.testSaid.some((s) => /Connected again/.test(s)), within);
      const told = (await said(visitor)).filter((s) => /Reconnecting|Connected/.test(s));
      assert.equal(told.length, 2, `one message of the loss, one word of the return: ${told}`);
      assert.ok((await said(agent)).some((s) => /Anna Ferri is reconnecting/.test(s)));
      await agent.waitForSelector(hook('remote-muted'), within); // the mute made meanwhile has arrived
      await close(visitor, agent);
    });

    test('after a minute there is a page with the way back, it works, and it ends', async () => {
      const { meeting, visitor, agent } = await talk(daemon, browser, { visitorBefore: fragile, agentBefore: fragile });
      await visitor.bringToFront();
      await waitForMovingVideo(visitor, hook('remote-video'));
      for (const page of [visitor, agent]) {
        await drop(page);
        await words(page, hook('gone'), /The connection is lost[^]*rejoin until/);
        assert.equal(await page.evaluate(() => document.querySelector('call-stage')), null);
      }
      // no network yet: said, nothing lost
      await press(visitor, hook('rejoin'));
      await words(visitor, hook('gone'), /still cannot reach/);
      for (const page of [visitor, agent]) {
        await page.bringToFront(); // Firefox opens no camera for a page behind
        await page.evaluate(() => window.testHeal());
        await press(page, hook('rejoin'));
        await page.waitForSelector('call-stage', within);
      }
      await state(visitor, 'call');
      await state(agent, 'room');
      for (const page of [visitor, agent]) {
        await page.bringToFront();
        await waitForMovingVideo(page, hook('remote-video'));
      }
      // too late
      await drop(visitor);
      await visitor.evaluate(() => (window.testHeal(), window.testLater(600_000)));
      await state(visitor, 'left');
      await words(visitor, hook('ended'), /time to come back is over/);
      await state(agent, 'left'); // nobody is left to talk to
      assert.equal((await api(daemon, `/v1/meetings/${meeting.id}`)).state, 'ended');
      await close(visitor, agent);
    });

    test('a way back into a call that is over says so', async () => {
      const { visitor, agent } = await talk(daemon, browser, { visitorBefore: fragile });
      await drop(visitor);
      await press(agent, hook('end'));
      await press(agent, hook('end-confirm'));
      await state(agent, 'left');
      await visitor.evaluate(() => window.testHeal());
      await visitor.evaluate((s) => document.querySelector(s)?.click(), hook('rejoin')); // unless the stream was quicker
      await state(visitor, 'left');
      await words(visitor, hook('ended'), /Marie Laurent ended the call/);
      await close(visitor, agent);
    });

    test('the quality of a connection is a word with its reason, on both sides', async () => {
      const { visitor, agent } = await talk(daemon, browser, { visitorBefore: badStatistics });
      await visitor.bringToFront();
      await visitor.waitForSelector(`${hook('quality')}[data-word]`, within);
      await visitor.evaluate(() => (window.testBad = 'upload'));
      await words(visitor, hook('quality'), /Weak network: your upload/);
      await words(agent, hook('other-quality'), /Anna Ferri: weak network/);
      await visitor.evaluate(() => (window.testBad = 'paused'));
      await words(visitor, hook('quality'), /video is paused to keep the sound/);
      await visitor.evaluate(() => (window.testBad = 'still'));
      await words(visitor, hook('video-paused'), /paused/);
      await visitor.evaluate(() => (window.testBad = undefined));
      await visitor.waitForSelector(`${hook('quality')}[data-word=good]`, within);
      await agent.waitForFunction((s) => !document.querySelector(s), within, hook('other-quality'));
      await close(visitor, agent);
    });

    test('a guest and a colleague are asked in, all see each other, and who goes leaves the others together', async () => {
      const { meeting, visitor, agent } = await talk(daemon, browser, { visitorBefore: drawnScreen });
      await agent.bringToFront();
      const invite = async (role, called) => {
        await agent.select(hook('invite-role'), role);
        await (await agent.waitForSelector(hook('invite-name'))).type(called);
        const before = await agent.$eval(hook('invite-link'), (e) => e.value).catch(() => '');
        await press(agent, hook('invite-make'));
        await agent.waitForFunction((s, was) => (document.querySelector(s)?.value ?? was) !== was, within, hook('invite-link'), before);
        return agent.$eval(hook('invite-link'), (e) => e.value);
      };
      const guestLink = await invite('visitor', '');
      assert.match(guestLink, /\/m\/inv_[A-Za-z0-9]+#./);
      const guest = await visit(browser, guestLink, { before: drawnScreen });
      await state(guest, 'check');
      await agent.waitForSelector(`${hook('invitation')}[data-state=opened]`, within);
      await turnOn(guest);
      await press(guest, hook('call')); // nobody knows the name: asked for, not refused
      await words(guest, '#guest-name-help', /enter your name/);
      await guest.type(hook('guest-name'), 'Paolo Ferri');
      await press(guest, hook('call'));
      await state(guest, 'call');
      await agent.waitForSelector(`${hook('invitation')}[data-state=joined]`, within);
      const three = { visitor, agent, guest };
      for (const [who, page] of Object.entries(three)) {
        await page.bringToFront();
        const ids = await page.waitForFunction((s) => {
          const all = [...document.querySelectorAll(s)].map((e) => e.dataset.participant);
          return all.length === 2 && all;
        }, within, hook('remote')).then((h) => h.jsonValue());
        for (const id of ids) {
          const tile = `${hook('remote')}[data-participant="${id}"] video`;
          await waitForMovingVideo(page, tile);
          assert.ok((await framesOf(page, tile)) > 0, `${who} decodes ${id}`);
        }
        assert.equal((await page.$$(hook('remote-audio'))).length, 2, `${who} hears both`);
      }
      await words(visitor, 'body', /Paolo Ferri/);
      await guest.bringToFront();
      await press(guest, hook('chat'));
      await (await guest.waitForSelector(hook('chat-input'), { ...within, visible: true })).type('Hello from the guest\n');
      await words(agent, hook('chat-log'), /Paolo Ferri[^]*Hello from the guest/);

      // two screens at once: the newest is large, the other a press away; the
      // second begins when the agent has the first, or which is newest is anybody's guess
      for (const [i, page] of [visitor, guest].entries()) {
        await page.bringToFront();
        await press(page, hook('share'));
        await page.waitForSelector(hook('sharing'), within);
        await agent.waitForFunction((s, n) => document.querySelectorAll(s).length === n, within, hook('screen'), i + 1);
      }
      await agent.bringToFront();
      await words(agent, `.call__large ${hook('screen-words')}`, /Paolo Ferri/);
      await press(agent, `.call__small ${hook('enlarge')}`);
      await words(agent, `.call__large ${hook('screen-words')}`, /Anna Ferri/);
      await waitForMovingVideo(agent, `.call__large ${hook('screen-video')}`, { frames: 3 });
      await press(visitor, hook('stop-sharing'));
      await words(agent, `.call__large ${hook('screen-words')}`, /Paolo Ferri/);
      await press(guest, hook('stop-sharing'));
      await agent.waitForFunction((s) => !document.querySelector(s), within, hook('screen'));

      // a link taken back opens nothing
      const takenBack = await invite('visitor', 'Nobody');
      await press(agent, hook('revoke'));
      await agent.waitForSelector(`${hook('invitation')}[data-state=revoked]`, within);
      const late = await visit(browser, takenBack);
      await words(late, hook('link-problem'), /withdrawn/);

      // the guest goes, the call goes on
      await guest.bringToFront();
      await press(guest, hook('leave'));
      await state(guest, 'left');
      for (const page of [visitor, agent]) await page.waitForFunction((s) => document.querySelectorAll(s).length === 1, within, hook('remote'));
      assert.equal((await api(daemon, `/v1/meetings/${meeting.id}`)).state, 'active');

      // a colleague comes, the first agent goes alone
      const colleague = await visit(browser, await invite('agent', 'Jean Petit'));
      await state(colleague, 'devices');
      await press(colleague, hook('enter'));
      await state(colleague, 'room');
      await colleague.bringToFront();
      await colleague.waitForFunction((s) => document.querySelectorAll(s).length === 2, within, hook('remote'));
      await agent.bringToFront();
      await agent.waitForFunction((s) => document.querySelectorAll(s).length === 2, within, hook('remote'));
      await press(agent, hook('end'));
      await press(agent, hook('leave-confirm'));
      await state(agent, 'left');
      await words(agent, hook('ended'), /others go on without you/);
      await visitor.bringToFront();
      await visitor.waitForFunction((s) => document.querySelectorAll(s).length === 1, within, hook('remote'));
      await waitForMovingVideo(visitor, hook('remote-video'));
      assert.equal((await api(daemon, `/v1/meetings/${meeting.id}`)).state, 'active');
      assert.deepEqual([...visitor.complaints, ...agent.complaints, ...guest.complaints, ...colleague.complaints], []);
      await close(visitor, agent, guest, colleague, late);
    });

    test('an agent\'s notes are saved by themselves, survive a reload, and never reach the visitor', async () => {
      const heard = () => {
        window.testHeard = [];
        const Real = window.WebSocket;
        window.WebSocket = class extends Real {
          constructor(...args) {
            super(...args);
            this.addEventListener('message', (event) => window.testHeard.push(String(event.data)));
          }
        };
      };
      const { visitor, agent } = await talk(daemon, browser, { visitorBefore: heard, agentBefore: fragile });
      await agent.bringToFront();
      await agent.type(hook('note'), 'Ceiling 2.6 m, dimmer wanted');
      await words(agent, hook('note-state'), /Saved \d/);
      // offline: told, kept, saved later
      await agent.evaluate(() => window.testCut());
      await agent.type(hook('note'), '. Calls back on Monday');
      await agent.waitForSelector(`${hook('note-state')}[data-state=unsaved]`, within);
      await words(agent, hook('note-state'), /Your text is kept here/);
      await agent.evaluate(() => window.testHeal());
      await agent.waitForSelector(`${hook('note-state')}[data-state=saved]`, within);
      // what was not saved yet is saved by the page's last breath
      await agent.type(hook('note'), '!');
      const reloaded = agent.waitForNavigation();
      agent.on('dialog', (dialog) => void dialog.accept());
      await agent.evaluate(() => location.reload());
      await reloaded;
      await state(agent, 'room');
      await agent.waitForFunction((s) => document.querySelector(s)?.value === 'Ceiling 2.6 m, dimmer wanted. Calls back on Monday!', within, hook('note'));
      await agent.waitForSelector(`${hook('note-state')}[data-state=saved]`, within);
      await press(agent, hook('end'));
      await press(agent, hook('end-confirm'));
      await state(agent, 'left');
      await agent.waitForFunction((s) => /Monday!/.test(document.querySelector(s)?.value), within, hook('note'));
      await agent.type(hook('note'), ' Done');
      await words(agent, hook('note-state'), /Saved \d/);
      await state(visitor, 'left');
      const everything = await visitor.evaluate(() => window.testHeard.join(' ') + document.body.innerText + JSON.stringify(history.state));
      assert.ok(everything.includes('Anna Ferri'), 'the spy hears');
      assert.ok(!/dimmer|Monday/.test(everything), 'the visitor was told of a note');
      await close(visitor, agent);
    });
  });
}
