// Real browsers with fake cameras and microphones, and pages that remember
// their peer connections so that a test can ask for statistics.
import { accessSync, constants } from 'node:fs';
import { delimiter } from 'node:path';
import puppeteer from 'puppeteer-core';

/** The browsers every walk is tried in; E2E_BROWSERS=chromium narrows it. */
export const browsers = (process.env.E2E_BROWSERS ?? 'chromium,firefox').split(',');

const programs = {
  chromium: { variable: 'CHROMIUM', names: ['chromium', 'chromium-browser', 'google-chrome'], hint: 'apt-get install chromium' },
  firefox: { variable: 'FIREFOX', names: ['firefox-esr', 'firefox'], hint: 'apt-get install firefox-esr' },
};

function find(name) {
  const { variable, names, hint } = programs[name];
  if (process.env[variable]) return process.env[variable];
  for (const program of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      try {
        accessSync(`${folder}/${program}`, constants.X_OK);
        return `${folder}/${program}`;
      } catch {
        // not here
      }
    }
  }
  throw new Error(`no ${name} found: ${hint}, or set ${variable} to its program`);
}

const launchers = {
  chromium: (env, { camera }) =>
    puppeteer.launch({
      executablePath: find('chromium'),
      headless: true,
      env,
      acceptInsecureCerts: true,
      args: [
        '--no-sandbox',
        '--use-fake-device-for-media-stream',
        ...(camera ? [`--use-file-for-fake-video-capture=${camera}`] : []),
        '--use-fake-ui-for-media-stream',
        '--auto-select-desktop-capture-source=Entire screen',
        '--autoplay-policy=no-user-gesture-required',
        '--disable-gpu',
        '--disable-quic',
        '--disable-dev-shm-usage',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--disable-background-timer-throttling',
        '--disable-backgrounding-occluded-windows',
        '--disable-renderer-backgrounding',
      ],
    }),
  firefox: (env) =>
    puppeteer.launch({
      browser: 'firefox',
      executablePath: find('firefox'),
      headless: true,
      env,
      acceptInsecureCerts: true,
      extraPrefsFirefox: {
        'media.navigator.streams.fake': true,
        'media.navigator.permission.disabled': true,
        'media.autoplay.default': 0,
        'media.autoplay.blocking_policy': 0,
        'media.peerconnection.ice.obfuscate_host_addresses': false,
        'media.gmp-manager.updateEnabled': false,
        'dom.disable_open_during_load': false,
        'datareporting.policy.dataSubmissionEnabled': false,
        'app.update.enabled': false,
        'network.captive-portal-service.enabled': false,
        'network.connectivity-service.enabled': false,
      },
    }),
};

/** launch starts a browser, in Chromium with a film as its camera if one is named; close it in the test's `after`. */
export async function launch(name, options = {}) {
  // proxies of the machine are not for the pages of a test
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(https?|all)_proxy$/i.test(key)));
  return launchers[name](env, options);
}

/** newPage opens a page with its own storage, like another person's browser. */
export async function newPage(browser, { width = 1280, height = 860 } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({ width, height });
  await watch(page);
  return page;
}

/** watch makes a page keep its peer connections, and collects its complaints in page.complaints. */
export async function watch(page) {
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && page.complaints.push([message.text(), message.location().url].filter(Boolean).join(' at ')));
  await page.evaluateOnNewDocument(() => {
    const Real = window.RTCPeerConnection;
    window.testPeers = [];
    window.RTCPeerConnection = class extends Real {
      constructor(...args) {
        super(...args);
        window.testPeers.push(this);
      }
    };
  });
}
