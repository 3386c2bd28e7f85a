/** The panel that saves what is on the screen. */

import { useSignal } from '@preact/signals';
import { type File, type Format, fileOf } from './export.ts';
import { player } from './playhead.ts';

const choices: readonly (readonly [format: Format, text: string])[] = [
  ['PNG', 'a picture for a slide'],
  ['SVG', 'a picture of any size'],
  ['GIF', 'the last 6 s, moving'],
  ['Perfetto', 'all that is kept, for ui.perfetto.dev'],
  ['recording', 'all that is kept, for mondo lab --replay'],
];

export function ExportMenu() {
  const state = useSignal('');
  const isBusy = useSignal(false);
  const save = async (format: Format) => {
    isBusy.value = true;
    state.value = `Making the ${format} …`;
    try {
      const file = await fileOf(format, player.value, (share) => {
        state.value = `Making the ${format}: ${Math.round(100 * share)} %`;
      });
      if (file !== undefined) download(file);
      state.value = file === undefined ? 'There is nothing to save yet.' : `Saved ${file.name}.`;
    } catch (error) {
      state.value = error instanceof Error ? error.message : String(error);
    }
    isBusy.value = false;
  };
  return (
    <section class="export" aria-label="Save">
      <p>Each file names the date, the machine, and the command that shows the same again.</p>
      <ul>
        {choices.map(([format, text]) => (
          <li key={format}>
            <button type="button" disabled={isBusy.value} onClick={() => void save(format)}>
              {format}
            </button>{' '}
            {text}
          </li>
        ))}
      </ul>
      <p role="status">{state.value}</p>
    </section>
  );
}

function download({ name, type, content }: File): void {
  const link = document.createElement('a');
  const url = URL.createObjectURL(new Blob([content], { type }));
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read it before this.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
