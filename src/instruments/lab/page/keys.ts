/** The keys of the page: what each does, in the order of the dialog that lists them. */

export type Action =
  | 'pause'
  | 'back'
  | 'forward'
  | 'back-1s'
  | 'forward-1s'
  | 'rewind'
  | 'live'
  | 'slower'
  | 'faster'
  | 'scene'
  | 'restart'
  | 'recording'
  | 'attacks'
  | 'defences'
  | 'code'
  | 'timeline'
  | 'outside'
  | 'table'
  | 'projector'
  | 'export'
  | 'mission'
  | 'vote'
  | 'nc'
  | 'keys'
  | 'close';

export interface Binding {
  readonly key: string;
  readonly hasShift?: true;
  readonly action: Action;
  /** How the dialog writes the key. */
  readonly cap: string;
  readonly text: string;
}

export const bindings: readonly Binding[] = [
  { key: ' ', action: 'pause', cap: 'space', text: 'pause, and go on' },
  { key: 'ArrowLeft', action: 'back', cap: '←', text: 'one event back' },
  { key: 'ArrowRight', action: 'forward', cap: '→', text: 'one event forward' },
  { key: 'ArrowLeft', hasShift: true, action: 'back-1s', cap: 'shift ←', text: 'one second back' },
  {
    key: 'ArrowRight',
    hasShift: true,
    action: 'forward-1s',
    cap: 'shift →',
    text: 'one second forward',
  },
  { key: 'z', action: 'rewind', cap: 'Z', text: 'go 10 s back, and play' },
  { key: 'l', action: 'live', cap: 'L', text: 'go to now' },
  { key: '[', action: 'slower', cap: '[', text: 'play more slowly' },
  { key: ']', action: 'faster', cap: ']', text: 'play faster' },
  { key: '1', action: 'scene', cap: '1 to 9', text: 'start a scene of the lecture' },
  {
    key: 'r',
    action: 'restart',
    cap: 'R',
    text: 'start the scene again',
  },
  { key: 'b', action: 'recording', cap: 'B', text: 'play the recording of the scene' },
  {
    key: 'n',
    action: 'nc',
    cap: 'N',
    text: 'one more silent client, as the program nc would be: it connects, and asks nothing',
  },
  { key: 'a', action: 'attacks', cap: 'A', text: 'attacks' },
  { key: 'd', action: 'defences', cap: 'D', text: 'defences' },
  { key: 'c', action: 'code', cap: 'C', text: 'code' },
  { key: 'o', action: 'outside', cap: 'O', text: 'the same, seen from outside' },
  { key: 't', action: 'timeline', cap: 'T', text: 'the last minute' },
  { key: 'v', action: 'table', cap: 'V', text: 'the picture as a table' },
  { key: 'm', action: 'mission', cap: 'M', text: 'missions' },
  {
    key: 'q',
    action: 'vote',
    cap: 'Q',
    text: 'a vote of the class: a question about the scene, with choices A to D',
  },
  { key: 'e', action: 'export', cap: 'E', text: 'save the picture for a slide' },
  { key: 'p', action: 'projector', cap: 'P', text: 'large and light, for a projector' },
  { key: '?', action: 'keys', cap: '?', text: 'this list' },
  { key: 'Escape', action: 'close', cap: 'Esc', text: 'close what is open' },
];

export interface Press {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

/** @returns the action and, for a scene, its key; undefined: the page has no use for the key */
export function actionOf(
  press: Press,
): { readonly action: Action; readonly key: string } | undefined {
  if (press.ctrlKey || press.altKey || press.metaKey) return;
  if (/^[1-9]$/.test(press.key)) return { action: 'scene', key: press.key };
  const isArrow = press.key.startsWith('Arrow');
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  const found = bindings.find(
    (binding) =>
      binding.key === key && (!isArrow || (binding.hasShift ?? false) === press.shiftKey),
  );
  return found && { action: found.action, key: press.key };
}

type Handler = (key: string) => void;
const handlers = new Map<Action, Handler[]>();

/**
 * Each part of the page says what it does for an action. The handler that was added last runs first and alone.
 *
 * @returns a function that removes the handler
 */
export function onAction(action: Action, handler: Handler): () => void {
  const all = handlers.get(action) ?? [];
  handlers.set(action, [...all, handler]);
  return () => {
    handlers.set(
      action,
      (handlers.get(action) ?? []).filter((other) => other !== handler),
    );
  };
}

/** @returns false if no part of the page does anything for it */
export function perform(action: Action, key = ''): boolean {
  const handler = handlers.get(action)?.at(-1);
  handler?.(key);
  return handler !== undefined;
}

/** Whether keys belong to what has the focus: it takes text, or uses the key itself. */
function isTaken(key: string, target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) {
    const isSwitch = target.type === 'checkbox' || target.type === 'radio';
    if (isSwitch) return key === ' ' || key.startsWith('Arrow');
    return target.type !== 'range' || key.startsWith('Arrow');
  }
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  if (target.isContentEditable) return true;
  if (target.closest('[data-own-keys]') !== null) return key !== 'Escape' && key !== '?';
  const isPressed = target.closest('button, summary, a') !== null;
  return isPressed && (key === ' ' || key === 'Enter');
}

/** Listens to the keys of the whole page. */
export function listenToKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || isTaken(event.key, event.target)) return;
    // A modal dialog closes by itself, and what is behind it must not change unseen.
    if (event.key !== '?' && document.querySelector('dialog:modal') !== null) return;
    const found = actionOf(event);
    if (found !== undefined && perform(found.action, found.key)) event.preventDefault();
  });
}
