/** The one connection to the hub: records come in, commands go out. */

import { CLOSED, PROTOCOL } from '../shared/wire.ts';
import { connection, refusal, sendBy, take, welcome } from './state.ts';

/** Pauses before the page tries again, in ms. */
const PAUSES = [250, 500, 1000, 2000, 4000];
const KEY = 'mondo-lab-pass';

/** Lines of a message. The hub checks what it sends; a line that is no JSON means a fault, and is skipped. */
export function linesOf(text: string): Parameters<typeof take>[0] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

/**
 * What lets this page in: `t.` and the token, or `o.` and a code that works once. It comes in the fragment of the
 * address; a reload finds it in the storage of the tab. '': there is none.
 */
export function passIn(hash: string, stored: string | null): string {
  const [, kind, value] = /^#(t|o)=([\w-]+)/.exec(hash) ?? [];
  return kind === undefined ? (stored ?? '') : `${kind}.${value}`;
}

export const hasPass = (hash: string): boolean => /^#[to]=/.test(hash);

/** Takes the pass out of the address bar, where a projector would show it. */
export function takePass(): string {
  const pass = passIn(location.hash, sessionStorage.getItem(KEY));
  sessionStorage.setItem(KEY, pass);
  if (hasPass(location.hash)) {
    const rest = location.hash.replace(/^#[to]=[\w-]*&?/, '');
    history.replaceState(null, '', rest === '' ? location.pathname : `#${rest}`);
  }
  return pass;
}

const tokenTexts = {
  none: 'This address has no token. Copy the whole address that mondo lab has printed: it ends with #t=…',
  wrong:
    'The lab does not accept this address: it has started again since. Copy the address that it has printed.',
} as const;

export function connect(first: string): void {
  let pass = first;
  let tries = 0;
  const refuse = (text: string) => {
    refusal.value = text;
    connection.value = 'refused';
  };
  const again = () => {
    connection.value = connection.peek() === 'connecting' ? 'connecting' : 'lost';
    setTimeout(open, PAUSES[Math.min(tries++, PAUSES.length - 1)]);
  };
  const open = () => {
    const socket = new WebSocket(`ws://${location.host}/`, [PROTOCOL, pass]);
    let isOpen = false;
    socket.addEventListener('open', () => {
      isOpen = true;
      tries = 0;
      connection.value = 'open';
      sendBy((command) => socket.send(JSON.stringify(command)));
    });
    socket.addEventListener('message', ({ data }) => {
      if (typeof data !== 'string') return;
      take(linesOf(data));
      const token = welcome.peek()?.token;
      if (token === undefined || pass === `t.${token}`) return;
      pass = `t.${token}`;
      sessionStorage.setItem(KEY, pass);
    });
    socket.addEventListener('close', async ({ code, reason }) => {
      sendBy(undefined);
      if (code === CLOSED.full || code === CLOSED.tooQuick || code === CLOSED.wrong) {
        refuse(
          `The lab has closed the connection: ${reason}. Load the page again to try once more.`,
        );
      } else if (!isOpen && (await isThere())) refuse(tokenTexts.wrong);
      else {
        if (isOpen) connection.value = 'lost';
        again();
      }
    });
  };
  if (pass === '') refuse(tokenTexts.none);
  else open();
}

/** A browser does not say why an upgrade failed: a lab that gives its pages did not like the token. */
async function isThere(): Promise<boolean> {
  try {
    return (await fetch('/favicon.svg', { cache: 'no-store' })).ok;
  } catch {
    return false;
  }
}
