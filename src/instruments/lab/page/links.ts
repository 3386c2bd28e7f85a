/** The address bar follows the plan that runs; a link that a viewer opens asks for its plan. */

import { effect } from '@preact/signals';
import { linkOf, planOf } from '../shared/scenes.ts';
import { planOfSetup } from './plans.ts';
import { newest, say, send, steers } from './state.ts';

/** The link of an address with a token or of one without. */
export const linkIn = (hash: string): string => {
  const at = hash.indexOf('/s?');
  return at === -1 ? '' : `#${hash.slice(at)}`;
};

/** @param first the fragment that the page was opened with, without the token */
export function followLinks(first: string): void {
  let wanted = first;
  let written = '';
  const ask = () => {
    const plan = planOf(wanted);
    const link = wanted;
    wanted = '';
    if (plan === undefined) return say('The page cannot read the link in the address bar.', true);
    if (link === written) return;
    send({ do: 'plan', plan, scene: '' });
  };
  // A link is obeyed once this viewer steers.
  effect(() => {
    if (steers.value && wanted !== '') ask();
  });
  effect(() => {
    const { setup } = newest.value;
    if (setup === undefined || wanted !== '') return;
    const link = linkOf(planOfSetup(setup));
    if (link === written) return;
    written = link;
    history.replaceState(null, '', link);
  });
  addEventListener('hashchange', () => {
    const link = linkIn(location.hash);
    if (link === '' || link === written) return;
    wanted = link;
    if (steers.peek()) ask();
  });
}
