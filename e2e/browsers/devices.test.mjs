// Cameras and microphones that do not work, each in its own way, before the
// call and in it; and those that do: speakers, two cameras, a muted voice.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { browsers, launch } from '../lib/browser.mjs';
import { freePorts, machineAddress, startDaemon } from '../lib/daemon.mjs';
import { waitForMovingVideo } from '../lib/media.mjs';
import { api, listen, said, talk, turnOn, visit } from '../lib/people.mjs';
import { hook, press, state, within, words } from '../lib/steps.mjs';

/** The browser's own refusals, on demand: window.testRefuse = { camera: 'NotFoundError', … }. */
const refusing = () => {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const query = navigator.permissions.query.bind(navigator.permissions);
  window.testRefuse = JSON.parse(sessionStorage.getItem('refuse') ?? '{}');
  navigator.mediaDevices.getUserMedia = async (wish) => {
    const how = window.testRefuse[wish.video ? 'camera' : 'microphone'];
    if (!how) return real(wish);
    if (how.afterMs) await new Promise((done) => setTimeout(done, how.afterMs)); // a person thinks about it
    throw new DOMException('no', how.name);
  };
  navigator.permissions.query = async (what) => {
    const how = window.testRefuse[what.name];
    return how ? { state: how.state ?? 'prompt' } : query(what);
  };
};

const problems = {
  denied: { name: 'NotAllowedError', afterMs: 400, state: 'denied' },
  blocked_here: { name: 'NotAllowedError', state: 'denied' },
  not_found: { name: 'NotFoundError' },
  in_use: { name: 'NotReadableError' },
};

for (const name of browsers) {
  describe(`devices in ${name}`, { timeout: 200_000 }, () => {
    let browser, daemon;
    before(async () => {
      daemon = await startDaemon();
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await daemon?.stop();
    });
    const meeting = () => api(daemon, '/v1/meetings', { visitor: { name: 'Anna Ferri' }, language: 'en' });

    for (const [problem, how] of Object.entries(problems)) {
      test(`${problem} has words, a picture and a next step, for each device and for both`, async () => {
        const page = await visit(browser, (await meeting()).links.visitor, { before: refusing });
        await state(page, 'check');
        const pictures = new Set();
        for (const kind of ['camera', 'microphone']) {
          await page.evaluate((k, h) => (window.testRefuse = { [k]: h }), kind, how);
          await press(page, hook(`on-${kind}`));
          await page.waitForSelector(`${hook(`row-${kind}`)}[data-problem=${problem}]`, within);
          pictures.add(await page.$eval(`${hook(`picture-${kind}`)} svg`, (svg) => svg.outerHTML));
          assert.ok((await page.$eval(`${hook(`row-${kind}`)} .sub`, (e) => e.innerText)).length > 20);
          assert.match(await page.$eval(hook(`on-${kind}`), (e) => e.innerText), /Try again/);
          await page.evaluate(() => (window.testRefuse = {}));
          await press(page, hook(`on-${kind}`)); // the next step helps
          await page.waitForSelector(`${hook(`row-${kind}`)}.dev--ok`, within);
          await press(page, kind === 'camera' ? hook('camera') : hook('mic'));
        }
        assert.equal(pictures.size, 2, 'camera and microphone have pictures of their own');
        // both at once have one page of their own
        const both = await visit(browser, (await meeting()).links.visitor, { before: refusing });
        await state(both, 'check');
        await both.evaluate((h) => (window.testRefuse = { camera: h, microphone: h }), how);
        await press(both, hook('call'));
        await both.waitForSelector(`${hook('whole-problem')}[data-problem=${problem}]`, within);
        await both.waitForSelector(`${hook('picture-camera')}[data-problem=${problem}] svg`, within);
        await both.evaluate(() => (window.testRefuse = {}));
        await press(both, hook('try-again'));
        await both.waitForSelector(`${hook('row-microphone')}.dev--ok`, within);
        assert.deepEqual([...page.complaints, ...both.complaints], []);
        await page.browserContext().close();
        await both.browserContext().close();
      });
    }

    test('insecure: a page without https says so, and the chat is still there', async (t) => {
      const address = machineAddress();
      const [port] = await freePorts(1);
      const open = await startDaemon({
        origin: () => `http://${address}:${port}`,
        config: ({ mediaPort, adminPort, dir }) => `
listen: 0.0.0.0:${port}
public_url: http://${address}:${port}
admin_listen: 127.0.0.1:${adminPort}
data_dir: ${dir}/data
media: {port: ${mediaPort}}
queues: [{name: advice, ring: {window: 2m}}]
`,
      });
      t.after(() => open.stop());
      const made = await api(open, '/v1/meetings', { queue: 'advice', visitor: { name: 'Anna' }, language: 'en' });
      const page = await visit(browser, made.links.visitor);
      await state(page, 'check');
      await press(page, hook('call'));
      await page.waitForSelector(`${hook('whole-problem')}[data-problem=insecure]`, within);
      await words(page, hook('whole-problem'), /not secure[^]*https/);
      await page.waitForSelector(`${hook('picture-camera')}[data-problem=insecure] svg`, within);
      await press(page, hook('chat-only'));
      await state(page, 'waiting');
      await page.browserContext().close();
    });

    test('frame: a page around ours that keeps the camera, and a window of its own as the way on', async (t) => {
      const shop = createServer((_, answer) => {
        answer.setHeader('Content-Type', 'text/html');
        answer.end(`<!doctype html><title>Shop</title><link rel="icon" href="data:,"><iframe width="900" height="800" src="${link}"></iframe>`);
      });
      await new Promise((done) => shop.listen(0, '127.0.0.1', done));
      t.after(() => (shop.closeAllConnections(), shop.close()));
      const origin = `http://localhost:${shop.address().port}`;
      const framed = await startDaemon({
        config: ({ port, mediaPort, adminPort, dir }) => `
listen: 127.0.0.1:${port}
public_url: http://localhost:${port}
admin_listen: 127.0.0.1:${adminPort}
data_dir: ${dir}/data
media: {port: ${mediaPort}}
queues: [{name: advice, ring: {window: 2m}}]
sites: [{id: shop, key: pk_test_frame, name: Shop, origins: ["${origin}"], queue: advice}]
`,
      });
      t.after(() => framed.stop());
      const made = await (await fetch(`${framed.url}/v1/meetings`, {
        method: 'POST', body: JSON.stringify({ visitor: { name: 'Anna' }, language: 'en' }),
        headers: { 'Content-Type': 'application/json', 'Ringdown-Site': 'pk_test_frame', Origin: origin },
      })).json();
      const link = made.links.visitor.replace('#', '?lang=en#');
      const page = await visit(browser, `${origin}/#`);
      const frame = await (await page.waitForSelector('iframe', within)).contentFrame();
      await state(frame, 'check');
      await press(frame, hook('call'));
      await frame.waitForSelector(`${hook('whole-problem')}[data-problem=frame]`, within);
      await frame.waitForSelector(`${hook('picture-camera')}[data-problem=frame] svg`, within);
      await frame.waitForSelector(hook('open-window'), within);
      await page.browserContext().close();
    });

    test('a camera that fails in the call is explained there, and comes back by the same panel', async () => {
      const { visitor, agent } = await talk(daemon, browser, { visitorBefore: refusing });
      await visitor.bringToFront();
      await listen(visitor);
      await press(visitor, hook('camera'));
      await visitor.waitForSelector(`${hook('camera')}[aria-pressed=true]`, within);
      await visitor.evaluate((h) => (window.testRefuse = { camera: h }), problems.in_use);
      await press(visitor, hook('camera'));
      await visitor.waitForSelector(`${hook('problem')}[data-problem=in_use] svg`, within);
      await words(visitor, hook('problem'), /The camera does not work yet[^]*Another program uses the camera/);
      await visitor.waitForFunction(() => window.testSaid.some((s) => /Another program uses the camera/.test(s)), within);
      await press(visitor, hook('problem-again'));
      await visitor.waitForSelector(`${hook('problem')}[data-problem=in_use] [data-test=problem-again]:not([disabled])`, within);
      await visitor.evaluate(() => (window.testRefuse = {}));
      await press(visitor, hook('problem-again'));
      await visitor.waitForFunction((s) => !document.querySelector(s), within, hook('problem'));
      await agent.bringToFront();
      await waitForMovingVideo(agent, hook('remote-video'));
      assert.deepEqual([...visitor.complaints, ...agent.complaints], []);
      await visitor.browserContext().close();
      await agent.browserContext().close();
    });

    test('the speaker is chosen where the browser lets us, tried out, and told where not', async () => {
      const page = await visit(browser, (await meeting()).links.visitor);
      await state(page, 'check');
      await turnOn(page);
      const list = await page.evaluate(async () => 'setSinkId' in HTMLMediaElement.prototype && (await navigator.mediaDevices.enumerateDevices()).filter((d) => d.kind === 'audiooutput' && d.deviceId).length);
      // a machine without a sound system: then that is what has to be said
      const sounds = await page.evaluate(() => Promise.race([new AudioContext().resume().then(() => true), new Promise((done) => setTimeout(() => done(false), 1500))]));
      const outcome = sounds ? /hear a short note/ : /cannot be used/;
      console.log(`      ${name}: ${list || 'no'} speakers to choose from, ${sounds ? 'with' : 'without'} a sound system`);
      if (list > 0) {
        const ids = await page.$$eval(`${hook('choose-speaker')} option`, (all) => all.map((o) => o.value));
        await page.evaluate(() => {
          const real = HTMLMediaElement.prototype.setSinkId;
          HTMLMediaElement.prototype.setSinkId = function (id) {
            window.testSink = id;
            return real.call(this, id);
          };
        });
        await page.select(hook('choose-speaker'), ids.at(-1));
        await press(page, hook('test-sound'));
        await words(page, hook('test-said'), outcome);
        if (sounds) assert.equal(await page.evaluate(() => window.testSink), ids.at(-1));
      } else {
        await words(page, hook('speaker-fixed'), /where your system sends it/);
        await press(page, hook('test-sound'));
        await words(page, hook('test-said'), outcome);
      }
      await page.evaluate(() => (HTMLMediaElement.prototype.setSinkId = undefined, delete HTMLMediaElement.prototype.setSinkId));
      await page.select('select.langs', 'fr'); // drawn anew
      await words(page, hook('speaker-fixed'), /votre système/);
      await page.browserContext().close();
    });

    test('talking while muted is told once for each mute', async () => {
      // a voice for the meter alone: not every machine that tests has a sound system
      const loud = () => {
        window.AudioContext = class {
          state = 'running';
          createAnalyser = () => ({ fftSize: 512, getFloatTimeDomainData: (samples) => samples.fill(0.3) });
          createMediaStreamSource = (stream) => ({ connect: () => (window.testMeasured = stream.getTracks()[0]), disconnect() {} });
          resume = async () => {};
          close = async () => {};
        };
      };
      const { visitor, agent } = await talk(daemon, browser, { visitorBefore: loud });
      await visitor.bringToFront();
      await listen(visitor);
      await press(visitor, hook('mic'));
      await words(visitor, hook('toast'), /your microphone is muted/);
      const [sent, measured] = await visitor.evaluate(() => [document.querySelector('call-stage').media.microphone.track.enabled, window.testMeasured.enabled && window.testMeasured.readyState]);
      assert.deepEqual([sent, measured], [false, 'live'], 'what is measured is a copy that is never sent');
      await new Promise((done) => setTimeout(done, 2500)); // it goes on talking
      assert.equal((await said(visitor)).filter((s) => /microphone is muted/.test(s)).length, 1);
      await press(visitor, `${hook('toast')} button`);
      await visitor.waitForFunction((s) => !document.querySelector(s), within, hook('toast'));
      await press(visitor, hook('mic'));
      await visitor.waitForSelector(`${hook('mic')}[aria-pressed=false]`, within);
      await press(visitor, hook('mic')); // a new mute, a new word
      await words(visitor, hook('toast'), /your microphone is muted/);
      await visitor.browserContext().close();
      await agent.browserContext().close();
    });

    test('the other camera of a phone takes over without a new negotiation', async () => {
      const phone = () => {
        const real = window.matchMedia.bind(window);
        window.matchMedia = (query) => (query === '(pointer: coarse)' ? { matches: true } : real(query));
        // a second camera, drawn: Chromium's own second fake one sends nothing after a change
        const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
        navigator.mediaDevices.enumerateDevices = async () => [...(await list()).filter((d) => d.kind !== 'videoinput' || d.label), { kind: 'videoinput', deviceId: 'back', label: 'Back', groupId: '' }];
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wish) => {
          if (wish.video?.deviceId?.exact !== 'back') return ask(wish);
          const canvas = document.createElement('canvas');
          const context = canvas.getContext('2d');
          let n = 0;
          setInterval(() => {
            context.fillStyle = n++ % 2 ? '#d00' : '#600';
            context.fillRect(0, 0, 300, 150);
          }, 60);
          return canvas.captureStream(15);
        };
      };
      const { visitor, agent } = await talk(daemon, browser, { visitorBefore: phone });
      await agent.bringToFront();
      await waitForMovingVideo(agent, hook('remote-video'));
      await visitor.bringToFront();
      const sent = () => visitor.evaluate(() => window.testPeers.flatMap((p) => p.getSenders()).find((s) => s.track?.kind === 'video')?.track.id);
      const offers = () => visitor.evaluate(() => window.testPeers.map((p) => p.localDescription?.sdp.match(/^o=\S+ \d+ (\d+)/m)?.[1]).join());
      const [track, description] = [await sent(), await offers()];
      await press(visitor, hook('flip'));
      await visitor.waitForFunction((was) => {
        const now = window.testPeers.flatMap((p) => p.getSenders()).find((s) => s.track?.kind === 'video')?.track;
        return now && now.id !== was && now.readyState === 'live';
      }, within, track);
      assert.equal(await offers(), description, 'nothing is negotiated');
      await agent.bringToFront();
      await waitForMovingVideo(agent, hook('remote-video'));
      await agent.waitForFunction((s) => {
        const context = document.createElement('canvas').getContext('2d');
        context.drawImage(document.querySelector(s), 0, 0, 4, 4);
        const [r, g] = context.getImageData(1, 1, 1, 1).data;
        return r > 60 && g < 40;
      }, within, hook('remote-video'));
      await visitor.browserContext().close();
      await agent.browserContext().close();
    });
  });
}
