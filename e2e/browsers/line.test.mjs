// A visitor in Chromium on a line that a test can cut: the pages, the signalling
// and the media all pass it, and a cut is a cut.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { launch, newPage } from '../lib/browser.mjs';
import { startDaemon } from '../lib/daemon.mjs';
import { startLine } from '../lib/line.mjs';
import { sawVideoMove, waitForMovingVideo } from '../lib/media.mjs';

const hook = (name) => `[data-test="${name}"]`;
const within = { timeout: 20_000 };

async function press(page, selector) {
  for (;;) {
    const element = await page.waitForSelector(selector, { ...within, visible: true });
    if (await element.evaluate((e) => e.isConnected && !e.disabled && (e.click(), true))) return;
    await new Promise((done) => setTimeout(done, 50));
  }
}

describe('a line in chromium', { timeout: 120_000 }, () => {
  let browser, daemon, line;
  after(async () => {
    await browser?.close();
    await line?.stop();
    await daemon?.stop();
  });

  test('a call on it sees, freezes in a cut, and its daemon lets go of it', async () => {
    daemon = await startDaemon({ env: { RINGDOWN_MEDIA_ADDRESSES: '[127.0.0.1]' } });
    line = await startLine({ web: `127.0.0.1:${daemon.port}`, media: daemon.facts.media[0] });
    const made = await (await fetch(`${daemon.url}/v1/meetings`, {
      method: 'POST', headers: { authorization: `Bearer ${daemon.apiKey()}`, 'content-type': 'application/json' }, body: '{}',
    })).json();
    const path = (link) => new URL(link).pathname + new URL(link).hash;
    browser = await launch('chromium');
    const visitor = await newPage(browser);
    await line.ready(visitor);
    await visitor.goto(line.url + path(made.links.visitor));
    for (const kind of ['microphone', 'camera']) {
      const on = await visitor.waitForSelector(`${hook(`on-${kind}`)}, ${hook('self-video')}`, within);
      if (await on.evaluate((e) => e.tagName === 'BUTTON')) await on.evaluate((e) => e.click());
    }
    await visitor.waitForSelector(hook('self-video'), within);
    await press(visitor, hook('call'));
    const links = await (await fetch(`${daemon.url}/v1/meetings/${made.id}`, { headers: { authorization: `Bearer ${daemon.apiKey()}` } })).json();
    const agent = await newPage(browser);
    await agent.goto(daemon.url + path(links.links?.agent ?? made.links.agent));
    await (await agent.waitForSelector(hook('name'), within)).type('Marie Laurent');
    await press(agent, hook('accept'));
    await press(agent, hook('enter'));

    await waitForMovingVideo(agent, hook('remote-video'));
    await visitor.bringToFront();
    await waitForMovingVideo(visitor, hook('remote-video'));
    const media = (await line.counts()).find((relay) => relay.kind === 'udp');
    assert.ok(media.up.packets > 20 && media.down.packets > 20, `media did not take the line: ${JSON.stringify(media)}`);

    await line.cut();
    await agent.bringToFront();
    const during = (await line.counts()).find((relay) => relay.kind === 'udp').down.delivered;
    assert.equal((await sawVideoMove(agent, hook('remote-video'), { forMs: 2500 }).catch(() => ({ moving: false }))).moving, false, 'the picture moves in a cut');
    assert.equal((await line.counts()).find((relay) => relay.kind === 'udp').down.delivered, during);
    await line.mend();
  });
});
