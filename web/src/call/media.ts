// Our own camera and microphone: what is on, what was refused and why. A camera
// that is off is given back, so that its light goes out; a muted microphone is
// kept, so that it is back at once.

import { ask, changed, list, meter, remember, remembered, type DeviceKind, type DeviceList, type DeviceProblem } from '../lib/devices';
import { Emitter } from '../lib/emitter';
import { keep, kept } from '../lib/link';

export interface Slot {
  readonly track?: MediaStreamTrack;
  /** Asked for and wanted by the person. */
  readonly on: boolean;
  readonly asking: boolean;
  readonly problem?: DeviceProblem;
}

/** What was on; a kind that was never asked for is missing. */
type Wishes = Partial<Record<DeviceKind, boolean>>;

export interface MediaEvents {
  change: undefined;
  /** The loudness of our own microphone, 0 to 10. */
  level: number;
  /** A device went away; `next` tells whether another one took over. */
  unplugged: { kind: DeviceKind; next: boolean };
  /** Somebody speaks into a muted microphone; told once per mute. */
  talking: undefined;
  /** The other camera of a phone did not open; the one before is back. */
  unflipped: undefined;
}

const talkingCells = 5; // −35 dB: a voice near the microphone, not a room
const talkingTicks = 6; // half a second of voice; silence counts back

const off: Slot = { on: false, asking: false };

export class LocalMedia extends Emitter<MediaEvents> {
  #slots: Record<DeviceKind, Slot> = { camera: off, microphone: off };
  #endMeter: (() => void) | undefined;
  #endWatch: (() => void) | undefined;
  #loud = 0;
  #told = false;
  devices: DeviceList = { cameras: [], microphones: [], speakers: [] };
  level = 0;

  get camera(): Slot {
    return this.#slots.camera;
  }

  get microphone(): Slot {
    return this.#slots.microphone;
  }

  /** The picture for a self-view. */
  get view(): MediaStreamTrack | null {
    return (this.camera.on && this.camera.track) || null;
  }

  /** What was on before a reload of this tab. */
  get wishes(): Wishes {
    return kept<Wishes>('media') ?? {};
  }

  /** asked tells whether the person was ever asked for a device in this tab. */
  asked(kind: DeviceKind): boolean {
    return this.wishes[kind] !== undefined;
  }

  /** open asks for one device and switches it on. It tells whether it is on now. */
  async open(kind: DeviceKind, deviceId?: string, facing?: 'user' | 'environment'): Promise<boolean> {
    if (this.#slots[kind].asking) return false;
    this.#set(kind, { ...this.#slots[kind], asking: true });
    // A phone gives its camera to one at a time.
    if (kind === 'camera' && this.camera.track) this.camera.track.stop();
    const result = await ask(kind, deviceId ?? remembered()[kind], facing);
    this.#drop(kind);
    if (result.track) {
      result.track.addEventListener('ended', () => void this.#unplugged(kind, result.track));
      this.#set(kind, { track: result.track, on: true, asking: false });
      if (kind === 'microphone') this.#measure(result.track);
    } else {
      this.#set(kind, { on: false, asking: false, problem: result.problem });
    }
    this.#remember(kind);
    this.#endWatch ??= changed(() => void this.#list());
    await this.#list();
    return result.track !== undefined;
  }

  /** choose switches to another device and remembers it on this computer. */
  async choose(kind: DeviceKind, deviceId: string): Promise<void> {
    remember({ [kind]: deviceId });
    await this.open(kind, deviceId);
  }

  /** flip changes between the front and the back camera of a phone. */
  async flip(): Promise<void> {
    const was = this.camera.track?.getSettings();
    if (!was || this.camera.asking) return;
    const other = this.devices.cameras.find((camera) => camera.deviceId !== was.deviceId);
    const done = await (was.facingMode ? this.open('camera', '', was.facingMode === 'environment' ? 'user' : 'environment') : this.open('camera', other?.deviceId));
    if (done) return;
    await this.open('camera', was.deviceId);
    this.emit('unflipped', undefined);
  }

  /** turn switches a device on or off; on asks for it if it was not asked for. */
  async turn(kind: DeviceKind, on: boolean): Promise<void> {
    const slot = this.#slots[kind];
    if (on && !(kind === 'microphone' && slot.track)) {
      await this.open(kind);
      return;
    }
    if (kind === 'camera' && !on) this.#drop(kind);
    const { problem: _gone, track, ...rest } = slot;
    this.#set(kind, { ...rest, on, ...(kind === 'microphone' && track && { track }) });
    if (kind === 'microphone') {
      if (slot.track) slot.track.enabled = on;
      [this.#told, this.#loud] = [false, 0];
    }
    this.#remember(kind);
  }

  /** forget drops a refusal that the person has read. */
  settle(kind: DeviceKind): void {
    if (this.#slots[kind].problem) this.#set(kind, off);
  }

  stop(): void {
    this.#drop('camera');
    this.#drop('microphone');
    this.#slots = { camera: off, microphone: off };
    this.#endWatch?.();
    this.#endWatch = undefined;
    this.emit('change', undefined);
  }

  async #unplugged(kind: DeviceKind, track: MediaStreamTrack): Promise<void> {
    if (this.#slots[kind].track !== track) return;
    const wasOn = this.#slots[kind].on;
    this.#drop(kind);
    this.#set(kind, off);
    const next = wasOn && (await this.open(kind, ''));
    this.emit('unplugged', { kind, next });
  }

  /** What is measured is a copy: it stays loud while the sent one is muted, so that talking is noticed. */
  #measure(track: MediaStreamTrack): void {
    const copy = track.clone();
    try {
      const end = meter(copy, (cells) => this.#heard(cells));
      this.#endMeter = () => (end(), copy.stop());
    } catch {
      copy.stop(); // no sound system: the meter stays dark, the call still works
    }
  }

  #heard(cells: number): void {
    const { on } = this.microphone;
    const level = on ? cells : 0;
    if (level !== this.level) {
      this.level = level;
      this.emit('level', level);
    }
    this.#loud = on ? 0 : Math.max(0, this.#loud + (cells >= talkingCells ? 1 : -0.25));
    if (this.#told || this.#loud < talkingTicks) return;
    this.#told = true;
    this.emit('talking', undefined);
  }

  #drop(kind: DeviceKind): void {
    if (kind === 'microphone') {
      this.#endMeter?.();
      this.#endMeter = undefined;
      this.level = 0;
    }
    this.#slots[kind].track?.stop();
  }

  #set(kind: DeviceKind, slot: Slot): void {
    this.#slots = { ...this.#slots, [kind]: slot };
    this.emit('change', undefined);
  }

  #remember(kind: DeviceKind): void {
    keep('media', { ...this.wishes, [kind]: this.#slots[kind].on });
  }

  async #list(): Promise<void> {
    this.devices = await list().catch(() => this.devices);
    this.emit('change', undefined);
  }
}
