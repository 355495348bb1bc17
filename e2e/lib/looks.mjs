// Pictures of pages to look at, and what a screen reader would stumble on.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export const out = fileURLToPath(new URL('../out/', import.meta.url));

export const sizes = { wide: { width: 1280, height: 860 }, phone: { width: 390, height: 844 } };

/** setLanguage uses the page's own language picker, so that a running call is not disturbed. */
export async function setLanguage(page, lang) {
  await page.select('select.langs', lang);
  await page.waitForFunction((wanted) => document.documentElement.lang === wanted, {}, lang);
}

/** setTheme sets light or dark as a customer's page would. */
export async function setTheme(page, theme) {
  await page.evaluate((wanted) => (document.documentElement.dataset.theme = wanted), theme);
}

/**
 * gallery takes <name>-<size>-<theme>-<lang>.png of the page as it is, for
 * every size, theme and language asked for, and puts things back.
 * Without `langs` the page keeps its language.
 */
export async function gallery(page, name, { langs = [undefined], themes = ['light', 'dark'], on = Object.keys(sizes), fullPage = true } = {}) {
  mkdirSync(out, { recursive: true });
  const [before, lang] = [page.viewport(), await page.evaluate(() => document.documentElement.lang)];
  const shots = [];
  for (const size of on) {
    await page.setViewport(sizes[size]);
    for (const theme of themes) {
      await setTheme(page, theme);
      for (const wanted of langs) {
        if (wanted) await setLanguage(page, wanted);
        const path = `${out}${[name, size, theme, wanted ?? lang].join('-')}.png`;
        await page.screenshot({ path, fullPage });
        shots.push(path);
      }
    }
  }
  await page.evaluate(() => delete document.documentElement.dataset.theme);
  if (langs[0]) await setLanguage(page, lang);
  if (before) await page.setViewport(before);
  return shots;
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** complaintsOfAxe runs axe with the rules of WCAG 2.2 A and AA and lists what it found, empty if all is well. */
export async function complaintsOfAxe(page) {
  await page.evaluate(axeSource);
  const violations = await page.evaluate(async () => {
    const result = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });
    return result.violations.map((v) => ({ id: v.id, help: v.help, nodes: v.nodes.map((n) => `${n.target.join(' ')}: ${n.failureSummary}`) }));
  });
  return violations.map((v) => `${v.id} (${v.help}): ${v.nodes.join('; ')}`);
}

/** overflow tells how many pixels wider than the window the page is: 0 is right. */
export async function overflow(page) {
  return page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth));
}
