// A call over a bad network: the visitor's page reaches the daemon through
// relays that are cut, blocked and given new addresses.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browsers, launch, newPage, watch } from '../lib/browser.mjs';
import { startDaemon } from '../lib/daemon.mjs';
import { received, waitForMovingVideo } from '../lib/media.mjs';
import { startNetwork, viaRelay } from '../lib/network.mjs';
import { ask, hook, press, state } from '../lib/steps.mjs';

const seconds = (ms) => new Promise((done) => setTimeout(done, ms * 1000));

/** moves waits until new frames of the other side were decoded and tells how long that took. */
async function moves(page, since = Date.now()) {
  const had = (await received(page)).framesDecoded;
  for (;;) {
    const { framesDecoded } = await received(page);
    if (framesDecoded > had + 3) return Date.now() - since;
    if (Date.now() - since > 30_000) throw new Error(`no new picture: ${JSON.stringify(await lookAt(page))}`);
    await seconds(0.05);
  }
}

/** lookAt tells the state of a page's connections and what each stream carried, for a test that fails. */
const lookAt = (page) => page.evaluate(() => Promise.all(window.testPeers.map(async (peer) => {
  const streams = [];
  (await peer.getStats()).forEach((e) => /bound-rtp$/.test(e.type) && !e.type.startsWith('remote') && streams.push([e.type, e.kind, e.packetsReceived ?? e.packetsSent, e.framesDecoded ?? e.framesEncoded]));
  return [peer.connectionState, peer.iceConnectionState, peer.signalingState, peer.getTransceivers().map((t) => [t.mid, t.direction, t.currentDirection, t.sender.track?.readyState]), streams];
})));

for (const name of browsers) {
  describe(`a bad network in ${name}`, { timeout: 240_000 }, () => {
    let browser, daemon, network;
    before(async () => {
      daemon = await startDaemon();
      network = await startNetwork(daemon);
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      network?.close();
      await daemon?.stop();
    });

    /** call lets two people see each other; the visitor's page goes through the relays. */
    async function call(options) {
      const made = await ask(daemon, '/v1/meetings', { queue: 'advice', visitor: { name: 'Anna' }, language: 'en', ring: 'now' });
      const visitor = await newPage(browser);
      await viaRelay(visitor, network, options);
      await visitor.goto(made.links.visitor.replace(daemon.url, network.url));
      const agent = await newPage(browser);
      await agent.goto(made.links.agent);
      await (await agent.waitForSelector(hook('name'))).type('Marie');
      await press(agent, hook('accept'));
      await press(agent, hook('enter'));
      await state(agent, 'room');
      await state(visitor, 'call');
      await press(visitor, hook('camera'));
      await agent.bringToFront();
      await waitForMovingVideo(agent, hook('remote-video'));
      await visitor.bringToFront();
      await waitForMovingVideo(visitor, hook('remote-video'));
      return { id: made.id, visitor, agent, close: () => Promise.all([visitor.browserContext().close(), agent.browserContext().close()]) };
    }

    /** log is what happened in a meeting after the call had begun. */
    const comings = async (id) => (await ask(daemon, `/v1/meetings/${id}/events`)).events.map((e) => e.kind).filter((k) => k.startsWith('participant.'));

    test('M3: ten seconds without a network, then the same call as the same people', async () => {
      const c = await call();
      await network.say({ block: true });
      await c.visitor.waitForSelector(hook('reconnecting'), { timeout: 8000 });
      await seconds(10);
      await network.say({ block: false });
      const back = await Promise.all([moves(c.visitor), moves(c.agent)]);
      await c.visitor.waitForSelector(hook('reconnecting'), { hidden: true, timeout: 5000 });
      console.log(`promise M3 ${name}: pictures back after a cut of 10 s ${Math.max(...back)} ms (at most 3000 ms)`);
      assert.deepEqual(await comings(c.id), ['participant.joined', 'participant.joined']);
      await c.close();
    });

    test('M3: a new address, as after a change from one network to another', async () => {
      const c = await call();
      await network.say({ rebind: true, kind: 'udp' });
      await network.say({ reset: true, kind: 'tcp' });
      const back = await Promise.all([moves(c.visitor), moves(c.agent)]);
      console.log(`promise M3 ${name}: pictures back at a new address ${Math.max(...back)} ms (at most 5000 ms)`);
      assert.deepEqual(await comings(c.id), ['participant.joined', 'participant.joined']);
      await c.close();
    });

    test('M1: both see each other soon after the answer', async () => {
      const first = await newPage(browser);
      const took = [];
      for (const round of [1, 2, 3]) {
        const made = await ask(daemon, '/v1/meetings', { queue: 'advice', visitor: { name: 'Anna' }, language: 'en', ring: 'ready' });
        const visitor = await newPage(browser);
        await viaRelay(visitor, network);
        await visitor.goto(made.links.visitor.replace(daemon.url, network.url));
        await state(visitor, 'check');
        for (const kind of ['microphone', 'camera']) {
          const on = await visitor.waitForSelector(`${hook(`on-${kind}`)}, ${hook('self-video')}`);
          if (await on.evaluate((e) => e.tagName === 'BUTTON')) await on.evaluate((e) => e.click());
        }
        await visitor.waitForSelector(hook('self-video'));
        await press(visitor, hook('call'));
        await state(visitor, 'waiting');
        const agent = round === 1 ? first : await first.browserContext().newPage();
        if (round > 1) await watch(agent);
        await agent.goto(made.links.agent);
        if (round === 1) await (await agent.waitForSelector(hook('name'))).type('Marie');
        await agent.waitForSelector(hook('accept'));
        const since = Date.now();
        await press(agent, hook('accept'));
        if (round === 1) await press(agent, hook('enter')); // from then on the agent's devices are known
        await state(agent, 'room');
        for (const page of [visitor, agent]) {
          while ((await received(page)).framesDecoded === 0) {
            if (Date.now() - since > 20_000) throw new Error(`no picture: ${JSON.stringify([await lookAt(visitor), await lookAt(agent)])}`);
            await seconds(0.02);
          }
        }
        if (round > 1) took.push(Date.now() - since);
        await ask(daemon, `/v1/meetings/${made.id}/end`, {});
        await state(agent, 'left');
        await visitor.browserContext().close();
      }
      console.log(`promise M1 ${name}: both see each other after the answer ${Math.max(...took)} ms, opening the camera included`);
      await first.browserContext().close();
    });

    test('M7: without UDP the call runs over TCP', async () => {
      await network.say({ block: true, kind: 'udp' });
      const since = Date.now();
      const c = await call({ tcp: true });
      console.log(`promise M7 ${name}: both see each other over TCP, from the start of the call ${Date.now() - since} ms`);
      await network.say({ block: false, kind: 'udp' });
      await c.close();
    });
  });
}
