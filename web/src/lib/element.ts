// What every element of a page starts from: it draws into the page itself, so
// that the one style sheet reaches it, and again when the language changes.

import { LitElement } from 'lit';
import { text } from './words';

export class PageElement extends LitElement {
  #unlisten?: () => void;

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unlisten = text.changed(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unlisten?.();
  }
}
