// The page's sounds. Browsers let a page be heard after its first click or key.

import { Sounds } from '../lib/sound';

export const sounds = new Sounds();

const unlock = () => sounds.unlock();
for (const name of ['pointerdown', 'keydown'] as const) addEventListener(name, unlock, { once: true, capture: true });
