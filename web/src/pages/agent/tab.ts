// The tab itself tells of a ring: its sign gets a mark while it rings.

const mark =
  'data:image/svg+xml,' +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#c96a06"/><path d="M10.2 8.2h2.4c.6 0 1.2.4 1.3 1l1 3.3c.1.5 0 1-.4 1.4l-1.7 1.6a13 13 0 0 0 5.7 5.7l1.6-1.7c.4-.4.9-.5 1.4-.4l3.3 1c.6.1 1 .7 1 1.3v2.4a3 3 0 0 1-3.2 3A18 18 0 0 1 7.200 11.400a3 3 0 0 1 3-3.200z" fill="#fff"/></svg>',
  );

export class Tab {
  #link = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  #plain = this.#link?.href;
  #rings = false;

  ringing(rings: boolean): void {
    if (!this.#link || !this.#plain || rings === this.#rings) return;
    this.#rings = rings;
    this.#link.href = rings ? mark : this.#plain;
  }
}
