// Who is calling: the record, what was said before, and finding or making a
// record for somebody who is not known.

import { html, nothing, type TemplateResult } from 'lit';
import { Problem } from '../../lib/api';
import { Emitter } from '../../lib/emitter';
import { icon } from '../../lib/icon';
import { live } from '../../lib/live';
import { t, text } from '../../lib/words';
import { safe } from '../../call/link-text';
import { initials } from '../../call/model';
import type { Client, Contact, Found, Who } from './model';

export class People extends Emitter<{ change: undefined }> {
  who: Who | undefined;
  failed = '';
  form: '' | 'search' | 'create' = '';
  words = '';
  found: readonly Found[] | undefined;
  busy = false;
  wrong: Readonly<Record<string, string>> = {};
  #asking = 0;

  constructor(private readonly client: Client) {
    super();
  }

  async load(): Promise<void> {
    this.failed = '';
    try {
      this.who = await this.client.who();
    } catch (error) {
      this.failed = error instanceof Problem && error.status === 0 ? t('page.offline') : t('phone.customer.down');
    }
    this.emit('change', undefined);
  }

  show(form: '' | 'search' | 'create'): void {
    [this.form, this.found, this.failed, this.wrong] = [form, undefined, '', {}];
    this.emit('change', undefined);
  }

  async search(words: string): Promise<void> {
    this.words = words;
    const asked = ++this.#asking;
    if (words.trim().length < 2) this.found = undefined;
    else {
      const found = await this.client.search(words.trim()).catch(() => undefined);
      if (asked !== this.#asking) return; // a later one is on its way
      this.failed = found ? '' : t('phone.customer.down');
      this.found = found;
      if (found) live.say(t('phone.search.found', { n: found.length }));
    }
    this.emit('change', undefined);
  }

  async choose(record: Found): Promise<void> {
    await this.#act(async () => {
      await this.client.save({ customer: record.id });
      this.form = '';
      await this.load();
    });
  }

  async create(form: HTMLFormElement): Promise<void> {
    const data = new FormData(form);
    const value = (name: string) => String(data.get(name) ?? '').trim();
    await this.#act(async () => {
      await this.client.create({ name: value('name'), company: value('company'), email: value('email'), phone: value('phone') });
      this.form = '';
      await this.load();
    });
  }

  async #act(act: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    [this.busy, this.failed, this.wrong] = [true, '', {}];
    this.emit('change', undefined);
    try {
      await act();
    } catch (error) {
      const fields = error instanceof Problem ? error.fields : [];
      this.wrong = Object.fromEntries(fields.map(({ pointer }) => [pointer.slice(1), t('phone.wrong')]));
      this.failed = fields.length > 0 ? t('phone.wrong.form') : t('phone.failed');
      live.say(this.failed);
    }
    this.busy = false;
    this.emit('change', undefined);
  }
}

/** peopleCard is who is calling; number is what the phone said. */
export function peopleCard(people: People, number: string): TemplateResult {
  const { who } = people;
  return html`<section class="card" aria-labelledby="who" data-test="customer" data-state=${who?.state ?? 'loading'}>
    <div class="card__head"><h2 id="who">${t('phone.customer')}</h2>
      ${who && people.form === '' ? html`<button type="button" class="btn btn--ghost btn--sm push" data-test="search" @click=${() => people.show('search')}>${icon('search')}${t('phone.search')}</button>` : nothing}</div>
    <div class="card__body stack">${people.failed ? html`<div class="banner banner--bad" role="alert">${icon('warning')}<p>${people.failed}</p></div>` : nothing}
      ${people.form === 'search' ? searchForm(people) : people.form === 'create' ? createForm(people, number) : known(people, number)}</div>
  </section>`;
}

function known(people: People, number: string): unknown {
  const { who } = people;
  if (!who) return people.failed ? html`<button type="button" class="btn btn--line btn--sm" @click=${() => void people.load()}>${icon('refresh')}${t('page.again')}</button>` : html`<div role="status"><span class="sr">${t('phone.customer.loading')}</span><span class="bone"></span></div><span class="bone"></span>`;
  if (who.customer) return record(who.customer);
  const sentence = who.state === 'down' ? t('phone.customer.down') : who.state === 'off' ? t('phone.customer.off') : number ? t('phone.customer.none', { number }) : t('phone.customer.nobody');
  return html`<p class="small muted" data-test="no-customer">${sentence}</p>
    <div class="row row--tight">
      ${who.state === 'down' ? html`<button type="button" class="btn btn--line btn--sm" data-test="again" @click=${() => void people.load()}>${icon('refresh')}${t('page.again')}</button>` : nothing}
      <button type="button" class="btn btn--line btn--sm" data-test="create" @click=${() => people.show('create')}>${icon('user-plus')}${t('phone.create')}</button>
    </div>`;
}

function record(r: Found): TemplateResult {
  const name = r.name || r.company || r.external_id || t('call.visitor');
  return html`<div class="row row--keep"><span class="face" aria-hidden="true">${initials(name)}</span><div class="grow"><b class="phone__name" data-test="name">${name}</b>${r.company && r.company !== name ? html`<span class="small muted phone__sub">${r.company}</span>` : nothing}</div></div>
    ${r.stale ? html`<div class="banner banner--warn" data-test="stale-copy">${icon('clock')}<p>${t('phone.customer.copy', { time: `${text.day(r.as_of)}, ${text.time(r.as_of)}` })}</p></div>` : nothing}
    <dl class="facts phone__facts">
      ${fact(t('agent.facts.phone'), r.phones?.join(', '))} ${fact(t('agent.facts.email'), r.email && html`<a href="mailto:${r.email}">${r.email}</a>`)} ${fact(t('agent.facts.id'), r.external_id)}
      ${(r.fields ?? []).map(({ label, value }) => fact(label, value))}
    </dl>
    ${r.links?.length ? html`<div class="row row--tight">${r.links.map(({ label, url }) => (safe(url) ? html`<a class="btn btn--line btn--sm" href=${safe(url)!} target="_blank" rel="noopener noreferrer">${icon('external')}${label}</a>` : nothing))}</div>` : nothing}
    <p class="label">${t('phone.customer.from', { source: r.source })}</p>`;
}

function fact(name: string, value: unknown): TemplateResult | typeof nothing {
  return value ? html`<dt>${name}</dt><dd>${value}</dd>` : nothing;
}

function searchForm(people: People): TemplateResult {
  return html`<form class="stack stack--tight" role="search" @submit=${(event: Event) => event.preventDefault()}>
      <div class="field"><label for="find">${t('phone.search.label')}</label>
        <div class="with-icon">${icon('search')}<input class="input" id="find" type="search" autocomplete="off" maxlength="100" data-test="find" .value=${people.words} @input=${(event: Event) => void people.search((event.target as HTMLInputElement).value)} /></div></div>
    </form>
    ${people.found
      ? html`<ul class="stack stack--tight" data-test="found" aria-label=${t('phone.search.results')}>${people.found.map(
          (r) => html`<li class="phone__found"><div class="grow"><b>${r.name || r.company || r.id}</b><span class="small muted phone__sub">${[r.company, r.phones?.[0], r.email].filter(Boolean).join(' · ')}</span></div>
            <button type="button" class="btn btn--line btn--sm" aria-label=${t('phone.search.take.of', { name: r.name || r.id })} ?disabled=${people.busy} @click=${() => void people.choose(r)}>${t('phone.search.take')}</button></li>`,
        )}</ul>
        ${people.found.length === 0 ? html`<p class="small muted">${t('phone.search.nothing')}</p>` : nothing}`
      : nothing}
    <div class="row row--tight"><button type="button" class="btn btn--line btn--sm" data-test="create" @click=${() => people.show('create')}>${icon('user-plus')}${t('phone.create')}</button><button type="button" class="btn btn--ghost btn--sm" @click=${() => people.show('')}>${t('phone.cancel')}</button></div>`;
}

function createForm(people: People, number: string): TemplateResult {
  const field = (name: string, label: string, type: string, value = '', required = false) =>
    html`<div class="field ${people.wrong[name] ? 'field--bad' : ''}"><label for="new-${name}">${label}</label>
      <input class="input" id="new-${name}" name=${name} type=${type} autocomplete="off" maxlength="120" ?required=${required} value=${value} aria-invalid=${people.wrong[name] ? 'true' : 'false'} aria-describedby="new-${name}-why" data-test="new-${name}" />
      ${people.wrong[name] ? html`<span class="why" id="new-${name}-why">${icon('warning')}${people.wrong[name]}</span>` : nothing}</div>`;
  return html`<form class="stack stack--tight" @submit=${(event: Event) => (event.preventDefault(), void people.create(event.target as HTMLFormElement))}>
    ${field('name', t('phone.create.name'), 'text', '', true)} ${field('company', t('phone.create.company'), 'text')} ${field('email', t('agent.facts.email'), 'email')} ${field('phone', t('agent.facts.phone'), 'tel', number)}
    <div class="row row--tight"><button class="btn btn--line btn--sm" data-test="create-save" ?disabled=${people.busy}>${icon('check')}${t('phone.create.save')}</button><button type="button" class="btn btn--ghost btn--sm" @click=${() => people.show('')}>${t('phone.cancel')}</button></div>
  </form>`;
}

/** contactsCard is what was said before, newest first. */
export function contactsCard(contacts: readonly Contact[], outcome: (word: string) => string): TemplateResult | typeof nothing {
  if (contacts.length === 0) return nothing;
  const signs = { call: 'phone', video: 'camera', callback: 'callback' } as const;
  return html`<section class="card" aria-labelledby="before" data-test="contacts"><div class="card__head"><h2 id="before">${t('phone.before')}</h2><span class="count push">${text.number(contacts.length)}</span></div>
    <ul class="card__body stack">${contacts.map(
      (c) => html`<li class="phone__contact">${icon(signs[c.kind] ?? 'phone')}<div class="grow">
        <p class="small"><b>${t(`phone.kind.${c.kind}`)}</b> · <time datetime=${c.at}>${text.day(c.at)}, ${text.time(c.at)}</time></p>
        <p class="small muted">${[c.agent, c.queue, c.outcome && outcome(c.outcome), c.reference].filter(Boolean).join(' · ')}</p>
        ${c.due ? html`<p class="small">${t('phone.callback.due', { time: `${text.day(c.due)}, ${text.time(c.due)}` })}</p>` : nothing} ${c.note ? html`<p class="small phone__words">${c.note}</p>` : nothing}
      </div></li>`,
    )}</ul></section>`;
}
