import { AgentApp, request } from './app.js';

const agents = [
  { userId: 54, agentId: 29, name: 'Ada Byron', login: 'abyron', line: '1023' },
  { userId: 55, agentId: 30, name: 'Bruno Conti', login: 'bconti', line: '1024' },
  { userId: 56, agentId: null, name: 'Chloé Martin', login: 'cmartin', line: '1025' },
];
const queues = { sales: { id: 3, name: 'sales', displayName: 'Sales', number: '3010' }, billing: { id: 4, name: 'billing', displayName: 'Billing', number: '3020' } };

const $ = (id) => document.getElementById(id);
const test = (name) => document.querySelector(`[data-test="${name}"]`);
const agent = () => agents[Number($('agent').value)];

/** byFetch sends what $http.post sends. */
async function byFetch(url, body) {
  const answer = await fetch(url, { method: 'POST', credentials: 'omit', headers: { 'Content-Type': 'application/json;charset=utf-8', Accept: 'application/json, text/plain, */*' }, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw Object.assign(new Error(answer.statusText), { status: answer.status });
  try {
    return JSON.parse(text);
  } catch (error) {
    if (/json/.test(answer.headers.get('Content-Type') ?? '')) throw error;
    return text;
  }
}

/** byAngular is the real client's way, where a test has put AngularJS into the page. */
async function byAngular(url, body) {
  const http = window.angular.injector(['ng']).get('$http');
  return new Promise((done, failed) => http.post(url, body).then((answer) => done(answer.data), (answer) => failed(Object.assign(new Error(answer.statusText || 'failed'), { status: answer.status }))));
}

/** loaded waits while the app is set to be still loading. */
const loaded = () => new Promise((done) => {
  const look = () => $('loading').checked || (done(), $('loading').removeEventListener('change', look));
  $('loading').addEventListener('change', look);
  look();
});

const app = new AgentApp({
  loaded,
  post: (url, body) => (window.angular ? byAngular(url, body) : byFetch(url, body)),
  show(kind, action) {
    if (kind === 'pane') {
      const frame = document.createElement('iframe');
      frame.title = action.title || 'Third party';
      if ($('devices').checked) frame.allow = 'camera; microphone; display-capture; autoplay; fullscreen; clipboard-write';
      frame.src = action.url;
      $('pane').replaceChildren(frame);
      test('pane-title').textContent = action.title || 'Third party';
    } else if (kind === 'popup') {
      window.popups = [...(window.popups ?? []), window.open(action.url, action.multitab ? '_blank' : 'thirdparty')];
    } else log(`▶ would run ${action.url} ${(action.executableArgs ?? []).join(' ')}`);
  },
  hide() {
    $('pane').replaceChildren();
    test('pane-title').textContent = 'No pane';
  },
  changed: draw,
  log,
});

function log(line) {
  const item = document.createElement('li');
  item.textContent = line;
  test('wire').prepend(item);
  while (test('wire').children.length > 50) test('wire').lastChild.remove();
}

function draw() {
  test('who').textContent = agent().name;
  test('ready').textContent = app.paused ? 'paused' : 'ready';
  test('phone').textContent = app.phone;
  test('why').textContent = app.why;
  test('action').textContent = app.action === undefined ? 'none' : JSON.stringify(app.action, undefined, 1);
}

/** token logs in; the real app does it once, and its token may be old by the next ring. */
async function token(kind = $('token').value) {
  if (kind === 'none') return undefined;
  const answer = await fetch(`/xuc/api/2.0/auth/login${kind === 'expired' ? '?expired' : ''}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ login: agent().login, password: 'x' }) });
  const { token } = await answer.json();
  return kind === 'forged' ? token.replace(/\.([^.])([^.]*)$/, (_, first, rest) => `.${first === 'A' ? 'B' : 'A'}${rest}`) : token;
}

let last;
async function ring(same) {
  const data = Object.fromEntries($('data').value.split('\n').map((line) => line.split('=')).filter(([key, value]) => key && value !== undefined).map(([key, ...value]) => [key.trim(), value.join('=').trim()]));
  const queue = queues[$('queue').value];
  if (!same || !last) last = { callId: `${Math.floor(Date.now() / 1000)}.${Math.floor(Math.random() * 1000)}`, caller: $('caller').value };
  const body = request($('release').value, { agent: agent(), token: await token(), callee: agent().line, caller: last.caller, queue, data: { ...data, XIVO_DSTNUM: queue?.number ?? agent().line }, callId: last.callId });
  app.url = $('url').value.trim();
  await app.ringing(body);
}

$('call').addEventListener('submit', (event) => (event.preventDefault(), void ring(false)));
$('setup').addEventListener('submit', (event) => event.preventDefault());
test('again').addEventListener('click', () => void ring(true));
test('answer').addEventListener('click', () => app.established());
test('hangup').addEventListener('click', () => app.released());
test('outgoing').addEventListener('click', () => app.established()); // dialling asks nobody; the answer is an event like any other
test('pause').addEventListener('click', () => ((app.paused = true), draw()));
test('ready-again').addEventListener('click', () => ((app.paused = false), draw()));
addEventListener('message', (event) => app.heard(event.data));

let sheetWindow = 'sheet';
$('sheet').addEventListener('submit', async (event) => {
  event.preventDefault();
  const folder = $('folder').value.trim();
  if (!folder || folder === '-') return;
  const kind = $('token').value === 'none' ? undefined : $('token').value; // a sheet's hole is always filled
  const fill = { '{xuc-token}': await token(kind ?? 'good'), '{xuc-username}': agent().login };
  const url = $('popup-url').value.replace(/\{xuc-(token|username)\}/g, (hole) => fill[hole]) + encodeURIComponent(folder);
  window.open(url, $('multitab').checked ? '_blank' : sheetWindow);
});

agents.forEach(({ name }, i) => $('agent').append(new Option(name, i)));
$('agent').addEventListener('change', draw);
draw();
const given = await (await fetch('/config')).json();
if (given.url) $('url').value = given.url;
document.body.dataset.state = 'up';
