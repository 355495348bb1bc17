// Our own screen, given to the call for a while. The browser asks which part,
// and its own bar can end it at any time.

import { Emitter } from '../lib/emitter';

export interface ScreenEvents {
  /** It began or ended. */
  change: undefined;
}

const wish: DisplayMediaStreamOptions = { video: { frameRate: { ideal: 15, max: 30 } }, audio: true };

export class Screen extends Emitter<ScreenEvents> {
  #stream: MediaStream | undefined;
  #asking = false;

  get video(): MediaStreamTrack | undefined {
    return this.#stream?.getVideoTracks()[0];
  }

  /** The sound of a shared tab or system, where the browser gives it. */
  get audio(): MediaStreamTrack | undefined {
    return this.#stream?.getAudioTracks()[0];
  }

  /** start asks. It tells what became of it: `no` is the person's, or the browser's, refusal. */
  async start(): Promise<'on' | 'no' | 'failed'> {
    if (this.#stream || this.#asking) return 'on';
    this.#asking = true;
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia(wish);
      const video = stream.getVideoTracks()[0];
      if (!video) return 'failed';
      video.contentHint = 'detail'; // sharp letters before smooth motion
      video.onended = () => this.#end(stream);
      this.#stream = stream;
      this.emit('change', undefined);
      return 'on';
    } catch (error) {
      return error instanceof DOMException && error.name === 'NotAllowedError' ? 'no' : 'failed';
    } finally {
      this.#asking = false;
    }
  }

  stop(): void {
    if (this.#stream) this.#end(this.#stream);
  }

  #end(stream: MediaStream): void {
    for (const track of stream.getTracks()) track.stop();
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    this.emit('change', undefined);
  }
}
