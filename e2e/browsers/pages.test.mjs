// The pages that need no call: start, plain start, demo shop, plain link,
// reference. Looked at by axe and by the ruler, in every language and theme.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { browsers, launch, newPage } from '../lib/browser.mjs';
import { complaintsOfAxe, gallery, overflow, setTheme } from '../lib/looks.mjs';
import { startDaemon } from '../lib/shop.mjs';

const state = {
  version: '1.0', shop: '/demo/shop', inbox: 'http://localhost:8081/', pages: 'http://localhost:8080',
  media: [{ address: '127.0.0.1:7882', protocol: 'udp, tcp', reach: 'machine' }, { address: '[2001:db8::1234:5678:9abc]:7882', protocol: 'udp, tcp', reach: 'internet' }],
};
/** A document with every shape that ours has. */
const openapi = {
  openapi: '3.0.3', info: { title: 'Ringdown', version: '1', description: 'A *meeting* has a `code`.' },
  tags: [{ name: 'meetings', description: 'Make them.' }],
  paths: {
    '/v1/meetings/{meeting}': {
      parameters: [{ $ref: '#/components/parameters/Meeting' }],
      post: {
        tags: ['meetings'], operationId: 'change', summary: 'Change one', security: [{ session: [] }, { apiKey: [] }],
        requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Change' } } } },
        responses: { 200: { description: 'Done.', content: { 'application/json': { schema: { allOf: [{ $ref: '#/components/schemas/Change' }, { type: 'object', required: ['id'], properties: { id: { type: 'string' } } }] } } } }, default: { description: 'Not done.' } },
      },
    },
  },
  components: {
    securitySchemes: { session: { type: 'http', description: 'Of a link.' }, apiKey: { type: 'http' } },
    parameters: { Meeting: { name: 'meeting', in: 'path', required: true, schema: { type: 'string', maxLength: 40 } } },
    schemas: { Change: { type: 'object', properties: { language: { type: 'string', enum: ['en', 'fr'] }, people: { type: 'array', items: { type: 'object', properties: { name: { type: 'string', maxLength: 100 } } } } } } },
  },
};

const pages = { '/': 'index.html', '/home': 'home.html', '/demo/shop': 'shop.html', '/call/pk_demo_shop': 'call.html', '/docs/': 'docs.html', '/demo/state': state, '/openapi.json': openapi };
const ready = { '/': '.table tbody tr', '/home': 'h1', '/demo/shop': 'h1', '/call/pk_demo_shop': '#f-name', '/docs/': '#change' };

for (const name of browsers) {
  describe(`quiet pages in ${name}`, () => {
    let browser, daemon;
    before(async () => {
      daemon = await startDaemon({ pages });
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      daemon?.close();
    });

    const open = async (path, lang = 'en') => {
      const page = await newPage(browser);
      await page.goto(`${daemon.url}${path}?lang=${lang}`);
      await page.waitForSelector(ready[path]);
      return page;
    };

    for (const path of Object.keys(ready)) {
      test(`${path} speaks every language, fits 320 px and reads well`, async () => {
        const page = await open(path);
        const titles = new Set();
        for (const lang of ['en', 'fr', 'it']) {
          await page.select('select.langs', lang);
          await page.waitForFunction((wanted) => document.documentElement.lang === wanted, {}, lang);
          titles.add(await page.$eval('h1', (h1) => h1.textContent));
          for (const width of [1280, 390, 320]) {
            await page.setViewport({ width, height: 800 });
            assert.equal(await overflow(page), 0, `${lang} at ${width} px`);
          }
        }
        if (path !== '/docs/') assert.equal(titles.size, 3, [...titles].join(' | '));
        for (const theme of ['light', 'dark']) {
          await setTheme(page, theme);
          await page.evaluate(() => Promise.all(document.getAnimations().filter((a) => a instanceof CSSTransition).map((a) => a.finished)));
          assert.deepEqual(await complaintsOfAxe(page), [], theme);
        }
        if (name === 'chromium') await gallery(page, `quiet${path.replaceAll('/', '-')}`, { langs: ['en', 'fr', 'it'] });
        assert.deepEqual(page.complaints, []);
        await page.browserContext().close();
      });
    }

    test('the plain link makes one meeting and goes to it', async () => {
      const page = await open('/call/pk_demo_shop', 'it');
      await page.type('#f-name', 'Anna');
      await page.click('#f-terms');
      await Promise.all([page.waitForNavigation(), page.click('button[type=submit]', { count: 2 })]);
      assert.equal(page.url(), `${daemon.url}/m/CODE1?lang=it#secret`);
      assert.deepEqual(daemon.calls.map((call) => [call.site, call.body]), [['pk_demo_shop', { visitor: { name: 'Anna' }, fields: { terms: 'yes' }, language: 'it' }]]);
      await page.browserContext().close();
    });

    test('the reference follows the document', async () => {
      const page = await open('/docs/');
      const text = await page.$eval('#change', (door) => door.textContent);
      for (const wanted of ['Change one', '/v1/meetings/{meeting}', 'Session', 'API key', 'at most 40 characters', 'people', 'id', '"language": "en"']) assert.ok(text.includes(wanted), wanted);
      await page.browserContext().close();
    });
  });
}

test('the button is at most 15 kB on the wire', async () => {
  const { gzipSync } = await import('node:zlib');
  const size = gzipSync(readFileSync(new URL('../../web/dist/button.js', import.meta.url)), { level: 9 }).length;
  assert.ok(size <= 15_000, `${size} bytes`);
});

test('the visitor\'s page is at most 150 kB on the wire, all of it', async () => {
  const { gzipSync } = await import('node:zlib');
  const files = ['visit.html', 'visit.js', 'visit.css', 'look.css', 'mark.svg'];
  const sizes = files.map((file) => gzipSync(readFileSync(new URL(`../../web/dist/${file}`, import.meta.url)), { level: 9 }).length);
  const shell = readFileSync(new URL('../../web/dist/visit.html', import.meta.url), 'utf8');
  for (const [, file] of shell.matchAll(/\/static\/([\w.-]+)/g)) assert.ok(files.includes(file), `${file} is not counted`);
  const whole = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`      the visitor's page: ${whole} bytes compressed`);
  assert.ok(whole <= 150_000, `${whole} bytes`);
});
