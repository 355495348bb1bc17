// The desk: everything the inbox knows, in one place. Elements draw from it
// and are told when it changes. The server is right: a press only asks, and
// what is shown follows from its answer.

import { Emitter } from '../../../web/src/lib/emitter';
import { live } from '../../../web/src/lib/live';
import { Refusal, listen, request, type Account, type Agent, type Change, type Interaction, type Message, type Settings, type Trouble } from './motion';
import { remembered, remember, Ringer } from './ringer';
import { t } from './words';

export type Place = 'waiting' | 'mine' | 'taken' | 'closed';

interface DeskEvents {
  /** Something to draw has changed. */
  change: void;
  /** One sentence for the person, who need not act on it. */
  note: string;
}

interface Rows<T> {
  readonly rows: readonly T[];
}

export class Desk extends Emitter<DeskEvents> {
  settings: Settings = { accounts: [], agents: [], troubles: {} };
  /** False while the stream is down: what is shown may be old, and nothing can be accepted. */
  connected = false;
  /** True once the lists were read. */
  loaded = false;
  /** The interaction that is open; it may be gone from the server. */
  selected: number | undefined;
  readonly ringer = new Ringer();

  #interactions = new Map<number, Interaction>();
  #messages = new Map<number, Map<number, Message>>();
  #me: number | undefined;
  #troubleTimer: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    this.#follow();
    window.addEventListener('hashchange', () => this.#follow());
    listen({
      ready: () => void this.#readAll(),
      change: (change) => this.#take(change),
      down: () => {
        this.connected = false;
        this.#changed();
      },
    });
  }

  /** say shows one sentence for a moment. */
  say(sentence: string): void {
    this.emit('note', sentence);
  }

  get me(): Agent | undefined {
    return this.settings.agents.find((agent) => agent.id === this.#me) ?? this.settings.agents[0];
  }

  /** be makes this window another agent's. */
  be(agent: number): void {
    this.#me = agent;
    remember('agent', String(agent), sessionStorage);
    this.#changed();
  }

  agent(id: number | null | undefined): Agent | undefined {
    return this.settings.agents.find((agent) => agent.id === id);
  }

  account(id: number): Account | undefined {
    return this.settings.accounts.find((account) => account.id === id);
  }

  /** all gives the interactions of one place; those that wait longest come first, else the latest. */
  all(place: Place): Interaction[] {
    const rows = [...this.#interactions.values()].filter((interaction) => this.place(interaction) === place);
    if (place === 'waiting') return rows.sort((a, b) => a.id - b.id);
    return rows.sort((a, b) => b.emulator.revision - a.emulator.revision);
  }

  place(interaction: Interaction): Place {
    if (interaction.closed) return 'closed';
    if (interaction.UserId === null) return 'waiting';
    return interaction.UserId === this.me?.id ? 'mine' : 'taken';
  }

  get current(): Interaction | undefined {
    return this.selected === undefined ? undefined : this.#interactions.get(this.selected);
  }

  messages(id: number): Message[] {
    return [...(this.#messages.get(id)?.values() ?? [])].sort((a, b) => a.id - b.id);
  }

  /** open shows an interaction, or the list; the browser's back button leads back. */
  open(id: number | undefined): void {
    if (id !== undefined) location.hash = String(id);
    else history.pushState(null, '', location.pathname + location.search);
    this.#follow();
  }

  async accept(interaction: Interaction): Promise<void> {
    if (!this.me) return;
    await this.#ask(async () => {
      this.#keep(await request<Interaction>('POST', `/emulator/interactions/${interaction.id}/accept`, { UserId: this.me?.id }));
    });
  }

  async close(interaction: Interaction, disposition: string): Promise<void> {
    await this.#ask(async () => {
      this.#keep(await request<Interaction>('PUT', `/api/openchannel/interactions/${interaction.id}`, { closed: true, disposition }));
    });
  }

  /** reply tells whether the message was taken; whether it arrived is told by the message. */
  async reply(interaction: Interaction, body: string): Promise<boolean> {
    return this.#ask(async () => {
      this.#keepMessage(
        await request<Message>('POST', '/api/openchannel/messages', {
          body,
          OpenchannelAccountId: interaction.OpenchannelAccountId,
          OpenchannelInteractionId: interaction.id,
          ContactId: interaction.Contact.id,
          direction: 'out',
          secret: false,
          UserId: this.me?.id,
        }),
      );
    });
  }

  async trouble(account: number, trouble: Trouble, retryAfter: number): Promise<void> {
    await this.#ask(() => request('POST', '/emulator/trouble', { account, ...trouble, retryAfter }));
    await this.readSettings();
  }

  async readSettings(): Promise<void> {
    try {
      this.settings = await request<Settings>('GET', '/emulator/settings');
    } catch {
      return; // the stream tells when the server is there again
    }
    // A trouble is used up by messages that leave no other trace here.
    clearTimeout(this.#troubleTimer);
    if (Object.keys(this.settings.troubles).length > 0) this.#troubleTimer = setTimeout(() => void this.readSettings(), 1500);
    this.#changed();
  }

  async #ask(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const owner = this.agent(error.owner);
      this.emit('note', owner ? t('taken_by', { name: owner.fullname }) : error.status === 0 ? t('offline') : error.message);
      return false;
    }
  }

  async #readAll(): Promise<void> {
    await this.readSettings();
    if (this.#me === undefined) {
      const wish = Number(new URLSearchParams(location.search).get('agent')) || Number(remembered('agent', sessionStorage));
      this.#me = this.agent(wish)?.id;
    }
    try {
      const { rows } = await request<Rows<Interaction>>('GET', '/api/openchannel/interactions?limit=500');
      const known = new Set(rows.map((row) => row.id));
      for (const id of this.#interactions.keys()) if (!known.has(id)) this.#interactions.delete(id);
      for (const row of rows) this.#keep(row);
    } catch {
      return;
    }
    this.#messages.clear();
    this.connected = true;
    this.loaded = true;
    this.#openFirst();
    await this.#readMessages();
    this.#changed();
  }

  async #readMessages(): Promise<void> {
    const id = this.selected;
    if (id === undefined || this.#messages.has(id) || !this.#interactions.has(id)) return;
    this.#messages.set(id, new Map());
    try {
      const { rows } = await request<Rows<Message>>('GET', `/api/openchannel/interactions/${id}/messages`);
      for (const row of rows) this.#keepMessage(row);
    } catch {
      this.#messages.delete(id);
    }
  }

  #take(change: Change): void {
    const before = this.#interactions.get(change.interaction.id);
    if (!before) live.say(t('says_waiting', { name: nameOf(change.interaction) }));
    else if (change.message?.direction === 'in' && change.interaction.id === this.selected) live.say(t('says_message', { name: nameOf(change.interaction) }));
    this.#keep(change.interaction);
    // Only where the messages were read: elsewhere they are read when opened.
    if (change.message && this.#messages.has(change.interaction.id)) this.#keepMessage(change.message);
    this.#openFirst();
    this.#changed();
  }

  #keep(interaction: Interaction): void {
    const known = this.#interactions.get(interaction.id);
    if (!known || known.emulator.revision <= interaction.emulator.revision) this.#interactions.set(interaction.id, interaction);
    this.#changed();
  }

  #keepMessage(message: Message): void {
    const messages = this.#messages.get(message.OpenchannelInteractionId);
    const known = messages?.get(message.id);
    // An answer that was overtaken by the stream knows less than the stream.
    if (known?.status && known.status !== 'sending' && message.status === 'sending') return;
    messages?.set(message.id, message);
    this.#changed();
  }

  /** On a wide screen something is always open, so that a first request is seen at once. */
  #openFirst(): void {
    if (this.selected !== undefined || !matchMedia('(min-width: 56.01rem)').matches) return;
    const first = this.all('waiting')[0] ?? this.all('mine')[0];
    if (!first) return;
    history.replaceState(null, '', `#${first.id}`);
    this.#follow();
  }

  #follow(): void {
    const id = Number(location.hash.slice(1));
    this.selected = Number.isInteger(id) && id > 0 ? id : undefined;
    void this.#readMessages();
    this.#changed();
  }

  #changed(): void {
    const waiting = this.connected ? this.all('waiting') : [];
    this.ringer.waiting(waiting.map((interaction) => interaction.id));
    document.title = waiting[0] ? t('title_waiting', { n: waiting.length, name: nameOf(waiting[0]) }) : t('title');
    this.emit('change', undefined);
  }
}

/** nameOf is how a contact is called: by name, else by what is known of it. */
export function nameOf(interaction: Interaction): string {
  const { firstName, lastName } = interaction.Contact;
  return [firstName, lastName].filter(Boolean).join(' ') || interaction.emulator.from;
}

export const desk = new Desk();
