// The agent app on the wire: AngularJS's own $http.post from another origin, the
// pane, the popup, the pause and the close message, and the client's traps one
// by one. None leaves an agent paused, and no page of an earlier call is usable.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
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

/**
 * startWayward answers as services should not, each path in its own way. What is
 * asked at /late goes on to the daemon, and the answer waits until let() is called.
 */
async function startWayward(daemon) {
  const allowed = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Methods': 'POST, OPTIONS', 'Access-Control-Allow-Headers': 'Origin, X-Requested-With, Content-Type, Accept' };
  const json = { 'Content-Type': 'application/json' };
  let waiting = [];
  const ways = {
    '/html': (res) => res.writeHead(200, { ...allowed, 'Content-Type': 'text/html' }).end('<!doctype html><p>Welcome'),
    '/text': (res) => res.writeHead(200, { ...allowed, 'Content-Type': 'text/plain' }).end('EventRinging'),
    '/null': (res) => res.writeHead(200, { ...allowed, ...json }).end('null'),
    '/broken': (res) => res.writeHead(200, { ...allowed, ...json }).end('{"action":"open","event":"EventRinging"'),
    '/500': (res) => res.writeHead(500, { ...allowed, ...json }).end('{"action":"open","event":"EventRinging","url":"about:blank","autopause":true}'),
    '/closed': (res) => res.writeHead(200, json).end('{"action":"open","event":"EventRinging","url":"about:blank","autopause":true}'), // no CORS
    '/cut': (res) => res.socket.destroy(),
    '/redirect': (res) => res.writeHead(307, { ...allowed, Location: `${daemon.url}/thirdparty/xucmgt/${secret}` }).end(),
    async '/late'(res, body) {
      const answer = await fetch(`${daemon.url}/thirdparty/xucmgt/${secret}`, { method: 'POST', headers: json, body });
      const text = await answer.text();
      await new Promise((go) => waiting.push(go));
      res.writeHead(200, { ...allowed, ...json }).end(text);
    },
  };
  const server = createServer(async (req, res) => {
    if (req.method === 'OPTIONS') return res.writeHead(204, req.url === '/closed' ? {} : allowed).end();
    let body = '';
    for await (const part of req) body += part;
    await ways[req.url](res, body);
  });
  await new Promise((up) => server.listen(0, '127.0.0.1', up));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** let waits until a request waits, and answers it. */
    async let() {
      while (waiting.length === 0) await new Promise((again) => setTimeout(again, 20));
      waiting.splice(0).forEach((go) => go());
    },
    stop: () => (server.closeAllConnections(), server.close()),
  };
}

for (const name of browsers) {
  describe(`the agent app in ${name}`, { timeout: 240_000 }, () => {
    let browser, daemon, desk, wayward, shared;
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
      wayward = await startWayward(daemon);
      browser = await launch(name);
    });
    after(async () => {
      wayward?.stop();
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
      await page.evaluate(() => (window.popups ?? []).forEach((w) => w.close()));
      return page;
    }
    const set = (page, selector, value) => page.$eval(selector, (e, to) => (e.value = to), value);
    const read = (page, what) => page.$eval(hook(what), (e) => e.textContent);
    /** ring rings and waits for the answer to be held (or forgotten). */
    async function ring(page, what, { again = false } = {}) {
      await page.bringToFront(); // a popup may be before it, and what is behind draws nothing
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

    /** asked is the request that the app sent last. */
    const asked = async (page) => JSON.parse((await page.$$eval(`${hook('wire')} li`, (all) => all.map((e) => e.textContent).find((s) => s.startsWith('→')))).slice(2));
    /** answered is what it was answered last. */
    const answered = async (page) => JSON.parse((await page.$$eval(`${hook('wire')} li`, (all) => all.map((e) => e.textContent).find((s) => s.startsWith('←')))).slice(2));
    const post = (body) => fetch(`${daemon.url}/thirdparty/xucmgt/${secret}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }).then((answer) => answer.json());
    /** outdated waits until the daemon would say so of a page that nobody has opened; asking for it does not open it. */
    async function outdated(url) {
      const { origin, pathname, hash } = new URL(url);
      for (;;) {
        const answer = await fetch(`${origin}/thirdparty/calls/${pathname.split('/').pop()}`, { headers: { Authorization: `Bearer ${hash.slice(1)}` } });
        if ((await answer.json()).stale) return;
        await new Promise((again) => setTimeout(again, 100));
      }
    }
    /** useless is a page that shows whose call it was and lets one close it, and nothing else. */
    async function useless(page, tab, ...words) {
      assert.equal(await tab.evaluate(() => document.body.dataset.state), 'stale');
      const shown = await tab.$eval('body', (e) => e.innerText);
      for (const word of words) assert.ok(shown.includes(word), `${word} is not in: ${shown}`);
      for (const act of ['start-video', 'invite', 'note', 'done']) assert.equal(await tab.$(hook(act)), null, act);
      await press(tab, hook('close'));
    }

    test('trap: what an unanswered call left is opened by the next one, and cannot be used', async () => {
      const page = await app();
      await set(page, '#caller', '0722222222');
      await ring(page, 'answered');
      const call = await asked(page);
      const { url } = await answered(page);
      // The call goes to a colleague.
      assert.equal((await post({ ...call, user: { userId: 99, fullName: 'Dora Weiss' } })).action, 'open');
      // The agent's phone rings again, and that answer gets lost on the way.
      await post({ ...call, caller: '0722222223', callDataCallId: `${call.callDataCallId}1` });
      await outdated(url);
      await press(page, hook('outgoing')); // an outgoing call fires the old action
      await useless(page, await pane(page), '0722222222', 'Sales');
      await gone(page);
      await ready(page, 'ready');
    });

    test('trap: a missed call opens nothing, and what it left cannot be used after the next call', async () => {
      const page = await app();
      await set(page, '#caller', '0722222230');
      await ring(page, 'released');
      await press(page, hook('hangup')); // nobody answered
      assert.equal(await page.$(`${hook('pane')} iframe`), null);
      assert.match(await read(page, 'why'), /missed/);
      const call = await asked(page);
      const { url } = await answered(page);
      await post({ ...call, caller: '0722222231', callDataCallId: `${call.callDataCallId}1` });
      await outdated(url);
      await press(page, hook('outgoing'));
      assert.equal(await page.$(`${hook('pane')} iframe`), null);
      await press(page, hook('hangup'));
      await useless(page, await pane(page), '0722222230', 'Sales');
      await gone(page);
      await ready(page, 'ready');
    });

    test('trap: an answer that comes after its event opens nothing and pauses nobody', async () => {
      for (const [what, steps] of [['pause', ['answer']], ['released', ['answer', 'hangup']]]) {
        const page = await app(`${wayward.url}/late`);
        await set(page, '#caller', what === 'pause' ? '0722222240' : '0722222241');
        const asking = ring(page, what);
        await page.waitForFunction(() => document.querySelector('[data-test="phone"]').textContent === 'ringing' && /^→/.test(document.querySelector('[data-test="wire"] li')?.textContent), within);
        for (const step of steps) await press(page, hook(step)); // an auto-answering phone is faster
        await wayward.let();
        assert.match(await asking, /^← \{"action":"open"/);
        assert.equal(await page.$(`${hook('pane')} iframe`), null, what);
        assert.equal(await read(page, 'ready'), 'ready', what);
        // It stays the current action; the next ring's answer takes its place.
        await page.$eval('#url', (e, to) => (e.value = to), `${daemon.url}/thirdparty/xucmgt/${secret}`);
        await set(page, '#caller', '0722222242');
        await ring(page, 'answered');
        await press(page, hook('answer'));
        const tab = await pane(page);
        assert.match(await tab.$eval(hook('caller'), (e) => e.textContent), /22 22 42|0722222242/);
        await press(tab, hook('done'));
        await gone(page);
        await ready(page, 'ready');
      }
    });

    test('trap: an answer at ringing may come as late as it likes', async () => {
      const page = await app(`${wayward.url}/late`);
      await set(page, '#caller', '0722222250');
      const asking = ring(page, 'ringing');
      await page.waitForFunction(() => /^→/.test(document.querySelector('[data-test="wire"] li')?.textContent), within);
      await press(page, hook('answer'));
      assert.equal(await read(page, 'phone'), 'talking'); // no answer yet: the call goes on
      await wayward.let();
      await asking;
      const tab = await pane(page);
      assert.equal(await tab.evaluate(() => document.body.dataset.state), 'work');
      await press(tab, hook('done'));
      await gone(page);
    });

    test('trap: the app asks when it has its login and queues; what passed by then is lost', async () => {
      const page = await app();
      await page.$eval('#loading', (e) => (e.checked = true));
      await set(page, '#caller', '0722222260');
      const asking = ring(page, 'pause');
      await page.waitForFunction(() => document.querySelector('[data-test="phone"]').textContent === 'ringing', within);
      await press(page, hook('answer'));
      assert.equal(await page.$(`${hook('wire')} li`), null); // nothing was sent yet
      await page.$eval('#loading', (e) => e.click());
      assert.match(await asking, /^← \{"action":"open"/);
      assert.equal(await page.$(`${hook('pane')} iframe`), null);
      assert.equal(await read(page, 'ready'), 'ready');
    });

    test('trap: answers that are none open nothing, pause nobody and stay silent', async () => {
      // AngularJS reads text that looks like JSON whatever it is called, and the browser says why a request was refused.
      for (const [way, line, action] of [['html', /^← "<!doctype/, '"<!doctype html>'], ['text', /^← "EventRinging"/, '"EventRinging"'], ['null', /^← null/, 'none'], ['broken', /^✗/, 'none'], ['500', /^✗ 500/, 'none'], ['closed', /^✗/, 'none'], ['cut', /^✗/, 'none'], ['redirect', /^✗/, 'none']]) {
        const page = await app(`${wayward.url}/${way}`);
        assert.match(await ring(page, 'ringing'), line, way);
        await press(page, hook('answer'));
        await press(page, hook('hangup'));
        assert.equal(await page.$(`${hook('pane')} iframe`), null, way);
        assert.equal(await read(page, 'ready'), 'ready', way);
        assert.ok((await read(page, 'action')).startsWith(action), `${way}: ${await read(page, 'action')}`);
      }
    });

    test('trap: an answer that failed forgets the one before', async () => {
      const page = await app();
      await set(page, '#caller', '0722222270');
      await ring(page, 'pause');
      await page.$eval('#url', (e, to) => (e.value = to), `${wayward.url}/cut`);
      assert.match(await ring(page, 'pause'), /^✗/);
      await press(page, hook('answer'));
      assert.equal(await page.$(`${hook('pane')} iframe`), null);
      assert.equal(await read(page, 'ready'), 'ready');
    });

    test('trap: closing ends a pause that the agent made by hand, only where the page paused', async () => {
      for (const [what, after] of [['pause', 'ready'], ['answered', 'paused']]) {
        const page = await app();
        await set(page, '#caller', what === 'pause' ? '0722222280' : '0722222281');
        await press(page, hook('pause'));
        await ring(page, what);
        await press(page, hook('answer'));
        const tab = await pane(page);
        assert.equal(await read(page, 'ready'), 'paused');
        await press(tab, hook('done'));
        await gone(page);
        await ready(page, after);
      }
    });

    test('trap: one window for every popup shows the last call; multitab one window each', async () => {
      for (const [what, windows] of [['popup', 1], ['multitab', 2]]) {
        const page = await app();
        for (const [n, caller] of [`07333333${windows}1`, `07333333${windows}2`].entries()) {
          await set(page, '#caller', caller);
          await ring(page, what);
          const opened = n === 0 || windows === 2 ? new Promise((done) => page.once('popup', done)) : undefined;
          await press(page, hook('answer'));
          if (opened) (page.shown ??= []).push(await opened);
          const popup = page.shown.at(-1);
          await popup.waitForFunction((c) => document.body?.dataset.state === 'work' && document.querySelector('[data-test="caller"]')?.textContent.replace(/\D/g, '').endsWith(c.slice(1)), within, caller);
        }
        assert.equal(await page.evaluate(() => new Set(window.popups).size), windows, what);
        for (const popup of page.shown.splice(0)) await press(popup, hook('done')).catch(() => {}); // the window closes under the press
        await page.bringToFront();
        await page.waitForFunction(() => window.popups.every((w) => w.closed), within);
        await ready(page, 'ready');
      }
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
      // Messages come in their order: when the last is there, so were the others.
      const heard = tab.evaluate(() => new Promise((done) => addEventListener('message', (event) => event.data === 'the last' && done())));
      await page.$eval(`${hook('pane')} iframe`, (frame) => frame.contentWindow.postMessage('the last', '*'));
      await heard;
      assert.equal(await tab.evaluate(() => document.body.dataset.state), 'work');
    });

    test('a token that XUC confirms proves the ring; an expired and a forged one do not', async () => {
      for (const [kind, caller, want] of [['good', '0766666666', 'customer'], ['expired', '0755555554', 'untrusted'], ['forged', '0755555555', 'untrusted']]) {
        const page = await app(`${daemon.url}/thirdparty/xucmgt`); // without the secret
        await page.select('#token', kind);
        await set(page, '#caller', caller);
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
