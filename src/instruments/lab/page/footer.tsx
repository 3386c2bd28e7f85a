/** The bottom of the page: what the lab itself costs, and its last note. */

import { eachSecond } from './clock.ts';
import { notes, pacing, welcome } from './state.ts';

const cores = (percent: number) => (percent / 100).toFixed(2);

export function Footer() {
  const { cost, header } = eachSecond.value;
  const cpus = header?.machine.cpus ?? 0;
  const note = notes.value.at(-1);
  const viewers = welcome.value?.viewers ?? 1;
  return (
    <footer class="bottom">
      <p role="status" class={note?.isFault === true ? 'fault' : ''}>
        {note?.text ?? ''}
      </p>
      <p>
        {cpus > 0 &&
          `Of ${cpus} processors: servers ${cores(cost.servers)}, clients ${cores(cost.clients)}, lab ${cores(cost.lab)}. `}
        {viewers > 1 && `${viewers} viewers. `}
        {pacing}
      </p>
    </footer>
  );
}
