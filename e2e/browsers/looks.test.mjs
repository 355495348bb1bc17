// Every screen of the walk, looked at: wide and phone, light and dark, in three
// languages. The pictures are for people (e2e/out/); axe and the ruler judge
// what a program can.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, newPage } from '../lib/browser.mjs';
import { startDaemon } from '../lib/daemon.mjs';
import { complaintsOfAxe, gallery, overflow, sizes } from '../lib/looks.mjs';
import { hook, press, state } from '../lib/steps.mjs';

const langs = ['en', 'fr', 'it'];
/** inLanguage is a link that opens in a language, its secret kept behind. */
const inLanguage = (link, lang) => link.replace('#', `?lang=${lang}#`);

describe('the look of every screen', { timeout: 400_000 }, () => {
  let browser, daemon;
  before(async () => {
    daemon = await startDaemon();
    browser = await launch('chromium');
  });
  after(async () => {
    await browser?.close();
    await daemon?.stop();
  });

  async function api(path, body) {
    const answer = await fetch(daemon.url + path, {
      method: body ? 'POST' : 'GET', body: body && JSON.stringify(body),
      headers: { Authorization: `Bearer ${daemon.apiKey()}`, ...(body && { 'Content-Type': 'application/json' }) },
    });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.json();
  }
  const meeting = (more = {}) => api('/v1/meetings', {
    topic: 'How high to hang the Onda', visitor: { name: 'Anna Ferri', phone: '+39 02 1234 5678', email: 'anna@example.org' },
    fields: { order: '4411' }, metadata: { article: 'ONDA-COPPER' }, ...more,
  });
  async function open(url, options) {
    const page = await newPage(browser, options);
    await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]); // no colour half-way to the other theme
    await page.goto(url);
    return page;
  }

  /** look takes the pictures and judges. */
  async function look(page, name) {
    await page.bringToFront();
    const found = [];
    for (const [size, viewport] of Object.entries({ ...sizes, narrow: { width: 320, height: 700 } })) {
      await page.setViewport(viewport);
      const wide = await overflow(page);
      if (wide > 0) found.push(`${size}: ${wide} px too wide`);
    }
    await gallery(page, name, { fullPage: !/^(call|room)/.test(name) });
    found.push(...(await complaintsOfAxe(page)));
    assert.deepEqual(found, [], name);
  }

  for (const lang of langs) test(`a visitor and an agent, in ${lang}`, async () => {
    const made = await meeting({ language: lang });
    const visitor = await open(inLanguage(made.links.visitor, lang));
    await state(visitor, 'check');
    await look(visitor, 'check-asks');
    for (const kind of ['microphone', 'camera']) {
      const on = await visitor.$(hook(`on-${kind}`));
      if (on) await on.evaluate((e) => e.click());
    }
    await visitor.waitForSelector(hook('self-video'));
    await look(visitor, 'check-ready');

    const early = await open(inLanguage(made.links.agent, lang));
    await state(early, 'planned');
    await look(early, 'ring-early');

    await press(visitor, hook('call'));
    await state(visitor, 'waiting');
    await look(visitor, 'waiting');
    await state(early, 'ring');
    await early.type(hook('name'), 'Marie Laurent');
    await look(early, 'ring');
    await press(early, hook('accept'));
    await early.waitForSelector(hook('enter'));
    await look(early, 'agent-devices');

    const late = await open(inLanguage(made.links.agent, lang));
    await late.waitForFunction(() => /Marie Laurent/.test(document.body.innerText), { timeout: 20_000 });
    await look(late, 'ring-taken');

    await press(early, hook('enter'));
    await state(early, 'room');
    await state(visitor, 'call');
    await visitor.waitForFunction((s) => document.querySelector(s)?.videoWidth > 0, { timeout: 20_000 }, hook('remote-video'));
    await press(visitor, hook('chat'));
    await visitor.type(hook('chat-input'), 'Could you show me the table and the ceiling above it?');
    await press(visitor, hook('chat-send'));
    await look(visitor, 'call');
    await look(early, 'room');

    await press(early, hook('end'));
    await press(early, hook('end-confirm'));
    await state(early, 'left');
    await state(visitor, 'left');
    await look(visitor, 'left');
    await look(early, 'agent-left');
    const inbox = await open(`${daemon.facts.inbox}?lang=${lang}`);
    await press(inbox, '.in-row');
    await look(inbox, 'inbox');
  });

  for (const lang of langs) test(`what goes wrong, in ${lang}`, async () => {
    const cancelled = await meeting({ ring: 'now', language: lang });
    await api(`/v1/meetings/${cancelled.id}/end`, {});
    const over = await open(inLanguage(cancelled.links.visitor, lang));
    await state(over, 'cancelled');
    await look(over, 'over');
    const gone = await open(inLanguage(cancelled.links.agent, lang));
    await state(gone, 'over');
    await look(gone, 'ring-over');
    const wrong = await open(`${daemon.url}/m/abcdefghjk?lang=${lang}#wrong`);
    await wrong.waitForSelector(hook('link-problem'));
    await look(wrong, 'link-wrong');
  });

  /** A page whose network and devices obey the test. */
  const obedient = () => {
    const Real = window.WebSocket;
    const live = new Set();
    let cut = false;
    window.WebSocket = class extends Real {
      constructor(url, ...more) {
        super(cut ? url.replace('/v1/', '/v1/nowhere/') : url, ...more);
        live.add(this);
      }
    };
    window.testCut = () => {
      cut = true;
      for (const socket of live) socket.close();
    };
    window.testHeal = () => (cut = false);
    // a minute passes when it is told to
    const soon = window.setTimeout.bind(window);
    const long = new Set();
    window.setTimeout = (what, ms, ...args) => {
      if (ms >= 20_000) long.add(what);
      return soon(what, ms, ...args);
    };
    window.testMinute = () => long.forEach((what) => what());
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wish) => {
      if (!window.testRefuse) return real(wish);
      await new Promise((done) => soon(done, window.testRefuse.afterMs ?? 0));
      throw new DOMException('no', window.testRefuse.name);
    };
    navigator.permissions.query = async () => ({ state: 'denied' });
  };
  const problems = { denied: { name: 'NotAllowedError', afterMs: 400 }, blocked_here: { name: 'NotAllowedError' }, not_found: { name: 'NotFoundError' }, in_use: { name: 'NotReadableError' } };

  async function openObedient(url) {
    const page = await newPage(browser);
    await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
    await page.evaluateOnNewDocument(obedient);
    await page.goto(url);
    return page;
  }

  for (const lang of langs) test(`devices that do not work, in ${lang}`, async () => {
    const made = await meeting({ language: lang });
    for (const [problem, how] of Object.entries(problems)) {
      const page = await openObedient(inLanguage(made.links.visitor, lang));
      await state(page, 'check');
      await page.evaluate((h) => (window.testRefuse = h), how);
      await press(page, hook('call'));
      await page.waitForSelector(`${hook('whole-problem')}[data-problem=${problem}]`);
      await look(page, `check-${problem}`);
      await page.browserContext().close();
    }
    const page = await openObedient(inLanguage(made.links.visitor, lang));
    await state(page, 'check');
    await press(page, hook('on-camera'));
    await page.waitForSelector(hook('self-video'));
    await page.evaluate((h) => (window.testRefuse = h), problems.in_use);
    await press(page, hook('on-microphone'));
    await page.waitForSelector(hook('picture-microphone'));
    await look(page, 'check-microphone');
    await page.browserContext().close();
  });

  for (const lang of langs) test(`more than two people and more than a camera, in ${lang}`, async () => {
    const made = await meeting({ language: lang });
    const visitor = await openObedient(inLanguage(made.links.visitor, lang));
    await state(visitor, 'check');
    await press(visitor, hook('call'));
    await state(visitor, 'waiting');
    const agent = await open(inLanguage(made.links.agent, lang));
    await state(agent, 'ring');
    await agent.type(hook('name'), 'Marie Laurent');
    await press(agent, hook('accept'));
    await press(agent, hook('enter'));
    await state(agent, 'room');
    await state(visitor, 'call');
    await agent.waitForFunction((s) => document.querySelector(s)?.videoWidth > 0, { timeout: 20_000 }, hook('remote-video'));

    // a problem in the call
    await press(visitor, hook('camera'));
    await visitor.evaluate((h) => (window.testRefuse = h), problems.in_use);
    await press(visitor, hook('camera'));
    await visitor.waitForSelector(hook('problem'));
    await look(visitor, 'call-problem');
    await visitor.evaluate(() => (window.testRefuse = undefined));
    await press(visitor, hook('problem-again'));

    // notes and a further person
    await press(agent, hook('chat-close'));
    await agent.type(hook('note'), 'Table of 220 cm, wants the dimmer too.');
    await agent.waitForSelector(`${hook('note-state')}[data-state=saved]`);
    await agent.type(hook('invite-name'), 'Paolo Ferri');
    await press(agent, hook('invite-make'));
    const link = await (await agent.waitForSelector(hook('invite-link'))).evaluate((e) => e.value);
    await look(agent, 'room-panel');
    const guest = await open(inLanguage(link, lang));
    await state(guest, 'check');
    await look(guest, 'guest-check');
    await press(guest, hook('call'));
    await state(guest, 'call');
    for (const page of [visitor, agent]) await page.waitForFunction((s) => [...document.querySelectorAll(s)].filter((v) => v.videoWidth > 0).length === 2, { timeout: 20_000 }, hook('remote-video'));
    await press(agent, '.room__left .card__head button');
    await look(visitor, 'call-three');
    await look(agent, 'room-three');

    // a screen
    await press(visitor, hook('share'));
    await agent.waitForFunction((s) => document.querySelector(s)?.videoWidth > 0, { timeout: 20_000 }, hook('screen-video'));
    await look(agent, 'room-screen');
    await look(visitor, 'call-sharing');
    await press(visitor, hook('stop-sharing'));
    await guest.browserContext().close();

    // a cut, on both sides, and the way back
    await visitor.evaluate(() => window.testCut());
    await visitor.waitForSelector(hook('reconnecting'));
    await agent.waitForSelector(hook('other-away'));
    await look(visitor, 'call-reconnecting');
    await look(agent, 'room-other-away');
    await visitor.evaluate(() => window.testMinute());
    await state(visitor, 'gone');
    await look(visitor, 'gone');
    await visitor.evaluate(() => window.testHeal());
    const colleague = await (async () => {
      await press(agent, hook('customer'));
      await agent.select(hook('invite-role'), 'agent');
      await press(agent, hook('invite-make'));
      await agent.waitForFunction((s) => document.querySelector(s)?.value.includes('/room/'), { timeout: 20_000 }, hook('invite-link'));
      return open(inLanguage(await agent.$eval(hook('invite-link'), (e) => e.value), lang));
    })();
    await state(colleague, 'devices');
    await look(colleague, 'colleague-devices');
    await press(agent, hook('end'));
    await press(agent, hook('end-confirm'));
    await state(agent, 'left');
    await look(agent, 'agent-left-notes');
  });
});
