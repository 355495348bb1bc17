// The part of Lit 3.3.3's types that the pages use. Written by hand: the
// vendored file is one bundle and the package's own types are forty files.

export interface TemplateResult {
  readonly _$litType$: 1 | 2;
  readonly strings: TemplateStringsArray;
  readonly values: readonly unknown[];
}
export interface DirectiveResult {
  readonly _$litDirective$: unknown;
}
export interface CSSResult {
  readonly cssText: string;
  readonly styleSheet: CSSStyleSheet | undefined;
}
export type CSSResultGroup = CSSResult | CSSStyleSheet | readonly CSSResultGroup[];

export declare const nothing: unique symbol;
export declare const noChange: unique symbol;
/** What a child position of a template takes. */
export type Part = TemplateResult | DirectiveResult | typeof nothing | Node | string | number | undefined | null | readonly Part[];

export declare function html(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;
export declare function svg(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;
export declare function css(strings: TemplateStringsArray, ...values: readonly (CSSResult | number)[]): CSSResult;
export declare function unsafeCSS(value: string): CSSResult;
export declare function render(value: unknown, container: HTMLElement | DocumentFragment, options?: { renderBefore?: ChildNode | null; host?: object }): unknown;

export interface ReactiveController {
  hostConnected?(): void;
  hostDisconnected?(): void;
  hostUpdate?(): void;
  hostUpdated?(): void;
}
export type PropertyValues<T = Record<PropertyKey, unknown>> = Map<keyof T, unknown>;
export interface PropertyDeclaration<T = unknown> {
  attribute?: boolean | string;
  type?: unknown;
  reflect?: boolean;
  state?: boolean;
  converter?: { fromAttribute?(value: string | null): T; toAttribute?(value: T): string | null };
  hasChanged?(value: T, old: T): boolean;
}

export declare class ReactiveElement extends HTMLElement {
  static styles?: CSSResultGroup;
  static properties: Record<string, PropertyDeclaration>;
  readonly renderRoot: HTMLElement | ShadowRoot;
  readonly isUpdatePending: boolean;
  readonly hasUpdated: boolean;
  readonly updateComplete: Promise<boolean>;
  addController(controller: ReactiveController): void;
  removeController(controller: ReactiveController): void;
  requestUpdate(name?: PropertyKey, old?: unknown): void;
  connectedCallback(): void;
  disconnectedCallback(): void;
  attributeChangedCallback(name: string, old: string | null, value: string | null): void;
  protected createRenderRoot(): HTMLElement | DocumentFragment;
  protected shouldUpdate(changed: PropertyValues): boolean;
  protected willUpdate(changed: PropertyValues): void;
  protected update(changed: PropertyValues): void;
  protected firstUpdated(changed: PropertyValues): void;
  protected updated(changed: PropertyValues): void;
}
export declare class LitElement extends ReactiveElement {
  protected render(): unknown;
}

// Standard decorators: a property is written `@state() accessor open = false`.
type Decorated<C, V> = (target: ClassAccessorDecoratorTarget<C, V>, context: ClassAccessorDecoratorContext<C, V>) => ClassAccessorDecoratorResult<C, V>;
export declare function customElement(name: string): <T extends CustomElementConstructor>(target: T, context: ClassDecoratorContext<T>) => void;
export declare function property(options?: PropertyDeclaration): <C extends ReactiveElement, V>(...args: Parameters<Decorated<C, V>>) => ReturnType<Decorated<C, V>>;
export declare function state(options?: Pick<PropertyDeclaration, 'hasChanged'>): <C extends ReactiveElement, V>(...args: Parameters<Decorated<C, V>>) => ReturnType<Decorated<C, V>>;
export declare function query(selector: string, cache?: boolean): <C extends ReactiveElement, V extends Element | null>(...args: Parameters<Decorated<C, V>>) => ReturnType<Decorated<C, V>>;

export declare function repeat<T>(items: Iterable<T>, key: (item: T, index: number) => unknown, template: (item: T, index: number) => unknown): DirectiveResult;
export declare function live(value: unknown): DirectiveResult;
export interface Ref<T = Element> { readonly value?: T }
export declare function createRef<T = Element>(): Ref<T>;
export declare function ref(to: Ref | ((element: Element | undefined) => void)): DirectiveResult;
export declare function classMap(classes: Readonly<Record<string, string | boolean | number>>): DirectiveResult;
export declare function ifDefined<T>(value: T): NonNullable<T> | typeof nothing;
export declare function unsafeHTML(value: string): DirectiveResult;
