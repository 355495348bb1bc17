// The reference of the API, drawn from /openapi.json by this page alone.

import './docs.css';
import { html, nothing, type TemplateResult } from 'lit';
import { call } from '../../lib/api';
import { PageElement } from '../../lib/element';
import { icon } from '../../lib/icon';
import { languagePicker } from '../../lib/parts';
import { setTheme, themeFrom } from '../../lib/theme';
import { t } from '../../lib/words';
import { Reference, type Chapter, type Door, type Parameter, type Schema, type Spec } from './spec';

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

/** prose draws the little Markdown of descriptions: paragraphs, `code`, *stress*. */
function prose(text: string | undefined): unknown {
  if (!text) return nothing;
  return text.trim().split(/\n\s*\n/).map((paragraph) => html`<p>${inline(paragraph)}</p>`);
}

function inline(text: string | undefined): unknown[] {
  return (text ?? '').split(/(`[^`]+`|\*[^*\s][^*]*\*)/).map((part) => {
    if (part.length > 2 && part.startsWith('`')) return html`<code>${part.slice(1, -1)}</code>`;
    if (part.length > 2 && part.startsWith('*')) return html`<em>${part.slice(1, -1)}</em>`;
    return part;
  });
}

/** bounds says in a line what a value may be. */
function bounds(schema: Schema): unknown[] {
  const parts: unknown[] = [];
  if (schema.enum) parts.push(html`${schema.enum.map((value, i) => html`${i ? ' · ' : ''}<code>${value === '' ? '""' : String(value)}</code>`)}`);
  if (schema.minLength !== undefined && schema.minLength > 1) parts.push(t('docs.minLength', { n: schema.minLength }));
  if (schema.maxLength !== undefined) parts.push(t('docs.maxLength', { n: schema.maxLength }));
  if (schema.minimum !== undefined && schema.maximum !== undefined) parts.push(`${schema.minimum} – ${schema.maximum}`);
  else if (schema.minimum !== undefined) parts.push(`≥ ${schema.minimum}`);
  if (schema.default !== undefined) parts.push(html`${t('docs.default')} <code>${String(schema.default)}</code>`);
  return parts.flatMap((part, i) => (i ? [' · ', part] : [part]));
}

class DocsPage extends PageElement {
  #reference: Reference | undefined;
  #lost = false;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.#reference = new Reference(await call<Spec>('/openapi.json'));
      this.#lost = false;
    } catch {
      this.#lost = true;
    }
    this.requestUpdate();
    await this.updateComplete;
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target) target.scrollIntoView();
  }

  protected override render(): TemplateResult {
    document.title = t('docs.document');
    const reference = this.#reference;
    return html`<a class="skip" href="#main">${t('page.skip')}</a>
      <header class="docs__head">
        <a class="mark" href="/">${icon('mark')}<span>Ringdown</span></a><span class="tag">API ${reference?.spec.info.version}</span>
        <span class="row row--tight row--keep push"><a class="btn btn--line btn--sm" href="/openapi.json" download>${icon('download')}OpenAPI</a>${languagePicker()}</span>
      </header>
      ${reference ? this.#book(reference) : html`<main id="main" class="docs__wait">${this.#lost ? this.#offline() : html`<p class="muted" role="status">${t('docs.loading')}</p>`}</main>`}`;
  }

  #offline(): TemplateResult {
    return html`<div class="banner banner--bad" role="alert">${icon('warning')}<p>${t('docs.offline')}</p><button type="button" class="btn btn--line btn--sm" @click=${() => void this.#load()}>${t('page.again')}</button></div>`;
  }

  #book(reference: Reference): TemplateResult {
    const { chapters, spec } = reference;
    return html`<div class="docs">
      <nav class="docs__nav" aria-label=${t('docs.contents')}>
        ${chapters.map((chapter) => html`<h2 class="label"><a href="#${chapter.name}">${chapter.name}</a></h2>
          <ul>${chapter.doors.map((door) => html`<li><a href="#${door.operation.operationId}"><span class="verb verb--${door.method}">${door.method}</span><span>${door.operation.summary}</span></a></li>`)}</ul>`)}
      </nav>
      <main id="main" class="docs__main" lang="en">
        <section class="stack"><h1>${spec.info.title} API</h1><div class="stack stack--tight docs__prose">${prose(spec.info.description)}</div>${this.#keys(spec)}</section>
        ${chapters.map((chapter) => this.#chapter(reference, chapter))}
      </main>
    </div>`;
  }

  #keys(spec: Spec): TemplateResult {
    const schemes = Object.entries(spec.components.securitySchemes ?? {});
    return html`<section class="card" id="keys"><div class="card__head"><h2>${t('docs.keys')}</h2></div>
      <dl class="card__body facts">${schemes.map(([name, scheme]) => html`<dt>${this.#keyName(name)}</dt><dd><code>${scheme.type === 'http' ? 'Authorization: Bearer …' : `${scheme.name}: …`}</code><br />${inline(scheme.description)}</dd>`)}</dl>
    </section>`;
  }

  #keyName(name: string): string {
    switch (name) {
      case 'siteKey': return t('docs.key.site');
      case 'session': return t('docs.key.session');
      case 'apiKey': return t('docs.key.api');
      default: return name;
    }
  }

  #chapter(reference: Reference, chapter: Chapter): TemplateResult {
    return html`<section class="docs__chapter" id=${chapter.name} aria-label=${chapter.name}>
      <div><h2 class="docs__tag">${chapter.name}</h2><p class="muted">${inline(chapter.description)}</p></div>
      ${chapter.doors.map((door) => this.#door(reference, door))}
    </section>`;
  }

  #door(reference: Reference, door: Door): TemplateResult {
    const { operation, parameters } = door;
    const body = operation.requestBody?.content;
    return html`<article class="card door" id=${operation.operationId} aria-labelledby="${operation.operationId}-h">
      <header class="door__head"><h3 id="${operation.operationId}-h">${operation.summary}</h3><p class="door__path"><span class="verb verb--${door.method}">${door.method}</span><code>${door.path.split('/').map((part, i) => html`${i ? '/' : ''}<wbr />${part}`)}</code></p></header>
      <div class="door__body">
        <div class="stack door__words">
          ${operation.description ? html`<div class="stack stack--tight docs__prose">${prose(operation.description)}</div>` : nothing}
          <p class="row row--tight small"><span class="label">${t('docs.who')}</span>${this.#who(operation.security)}</p>
          ${parameters.length ? this.#parameters(reference, parameters) : nothing}
          ${body ? html`<div><h4 class="label">${t('docs.body')}</h4>${this.#content(reference, body)}</div>` : nothing}
          ${this.#answers(reference, door)}
        </div>
        ${this.#example(reference, door)}
      </div>
    </article>`;
  }

  #who(security: Door['operation']['security']): unknown {
    const names = (security ?? []).flatMap((way) => Object.keys(way));
    return names.length ? names.map((name) => html`<span class="tag">${icon('lock')}${this.#keyName(name)}</span>`) : html`<span class="tag">${t('docs.anyone')}</span>`;
  }

  #parameters(reference: Reference, parameters: readonly Parameter[]): TemplateResult {
    return html`<div><h4 class="label">${t('docs.parameters')}</h4>
      <ul class="members">${parameters.map((p) => this.#member(reference, p.name, p.schema ?? {}, !!p.required, p.description, t(`docs.in.${p.in}`)))}</ul>
    </div>`;
  }

  #content(reference: Reference, content: Content): TemplateResult {
    const schema = Object.values(content)[0]?.schema ?? {};
    return this.#members(reference, schema) ?? html`<p class="small"><code>${reference.typeName(schema)}</code></p>`;
  }

  #members(reference: Reference, schema: Schema): TemplateResult | undefined {
    const found = reference.inner(schema);
    if (!found?.properties) return undefined;
    return html`<ul class="members">${Object.entries(found.properties).map(([name, member]) => this.#member(reference, name, member, !!found.required?.includes(name), member.description))}</ul>`;
  }

  #member(reference: Reference, name: string, schema: Schema, required: boolean, description?: string, where?: string): TemplateResult {
    const found = reference.whole(schema);
    const inner = reference.inner(schema) ? schema : undefined;
    const limits = bounds(found);
    return html`<li>
      <p class="member"><code class="member__name">${name}</code><span class="muted">${reference.typeName(schema)}</span>${where ? html`<span class="muted">${where}</span>` : nothing}${required ? html`<span class="member__must">${t('docs.required')}</span>` : nothing}</p>
      ${description ?? found.description ? html`<p>${inline(description ?? found.description)}</p>` : nothing}
      ${limits.length ? html`<p class="muted">${limits}</p>` : nothing}
      ${inner ? html`<details><summary>${t('docs.members')}</summary>${this.#members(reference, inner)}</details>` : nothing}
    </li>`;
  }

  #answers(reference: Reference, { operation }: Door): TemplateResult {
    return html`<div><h4 class="label">${t('docs.answers')}</h4>
      <ul class="members">${Object.entries(operation.responses).map(([status, given]) => {
        const answer = reference.resolve(given);
        const schema = Object.values(answer.content ?? {})[0]?.schema;
        const members = schema && this.#members(reference, schema);
        return html`<li><p class="member"><code class="member__name">${status === 'default' ? t('docs.otherwise') : status}</code>${schema ? html`<span class="muted">${reference.typeName(schema)}</span>` : nothing}</p><p>${inline(answer.description)}</p>${members ? html`<details><summary>${t('docs.members')}</summary>${members}</details>` : nothing}</li>`;
      })}</ul>
    </div>`;
  }

  #example(reference: Reference, door: Door): TemplateResult {
    const { operation, method, path } = door;
    const names = (operation.security ?? []).flatMap((way) => Object.keys(way));
    const lines = [`curl ${method === 'get' ? '' : `-X ${method.toUpperCase()} `}${location.origin}${path}`];
    if (names.includes('apiKey')) lines.push(`-H 'Authorization: Bearer rk_…'`);
    else if (names.includes('session')) lines.push(`-H 'Authorization: Bearer …'`);
    else if (names.includes('siteKey')) lines.push(`-H 'Ringdown-Site: pk_…'`, `-H 'Origin: https://shop.example'`);
    const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
    if (body?.format === 'binary') lines.push(`--data-binary @lamp.jpg`);
    else if (body) lines.push(`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(reference.sample(body), null, 2)}'`);
    const answer = Object.values(operation.responses).map((given) => Object.values(reference.resolve(given).content ?? {})[0]?.schema)[0];
    return html`<div class="door__side">
      <h4 class="label">${t('docs.request')}</h4><pre class="code" tabindex="0">${lines.join(' \\\n  ')}</pre>
      ${answer ? html`<details><summary class="label">${t('docs.answer')}</summary><pre class="code" tabindex="0">${JSON.stringify(reference.sample(answer), null, 2)}</pre></details>` : nothing}
    </div>`;
  }
}

setTheme(themeFrom(location.search));
customElements.define('docs-page', DocsPage);
