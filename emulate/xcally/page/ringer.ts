// The ring: two soft rising notes with each pulse while somebody waits, for
// half a minute each. Browsers allow sound after the first press or key.

const pulseMs = 1800;
const ringMs = 30_000;
const storageKey = (name: string) => `ringdown.emulated-xcally.${name}`;

/** remembered is what remember kept, or undefined. */
export function remembered(name: string, store: Storage = localStorage): string | undefined {
  try {
    return store.getItem(storageKey(name)) ?? undefined;
  } catch {
    return undefined; // storage is forbidden
  }
}

export function remember(name: string, value: string, store: Storage = localStorage): void {
  try {
    store.setItem(storageKey(name), value);
  } catch {
    // storage is forbidden: the choice lasts as long as the page
  }
}

export class Ringer {
  #on = remembered('sound') !== 'off';
  #until = new Map<number, number>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #audio: AudioContext | undefined;

  get on(): boolean {
    return this.#on;
  }

  turn(on: boolean): void {
    this.#on = on;
    remember('sound', on ? 'on' : 'off');
    if (on) this.#ring();
    this.#tick();
  }

  /** waiting names everybody who waits; a new one starts the ring. */
  waiting(ids: readonly number[]): void {
    for (const id of this.#until.keys()) if (!ids.includes(id)) this.#until.delete(id);
    for (const id of ids) if (!this.#until.has(id)) this.#until.set(id, Date.now() + ringMs);
    this.#tick();
  }

  #tick(): void {
    const rings = this.#on && [...this.#until.values()].some((until) => until > Date.now());
    if (!rings) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else if (this.#timer === undefined) {
      this.#ring();
      this.#timer = setInterval(() => {
        this.#tick();
        if (this.#timer !== undefined) this.#ring();
      }, pulseMs);
    }
  }

  #ring(): void {
    if (navigator.userActivation?.hasBeenActive === false) return; // older browsers do not tell, and stay silent by themselves
    this.#audio ??= new AudioContext();
    void this.#audio.resume();
    this.#note(587.33, 0);
    this.#note(783.99, 0.22);
  }

  #note(hertz: number, after: number): void {
    const audio = this.#audio!;
    const at = audio.currentTime + after;
    const tone = new OscillatorNode(audio, { frequency: hertz, type: 'sine' });
    const gain = new GainNode(audio, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.12, at + 0.03);
    gain.gain.exponentialRampToValueAtTime(0.001, at + 0.4);
    tone.connect(gain).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.45);
  }
}
