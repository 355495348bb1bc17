// What is known of a contact and its interaction, with Motion's field names.

import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../../../web/src/lib/icon';
import { desk } from './desk';
import type { Interaction } from './motion';
import { t, text } from './words';

const worded = ['firstName', 'lastName', 'phone', 'mobile', 'email', 'street', 'postalCode', 'city', 'country', 'description'] as const;

export function facts(interaction: Interaction): TemplateResult {
  const { Contact: contact, emulator } = interaction;
  const known = worded.filter((field) => contact[field]);
  const variables = Object.entries(emulator.variables).sort(([a], [b]) => a.localeCompare(b));
  return html`
    <section class="panel" aria-labelledby="f-contact">
      <h3 id="f-contact">${t('contact')} <span class="ref">#${contact.id}</span></h3>
      <dl class="facts">
        ${known.map((field) => row(t(`field_${field}`), contact[field]))}
        ${row(t('map_key'), html`<code>${emulator.mapKey}</code> = ${emulator.from}`)}
      </dl>
    </section>
    <section class="panel" aria-labelledby="f-variables">
      <h3 id="f-variables">${t('variables')}</h3>
      ${variables.length === 0
        ? html`<p class="small muted">${t('no_variables')}</p>`
        : html`<dl class="facts in-variables">${variables.map(([key, value]) => row(html`<code>${key}</code>`, value))}</dl>`}
    </section>
    <section class="panel" aria-labelledby="f-interaction">
      <h3 id="f-interaction">${t('interaction')} <span class="ref">#${interaction.id}</span></h3>
      <dl class="facts">
        ${row(t('account'), desk.account(interaction.OpenchannelAccountId)?.name)}
        ${interaction.threadId ? row(html`<code>threadId</code>`, html`<code>${interaction.threadId}</code>`) : nothing}
        ${row(t('since'), text.time(interaction.createdAt))}
        ${row(t('owner'), desk.agent(interaction.UserId)?.fullname ?? t('nobody'))}
        ${interaction.externalUrl && /^https?:/.test(interaction.externalUrl)
          ? row(html`<code>externalUrl</code>`, html`<a class="in-out" href=${interaction.externalUrl} target="_blank" rel="noopener noreferrer">${t('open')}${icon('external')}</a>`)
          : nothing}
      </dl>
    </section>
  `;
}

function row(term: unknown, value: unknown): TemplateResult {
  return html`<dt>${term}</dt><dd>${value}</dd>`;
}
