import { customElement, html, nothing, property, repeat, state, type TemplateResult } from 'lit';
import { remembered } from '../lib/devices';
import { PageElement } from '../lib/element';
import { icon } from '../lib/icon';
import { t } from '../lib/words';
import { track } from './people';
import type { Room } from './room';

type Player = HTMLAudioElement & { setSinkId?(id: string): Promise<void> };

/**
 * The sound of everybody else, one element for each source, so that no picture
 * that moves about on the stage interrupts a word. Where the browser holds sound
 * back until a click, a button says so.
 */
@customElement('call-ears')
export class CallEars extends PageElement {
  @property({ attribute: false }) accessor room!: Room;
  @state() private accessor held = false;
  #speaker = remembered().speaker ?? '';
  #release?: () => void;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#release = this.room.on('change', () => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#release?.();
  }

  /** speaker sends all sound to another device. */
  speaker(id: string): void {
    this.#speaker = id;
    for (const player of this.#players) this.#send(player);
  }

  get #players(): Player[] {
    return [...this.querySelectorAll<Player>('audio')];
  }

  #send(player: Player): void {
    void player.setSinkId?.(this.#speaker).catch(() => {}); // unplugged meanwhile: the system's speaker plays
  }

  protected override updated(): void {
    const tracks = new Map(this.#sounds.map(({ key, media }) => [key, media]));
    for (const player of this.#players) {
      const media = tracks.get(player.dataset['key'] ?? '');
      if (!media || (player.srcObject as MediaStream | null)?.getTracks()[0] === media) continue;
      player.srcObject = new MediaStream([media]);
      if (this.#speaker) this.#send(player);
      void this.#listen(player);
    }
  }

  get #sounds(): { key: string; media: MediaStreamTrack }[] {
    return this.room.others.flatMap((p) =>
      (['microphone', 'screen_audio'] as const).flatMap((source) => {
        const media = track(p, source)?.track;
        return media ? [{ key: `${p.id}/${source}`, media }] : [];
      }),
    );
  }

  async #listen(player: Player): Promise<void> {
    try {
      await player.play();
      this.held = false;
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.held = true;
    }
  }

  #tapped = (): void => {
    this.held = false;
    for (const player of this.#players) if (player.srcObject) void this.#listen(player);
  };

  protected override render(): TemplateResult {
    return html`${repeat(this.#sounds, ({ key }) => key, ({ key }) => html`<audio data-test="remote-audio" data-key=${key} autoplay></audio>`)}
      ${this.held ? html`<button type="button" class="btn btn--primary btn--lg call__tap" data-test="tap-to-hear" @click=${this.#tapped}>${icon('speaker')}${t('call.tap-to-hear')}</button>` : nothing}`;
  }
}
