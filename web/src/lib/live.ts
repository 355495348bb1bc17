// One polite live region per page. What is said within a short moment is
// merged into one announcement, so that a burst of events stays bearable.

const mergeMs = 400;
const clearMs = 8000;

export class Announcer {
  #region: HTMLElement | undefined;
  #waiting: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** say announces a sentence to screen readers; the same one twice in a burst is said once. */
  say(sentence: string): void {
    if (!sentence || this.#waiting.includes(sentence)) return;
    this.#waiting.push(sentence);
    if (this.#waiting.length === 1) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#speak(), mergeMs);
    }
  }

  #speak(): void {
    this.#region ??= this.#make();
    this.#region.textContent = this.#waiting.join(' ');
    this.#waiting = [];
    this.#timer = setTimeout(() => this.#region?.replaceChildren(), clearMs);
  }

  #make(): HTMLElement {
    const region = document.createElement('div');
    region.className = 'sr';
    region.setAttribute('role', 'status');
    region.setAttribute('aria-live', 'polite');
    document.body.append(region);
    return region;
  }
}

/** The page's announcer. */
export const live = new Announcer();
