/** A command for a terminal, with a button that copies it. */

import { say } from './state.ts';

export function Command({ text }: { readonly text: string }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say('Copied.');
    } catch {
      say('This browser does not let the page copy: select the text.');
    }
  };
  return (
    <span class="command">
      <code>{text}</code>
      <button type="button" class="small" onClick={copy} aria-label={`Copy: ${text}`}>
        copy
      </button>
    </span>
  );
}
