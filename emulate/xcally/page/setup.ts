// The set-up of the stand-in: the addresses of its accounts, and trouble on
// request, to see what a connector does when Motion is not well.

import { customElement, html, nothing } from 'lit';
import { icon } from '../../../web/src/lib/icon';
import { receiveURL } from './conversation';
import { desk } from './desk';
import { DeskElement } from './element';
import type { Trouble, TroubleKind } from './motion';
import { t } from './words';

type Choice = 'busy' | 'limit' | 'refused' | 'hang' | 'reset' | 'lost';

const choices: Record<Choice, { kind: TroubleKind; status?: number; retryAfter?: number; afterStoring?: boolean }> = {
  busy: { kind: 'status', status: 503, retryAfter: 5 },
  limit: { kind: 'status', status: 429, retryAfter: 10 },
  refused: { kind: 'status', status: 401 },
  hang: { kind: 'hang' },
  reset: { kind: 'reset' },
  lost: { kind: 'reset', afterStoring: true },
};

@customElement('motion-setup')
export class MotionSetup extends DeskElement {
  /** show opens the dialog. */
  show(): void {
    void desk.readSettings();
    this.querySelector('dialog')?.showModal();
  }

  protected override render(): unknown {
    return html`<dialog class="dialog in-setup" aria-labelledby="setup-title" @click=${this.#outside}>
      <header class="row row--keep"><h2 id="setup-title" class="grow">${t('setup')}</h2>
        <button class="btn btn--ghost btn--sm btn--icon" aria-label=${t('done')} @click=${this.#hide}>${icon('close')}</button></header>
      <p class="small muted">${t('setup_about')}</p>
      <ul class="stack">${desk.settings.accounts.map(
        (account) => html`<li class="well stack stack--tight">
          <div class="row"><h3 class="grow">${account.name} <span class="ref">#${account.id}</span></h3>
            ${account.replies
              ? html`<span class="pill pill--live">${icon('check')}${t('replies_on')}</span>`
              : html`<span class="pill pill--weak">${icon('warning')}${t('replies_off')}</span>`}</div>
          ${receiveURL(account.receiveUrl, t('receive_url'))}
          <p class="small muted">${t('map_key')} <code>${account.mapKey}</code></p>
        </li>`,
      )}</ul>
      <hr class="rule" />
      <form class="stack stack--tight" @submit=${this.#make} aria-labelledby="trouble-title">
        <h3 id="trouble-title">${t('trouble')}</h3>
        <p class="small muted">${t('trouble_about')}</p>
        <div class="in-setup__grid">
          ${desk.settings.accounts.length > 1
            ? html`<div class="field"><label for="tr-account">${t('account')}</label><select id="tr-account" name="account" class="input input--sm">
                ${desk.settings.accounts.map((account) => html`<option value=${account.id}>${account.name}</option>`)}</select></div>`
            : nothing}
          <div class="field"><label for="tr-kind">${t('trouble_kind')}</label><select id="tr-kind" name="kind" class="input input--sm">
            ${(Object.keys(choices) as Choice[]).map((choice) => html`<option value=${choice}>${t(`trouble_${choice}`)}</option>`)}</select></div>
          <div class="field"><label for="tr-times">${t('trouble_times')}</label><select id="tr-times" name="times" class="input input--sm">
            ${[1, 3, 10, 100].map((times) => html`<option value=${times}>${t('messages_n', { n: times })}</option>`)}</select></div>
        </div>
        <div class="dialog__acts"><button class="btn btn--line btn--sm">${icon('warning')}${t('trouble_start')}</button></div>
      </form>
    </dialog>`;
  }

  #hide = (): void => this.querySelector('dialog')?.close();

  /** A press beside the dialog closes it. */
  #outside = (event: Event): void => {
    if (event.target === this.querySelector('dialog')) this.#hide();
  };

  #make = (event: Event): void => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const choice = choices[form.get('kind') as Choice];
    const account = Number(form.get('account') ?? desk.settings.accounts[0]?.id);
    const trouble: Trouble = { kind: choice.kind, times: Number(form.get('times')), status: choice.status ?? 0, afterStoring: choice.afterStoring ?? false };
    void desk.trouble(account, trouble, choice.retryAfter ?? 0);
    this.#hide();
  };
}

/** troubleLine tells that trouble is on, and ends it. */
export function troubleLine(): unknown {
  return Object.entries(desk.settings.troubles).map(([id, trouble]) => {
    const what = trouble.kind === 'status' ? `HTTP ${trouble.status}` : t(trouble.afterStoring ? 'trouble_lost' : `trouble_${trouble.kind}`);
    const account = desk.account(Number(id))?.name ?? id;
    return html`<div class="banner banner--warn banner--edge in-trouble" role="status">${icon('warning')}
      <p>${t('trouble_on', { n: trouble.times, account, what })}</p>
      <button class="btn btn--line btn--sm" @click=${() => void desk.trouble(Number(id), { ...trouble, times: 0 }, 0)}>${t('trouble_end')}</button></div>`;
  });
}
