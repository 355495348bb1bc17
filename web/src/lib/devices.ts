// Cameras and microphones. The two are asked for separately, so that one that
// is busy or refused does not take the other with it, and every refusal has a
// name that a person can act on.

export type DeviceKind = 'camera' | 'microphone';

/**
 * denied: the person said no. blocked_here: the browser says no for this site,
 * without asking. not_found: there is none. in_use: another program has it.
 * insecure: the page is neither https nor localhost. frame: the page that
 * embeds us does not pass the permission on.
 */
export type DeviceProblem = 'denied' | 'blocked_here' | 'not_found' | 'in_use' | 'insecure' | 'frame';

export type DeviceResult = { track: MediaStreamTrack; problem?: never } | { problem: DeviceProblem; track?: never };

export interface DeviceChoice {
  camera?: string;
  microphone?: string;
  speaker?: string;
}

const storageKey = 'ringdown.devices';
const video: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
const askMs = 300; // nobody answers a question faster
const audio: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** platform is where the settings of a browser are found: the steps differ on phones. */
export function platform(agent: string = navigator.userAgent, touches: number = navigator.maxTouchPoints): 'ios' | 'android' | 'other' {
  if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && touches > 1)) return 'ios'; // an iPad calls itself a Mac
  return /Android/.test(agent) ? 'android' : 'other';
}

/** choosesSpeaker tells whether this browser lets a page choose where sound comes out. */
export const choosesSpeaker = (): boolean => 'setSinkId' in HTMLMediaElement.prototype;

/** sharesScreen tells whether this page may ask for the screen. Phones cannot. */
export function sharesScreen(): boolean {
  return typeof navigator.mediaDevices?.getDisplayMedia === 'function' && !withheld('display-capture');
}

export const embedded = (): boolean => window.self !== window.top;

/** ask opens one device: the chosen one, else the one remembered, else any. */
export async function ask(kind: DeviceKind, deviceId = remembered()[kind], facing?: 'user' | 'environment'): Promise<DeviceResult> {
  if (!window.isSecureContext || !navigator.mediaDevices) return { problem: 'insecure' };
  if (framed(kind)) return { problem: 'frame' };
  const asked = performance.now();
  try {
    return { track: await open(kind, deviceId, facing) };
  } catch (error) {
    return { problem: await named(error, kind, performance.now() - asked) };
  }
}

async function open(kind: DeviceKind, deviceId?: string, facing?: string): Promise<MediaStreamTrack> {
  const wish: MediaTrackConstraints = { ...(kind === 'camera' ? video : audio), ...(deviceId && { deviceId: { exact: deviceId } }), ...(facing && { facingMode: { ideal: facing } }) };
  try {
    const stream = await navigator.mediaDevices.getUserMedia(kind === 'camera' ? { video: wish } : { audio: wish });
    return stream.getTracks()[0]!;
  } catch (error) {
    const gone = deviceId && error instanceof DOMException && (error.name === 'OverconstrainedError' || error.name === 'NotFoundError');
    if (gone) return open(kind, undefined, facing); // the remembered device is not plugged in today
    throw error;
  }
}

async function named(error: unknown, kind: DeviceKind, tookMs: number): Promise<DeviceProblem> {
  switch (error instanceof Error ? error.name : '') {
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'not_found';
    case 'NotReadableError':
    case 'AbortError':
      return 'in_use';
    case 'SecurityError':
      return embedded() ? 'frame' : 'insecure';
    default:
      // Where the browser does not tell of the frame, a refusal without a question is taken for its doing: a window of its own helps either way.
      if (framed(kind) || (embedded() && policy() === undefined && tookMs < askMs)) return 'frame';
      // A person needs a moment to say no; a refusal without a question comes at once.
      return (await permission(kind)) === 'denied' && tookMs < askMs ? 'blocked_here' : 'denied';
  }
}

/** permission is what the browser remembers of this site: granted, denied, prompt; undefined where it does not tell. */
export async function permission(kind: DeviceKind): Promise<PermissionState | undefined> {
  try {
    return (await navigator.permissions.query({ name: kind as PermissionName })).state;
  } catch {
    return undefined; // Firefox before 131 does not know these names
  }
}

/** framed tells whether the embedding page withholds the permission from us. */
const framed = (kind: DeviceKind): boolean => embedded() && withheld(kind);

/** withheld is what the browser says of a permission of this document; Firefox and Safari do not tell. */
const withheld = (feature: string): boolean => policy()?.allowsFeature(feature) === false;
const policy = () => (document as Document & { featurePolicy?: { allowsFeature(name: string): boolean } }).featurePolicy;

export interface DeviceList {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

/** list gives the devices; their labels are known once one was opened. */
export async function list(): Promise<DeviceList> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind: MediaDeviceKind) => all.filter((device) => device.kind === kind && device.deviceId !== '');
  return { cameras: of('videoinput'), microphones: of('audioinput'), speakers: of('audiooutput') };
}

/** changed calls listener when a device is plugged in or out, until the returned function is called. */
export function changed(listener: () => void): () => void {
  navigator.mediaDevices?.addEventListener('devicechange', listener);
  return () => navigator.mediaDevices?.removeEventListener('devicechange', listener);
}

/** remembered is the choice made on this device before; nothing inside somebody else's page. */
export function remembered(): DeviceChoice {
  if (embedded()) return {};
  try {
    const value: unknown = JSON.parse(localStorage.getItem(storageKey) ?? '{}');
    return typeof value === 'object' && value !== null ? (value as DeviceChoice) : {};
  } catch {
    return {}; // storage is forbidden or holds something else
  }
}

export function remember(choice: DeviceChoice): void {
  if (embedded()) return;
  try {
    localStorage.setItem(storageKey, JSON.stringify({ ...remembered(), ...choice }));
  } catch {
    // storage is forbidden: the choice lasts as long as the page
  }
}

/** The cells of a level meter. */
export const meterCells = 10;

const meterMs = 80;

/** meter calls listener with the loudness of a track, 0 to 10, every 80 ms; returns the end. */
export function meter(track: MediaStreamTrack, listener: (cells: number) => void): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  const source = context.createMediaStreamSource(new MediaStream([track]));
  source.connect(analyser);
  void context.resume().catch(() => {});
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    listener(cells(samples));
  }, meterMs);
  return () => {
    clearInterval(timer);
    source.disconnect();
    void context.close();
  };
}

/** cells turns samples into lit cells: −60 dB is none, −10 dB is all. */
export function cells(samples: Float32Array): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const decibel = power > 0 ? 10 * Math.log10(power) : -Infinity;
  return Math.max(0, Math.min(meterCells, Math.round(((decibel + 60) / 50) * meterCells)));
}
