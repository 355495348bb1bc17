// The call button in somebody else's page, whose policy allows no more than
// docs/integrations/button.md asks for.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { browsers, launch, newPage } from '../lib/browser.mjs';
import { complaintsOfAxe, overflow } from '../lib/looks.mjs';
import { site, startDaemon, startShop } from '../lib/shop.mjs';

const noForm = { ...site, fields: [], page_to_agent: false };

for (const name of browsers) {
  describe(`the call button in ${name}`, () => {
    let browser, daemon, shop, page;
    before(async () => {
      browser = await launch(name);
    });
    after(() => browser?.close());
    beforeEach(async () => {
      daemon = await startDaemon();
      shop = await startShop(daemon.url);
      page = await newPage(browser);
    });
    afterEach(async () => {
      await page?.browserContext().close();
      shop?.close();
      daemon?.close();
    });

    /** find waits for an element of the shadow root; a wait for a selector misses what changes in there. */
    const find = async (selector) => (await page.waitForFunction((s) => document.querySelector('ringdown-button')?.shadowRoot?.querySelector(s), { polling: 'raf', timeout: 5000 }, selector)).asElement();
    /** press clicks what stands still: a panel rises for a moment, or its animation is cancelled. */
    const press = async (selector, options) => {
      const element = await find(selector);
      await page.evaluate(() => Promise.all(document.querySelector('ringdown-button').shadowRoot.getAnimations().map((animation) => animation.finished.catch(() => {}))));
      await element.click(options);
    };
    const there = (selector) => page.evaluate((s) => document.querySelector('ringdown-button').shadowRoot.querySelector(s) !== null, selector);
    const textOf = async (selector) => (await find(selector)).evaluate((element) => element.textContent);
    const state = () => page.$eval('ringdown-button', (element) => element.getAttribute('state'));
    const untilState = (wanted) => page.waitForFunction((s) => document.querySelector('ringdown-button').getAttribute('state') === s, { timeout: 5000 }, wanted);
    const visit = async (attributes = '') => {
      shop.attributes = attributes;
      await page.goto(shop.url);
    };
    /** fill answers the form as a person would. */
    const fill = async () => {
      await press('.launch');
      await (await find('#f-name')).type('Anna Ferri');
      await press('#f-terms');
    };
    const submit = () => press('button[type=submit]');
    /** visitorFrame is the page in the overlay, once it has loaded. */
    const visitorFrame = async () => {
      const frame = await (await find('iframe')).contentFrame();
      await frame.waitForFunction(() => typeof window.say === 'function');
      return frame;
    };

    test('asks, makes one meeting of a double click, and shows the call in the page', async () => {
      await visit(`metadata='{"cart":42,"vip":true}' meta-article="ONDA" data-metadata-shop="Paris" queue="advice" redirect-url="https://shop.example/thanks"`);
      let release;
      daemon.reply.meeting = { wait: new Promise((resolve) => (release = resolve)) };
      await fill();
      assert.match(await textOf('.note'), /Onda pendant lamp/);
      const start = await find('button[type=submit]');
      await start.click({ count: 2 });
      await start.click();
      release();
      const frame = await find('iframe');
      assert.equal(daemon.calls.length, 1);
      const [call] = daemon.calls;
      assert.equal(call.site, 'pk_demo_shop');
      assert.match(call.key, /^[0-9a-f]{32}$/);
      assert.deepEqual(call.body, {
        queue: 'advice', redirect_url: 'https://shop.example/thanks', visitor: { name: 'Anna Ferri' }, fields: { terms: 'yes' }, language: 'en',
        metadata: { cart: '42', vip: 'true', article: 'ONDA', shop: 'Paris' }, page: { url: `${shop.url}/`, title: 'Onda pendant lamp' },
      });
      assert.equal(await frame.evaluate((f) => f.src), `${daemon.url}/m/CODE1?lang=en&theme=light#secret`);
      for (const feature of ['camera', 'microphone', 'autoplay', 'display-capture', 'fullscreen']) assert.match(await frame.evaluate((f) => f.allow), new RegExp(`(^|; )${feature}(;|$)`));
      assert.deepEqual(page.complaints, []);
    });

    test('marks what is missing, ties it to the field, and calls nobody', async () => {
      await visit();
      await press('.launch');
      assert.equal(await (await find('#f-terms')).evaluate((box) => box.checked), false);
      await submit();
      const field = await find('#f-name');
      const [invalid, tied, focused] = await field.evaluate((input) => [input.getAttribute('aria-invalid'), input.getRootNode().getElementById(input.getAttribute('aria-describedby'))?.textContent, input.getRootNode().activeElement === input]);
      assert.deepEqual([invalid, tied, focused], ['true', 'Please fill this in.', true]);
      assert.equal(await textOf('#why-terms'), 'Please tick this box to go on.');
      assert.equal(daemon.calls.length, 0);
      await field.type('Anna');
      await press('#f-terms');
      await submit();
      await find('iframe');
      assert.equal(daemon.calls.length, 1);
    });

    test('keeps its key while it tries the same again, and takes another for another wish', async () => {
      await visit();
      daemon.reply.meeting = { status: 503, body: { code: 'unavailable', detail: 'not now' } };
      const refused = (times) => page.waitForFunction(() => { // told, and ready for another try
        const root = document.querySelector('ringdown-button').shadowRoot;
        return root.querySelector('.fault p') && root.querySelector('button[type=submit]').getAttribute('aria-disabled') === 'false';
      }, { timeout: 5000 }).then(() => assert.equal(daemon.calls.length, times));
      await fill();
      await submit();
      await refused(1);
      assert.match(await textOf('.fault p'), /cannot take your call at the moment/);
      assert.equal(await textOf('button[type=submit]'), 'Try again');
      await submit();
      await refused(2);
      await (await find('#f-topic')).type('Height');
      daemon.reply.meeting = {};
      await submit();
      await find('iframe');
      const [first, second, third] = daemon.calls.map((call) => call.key);
      assert.equal(first, second);
      assert.notEqual(second, third);
    });

    test('shows a field that the daemon refuses', async () => {
      await visit();
      daemon.reply.meeting = { status: 422, body: { code: 'invalid', detail: 'x', errors: [{ pointer: '/visitor/name', detail: 'must be shorter' }] } };
      await fill();
      await submit();
      assert.equal(await textOf('#why-name'), 'Please check this.');
    });

    test('without questions a click is the call', async () => {
      daemon.reply.button = { body: noForm };
      await visit();
      await press('.launch', { count: 2 });
      await find('iframe');
      assert.equal(daemon.calls.length, 1);
      assert.equal('page' in daemon.calls[0].body, false);
    });

    test('hears its frame and nobody else', async () => {
      daemon.reply.button = { body: noForm };
      await visit();
      await page.evaluate(() => {
        window.told = [];
        for (const kind of ['open', 'meeting', 'state', 'redirect', 'close']) document.addEventListener(`ringdown-${kind}`, (event) => {
          window.told.push([kind, event.detail.state ?? event.detail.url ?? '']);
          if (kind === 'redirect') event.preventDefault();
        });
      });
      await press('.launch');
      const frame = await visitorFrame();
      await page.evaluate(() => window.postMessage({ type: 'ringdown.state', state: 'ended' }, '*')); // the page itself
      await page.evaluate((url) => { // another frame of the same origin
        const other = document.body.appendChild(document.createElement('iframe'));
        other.id = 'other';
        other.src = `${url}/m/OTHER`;
      }, daemon.url);
      const other = await (await page.waitForSelector('#other')).contentFrame();
      await other.waitForFunction(() => typeof window.say === 'function');
      await other.evaluate(() => window.say({ type: 'ringdown.close' }));
      await frame.evaluate(() => {
        window.say({ type: 'ringdown.redirect', url: 'javascript:alert(1)' });
        window.say({ type: 'ringdown.redirect', url: 'https://shop.example/thanks' });
        window.say({ type: 'ringdown.state', state: 'active' });
      });
      await untilState('active');
      assert.deepEqual(await page.evaluate(() => window.told), [['open', ''], ['meeting', ''], ['state', 'planned'], ['redirect', 'https://shop.example/thanks'], ['state', 'active']]);
      assert.equal(page.url(), `${shop.url}/`);
    });

    test('goes where the call sends the visitor', async () => {
      daemon.reply.button = { body: noForm };
      await visit();
      await press('.launch');
      const frame = await visitorFrame();
      const target = `${shop.url}/thanks`;
      await Promise.all([page.waitForNavigation(), frame.evaluate((url) => window.say({ type: 'ringdown.redirect', url }), target)]);
      assert.equal(page.url(), target);
    });

    test('asks before it leaves a running call, then tells the page', async () => {
      daemon.reply.button = { body: noForm };
      await visit();
      await press('.launch');
      const frame = await visitorFrame();
      await frame.evaluate(() => window.say({ type: 'ringdown.state', state: 'requested' }));
      await untilState('requested');
      await press('button[aria-label=Close]');
      assert.match(await textOf('[role=alertdialog]'), /Leave the call\?.*still calling/s);
      await page.keyboard.press('Escape');
      assert.equal(await there('[role=alertdialog]'), false);
      assert.equal(await there('iframe'), true);
      await press('button[aria-label=Close]');
      await press('.btn--danger');
      await frame.waitForFunction(() => window.heard.length > 0);
      assert.deepEqual(await frame.evaluate(() => window.heard), [[shop.url, 'ringdown.leave']]);
      await frame.evaluate(() => window.say({ type: 'ringdown.state', state: 'ended' }));
      await untilState('ready');
      assert.equal(await there('iframe'), false);
    });

    test('Escape closes the form and gives the focus back', async () => {
      await visit();
      await (await find('.launch')).focus();
      await page.keyboard.press('Enter');
      await find('form');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Escape');
      assert.equal(await there('form'), false);
      assert.equal(await page.evaluate(() => document.querySelector('ringdown-button').shadowRoot.activeElement?.className), 'launch launch--right');
    });

    test('opens a tab where the page wants one', async () => {
      await visit('open="tab"');
      await fill();
      const opened = new Promise((resolve) => page.browserContext().once('targetcreated', resolve));
      await submit();
      const tab = await (await opened).page();
      await tab.waitForFunction(() => location.pathname === '/m/CODE1');
      assert.equal(await tab.evaluate(() => location.href), `${daemon.url}/m/CODE1?lang=en&theme=light#secret`);
      assert.equal(await tab.evaluate(() => window.opener), null);
      await untilState('tab');
      assert.equal(await there('iframe'), false);
      assert.equal(daemon.calls.length, 1);
    });

    test('shows a link where the tab is blocked', async () => {
      await visit('open="tab"');
      await page.evaluate(() => (window.open = () => null));
      await fill();
      await submit();
      const link = await find('a.btn--primary');
      assert.equal(await link.evaluate((a) => a.href), `${daemon.url}/m/CODE1?lang=en&theme=light#secret`);
      assert.match(await textOf('h2'), /Your call is ready/);
    });

    test('is not there when nobody can answer', async () => {
      daemon.reply.button = { body: { ...site, open: false } };
      await visit();
      await untilState('closed');
      assert.equal(await there('.launch'), false);
    });

    test('is not there for a key that is not known, and says why in the console', async () => {
      const warned = [];
      page.on('console', (message) => warned.push(message.text()));
      daemon.reply.button = { status: 401, body: { code: 'unauthorized', detail: 'this site key is not known' } };
      await visit();
      await untilState('error');
      assert.equal(await there('.launch'), false);
      assert.ok(warned.some((line) => line.startsWith('ringdown-button: the site key is not known')), warned.join('\n'));
    });

    test('speaks the page’s language and follows it', async () => {
      await visit();
      await fill();
      await page.evaluate(() => (document.documentElement.lang = 'fr-FR'));
      await page.waitForFunction(() => document.querySelector('ringdown-button').shadowRoot.querySelector('label').textContent === 'Votre nom');
      assert.equal(await (await find('#f-name')).evaluate((input) => input.value), 'Anna Ferri');
      await submit();
      await find('iframe');
      assert.equal(daemon.calls[0].body.language, 'fr');
    });

    test('leaves nothing behind and loads from nobody else', async () => {
      const asked = new Set();
      page.on('request', (request) => asked.add(new URL(request.url()).origin));
      await visit();
      await fill();
      await submit();
      await visitorFrame();
      assert.deepEqual([...asked].filter((origin) => ![shop.url, daemon.url, 'null'].includes(origin)), []);
      assert.deepEqual(daemon.asked.filter((line) => line.endsWith('/button.js')), ['GET /button.js']);
      const left = await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]);
      assert.deepEqual(left, ['', 0, 0]);
    });

    test('fills a phone', async () => {
      await page.setViewport({ width: 390, height: 844 });
      await visit();
      await fill();
      assert.equal(await overflow(page), 0);
      await submit();
      await find('.overlay--call');
      await page.waitForFunction(() => { // once it has risen
        const { x, y, width, height } = document.querySelector('ringdown-button').shadowRoot.querySelector('.overlay--call').getBoundingClientRect();
        return [x, y, width, height].map(Math.round).join() === [0, 0, innerWidth, innerHeight].join();
      }, { timeout: 5000 });
    });

    test('gives a screen reader nothing to stumble on', async () => {
      shop.strict = false; // axe itself needs eval
      await visit();
      await find('.launch');
      assert.deepEqual(await complaintsOfAxe(page), []);
      await press('.launch');
      await submit();
      await find('#why-name');
      assert.deepEqual(await complaintsOfAxe(page), []);
    });

    if (name === 'chromium') {
      test('opens a tab where the page keeps the camera for itself', async () => {
        shop.headers = { 'Permissions-Policy': 'camera=(self), microphone=(self)' };
        await visit();
        await fill();
        const opened = new Promise((resolve) => page.browserContext().once('targetcreated', resolve));
        await submit();
        await opened;
        assert.equal(await there('iframe'), false);
        assert.equal(await state(), 'tab');
      });
    }
  });
}
