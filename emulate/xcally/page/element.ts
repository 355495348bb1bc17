// What every element of the inbox starts from: it draws into the page itself,
// again when the desk or the language changes.

import { LitElement, html, type TemplateResult } from 'lit';
import { icon, type IconName } from '../../../web/src/lib/icon';
import { desk, type Place } from './desk';
import type { Interaction } from './motion';
import { t, text } from './words';

export class DeskElement extends LitElement {
  #ends: (() => void)[] = [];

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#ends = [text.changed(() => this.requestUpdate()), desk.on('change', () => this.requestUpdate())];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const end of this.#ends) end();
  }

  /** every redraws at that pace while the element is on the page; call it when connected. */
  protected every(ms: number): void {
    const timer = setInterval(() => this.requestUpdate(), ms);
    this.#ends.push(() => clearInterval(timer));
  }
}

/** initials of a name, at most two; of a number, its end. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  if (/^[+\d\s()-]+$/.test(name)) return name.replace(/\D/g, '').slice(-2);
  return words
    .slice(0, 2)
    .map((word) => word.charAt(0).toLocaleUpperCase(text.lang))
    .join('');
}

/** waited is how long somebody has waited, as a running clock. */
export const waited = (since: string): string => text.clock(Date.now() - Date.parse(since));

const pills: Record<Place, { wire: IconName; look: string }> = {
  waiting: { wire: 'wire-ringing', look: 'pill--ringing' },
  mine: { wire: 'wire-live', look: 'pill--live' },
  taken: { wire: 'wire-waiting', look: 'pill--waiting' },
  closed: { wire: 'wire-ended', look: '' },
};

/** pill says in a word and a sign where an interaction stands. */
export function pill(interaction: Interaction): TemplateResult {
  const place = desk.place(interaction);
  const { wire, look } = pills[place];
  const owner = desk.agent(interaction.UserId);
  const word = { waiting: t('waiting_for', { time: waited(interaction.createdAt) }), mine: t('mine'), taken: owner?.fullname ?? t('taken'), closed: t('closed') }[place];
  return html`<span class="pill ${look}">${icon(wire)}${word}</span>`;
}
