// From a ringing telephone to a video call: the agent's tab, an SMS through a
// gateway over HTTP, the caller's own browser. And how each state of the tab
// looks, in every language and theme, from 320 px.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { browsers, launch, newPage } from '../lib/browser.mjs';
import { startDaemon } from '../lib/daemon.mjs';
import { complaintsOfAxe, out, overflow, setLanguage, setTheme } from '../lib/looks.mjs';
import { waitForMovingVideo } from '../lib/media.mjs';
import { hook, press, state, within, words } from '../lib/steps.mjs';
import { mkdirSync } from 'node:fs';

const secret = 'the-secret-of-the-phones-42';

/** startGateway takes SMS as a common gateway does and remembers them. */
async function startGateway() {
  const texts = [];
  const server = createServer((request, answer) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      texts.push(JSON.parse(body));
      answer.setHeader('Content-Type', 'application/json');
      answer.end(JSON.stringify({ id: `sms-${texts.length}` }));
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/send`, texts, close: () => (server.closeAllConnections(), server.close()) };
}

/** ring is what the agent's browser posts; see the contract, newest form. */
export async function ring(daemon, { userId = 54, caller = '0612345678', callId = `${Date.now()}.${Math.random()}`, path = `/${secret}`, queue = { id: 3, name: 'sales', displayName: 'Sales', number: '3010' } } = {}) {
  const answer = await fetch(`${daemon.url}/thirdparty/xucmgt${path}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json;charset=utf-8' },
    body: JSON.stringify({ user: { userId, agentId: 29, firstName: 'Ada', lastName: 'Byron', fullName: 'Ada Byron' }, callee: '1023', caller, queue, callDataCallId: callId, userData: { XIVO_DSTNUM: '3010', USR_CASE: 'C-991 <b>x</b>' } }),
  });
  assert.equal(answer.status, 200);
  return answer.json();
}

const customers = (dir) => `${dir}/customers.csv`;

async function house() {
  const gateway = await startGateway();
  const { writeFileSync } = await import('node:fs');
  const daemon = await startDaemon({
    config: ({ port, mediaPort, adminPort, dir }) => {
      writeFileSync(customers(dir), 'id,name,company,email,phone,plan\n4711,Anna Ferri,Studio Ferri,anna@ferri.example,+33612345678,Gold\n');
      return `
listen: 127.0.0.1:${port}
public_url: http://localhost:${port}
admin_listen: 127.0.0.1:${adminPort}
data_dir: ${dir}/data
media: {port: ${mediaPort}, loopback: true}
connectors:
  thirdparty:
    secret: ${secret}
    outcomes:
      - {name: sold, label: {en: Sold, fr: Vendu, it: Venduto}}
      - {name: question, label: {en: Question answered, fr: Question traitée, it: Domanda risolta}}
  sms:
    from: Vela
    request: {url: "${gateway.url}", body: '{"to":"{to}","text":"{text}","ref":"{id}"}'}
customers:
  region: FR
  sources:
    - name: shop
      file: {path: ${customers(dir)}}
      fields: {external_id: id, name: name, company: company, email: email, phones: phone, extra: {Plan: plan}}
`;
    },
  });
  return { daemon, gateway, close: async () => { gateway.close(); await daemon.stop(); } };
}

for (const name of browsers) {
  describe(`the phone's tab in ${name}`, { timeout: 150_000 }, () => {
    let browser, town;
    before(async () => {
      town = await house();
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await town?.close();
    });

    test('a ringing phone becomes a video call, by SMS', async () => {
      const { daemon, gateway } = town;
      const answer = await ring(daemon);
      assert.equal(answer.action, 'open');
      const tab = await newPage(browser, { width: 400, height: 800 });
      await tab.goto(answer.url);
      await state(tab, 'work');
      assert.equal(new URL(tab.url()).hash, '', 'the secret is out of the address bar');
      await words(tab, hook('name'), /Anna Ferri/);
      await words(tab, hook('queue'), /Sales/);
      await tab.type(hook('note'), 'Wants the lamp in copper.');
      await tab.waitForFunction(() => document.querySelector('[data-test="note-state"]')?.dataset.state === 'saved', within);
      await tab.reload();
      await state(tab, 'work');
      await tab.waitForFunction(() => document.querySelector('#note')?.value === 'Wants the lamp in copper.', within);

      await press(tab, hook('start-video'));
      const room = await (await tab.waitForSelector(hook('room'), within)).contentFrame();
      for (const at of ['devices', 'room']) {
        const is = await room.waitForFunction(() => ['devices', 'room'].includes(document.body.dataset.state) && document.body.dataset.state, within).then((h) => h.jsonValue());
        if (is === 'room') break;
        if (at === 'devices') await press(room, hook('enter'));
      }
      await state(room, 'room');

      await press(tab, hook('send-now'));
      await tab.waitForFunction(() => ['sent', 'delivered'].includes(document.querySelector('[data-test="dispatch"]')?.dataset.state), within);
      assert.equal(gateway.texts.at(-1).to, '+33612345678');
      const link = /http\S+/.exec(gateway.texts.at(-1).text)[0];
      // A preview robot changes nothing.
      assert.equal((await fetch(link)).status, 200);
      assert.equal(await tab.$eval(hook('video'), (e) => e.dataset.state), 'open');

      const caller = await newPage(browser, { width: 390, height: 844 });
      await caller.goto(link);
      await state(caller, 'check');
      await tab.waitForFunction(() => document.querySelector('[data-test="video"]')?.dataset.state === 'opened', within);
      await press(caller, hook('call'));
      await state(caller, 'call');
      await caller.bringToFront();
      await waitForMovingVideo(caller, hook('remote-video'));
      await tab.bringToFront();
      await tab.$eval(hook('room'), (frame) => frame.scrollIntoView()); // Firefox shows no frames of what is out of sight
      await waitForMovingVideo(room, hook('remote-video'));
      await tab.waitForFunction(() => document.querySelector('[data-test="video"]')?.dataset.state === 'here', within);

      // Done asks before it ends a call that goes on.
      await press(tab, hook('done'));
      await press(tab, hook('end-and-done'));
      await state(tab, 'done');
      await state(caller, 'left');

      // The next call of the same number knows of it.
      const again = await newPage(browser, { width: 400, height: 800 });
      await again.goto((await ring(daemon)).url);
      await words(again, hook('contacts'), /Wants the lamp in copper/);
      assert.deepEqual([...tab.complaints, ...caller.complaints, ...again.complaints], []);
      for (const page of [tab, caller, again]) await page.browserContext().close();
    });

    test('a stranger sees only what the ring said', async () => {
      const { daemon } = town;
      const answer = await ring(daemon, { path: '' });
      const tab = await newPage(browser, { width: 400, height: 800 });
      await tab.goto(answer.url);
      await state(tab, 'work');
      await tab.waitForSelector(hook('untrusted'), within);
      const text = await tab.$eval('body', (body) => body.innerText);
      assert.ok(text.includes('0612345678') && text.includes('connectors.thirdparty.secret'), text);
      for (const hidden of ['Anna', 'Ferri']) assert.ok(!text.includes(hidden), hidden);
      for (const act of ['start-video', 'note', 'customer', 'later']) assert.equal(await tab.$(hook(act)), null, act);
      assert.ok(text.includes('C-991 <b>x</b>'), 'shown as text');
      await tab.browserContext().close();
    });

    test('who is not known is made a record, and called back', async () => {
      const { daemon } = town;
      const tab = await newPage(browser, { width: 400, height: 800 });
      await tab.goto((await ring(daemon, { caller: '0699887766' })).url);
      await tab.waitForSelector(hook('no-customer'), within);
      await press(tab, hook('create'));
      await tab.type(hook('new-name'), 'Luca Bruni');
      await press(tab, hook('create-save'));
      await words(tab, hook('name'), /Luca Bruni/);
      // Several numbers at once: the good one is sent, the bad one stays and says so.
      await press(tab, hook('invite'));
      await press(tab, `${hook('send')} summary`);
      await words(tab, hook('preview'), /Ada Byron/);
      await tab.$eval(hook('to'), (e) => ((e.value = '06 12 34 56 99, 12'), e.dispatchEvent(new Event('input'))));
      await press(tab, hook('send-now'));
      await tab.waitForSelector(hook('dispatch'), within);
      await tab.waitForFunction(() => document.querySelector('#to')?.value === '12' && document.querySelector('#to-why'), within);
      assert.equal(await tab.$$eval(hook('dispatch'), (all) => all.length), 1);
      await tab.select(hook('outcome'), 'question');
      await press(tab, hook('later'));
      await press(tab, hook('callback-quick'));
      await tab.waitForSelector(`${hook('callback')} svg`, within);
      await press(tab, hook('done'));
      await state(tab, 'done');
      const again = await newPage(browser, { width: 400, height: 800 });
      await again.goto((await ring(daemon, { caller: '+33 6 99 88 77 66' })).url);
      await words(again, hook('name'), /Luca Bruni/);
      await words(again, hook('contacts'), /Question answered/);
      assert.deepEqual([...tab.complaints.filter((c) => !/\/invitations$/.test(c)), ...again.complaints], []); // the browser tells of the refused number
      for (const page of [tab, again]) await page.browserContext().close();
    });

    test('the test page says what came back', async () => {
      const { daemon } = town;
      const page = await newPage(browser, { width: 400, height: 800 });
      if (name === 'chromium') await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]); // no colour half-way to the other theme
      await page.goto(`${daemon.url}/thirdparty/test`);
      for (const [address, finding, proof] of [
        [`${daemon.url}/thirdparty/xucmgt/${secret}`, 'open', 'trusted'],
        [`${daemon.url}/thirdparty/xucmgt`, 'open', 'untrusted'],
        [`${daemon.url}/thirdparty/xucmgt/wrong`, 'open', 'wrong-secret'],
        [`${daemon.url}/nowhere`, 'status', 'unknown'],
      ]) {
        await page.$eval(hook('address'), (e, to) => ((e.value = to), e.dispatchEvent(new Event('input'))), address);
        await press(page, hook('try'));
        await page.waitForFunction((f, p) => document.querySelector('[data-test="result"]')?.dataset.finding === f && document.querySelector('[data-test="result"]').dataset.proof === p, within, finding, proof);
      }
      for (const width of [1280, 390, 320]) {
        await page.setViewport({ width, height: 800 });
        for (const lang of ['fr', 'it', 'en']) {
          await setLanguage(page, lang);
          assert.equal(await overflow(page), 0, `${lang} at ${width}`);
        }
      }
      for (const theme of ['light', 'dark']) {
        await setTheme(page, theme);
        assert.deepEqual(await complaintsOfAxe(page), [], theme);
      }
      if (name === 'chromium') await page.screenshot({ path: `${out}phonetest-390.png`, fullPage: true });
      await page.browserContext().close();
    });

    if (name === 'chromium') {
      test('each state of the tab looks right', async () => {
        const { daemon } = town;
        mkdirSync(out, { recursive: true });
        /** look takes the pictures and judges. */
        const look = async (page, what) => {
          const found = [];
          for (const width of [320, 400, 800]) {
            await page.setViewport({ width, height: 800 });
            for (const lang of ['en', 'fr', 'it']) {
              await setLanguage(page, lang);
              const wide = await overflow(page);
              if (wide > 0) found.push(`${what} ${lang} at ${width}: ${wide} px too wide`);
              for (const theme of ['light', 'dark']) {
                await setTheme(page, theme);
                await page.screenshot({ path: `${out}phone-${what}-${width}-${theme}-${lang}.png`, fullPage: true });
              }
            }
          }
          for (const theme of ['light', 'dark']) {
            await setTheme(page, theme);
            found.push(...(await complaintsOfAxe(page)));
          }
          assert.deepEqual(found, [], what);
          await page.browserContext().close();
        };
        const open = async (url) => {
          const page = await newPage(browser, { width: 400, height: 800 });
          await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
          await page.goto(url);
          return page;
        };
        const known = await open((await ring(daemon)).url);
        await words(known, hook('name'), /Anna/);
        await known.waitForSelector(hook('contacts'), within);
        await look(known, 'known');

        const sent = await open((await ring(daemon)).url);
        await press(sent, hook('invite'));
        await press(sent, hook('send-now'));
        await sent.waitForSelector(hook('dispatch'), within);
        await press(sent, `${hook('send')} summary`);
        await press(sent, hook('later'));
        await look(sent, 'invited');

        const unknown = await open((await ring(daemon, { caller: '0145000000', queue: null })).url);
        await unknown.waitForSelector(hook('no-customer'), within);
        await look(unknown, 'unknown');

        const stranger = await open((await ring(daemon, { path: '' })).url);
        await stranger.waitForSelector(hook('untrusted'), within);
        await look(stranger, 'stranger');

        const done = await open((await ring(daemon, { userId: 77 })).url);
        await press(done, hook('done'));
        await state(done, 'done');
        await look(done, 'done');

        const gone = await open(`${daemon.url}/thirdparty/open/phc_none#${'x'.repeat(22)}`);
        await state(gone, 'problem');
        assert.deepEqual((await complaintsOfAxe(gone)), []);
        await gone.browserContext().close();
      });
    }
  });
}
