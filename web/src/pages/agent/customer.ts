// What is known of the visitor, for the agent's eyes.

import { html, nothing, type TemplateResult } from 'lit';
import { t, text } from '../../lib/words';
import { safe } from '../../call/link-text';
import { host, visitorName, type Flat, type Meeting } from '../../call/model';
import { languages, ownName, type Lang } from '../../lib/text';

/** who is the visitor's name, or what stands for it. */
export const who = (m: Meeting): string => visitorName(m) ?? t('call.visitor');

/** pageLine is the page the visitor looks at: its title, and where it leads. */
export function pageLine(m: Meeting): TemplateResult | typeof nothing {
  const url = safe(m.page?.url);
  const words = m.page?.title || host(url);
  if (!words) return nothing;
  return url ? html`<a href=${url} target="_blank" rel="noopener noreferrer">${words}</a>` : html`${words}`;
}

/** customer lists every fact there is, the visitor's own words first. */
export function customer(m: Meeting): TemplateResult {
  const v = m.visitor ?? {};
  const url = safe(m.page?.url);
  const lang = languages.find((l): l is Lang => l === m.language);
  return html`<dl class="facts" data-test="details">
    ${row(t('agent.facts.topic'), m.topic)} ${rows(m.fields, new Set([m.topic, v.name, v.email, v.phone]))}
    ${row(t('agent.facts.email'), v.email && html`<a href="mailto:${v.email}">${v.email}</a>`)}
    ${row(t('agent.facts.phone'), v.phone && html`<a href="tel:${v.phone.replace(/[^+\d]/g, '')}">${v.phone}</a>`)}
    ${row(t('agent.facts.id'), v.external_id)} ${row(t('agent.facts.page'), url ? html`<a href=${url} target="_blank" rel="noopener noreferrer">${m.page?.title || url}</a>` : m.page?.title)}
    ${rows(m.metadata, new Set())} ${row(t('agent.facts.language'), lang ? ownName(lang) : m.language)} ${row(t('agent.facts.site'), m.site.name)} ${row(t('agent.facts.queue'), m.queue)}
    ${row(t('agent.facts.since'), text.time(m.requested_at ?? m.created_at))}
  </dl>`;
}

function row(name: string, value: unknown): TemplateResult | typeof nothing {
  return value ? html`<dt>${name}</dt><dd>${value}</dd>` : nothing;
}

/** A shop's own keys, as the shop wrote them; what stands elsewhere is not said twice. */
function rows(flat: Flat | undefined, said: ReadonlySet<string | undefined>): unknown[] {
  return Object.entries(flat ?? {})
    .filter(([, value]) => value !== '' && !said.has(value))
    .map(([key, value]) => {
      const url = safe(value);
      return row(readableKey(key), url ? html`<a href=${url} target="_blank" rel="noopener noreferrer">${value}</a>` : plain(value));
    });
}

/** A ticked box reads yes. */
function plain(value: string): string {
  return value === 'true' || value === 'yes' ? t('agent.facts.yes') : value === 'false' || value === 'no' ? t('agent.facts.no') : value;
}

/** "order_number" reads "Order number". */
function readableKey(key: string): string {
  const words = key.replace(/[_-]+/g, ' ').trim();
  return words.charAt(0).toLocaleUpperCase(text.lang) + words.slice(1);
}
