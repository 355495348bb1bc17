// The part of an OpenAPI 3.0 document that the reference shows.

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
}

export interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: 'query' | 'header' | 'path';
  readonly description?: string;
  readonly required?: boolean;
  readonly schema?: Schema;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

export interface Answer extends Content {
  readonly $ref?: string;
  readonly description?: string;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Answer>>;
}

export interface Scheme {
  readonly type: string;
  readonly name?: string;
  readonly description?: string;
}

export interface Spec {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: { readonly securitySchemes?: Readonly<Record<string, Scheme>>; readonly schemas?: Readonly<Record<string, Schema>> };
}

/** Door is one operation with where it is. */
export interface Door {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
  readonly parameters: readonly Parameter[];
}

export interface Chapter {
  readonly name: string;
  readonly description: string;
  readonly doors: readonly Door[];
}

const methods = ['get', 'post', 'put', 'patch', 'delete'];

export class Reference {
  constructor(readonly spec: Spec) {}

  /** chapters are the operations by their first tag, in the order of the document. */
  get chapters(): Chapter[] {
    const doors = Object.entries(this.spec.paths).flatMap(([path, item]) =>
      methods.filter((method) => method in item).map((method): Door => {
        const operation = item[method] as Operation;
        const shared = (item['parameters'] ?? []) as Parameter[];
        return { method, path, operation, parameters: [...shared, ...(operation.parameters ?? [])].map((p) => this.resolve(p)) };
      }),
    );
    const tags = this.spec.tags ?? [...new Set(doors.map((door) => door.operation.tags?.[0] ?? ''))].map((name) => ({ name }));
    return tags.map((tag) => ({
      name: tag.name,
      description: 'description' in tag ? (tag.description ?? '') : '',
      doors: doors.filter((door) => (door.operation.tags?.[0] ?? '') === tag.name),
    }));
  }

  /** resolve follows a $ref inside the document. */
  resolve<T extends { readonly $ref?: string }>(value: T): T {
    let found: unknown = value;
    for (let hops = 0; hops < 8; hops++) {
      const ref = (found as { $ref?: string } | undefined)?.$ref;
      if (!ref?.startsWith('#/')) break;
      found = ref.slice(2).split('/').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], this.spec);
    }
    return (found ?? {}) as T;
  }

  /** whole is a schema with its parts of allOf put together. */
  whole(schema: Schema): Schema {
    const found = this.resolve(schema);
    if (!found.allOf) return found;
    return found.allOf.map((part) => this.whole(part)).reduce((all, part) => ({ ...all, ...part, properties: { ...all.properties, ...part.properties }, required: [...(all.required ?? []), ...(part.required ?? [])] }), {} as Schema);
  }

  /** typeName is what stands in a table for a schema: "string", "list of Message". */
  typeName(schema: Schema): string {
    const name = schema.$ref?.split('/').at(-1);
    const found = this.whole(schema);
    if (found.type === 'array') return `${found.items ? this.typeName(found.items) : 'any'}[]`;
    if (found.type === 'object' || found.properties) return name ?? 'object';
    return [found.type ?? 'any', found.format && `(${found.format})`].filter(Boolean).join(' ');
  }

  /** inner is the schema whose members belong under a member: its own, or its items'. */
  inner(schema: Schema): Schema | undefined {
    const found = this.whole(schema);
    if (found.type === 'array') return found.items && this.inner(found.items);
    return found.properties && Object.keys(found.properties).length ? found : undefined;
  }

  /** sample is a value that fits a schema, as an example to start from. */
  sample(schema: Schema, name = '', depth = 0): unknown {
    const found = this.whole(schema);
    if (found.default !== undefined) return found.default;
    if (found.enum) return found.enum.find((value) => value !== '') ?? found.enum[0];
    if (found.type === 'array') return depth > 3 || !found.items ? [] : [this.sample(found.items, name, depth + 1)];
    if (found.properties) {
      if (depth > 3) return {};
      return Object.fromEntries(Object.entries(found.properties).map(([key, member]) => [key, this.sample(member, key, depth + 1)]));
    }
    if (found.type === 'object') return { key: 'value' };
    if (found.type === 'integer' || found.type === 'number') return found.minimum ?? 0;
    if (found.type === 'boolean') return true;
    return samples[name] ?? (found.format === 'date-time' ? '2026-05-04T09:30:00Z' : '…');
  }
}

const samples: Readonly<Record<string, string>> = {
  name: 'Anna Ferri', email: 'anna@example.org', phone: '+33612345678', external_id: 'C-1042', topic: 'Onda pendant lamp', queue: 'sales',
  url: 'https://shop.example/onda', title: 'Onda pendant lamp', redirect_url: 'https://shop.example/thanks', text: 'Good morning', id: 'mtg_…', secret: '…',
};
