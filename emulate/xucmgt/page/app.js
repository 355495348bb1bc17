// The agent app on a ringing call, as its documentation and its published source
// say. Nothing here draws: main.js does.

/**
 * AgentApp is one browser session of one agent.
 *
 * loaded()               resolves when user config, login and queue list are there
 * post(url, body)        sends the request and resolves with the answer's data, as AngularJS's $http.post
 * show(kind, action)     opens a "pane", a "popup" or a "program"
 * hide()                 removes the pane
 * changed()              something is to be drawn anew
 * log(line)              what went over the wire
 */
export class AgentApp {
  url = '';
  paused = false;
  phone = 'idle';
  /** The single current action; an answer that is no object is kept as it came. */
  action = undefined;
  pane = false;
  /** Why the agent sees what they see; the real app says nothing of it. */
  why = 'Nothing has rung yet.';
  #ringing = 0;
  #passed = new Set();
  #wasEstablished = false;

  constructor(hooks) {
    this.hooks = hooks;
  }

  /** EventRinging: asks once. The answer becomes the current action, whatever it is. */
  async ringing(body) {
    this.phone = 'ringing';
    if (!this.url) return this.#say('There is no THIRD_PARTY_URL: nobody is asked.');
    const mine = ++this.#ringing;
    this.#passed.clear();
    this.#say('Waiting for the login and the queue list before asking.');
    await this.hooks.loaded();
    this.#say('Asked; what happens to the call until the answer is here is missed.');
    this.hooks.log(`→ ${JSON.stringify(body)}`);
    let data;
    try {
      data = await this.hooks.post(this.url, body);
    } catch (error) {
      this.hooks.log(`✗ ${error?.status ?? ''} ${error?.message ?? error}`.trim());
      if (mine !== this.#ringing) return;
      this.action = undefined; // forgotten
      return this.#say('The request failed: the action is forgotten, and the agent is shown nothing.');
    }
    this.hooks.log(`← ${JSON.stringify(data)}`);
    this.action = data === null ? undefined : data; // of two requests under way, the one answered last counts
    this.#wasEstablished = false;
    this.#say(this.#verdict());
    this.#event('EventRinging');
  }

  /** #verdict says what an answer that has just come will do. */
  #verdict() {
    const { action } = this;
    if (action === undefined) return 'The answer is null: there is no action.';
    if (typeof action !== 'object') return 'The answer is text: it has no event, so nothing will open.';
    if (action.action === 'none') return 'The answer is none: nothing opens.';
    if (action.triggered) return 'The answer counts as opened already: nothing opens, and the pause is kept.';
    if (!['EventRinging', 'EventEstablished', 'EventReleased'].includes(action.event)) return 'The answer names no event of a call: nothing will ever open.';
    if (this.#passed.has('established') && action.event !== 'EventRinging') return 'The answer came after the call was answered: it does not open for this call, and may for the next.';
    return `Waiting for ${action.event}.`;
  }

  #say(why) {
    this.why = why;
    this.hooks.changed();
  }

  /** EventEstablished, of any call: an action is tied to none. */
  established() {
    this.phone = 'talking';
    this.#passed.add('established');
    if (this.action) this.#wasEstablished = true;
    this.#event('EventEstablished');
  }

  /** EventReleased. The action for it fires only if an answer was seen while it was held. */
  released() {
    this.phone = 'idle';
    if (this.#wasEstablished) return this.#event('EventReleased');
    if (this.action?.event === 'EventReleased' && !this.action.triggered) this.why = 'The call was never seen answered: nothing opens after a missed call.';
    this.hooks.changed();
  }

  #event(name) {
    const action = this.action;
    if (action && action.event === name && !action.triggered) {
      action.triggered = true;
      this.why = `${name}: opened${action.autopause ? ', and the agent is paused' : ''}.`;
      if (action.autopause) this.paused = true; // any truthy value counts
      if (action.action === 'open') {
        this.pane = true;
        this.hooks.show('pane', action);
      } else if (action.action === 'popup') this.hooks.show('popup', action);
      else if (action.action === 'run') this.hooks.show('program', action);
    }
    this.hooks.changed();
  }

  /** A message to the window: only the plain word counts, from wherever it comes. */
  heard(data) {
    if (data !== 'closeThirdParty') return;
    if (this.action && this.action.autopause) this.paused = false; // also after a pause by hand
    this.action = undefined;
    this.pane = false;
    this.hooks.hide();
    this.#say('Closed by the page.');
  }
}

/** request builds the body as a release sends it. */
export function request(release, { agent, token, callee, caller, queue, data, callId }) {
  const [first, ...rest] = agent.name.split(' ');
  const user = { userId: agent.userId, agentId: agent.agentId, firstName: first, lastName: rest.join(' '), fullName: agent.name };
  if (release >= '2024.05' && token) user.token = token;
  const body = { user, callee, caller, queue, userData: data };
  if (release !== '2016.02') body.callDataCallId = callId;
  return JSON.parse(JSON.stringify(body)); // what is undefined is dropped
}
