// What people do on our pages, and what they wait for.

export const hook = (name) => `[data-test="${name}"]`;
export const within = { timeout: 20_000 };

/** press clicks what a person would click, once it is there and can be. */
export async function press(where, selector) {
  for (;;) {
    const element = await where.waitForSelector(selector, { ...within, visible: true });
    if (await element.evaluate((e) => e.isConnected && !e.disabled && (e.click(), true))) return;
    await new Promise((done) => setTimeout(done, 50)); // busy: a person would wait too
  }
}

/** words waits until the element says something like this. */
export async function words(where, selector, pattern) {
  await where.waitForFunction((s, p) => new RegExp(p).test(document.querySelector(s)?.innerText ?? ''), within, selector, pattern.source);
}

/** state waits until the page is in one of its states. */
export async function state(where, wanted) {
  await where.waitForFunction((s) => document.body.dataset.state === s, within, wanted).catch(async (error) => {
    const is = await where.evaluate(() => `${document.body.dataset.state}: ${document.body.innerText.slice(0, 300)}`).catch(String);
    throw new Error(`waited for ${wanted}, the page is at ${is}`, { cause: error });
  });
}

/** ask is a question to the API of a daemon on http with the administrator's key. */
export async function ask(daemon, path, body) {
  const answer = await fetch(daemon.url + path, {
    method: body ? 'POST' : 'GET',
    headers: { Authorization: `Bearer ${daemon.apiKey()}`, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
