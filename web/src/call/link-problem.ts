// A link that does not open anything: why, and what to do.

import { html, nothing, type TemplateResult } from 'lit';
import type { Problem } from '../lib/api';
import { icon } from '../lib/icon';
import { theLine } from '../lib/parts';
import { t } from '../lib/words';

export type LinkProblem = 'incomplete' | 'wrong' | 'expired' | 'revoked' | 'too_many' | 'network';

/** linkProblem names what happened to a link by the answer to it. */
export function linkProblem(problem: Problem): LinkProblem {
  switch (problem.code) {
    case 'link_expired':
    case 'meeting_ended':
      return 'expired';
    case 'link_revoked':
      return 'revoked';
    case 'too_many':
      return 'too_many';
    default:
      return problem.status >= 400 && problem.status < 500 ? 'wrong' : 'network';
  }
}

/** linkPage says it. Only what may pass by itself can be tried again. */
export function linkPage(why: LinkProblem, again: () => void, more: unknown = nothing): TemplateResult {
  const passes = why === 'network' || why === 'too_many';
  return html`<div class="stack stack--loose single" data-test="link-problem" data-problem=${why}>
    ${theLine('failed', icon('user'), icon(why === 'expired' ? 'clock' : why === 'network' ? 'refresh' : 'link'))}
    <div class="stack stack--tight"><h1 tabindex="-1">${t(`link.${why}`)}</h1><p class="lead">${t(`link.${why}.why`)}</p></div>
    ${passes ? html`<button type="button" class="btn btn--primary btn--lg single__act" data-test="try-again" @click=${again}>${icon('refresh')}${t('page.try-again')}</button>` : nothing} ${more}
  </div>`;
}
