// The walk, as two people go it: the demo's shop in one window, the emulated
// inbox in another, the real program between them, in each browser.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { browsers, launch, newPage, watch } from '../lib/browser.mjs';
import { mkdirSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { out } from '../lib/looks.mjs';
import { freePorts, machineAddress, startDaemon } from '../lib/daemon.mjs';
import { selfMade, startDesk, startShop } from '../lib/town.mjs';
import { waitForMovingVideo, waitForSound } from '../lib/media.mjs';

const hook = (name) => `[data-test="${name}"]`;
const within = { timeout: 20_000 };

/** press clicks what a person would click, once it is there and can be. */
async function press(where, selector) {
  for (;;) {
    const element = await where.waitForSelector(selector, { ...within, visible: true });
    if (await element.evaluate((e) => e.isConnected && !e.disabled && (e.click(), true))) return;
    await new Promise((done) => setTimeout(done, 50)); // busy: a person would wait too
  }
}

/** words waits until the element says something like this. */
async function words(where, selector, pattern) {
  await where.waitForFunction((s, p) => new RegExp(p).test(document.querySelector(s)?.innerText ?? ''), within, selector, pattern.source);
}

/** state waits until the page is in one of its states. */
async function state(where, wanted) {
  await where.waitForFunction((s) => document.body.dataset.state === s, within, wanted);
}

async function say(where, text) {
  const input = await where.waitForSelector(hook('chat-input'), { ...within, visible: true });
  await input.type(text);
  await press(where, hook('chat-send'));
}

async function openChat(where) {
  if (!(await where.$(hook('chat-input')))) await press(where, hook('chat'));
}

/** walk tries the whole walk in one browser on the house that `open` starts: { daemon, shop, inbox, canaries, close }. */
function walk(title, name, open) {
  describe(`${title} in ${name}`, { timeout: 150_000 }, () => {
    let browser, house, daemon;
    let failed = true;
    after(async () => {
      if (failed) await lastLook(browser, name, daemon);
      await browser?.close();
      await house?.close();
    });

    test('click, ring, accept, see and hear each other, chat, end, redirect', async () => {
      house = await open();
      daemon = house.daemon;
      browser = await launch(name);

      // The visitor's window: the shop and its button.
      const shop = await newPage(browser);
      await shop.goto(house.shop);
      await press(shop, 'ringdown-button >>> button.launch');
      await (await shop.waitForSelector('ringdown-button >>> input[name="name"]', within)).type('Anna Ferri');
      await (await shop.waitForSelector('ringdown-button >>> input[name="topic"]', within)).type('How high to hang the Onda');
      await press(shop, 'ringdown-button >>> input[name="consent"]');
      const submit = await shop.waitForSelector('ringdown-button >>> button[type="submit"]', within);
      await submit.evaluate((e) => (e.click(), e.click())); // a double click makes one call
      const frame = await shop.waitForSelector('ringdown-button >>> iframe', within);
      const visitor = await frame.contentFrame();

      // Looking at camera and microphone; nobody is rung yet.
      await state(visitor, 'check');
      for (const kind of ['microphone', 'camera']) {
        const on = await visitor.waitForSelector(`${hook(`on-${kind}`)}, ${hook('self-video')}`, within);
        if (await on.evaluate((e) => e.tagName === 'BUTTON')) await on.evaluate((e) => e.click());
      }
      await visitor.waitForSelector(hook('self-video'), within);
      const made = await meetings(daemon);
      assert.equal(made.length, 1, 'one click is one meeting');
      assert.equal(made[0].state, 'planned');
      await press(visitor, hook('call'));
      await state(visitor, 'waiting');

      // The agent's window: the inbox, and the link in the message.
      const inbox = await newPage(browser);
      await inbox.goto(`${house.inbox}?lang=en`);
      await press(inbox, '.in-row');
      await press(inbox, '.in-ask .btn--accept');
      const link = await inbox.waitForSelector('.in-ask--live a.btn--primary', within);
      const agent = await inbox.browserContext().newPage();
      await watch(agent);
      await agent.setViewport({ width: 1280, height: 860 });
      await agent.goto(await link.evaluate((a) => a.href));
      await (await agent.waitForSelector(hook('name'), within)).type('Marie Laurent');
      await press(agent, hook('accept'));
      await press(agent, hook('enter'));
      await state(agent, 'room');
      await state(visitor, 'call');
      const joined = Date.now();
      assert.ok(!agent.url().includes('#'), 'no secret stays in the address bar');

      // Both see moving pictures and hear sound.
      for (const [who, page] of [['the visitor', visitor], ['the agent', agent]]) {
        await (who === 'the visitor' ? shop : agent).bringToFront(); // a browser draws few frames of a page behind
        const seen = await waitForMovingVideo(page, hook('remote-video'));
        const heard = await waitForSound(page);
        console.log(`      ${name}: ${who} sees ${seen.width}×${seen.height}, ${seen.frames} frames, hears level ${heard.level.toFixed(3)}`);
      }

      // Chat both ways, and through the inbox.
      await openChat(visitor);
      await say(visitor, 'Can you see the table?');
      await openChat(agent);
      await words(agent, hook('chat-log'), /Can you see the table/);
      await say(agent, 'Yes, 70 cm above it.');
      await words(visitor, hook('chat-log'), /70 cm above it/);
      await words(inbox, 'body', /Can you see the table/);
      await (await inbox.waitForSelector('#answer', within)).type('I send the guide by mail.\n');
      await words(visitor, hook('chat-log'), /I send the guide by mail/);
      await words(agent, hook('chat-log'), /I send the guide by mail/);

      // Camera off needs no new negotiation; the other side is told.
      await press(visitor, hook('camera'));
      await agent.waitForFunction((s) => !document.querySelector(s) || document.querySelector('[data-test="remote-words"]'), within, hook('remote-video'));
      await press(visitor, hook('camera'));
      await waitForMovingVideo(agent, hook('remote-video'));

      // A call holds: nobody was taken for dead since the beginning.
      const since = Date.now() - joined;
      if (since < 20_000) await new Promise((done) => setTimeout(done, 20_000 - since));
      assert.ok(!/"msg":"left"/.test(daemon.log()), 'somebody fell out of the call');

      // The end, for all; the guest is redirected, the agent is not.
      await press(agent, hook('end'));
      await press(agent, hook('end-confirm'));
      await state(agent, 'left');
      await state(visitor, 'left');
      await words(visitor, hook('ended'), /Marie Laurent/);
      await shop.waitForFunction(() => location.search.includes('after=call'), within);
      const log = await events(daemon, made[0].id);
      assert.deepEqual(log.slice(0, 4), ['meeting.created', 'meeting.requested', 'ring.started', 'meeting.answered']);
      assert.equal(log.filter((k) => k === 'participant.joined').length, 2);
      assert.equal(log.filter((k) => k === 'message.created').length, 3);
      assert.equal(log.at(-1), 'meeting.ended');
      const [ended] = await meetings(daemon);
      assert.equal(ended.outcome, 'completed');
      await words(inbox, 'body', /[Ee]nded|over/);
      assert.deepEqual([shop, inbox, agent].flatMap((p) => p.complaints), []);
      for (const canary of ['Anna', 'Marie', 'Onda', '70 cm', 'guide']) assert.ok(!daemon.log().includes(canary), `${canary} is in the log`);
      failed = false;
    });
  });
}

for (const name of browsers) {
  walk('the walk', name, async () => {
    const daemon = await startDaemon();
    return { daemon, shop: `${daemon.url}/demo/shop`, inbox: daemon.facts.inbox, close: () => daemon.stop() };
  });
  walk('the walk over https, on the machine\'s own address,', name, twoMachines);
}

/** twoMachines is a configured daemon with its own certificate, a desk and a shop beside it. */
async function twoMachines() {
  const host = machineAddress();
  const certificate = selfMade(host);
  const [port, deskPort] = await freePorts(2);
  const publicURL = `https://${host}:${port}`;
  const replySecret = 'a-secret-of-this-test-only';
  const desk = await startDesk(deskPort, `${publicURL}/xcally/main/reply/${replySecret}`, certificate.cert);
  const shop = await startShop(host, certificate, publicURL);
  const daemon = await startDaemon({
    origin: () => publicURL,
    config: ({ mediaPort, adminPort, dir }) => `
listen: 0.0.0.0:${port}
public_url: ${publicURL}
admin_listen: 127.0.0.1:${adminPort}
data_dir: ${dir}/data
tls: {mode: files, cert_file: ${certificate.cert}, key_file: ${certificate.key}}
media: {port: ${mediaPort}}
connectors:
  xcally:
    accounts: [{name: main, receive_url: "${desk.receiveURL}", reply_secret: ${replySecret}}]
queues: [{name: advice, desks: [xcally/main], ring: {window: 2m, decline: end}}]
sites:
  - id: shop
    key: pk_test_shop
    name: Maison Vela
    origins: [${shop.origin}]
    redirects: [${shop.origin}/]
    queue: advice
    fields: [{name: name, required: true}, {name: topic}, {name: consent, type: consent, required: true}]
`,
  });
  const close = async () => {
    await daemon.stop();
    desk.stop();
    shop.close();
    certificate.remove();
  };
  return { daemon, shop: `${shop.origin}/`, inbox: desk.inbox, close };
}

/** lastLook keeps what the windows showed when a walk did not arrive. */
async function lastLook(browser, name, daemon) {
  mkdirSync(out, { recursive: true });
  for (const context of browser?.browserContexts() ?? []) {
    for (const page of await context.pages()) {
      const path = `${out}failed-${name}-${new URL(page.url()).pathname.replaceAll('/', '_')}.png`;
      await page.screenshot({ path }).catch(() => {});
      console.log(`      ${page.url()} ${(page.complaints ?? []).join('; ')} → ${path}`);
    }
  }
  console.log(daemon?.log().split('\n').slice(-12).join('\n'));
}

/** ask is a question to the API with the administrator's key; its certificate may be self-made. */
async function ask(daemon, path) {
  const { get } = daemon.url.startsWith('https:') ? https : http;
  const options = { headers: { Authorization: `Bearer ${daemon.apiKey()}` }, rejectUnauthorized: false };
  return new Promise((done, failed) => {
    get(daemon.url + path, options, async (answer) => {
      let text = '';
      for await (const part of answer) text += part;
      if (answer.statusCode === 200) done(JSON.parse(text));
      else failed(new Error(`${path}: ${answer.statusCode} ${text}`));
    }).once('error', failed);
  });
}

const meetings = async (daemon) => (await ask(daemon, '/v1/meetings')).meetings;
const events = async (daemon, id) => (await ask(daemon, `/v1/meetings/${id}/events`)).events.map((e) => e.kind);
