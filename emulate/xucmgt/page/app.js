// The agent app on a ringing call, as its documentation and its published source
// say. Nothing here draws: main.js does.

/**
 * AgentApp is one browser session of one agent.
 *
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
  #ringing = 0;
  #wasEstablished = false;

  constructor(hooks) {
    this.hooks = hooks;
  }

  /** EventRinging: asks once. The answer becomes the current action, whatever it is. */
  async ringing(body) {
    this.phone = 'ringing';
    this.hooks.changed();
    if (!this.url) return;
    const mine = ++this.#ringing;
    this.hooks.log(`→ ${JSON.stringify(body)}`);
    let data;
    try {
      data = await this.hooks.post(this.url, body);
    } catch (error) {
      this.hooks.log(`✗ ${error?.status ?? ''} ${error?.message ?? error}`.trim());
      if (mine === this.#ringing) this.action = undefined; // forgotten; the agent is shown nothing
      this.hooks.changed();
      return;
    }
    this.hooks.log(`← ${JSON.stringify(data)}`);
    this.action = data === null ? undefined : data;
    this.#wasEstablished = false;
    this.#event('EventRinging');
  }

  /** EventEstablished, of any call: an action is tied to none. */
  established() {
    this.phone = 'talking';
    if (this.action) this.#wasEstablished = true;
    this.#event('EventEstablished');
  }

  /** EventReleased. The action for it fires only if an answer was seen while it was held. */
  released() {
    this.phone = 'idle';
    if (this.#wasEstablished) this.#event('EventReleased');
    this.hooks.changed();
  }

  #event(name) {
    const action = this.action;
    if (action && action.event === name && !action.triggered) {
      action.triggered = true;
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
    this.hooks.changed();
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
