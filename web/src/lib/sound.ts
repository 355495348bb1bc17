// The few sounds of a call, made on the spot: no files. Never louder than
// speech, and never the only sign of anything.

type Note = [frequency: number, atSeconds: number, lengthSeconds: number];

const ringNotes: Note[] = [[523.25, 0, 0.32], [659.25, 0.28, 0.5]];
const answeredNotes: Note[] = [[880, 0, 0.35]];
const leftNotes: Note[] = [[261.63, 0, 0.45]];
const messageNotes: Note[] = [[1318.5, 0, 0.06]];
const testMs = 2000;
const patienceMs = 1500;
const ringEveryMs = 1800; // as --pulse

export class Sounds {
  #context: AudioContext | undefined;
  #ring: ReturnType<typeof setInterval> | undefined;
  #volume = 0.5;

  /** volume is 0 to 1. */
  set volume(value: number) {
    this.#volume = Math.min(1, Math.max(0, value));
  }

  /** unlock is called from a click, so that the browser lets us be heard later. */
  unlock(): void {
    this.#context ??= new AudioContext();
    void this.#context.resume().catch(() => {});
  }

  /** audible tells whether the browser lets us be heard. */
  get audible(): boolean {
    return this.#context?.state === 'running';
  }

  startRing(): void {
    if (this.#ring !== undefined) return;
    this.#play(ringNotes);
    this.#ring = setInterval(() => this.#play(ringNotes), ringEveryMs);
  }

  stopRing(): void {
    clearInterval(this.#ring);
    this.#ring = undefined;
  }

  answered(): void {
    this.stopRing();
    this.#play(answeredNotes);
  }

  left(): void {
    this.stopRing();
    this.#play(leftNotes);
  }

  message(): void {
    this.#play(messageNotes, 0.5);
  }

  /** tryOut plays what an answer sounds like on one speaker ("": the system's). It rejects when that speaker cannot be used. */
  async tryOut(speaker: string): Promise<void> {
    this.unlock();
    const context = this.#context!;
    await within(context.resume());
    if (!speaker) {
      this.#notes(context, context.destination, answeredNotes, 1);
      return;
    }
    const out = context.createMediaStreamDestination();
    const player = new Audio() as HTMLAudioElement & { setSinkId(id: string): Promise<void> };
    await within(player.setSinkId(speaker));
    player.srcObject = out.stream;
    await within(player.play());
    this.#notes(context, out, answeredNotes, 1);
    setTimeout(() => (player.srcObject = null), testMs);
  }

  #play(notes: readonly Note[], strength = 1): void {
    this.unlock();
    const context = this.#context;
    if (context?.state === 'running') this.#notes(context, context.destination, notes, strength);
  }

  #notes(context: AudioContext, to: AudioNode, notes: readonly Note[], strength: number): void {
    for (const [frequency, at, length] of notes) {
      const [tone, gain, start] = [context.createOscillator(), context.createGain(), context.currentTime + at];
      tone.type = 'sine';
      tone.frequency.value = frequency;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(0.3 * this.#volume * strength, start + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.0001, start + length);
      tone.connect(gain).connect(to);
      tone.start(start);
      tone.stop(start + length);
    }
  }
}

/** within rejects what a machine without any speaker never answers. */
function within<T>(answer: Promise<T>): Promise<T> {
  return Promise.race([answer, new Promise<never>((_, reject) => setTimeout(() => reject(new Error('no answer')), patienceMs))]);
}
