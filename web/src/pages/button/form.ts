// The site's questions as a form, in the look of components.css, so that the
// button's panel and the plain link's page show the same one.

import { h, sign } from './dom';
import type { Key, Words } from './words';

export interface FieldSpec {
  readonly name: string;
  readonly type: 'text' | 'email' | 'tel' | 'textarea' | 'consent';
  readonly label?: Readonly<Record<string, string>>;
  readonly required?: boolean;
}

/** Answers is the part of a new meeting that the form fills. */
export interface Answers {
  visitor?: Record<string, string>;
  topic?: string;
  fields?: Record<string, string>;
}

export interface FormOptions {
  fields: readonly FieldSpec[];
  words: Words;
  /** The site's last resort for a label. */
  language?: string;
  /** The address of the privacy notice. */
  privacy?: string;
  /** What was typed before the language changed, or is known beforehand. */
  values?: Readonly<Record<string, string>>;
}

const limits: Record<string, number> = { name: 100, email: 254, phone: 32, topic: 200 };
const autocomplete: Record<string, string> = { name: 'name', email: 'email', phone: 'tel' };
const ticked = 'yes';

type Control = HTMLInputElement | HTMLTextAreaElement;

interface Row {
  readonly spec: FieldSpec;
  readonly box: HTMLElement;
  readonly control: Control;
}

export class Form {
  readonly rows: Row[];

  constructor(private readonly options: FormOptions) {
    this.rows = options.fields.map((spec) => this.#row(spec));
  }

  get lang(): string {
    return this.options.words.lang;
  }

  get elements(): HTMLElement[] {
    return this.rows.map((row) => row.box);
  }

  /** values is what stands in the form now, by field name. */
  values(): Record<string, string> {
    return Object.fromEntries(this.rows.map(({ spec, control }) => [spec.name, spec.type === 'consent' ? ((control as HTMLInputElement).checked ? ticked : 'no') : control.value.trim()]));
  }

  /** check marks what is wrong and goes to the first of it. */
  check(): boolean {
    const values = this.values();
    let first: Control | undefined;
    for (const row of this.rows) {
      const wrong = problem(row.spec, values[row.spec.name] ?? '');
      this.#mark(row, wrong);
      if (wrong) first ??= row.control;
    }
    first?.focus();
    return !first;
  }

  /** refuse marks the field that a JSON pointer of the server names; false if it is none of ours. */
  refuse(pointer: string): boolean {
    const row = this.rows.find(({ spec }) => pointerOf(spec.name) === pointer);
    if (!row) return false;
    this.#mark(row, 'wrong.other');
    row.control.focus();
    return true;
  }

  answers(): Answers {
    const answers: Answers = {};
    for (const [name, value] of Object.entries(this.values())) {
      if (value === '') continue;
      const [, where = '', key = ''] = pointerOf(name).split('/');
      if (where === 'topic') answers.topic = value;
      else if (where === 'visitor') answers.visitor = { ...answers.visitor, [key]: value };
      else answers.fields = { ...answers.fields, [key]: value };
    }
    return answers;
  }

  #row(spec: FieldSpec): Row {
    const { words, values } = this.options;
    const [id, known] = [`f-${spec.name}`, values?.[spec.name] ?? ''];
    const common = { id, name: spec.name, 'aria-required': spec.required ? 'true' : undefined };
    if (spec.type === 'consent') {
      const control = h('input', { ...common, type: 'checkbox', checked: known === ticked });
      return { spec, control, box: h('div', { class: 'field' }, h('label', { class: 'tick' }, control, h('span', {}, ...this.#linked(this.#label(spec))))) };
    }
    const max = String(limits[spec.name] ?? 2000);
    const control =
      spec.type === 'textarea'
        ? h('textarea', { ...common, class: 'input', rows: '3', maxlength: max })
        : h('input', { ...common, class: 'input', type: spec.type, maxlength: max, autocomplete: autocomplete[spec.name] ?? 'off' });
    control.value = known;
    const optional = !spec.required && h('span', { class: 'optional' }, ` (${words.t('field.optional')})`);
    return { spec, control, box: h('div', { class: 'field' }, h('label', { for: id }, this.#label(spec), optional), control) };
  }

  #label({ name, type, label }: FieldSpec): string {
    const { words, language } = this.options;
    const own: Partial<Record<string, Key>> = { name: 'field.name', email: 'field.email', phone: 'field.phone', topic: 'field.topic' };
    const ours = type === 'consent' ? 'field.consent' : own[name];
    return label?.[words.lang] || (ours && words.t(ours)) || label?.[language ?? ''] || Object.values(label ?? {})[0] || name;
  }

  /** #linked turns "… the [privacy notice]." into text around a link; without an address it is plain text. */
  #linked(label: string): (Node | string)[] {
    const { privacy, words } = this.options;
    const parts = /^([^[]*)\[([^\]]+)\](.*)$/s.exec(label);
    if (!privacy) return [parts ? parts[1]! + parts[2]! + parts[3]! : label];
    const link = (text: string) => h('a', { href: privacy, target: '_blank', rel: 'noopener noreferrer' }, text);
    return parts ? [parts[1]!, link(parts[2]!), parts[3]!] : [`${label} `, link(words.t('panel.privacy'))];
  }

  #mark({ box, control, spec }: Row, wrong: Key | undefined): void {
    box.querySelector('.why')?.remove();
    box.classList.toggle('field--bad', !!wrong);
    control.toggleAttribute('aria-invalid', false);
    control.removeAttribute('aria-describedby');
    if (!wrong) return;
    const id = `why-${spec.name}`;
    box.append(h('p', { class: 'why', id }, sign('warning'), h('span', {}, this.options.words.t(wrong))));
    control.setAttribute('aria-invalid', 'true');
    control.setAttribute('aria-describedby', id);
  }
}

/** pointerOf is where a field goes in the body of a new meeting. */
function pointerOf(name: string): string {
  if (name === 'topic') return '/topic';
  return name === 'name' || name === 'email' || name === 'phone' ? `/visitor/${name}` : `/fields/${name}`;
}

function problem({ name, type, required }: FieldSpec, value: string): Key | undefined {
  if (type === 'consent') return required && value !== ticked ? 'wrong.tick' : undefined;
  if (value === '') return required ? 'wrong.empty' : undefined;
  if (value.length > (limits[name] ?? 2000)) return 'wrong.long';
  if (type === 'email' && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value)) return 'wrong.email';
  if (type === 'tel' && !/^\+?[\d\s().\-/]{5,}$/.test(value)) return 'wrong.phone';
  return undefined;
}
