// Two people in a call, brought there as they would come: by their links.
import assert from 'node:assert/strict';
import { newPage } from './browser.mjs';
import { hook, press, state, within } from './steps.mjs';

/** api asks with the administrator's key. */
export async function api(daemon, path, body, method = body ? 'POST' : 'GET') {
  const answer = await fetch(daemon.url + path, {
    method, body: body && JSON.stringify(body),
    headers: { Authorization: `Bearer ${daemon.apiKey()}`, ...(body && { 'Content-Type': 'application/json' }) },
  });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.status === 204 ? undefined : answer.json();
}

/** listen collects what the page's live region says from now on. */
export async function listen(page) {
  await page.evaluate(() => {
    window.testSaid = [];
    new MutationObserver(() => {
      const words = document.querySelector('body > .sr[role=status]')?.textContent;
      if (words && words !== window.testSaid.at(-1)) window.testSaid.push(words);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

export const said = (page) => page.evaluate(() => window.testSaid);

/** visit opens a link in a browser of its own; `before` runs in the page before anything of ours. */
export async function visit(browser, link, { before, lang = 'en', ...options } = {}) {
  const page = await newPage(browser, options);
  if (before) await page.evaluateOnNewDocument(before);
  await page.goto(link.replace('#', `?lang=${lang}#`));
  return page;
}

/** turnOn switches both devices on, as far as they let themselves. */
export async function turnOn(page) {
  for (const kind of ['microphone', 'camera']) {
    const on = await page.waitForSelector(`${hook(`on-${kind}`)}, ${hook(`row-${kind}`)}.dev--ok`, within);
    if (await on.evaluate((e) => e.tagName === 'BUTTON')) await on.evaluate((e) => e.click());
    await page.waitForSelector(`${hook(`row-${kind}`)}.dev--ok`, within);
  }
}

/** enter takes an agent from the ring into the room. */
export async function enter(agent, name) {
  await (await agent.waitForSelector(hook('name'), within)).type(name);
  await press(agent, hook('accept'));
  await press(agent, hook('enter'));
  await state(agent, 'room');
}

/** talk brings a visitor and an agent into one call: { meeting, visitor, agent }. */
export async function talk(daemon, browser, { visitorBefore, agentBefore, lang = 'en', ...options } = {}) {
  const meeting = await api(daemon, '/v1/meetings', { visitor: { name: 'Anna Ferri' }, topic: 'Onda', language: lang });
  const visitor = await visit(browser, meeting.links.visitor, { before: visitorBefore, lang, ...options });
  await state(visitor, 'check');
  await turnOn(visitor);
  await press(visitor, hook('call'));
  await state(visitor, 'waiting');
  const agent = await visit(browser, meeting.links.agent, { before: agentBefore, lang, ...options });
  await state(agent, 'ring');
  await enter(agent, 'Marie Laurent');
  await state(visitor, 'call');
  return { meeting, visitor, agent };
}
