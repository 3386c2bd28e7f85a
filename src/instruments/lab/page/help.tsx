/** The dialog that lists the keys, and what the signs of the picture mean. */

import { useEffect, useRef } from 'preact/hooks';
import { bindings, onAction } from './keys.ts';

export const signs: readonly (readonly [sign: string, text: string])[] = [
  ['●', 'an honest client: filled while it waits for an answer'],
  ['■', 'a client that says nothing'],
  ['▲', 'a hostile client'],
  ['◆', 'the probe: an honest client, every 250 ms'],
  ['!', 'it waits for 3 s or longer; amber from 1 s on'],
  ['◎', 'a violet ring: others wait for this client'],
  ['▂', 'a bar under a client: bytes that the server has not read'],
  ['▮', 'the thread works'],
  ['▨', 'the thread sleeps for one client'],
  ['⁙', 'the thread sleeps for any client'],
  ['◇', 'the thread sleeps for something else'],
  ['▯', 'the thread wants a processor'],
  ['‖', 'a signal has stopped the thread, and SIGCONT lets it go on'],
  ['✖', 'the thread is stuck: it has been busy with one answer for too long'],
];

/** Beside the keys of the whole page. */
const others: readonly (readonly [cap: string, text: string])[] = [
  ['A to D', 'in the vote: count one hand more for this choice'],
  ['shift', 'in the vote, with A to D: count one hand less'],
  ['R', 'in the vote: show the result, which is hidden until then'],
  [
    'Enter',
    'on a client or a thread of the table: its story; a click on it in the picture does the same',
  ],
];

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(
    () =>
      onAction('keys', () => {
        if (dialog.current?.open) dialog.current.close();
        else dialog.current?.showModal();
      }),
    [],
  );
  return (
    <dialog ref={dialog} aria-labelledby="keys-title">
      <div class="heading">
        <h2 id="keys-title">Keys and signs</h2>
        <button type="button" onClick={() => dialog.current?.close()}>
          close
        </button>
      </div>
      <div class="columns">
        <dl class="keys">
          {[...bindings.map(({ cap, text }) => [cap, text] as const), ...others].map(
            ([cap, text]) => (
              <div key={text}>
                <dt>
                  <kbd>{cap}</kbd>
                </dt>
                <dd>{text}</dd>
              </div>
            ),
          )}
        </dl>
        <dl class="keys">
          {signs.map(([sign, text]) => (
            <div key={sign}>
              <dt>{sign}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      </div>
    </dialog>
  );
}
