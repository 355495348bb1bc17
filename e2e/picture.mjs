// Takes the picture of a real call for the README: two Chromiums whose cameras
// show our drawn people, the real program between them.
//   make build && node e2e/picture.mjs docs/pictures/call.png
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { launch, newPage } from './lib/browser.mjs';
import { startDaemon } from './lib/daemon.mjs';
import { waitForMovingVideo } from './lib/media.mjs';

const to = process.argv[2] ?? 'call.png';
const hook = (name) => `[data-test="${name}"]`;
const pictures = fileURLToPath(new URL('../web/src/look/pictures/', import.meta.url));
const [width, height, frames] = [960, 720, 30];
const dir = mkdtempSync(`${tmpdir()}/ringdown-picture-`);

/** film writes a short uncompressed film (YUV4MPEG2) of a drawing that breathes a little. */
async function film(browser, name) {
  const page = await newPage(browser, { width, height });
  const svg = readFileSync(`${pictures}${name}.svg`, 'utf8');
  const parts = [Buffer.from(`YUV4MPEG2 W${width} H${height} F30:1 Ip A1:1 C420jpeg\n`)];
  for (let i = 0; i < frames; i++) {
    const zoom = 1 + 0.012 * Math.sin((2 * Math.PI * i) / frames);
    const rgba = Buffer.from(await page.evaluate(async (source, w, h, z) => {
      const image = new Image();
      image.src = URL.createObjectURL(new Blob([source], { type: 'image/svg+xml' }));
      await image.decode();
      const canvas = new OffscreenCanvas(w, h);
      const context = canvas.getContext('2d');
      context.translate(w / 2, h / 2);
      context.scale(z, z);
      context.drawImage(image, -w / 2, -h / 2, w, h);
      const bytes = context.getImageData(0, 0, w, h).data;
      let text = '';
      for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
      return btoa(text);
    }, svg, width, height, zoom), 'base64');
    parts.push(Buffer.from('FRAME\n'), yuv(rgba));
  }
  await page.browserContext().close();
  const path = `${dir}/${name}.y4m`;
  writeFileSync(path, Buffer.concat(parts));
  return path;
}

/** yuv turns RGBA into planar 4:2:0 as television has it: 16 to 235. */
function yuv(rgba) {
  const out = Buffer.alloc(width * height * 1.5);
  const [u, v] = [width * height, width * height * 1.25];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      const [r, g, b] = [rgba[at], rgba[at + 1], rgba[at + 2]];
      out[y * width + x] = 16 + 0.2568 * r + 0.5041 * g + 0.0979 * b;
      if (y % 2 === 0 && x % 2 === 0) {
        const half = (y / 2) * (width / 2) + x / 2;
        out[u + half] = 128 - 0.1482 * r - 0.291 * g + 0.4392 * b;
        out[v + half] = 128 + 0.4392 * r - 0.3678 * g - 0.0714 * b;
      }
    }
  }
  return out;
}

const press = async (page, selector) => (await page.waitForSelector(selector, { visible: true })).evaluate((e) => e.click());
const studio = await launch('chromium');
const films = { visitor: await film(studio, 'visitor'), agent: await film(studio, 'agent') };
await studio.close();
const daemon = await startDaemon();
const sides = { visitor: await launch('chromium', { camera: films.visitor }), agent: await launch('chromium', { camera: films.agent }) };
try {
  const shop = await newPage(sides.visitor);
  await shop.goto(`${daemon.url}/demo/shop`);
  const made = await shop.evaluate(async () => {
    const answer = await fetch('/v1/meetings', {
      method: 'POST', headers: { 'Content-Type': 'application/json', 'Ringdown-Site': 'pk_demo_shop' },
      body: JSON.stringify({ topic: 'How high to hang the Onda', visitor: { name: 'Anna Ferri' }, fields: { consent: 'yes' } }),
    });
    return answer.json();
  });
  await shop.goto(made.links.visitor);
  for (const kind of ['microphone', 'camera']) await press(shop, hook(`on-${kind}`));
  await shop.waitForSelector(hook('self-video'));
  await press(shop, hook('call'));
  const inbox = await newPage(sides.agent);
  await inbox.goto(`${daemon.facts.inbox}?lang=en`);
  await press(inbox, '.in-row');
  await press(inbox, '.in-ask .btn--accept');
  const link = await (await inbox.waitForSelector('.in-ask--live a.btn--primary')).evaluate((a) => a.href);
  const agent = await newPage(sides.agent);
  await agent.goto(link);
  await (await agent.waitForSelector(hook('name'))).type('Marie Laurent');
  await press(agent, hook('accept'));
  await press(agent, hook('enter'));
  await waitForMovingVideo(agent, hook('remote-video'));
  await press(shop, hook('chat'));
  const say = async (page, text) => {
    if (!(await page.$(hook('chat-input')))) await press(page, hook('chat'));
    await page.type(hook('chat-input'), text);
    await page.keyboard.press('Enter');
    await page.waitForFunction((t) => document.querySelector('[data-test="chat-log"]').innerText.includes(t), {}, text);
  };
  await say(agent, 'Hello Anna! Could you show me the table and the ceiling above it?');
  await say(shop, 'Of course, I turn the camera.');
  await say(agent, '70 cm above the table is right.');
  await new Promise((done) => setTimeout(done, 6000)); // the encoder finds its bitrate
  await shop.bringToFront();
  await waitForMovingVideo(shop, hook('remote-video'));
  await shop.evaluate(() => document.activeElement.blur());
  await shop.screenshot({ path: to });
  console.log(to);
} finally {
  await Promise.all(Object.values(sides).map((browser) => browser.close()));
  await daemon.stop();
  rmSync(dir, { recursive: true, force: true });
}
