// Calling back later: quick times, or one of one's own.

import { html, nothing, type TemplateResult } from 'lit';
import { icon } from '../../lib/icon';
import { t, text } from '../../lib/words';

export interface LaterActs {
  open(open: boolean): void;
  at(when: Date): void;
  cancel(): void;
}

/** quick are the times that are asked for most: in an hour, and the next two half days. */
export function quick(now: Date): Date[] {
  const at = (days: number, hour: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const hour = new Date(now.getTime() + 60 * 60_000);
  hour.setMinutes(Math.ceil(hour.getMinutes() / 5) * 5, 0, 0);
  return [hour, ...[at(0, 14), at(1, 9), at(1, 14)].filter((d) => d.getTime() > now.getTime() + 90 * 60_000)].slice(0, 3);
}

const words = (when: Date): string => `${text.day(when)}, ${text.time(when)}`;

/** localValue is a time as an input of local time has it: 2026-11-25T14:30. */
export function localValue(d: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`;
}

export function laterCard(due: string | undefined, open: boolean, busy: boolean, acts: LaterActs): TemplateResult | typeof nothing {
  if (due && !open) {
    return html`<section class="card card__body row" data-test="callback" aria-label=${t('phone.later')}>${icon('callback')}<p class="grow small"><b>${t('phone.callback.due', { time: words(new Date(due)) })}</b></p>
      <button type="button" class="btn btn--ghost btn--sm" ?disabled=${busy} @click=${acts.cancel}>${t('phone.cancel')}</button></section>`;
  }
  if (!open) return nothing;
  const now = new Date();
  return html`<section class="card" aria-labelledby="later" data-test="callback"><div class="card__head"><h2 id="later" tabindex="-1">${t('phone.later')}</h2><button type="button" class="btn btn--icon btn--sm push" aria-label=${t('page.close')} @click=${() => acts.open(false)}>${icon('close')}</button></div>
    <div class="card__body stack stack--tight">
      <div class="row row--tight">${quick(now).map((when) => html`<button type="button" class="btn btn--line btn--sm" data-test="callback-quick" ?disabled=${busy} @click=${() => acts.at(when)}>${words(when)}</button>`)}</div>
      <form class="row row--tight phone__at" @submit=${(event: Event) => {
        event.preventDefault();
        const value = new FormData(event.target as HTMLFormElement).get('at');
        if (value) acts.at(new Date(String(value)));
      }}>
        <div class="field grow"><label for="at">${t('phone.later.at')}</label><input class="input input--sm" id="at" name="at" type="datetime-local" required min=${localValue(now)} data-test="callback-at" /></div>
        <button class="btn btn--line btn--sm" ?disabled=${busy}>${icon('check')}${t('phone.later.set')}</button>
      </form>
    </div></section>`;
}
