// The agent app on the wire: AngularJS's own $http.post from another origin, the
// pane, the popup, the pause and the close message, and the client's traps one
// by one. None leaves an agent paused, and no page of an earlier call is usable.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { browsers, launch, newPage } from '../lib/browser.mjs';
import { binary, startDaemon } from '../lib/daemon.mjs';
import { hook, press, within } from '../lib/steps.mjs';

const secret = 'the-secret-of-the-phones-42';
const angular = readFileSync(createRequire(import.meta.url).resolve('angular/angular.js'), 'utf8');

/** startApp runs `ringdown emulate xucmgt`. */
async function startApp() {
  const child = spawn(binary, ['emulate', 'xucmgt', '--json', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  for await (const part of child.stdout) {
    said += part;
    if (said.trimEnd().endsWith('}')) break;
  }
  return { ...JSON.parse(said), stop: () => child.kill() };
}

for (const name of browsers) {
  describe(`the agent app in ${name}`, { timeout: 240_000 }, () => {
    let browser, daemon, desk, shared;
    before(async () => {
      desk = await startApp();
      daemon = await startDaemon({
        config: ({ port, mediaPort, adminPort, dir }) => `
listen: 127.0.0.1:${port}
public_url: http://localhost:${port}
admin_listen: 127.0.0.1:${adminPort}
data_dir: ${dir}/data
media: {port: ${mediaPort}, loopback: true}
connectors:
  thirdparty:
    secret: ${secret}
    origins: ["${desk.xuc}"]
    token: {policy: if-present, xuc: "${desk.xuc}"}
    rules:
      - {name: ringing, data: {USR_DO: ringing}, event: ringing}
      - {name: answered, data: {USR_DO: answered}, event: answered}
      - {name: released, data: {USR_DO: released}, event: released}
      - {name: pause, data: {USR_DO: pause}, event: answered, autopause: true}
      - {name: pop, data: {USR_DO: popup}, event: answered, action: popup, autopause: true}
      - {name: many, data: {USR_DO: multitab}, event: answered, action: popup, multitab: true}
      - {name: program, data: {USR_DO: run}, event: ringing, action: run, run: crm}
      - {name: nothing, action: none}
    programs: {crm: {url: crm.exe, args: [--phone]}}
`,
      });
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await daemon?.stop();
      desk?.stop();
    });

    /** app opens the agent app anew, with the real AngularJS in it. */
    async function app(url = `${daemon.url}/thirdparty/xucmgt/${secret}`) {
      if (!shared) {
        shared = await newPage(browser, { width: 1200, height: 900 });
        await shared.evaluateOnNewDocument(angular);
      }
      const page = shared;
      page.complaints.length = 0;
      await page.goto(desk.desk);
      await page.waitForFunction(() => document.body.dataset.state === 'up' && window.angular?.version.full === '1.8.3', within);
      await page.$eval('#url', (e, to) => (e.value = to), url);
      return page;
    }
    const set = (page, selector, value) => page.$eval(selector, (e, to) => (e.value = to), value);
    const read = (page, what) => page.$eval(hook(what), (e) => e.textContent);
    /** ring rings and waits for the answer to be held (or forgotten). */
    async function ring(page, what, { again = false } = {}) {
      await set(page, '#data', `USR_DO=${what}`);
      const before = await page.$$eval(`${hook('wire')} li`, (all) => all.length);
      await press(page, hook(again ? 'again' : 'ring'));
      await page.waitForFunction((n) => document.querySelectorAll('[data-test="wire"] li').length >= n + 2, within, before);
      return page.$eval(`${hook('wire')} li`, (e) => e.textContent);
    }
    /** pane waits for the tab and gives its frame. */
    async function pane(page) {
      const frame = await (await page.waitForSelector(`${hook('pane')} iframe`, within)).contentFrame();
      await frame.waitForFunction(() => ['work', 'stale', 'done', 'problem'].includes(document.body.dataset.state), within);
      return frame;
    }
    const gone = (page) => page.waitForFunction(() => !document.querySelector('[data-test="pane"] iframe'), within);
    const ready = (page, word) => page.waitForFunction((w) => document.querySelector('[data-test="ready"]').textContent === w, within, word);

    for (const [what, steps] of [['ringing', []], ['answered', ['answer']], ['released', ['answer', 'hangup']]]) {
      test(`the pane opens at ${what}, and Done closes it`, async () => {
        const page = await app();
        await ring(page, what);
        for (const step of steps) {
          assert.equal(await page.$(`${hook('pane')} iframe`), null, `before ${step}`);
          await press(page, hook(step));
        }
        const tab = await pane(page);
        assert.equal(await tab.evaluate(() => document.body.dataset.state), 'work');
        assert.match(await tab.$eval(hook('queue'), (e) => e.textContent), /Sales/);
        assert.equal(await read(page, 'ready'), 'ready');
        await press(tab, hook('done'));
        await gone(page);
        assert.equal(await read(page, 'action'), 'none');
        assert.deepEqual(page.complaints, []);
      });
    }

    test('the pause begins with the pane and ends with it', async () => {
      const page = await app();
      await ring(page, 'pause');
      await press(page, hook('answer'));
      const tab = await pane(page);
      await ready(page, 'paused');
      await press(tab, hook('done'));
      await gone(page);
      await ready(page, 'ready');
    });

    test('every release of the request is answered', async () => {
      const page = await app();
      for (const release of ['2016.02', '2017.03', '2021.07', '2022.10', '2024.05', 'nextlts']) {
        for (const queue of ['sales', '']) {
          await page.select('#release', release);
          await page.select('#queue', queue);
          await set(page, '#caller', `06 12 34 56 ${release.slice(2, 4).replace(/\D/g, '0').padStart(2, '0')}`);
          const line = await ring(page, 'ringing');
          assert.match(line, /^← \{"action":"open"/, `${release} ${queue}: ${line}`);
        }
      }
    });

    test('popup: the opener hears of the end, and the window goes', async () => {
      const page = await app();
      await ring(page, 'popup');
      const opened = new Promise((done) => page.once('popup', done));
      await press(page, hook('answer'));
      const popup = await opened;
      await popup.waitForFunction(() => document.body?.dataset.state === 'work', within);
      await ready(page, 'paused');
      await press(popup, hook('done')).catch(() => {}); // the window closes under the press
      await ready(page, 'ready');
      await page.waitForFunction(() => window.popups.every((w) => w.closed), within);
    });

    test('run carries what is configured and nothing of the call', async () => {
      const page = await app();
      await set(page, '#caller', 'calc.exe & whoami');
      const line = await ring(page, 'run');
      const a = await page.$$eval(`${hook('wire')} li`, (all) => all.map((e) => e.textContent).find((s) => s.startsWith('←')));
      assert.deepEqual(JSON.parse(a.slice(2)), { action: 'run', event: 'EventRinging', url: 'crm.exe', executableArgs: ['--phone'] });
      assert.match(line, /would run crm\.exe --phone/);
      assert.equal(await read(page, 'ready'), 'ready');
    });

    // The traps of the client.

    test('trap: a second ring while a pausing pane is open still lets the agent be ready', async () => {
      for (const second of ['answered', 'nothing', 'run', 'popup']) {
        const page = await app();
        await ring(page, 'pause');
        await press(page, hook('answer'));
        const tab = await pane(page);
        await ready(page, 'paused');
        await set(page, '#caller', '0711111111');
        await ring(page, second);
        assert.equal(await read(page, 'ready'), 'paused');
        await press(tab, hook('done'));
        await gone(page);
        await ready(page, 'ready').catch((error) => assert.fail(`after a second ring with ${second}: ${error.message}`));
      }
    });

    test('trap: what an unanswered call left is opened by the next one, and cannot be used', async () => {
      const page = await app();
      await set(page, '#caller', '0722222222');
      await ring(page, 'answered');
      // The same call rings at a colleague's, some time later.
      const body = await page.$$eval(`${hook('wire')} li`, (all) => all.map((e) => e.textContent).find((s) => s.startsWith('→')));
      const call = JSON.parse(body.slice(2));
      await new Promise((done) => setTimeout(done, 8500)); // the daemon's own clock: offers within 8 s ring together
      const answer = await fetch(`${daemon.url}/thirdparty/xucmgt/${secret}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ ...call, user: { userId: 99, fullName: 'Dora Weiss' } }) });
      assert.equal((await answer.json()).action, 'open');
      await press(page, hook('outgoing')); // an outgoing call fires the old action
      const tab = await pane(page);
      assert.equal(await tab.evaluate(() => document.body.dataset.state), 'stale');
      assert.match(await tab.$eval('body', (e) => e.innerText), /0722222222[\s\S]*Sales[\s\S]*Dora Weiss/);
      for (const act of ['start-video', 'note', 'done']) assert.equal(await tab.$(hook(act)), null, act);
      await press(tab, hook('close'));
      await gone(page);
      await ready(page, 'ready');
    });

    test('trap: the same call again is the same page, with what was written', async () => {
      const page = await app();
      await set(page, '#caller', '0733333333');
      await ring(page, 'answered');
      await press(page, hook('answer'));
      let tab = await pane(page);
      await (await tab.waitForSelector(hook('note'), within)).type('half a note');
      await tab.waitForFunction(() => document.querySelector('[data-test="note-state"]')?.dataset.state === 'saved', within);
      await ring(page, 'answered', { again: true }); // transferred back
      await press(page, hook('answer'));
      await page.waitForFunction(() => document.querySelectorAll('[data-test="pane"] iframe').length === 1, within);
      tab = await pane(page);
      await tab.waitForFunction(() => document.querySelector('#note')?.value === 'half a note', within);
      await press(tab, hook('done'));
      await gone(page);
    });

    test('trap: errors are silent, and the phone goes on', async () => {
      const page = await app(`${daemon.url}/nowhere`);
      const line = await ring(page, 'answered');
      assert.match(line, /^✗/);
      await press(page, hook('answer'));
      assert.equal(await read(page, 'phone'), 'talking');
      assert.equal(await page.$(`${hook('pane')} iframe`), null);
      assert.equal(await read(page, 'action'), 'none');
    });

    test('a close message from elsewhere does nothing to the tab', async () => {
      const page = await app();
      await set(page, '#caller', '0744444444');
      await ring(page, 'ringing');
      const tab = await pane(page);
      await page.$eval(`${hook('pane')} iframe`, (frame) => {
        for (const word of ['closeThirdParty', { type: 'close' }, '{"action":"done"}']) frame.contentWindow.postMessage(word, '*');
      });
      await new Promise((done) => setTimeout(done, 500));
      assert.equal(await tab.evaluate(() => document.body.dataset.state), 'work');
    });

    test('a token that XUC confirms proves the ring; a forged one does not', async () => {
      for (const [forged, want] of [[false, 'customer'], [true, 'untrusted']]) {
        const page = await app(`${daemon.url}/thirdparty/xucmgt`); // without the secret
        await page.$eval('#token', (e) => (e.checked = true));
        await page.$eval('#forged', (e, to) => (e.checked = to), forged);
        await set(page, '#caller', forged ? '0755555555' : '0766666666');
        await ring(page, 'ringing');
        const tab = await pane(page);
        await tab.waitForSelector(hook(want), within);
      }
    });

    test('the CTI sheet opens the same page', async () => {
      const page = await app();
      await set(page, '#popup-url', `${daemon.url}/thirdparty/sheet#secret=${secret}&token={xuc-token}&user={xuc-username}&n=`);
      await set(page, '#folder', '+33612345678');
      const opened = new Promise((done) => page.once('popup', done));
      await press(page, hook('sheet'));
      const popup = await opened;
      await popup.waitForFunction(() => document.body?.dataset.state === 'work', within);
      assert.match(popup.url(), /\/thirdparty\/open\/phc_[a-z0-9]+$/);
      assert.match(await popup.$eval(hook('caller'), (e) => e.textContent), /\+33612345678/);
    });

    test('the room is shown in the pane where the frame lets it, else in a window', async () => {
      for (const devices of [true, false]) {
        shared = undefined; // a page with a call asks before it goes
        const page = await app();
        await page.$eval('#devices', (e, to) => (e.checked = to), devices);
        await set(page, '#caller', devices ? '0777777777' : '0788888888');
        await ring(page, 'ringing');
        const tab = await pane(page);
        await press(tab, hook('start-video'));
        if (devices) {
          const room = await (await tab.waitForSelector(hook('room'), within)).contentFrame();
          await room.waitForFunction(() => ['devices', 'room'].includes(document.body.dataset.state), within);
        } else if (name === 'chromium') {
          const target = await browser.waitForTarget((t) => t.type() === 'page' && new URL(t.url()).pathname.startsWith('/room/'), within);
          const room = await target.page();
          await room.waitForFunction(() => ['devices', 'room'].includes(document.body?.dataset.state), within);
          assert.equal(await tab.$(hook('room')), null);
          await tab.waitForSelector(hook('end-video'), within); // control stays in the pane
        }
      }
    });
  });
}
