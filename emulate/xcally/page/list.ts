// The list: who waits first, then what is mine, what others took, what is over.

import { customElement, html, nothing, repeat } from 'lit';
import { icon } from '../../../web/src/lib/icon';
import { desk, nameOf, type Place } from './desk';
import { DeskElement, initials, pill } from './element';
import type { Interaction } from './motion';
import { t, text } from './words';

const places: readonly Place[] = ['waiting', 'mine', 'taken', 'closed'];

@customElement('motion-list')
export class MotionList extends DeskElement {
  override connectedCallback(): void {
    super.connectedCallback();
    this.every(1000); // the clocks of those who wait
  }

  protected override render(): unknown {
    const rows = places.map((place) => ({ place, interactions: desk.all(place) }));
    if (!desk.loaded) return html`<div class="in-list__bones" aria-hidden="true">${[70, 45, 60].map((width) => html`<span class="bone in-bone-${width}"></span>`)}</div>`;
    if (rows.every((row) => row.interactions.length === 0)) {
      return html`<div class="empty">${icon('wire-waiting')}<h2>${t('empty_list')}</h2><p class="small">${t('empty_list_next')}</p></div>`;
    }
    return rows.map(({ place, interactions }) =>
      interactions.length === 0
        ? nothing
        : html`<section aria-labelledby="place-${place}">
            <h2 class="label in-list__place" id="place-${place}">${t(`place_${place}`)}<span class="count ${place === 'waiting' ? 'count--hot' : ''}">${interactions.length}</span></h2>
            <ul>${repeat(interactions, (row) => row.id, (row) => this.#row(row, place))}</ul>
          </section>`,
    );
  }

  #row(interaction: Interaction, place: Place): unknown {
    const last = interaction.emulator.last;
    const name = nameOf(interaction);
    const account = desk.account(interaction.OpenchannelAccountId)?.name ?? '';
    return html`<li>
      <a class="in-row in-row--${place}" href="#${interaction.id}" aria-current=${interaction.id === desk.selected ? 'true' : 'false'}>
        <span class="face" aria-hidden="true">${initials(name)}</span>
        <span class="in-row__name clip">${name}</span>
        <time class="in-row__time" datetime=${interaction.updatedAt}>${text.time(last?.createdAt ?? interaction.updatedAt)}</time>
        <span class="in-row__last clip">${last ? this.#line(last.direction === 'out', last.body) : nothing}</span>
        <span class="in-row__state">${pill(interaction)}<span class="in-row__account clip">${account}</span></span>
        ${place === 'waiting' ? html`<span class="in-row__wire" aria-hidden="true"></span>` : nothing}
      </a>
    </li>`;
  }

  #line(ours: boolean, body: string): string {
    const line = body.replace(/\s+/g, ' ').trim();
    return ours ? t('we_said', { text: line }) : line;
  }
}
