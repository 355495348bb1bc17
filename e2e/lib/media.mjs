// Is that picture alive, is there sound? Asked of the decoder and of the
// pixels, because either alone can be fooled.

/**
 * waitForMovingVideo resolves with { frames, width, height } when the video
 * element has shown new frames and its pixels have changed, and rejects with
 * what was seen when time is over.
 */
export async function waitForMovingVideo(page, selector, { frames = 10, timeoutMs = 20_000 } = {}) {
  const until = Date.now() + timeoutMs;
  for (;;) { // looked up again now and then: whoever comes in may get another place on the page
    const video = await page.waitForSelector(selector, { timeout: Math.max(1, until - Date.now()) });
    const seen = await video.evaluate(watchVideo, frames, Math.min(4000, Math.max(500, until - Date.now())));
    if (seen.moving) return seen;
    if (Date.now() > until) throw new Error(`${selector} does not move: ${JSON.stringify(seen)}`);
  }
}

/** sawVideoMove looks for a limited time and tells { moving, frames, changes, width, height }. */
export async function sawVideoMove(page, selector, { frames = 10, forMs = 1500 } = {}) {
  const video = await page.waitForSelector(selector);
  return video.evaluate(watchVideo, frames, forMs);
}

// runs in the page
async function watchVideo(video, frames, timeoutMs) {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [64, 48];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const print = () => {
    context.drawImage(video, 0, 0, 64, 48);
    return context.getImageData(0, 0, 64, 48).data;
  };
  const differs = (a, b) => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
    return sum > 2000; // more than the noise of an encoder on a still picture
  };
  // counted by callback: Firefox's getVideoPlaybackQuality stays at 0 for a stream
  let [shown, changes, before, watching] = [0, 0, undefined, true];
  const count = () => {
    shown++;
    if (watching) video.requestVideoFrameCallback(count);
  };
  video.requestVideoFrameCallback(count);
  const until = performance.now() + timeoutMs;
  for (;;) {
    if (video.videoWidth > 0) {
      const now = print();
      if (before && differs(before, now)) changes++;
      if (!before || differs(before, now)) before = now;
    }
    const moving = shown >= frames && changes >= 2;
    watching = !(moving || performance.now() > until);
    if (!watching) return { moving, frames: shown, changes, width: video.videoWidth, height: video.videoHeight, readyState: video.readyState, paused: video.paused };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** received sums up what the page's peer connections have received. */
export async function received(page) {
  return page.evaluate(async () => {
    const sum = { framesDecoded: 0, videoBytes: 0, audioBytes: 0, audioEnergy: 0, audioLevel: 0 };
    for (const peer of window.testPeers ?? []) {
      if (peer.connectionState === 'closed') continue;
      (await peer.getStats()).forEach((entry) => {
        if (entry.type !== 'inbound-rtp') return;
        if (entry.kind === 'video') {
          sum.framesDecoded += entry.framesDecoded ?? 0;
          sum.videoBytes += entry.bytesReceived ?? 0;
        } else {
          sum.audioBytes += entry.bytesReceived ?? 0;
          sum.audioEnergy += entry.totalAudioEnergy ?? 0;
          sum.audioLevel = Math.max(sum.audioLevel, entry.audioLevel ?? 0);
        }
      });
    }
    return sum;
  });
}

/** waitForSound resolves when sound above silence arrives, judged by the browser's own statistics. */
export async function waitForSound(page, { timeoutMs = 15_000 } = {}) {
  const until = Date.now() + timeoutMs;
  const start = await received(page);
  let peak = 0;
  for (;;) {
    const now = await received(page);
    peak = Math.max(peak, now.audioLevel);
    if (peak > 0.001 && now.audioBytes > start.audioBytes && now.audioEnergy > start.audioEnergy) return { level: peak, energy: now.audioEnergy };
    if (Date.now() > until) throw new Error(`no sound: ${JSON.stringify({ start, now, peak })}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** audioLevel is the loudest level seen within a moment, 0 for silence. */
export async function audioLevel(page, { forMs = 2500 } = {}) {
  const until = Date.now() + forMs;
  let peak = 0;
  while (Date.now() < until) {
    peak = Math.max(peak, (await received(page)).audioLevel);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return peak;
}
