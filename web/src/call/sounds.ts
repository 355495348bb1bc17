// The page's sounds. Browsers let a page be heard after its first click or key.

import { Sounds } from '../lib/sound';

class PageSounds extends Sounds {
  /** test plays what an answer sounds like. */
  test(): void {
    this.unlock();
    setTimeout(() => this.answered(), 60); // a context that was just made needs a moment to run
  }
}

export const sounds = new PageSounds();

const unlock = () => sounds.unlock();
for (const name of ['pointerdown', 'keydown'] as const) addEventListener(name, unlock, { once: true, capture: true });
