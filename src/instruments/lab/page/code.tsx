/** The code of a traced stage, with the line that each thread is on. */

import { useEffect, useRef } from 'preact/hooks';
import type { Stage, Standing } from '../shared/model.ts';
import { clientsText, doingOf, durationText } from '../shared/words.ts';
import { eachSecond } from './clock.ts';
import { send, shown, steers } from './state.ts';

/** The file that most threads and waiting functions are in, and who is on which of its lines. Pure. */
function standingOf({ code, lines, asides }: Stage) {
  const files = Map.groupBy([...lines.values(), ...asides.values()], ({ file }) => file);
  const [most] = [...files].sort((a, b) => b[1].length - a[1].length);
  const file = most?.[0] ?? [...code.keys()][0];
  const found = file === undefined ? undefined : code.get(file);
  if (found === undefined) return undefined;
  const onLines = (places: ReadonlyMap<number, Standing>) =>
    Map.groupBy(
      [...places].filter(([, standing]) => standing.file === file),
      ([, { line }]) => line,
    );
  return {
    name: found.name,
    text: found.text.split('\n'),
    at: onLines(lines),
    aside: onLines(asides),
  };
}

/** `set aside: clients 1, 2 and 3`; functions that belong to no client, as the one that accepts, are counted. */
export function asideText(standings: readonly Standing[]): string {
  const clients = [...new Set(standings.map(({ client }) => client).filter((id) => id >= 0))];
  const names = clients.sort((a, b) => a - b);
  const others = standings.filter(({ client }) => client < 0).length;
  const parts = [
    ...(names.length > 0 ? [clientsText(names)] : []),
    ...(others > 0 ? [`${others} for no client`] : []),
  ];
  return `set aside: ${parts.join(', ')}`;
}

export function Code() {
  const { stages } = shown.value;
  return (
    <div class="columns">
      {stages.map((_, index) => (
        <StageCode key={index} index={index} />
      ))}
    </div>
  );
}

function StageCode({ index }: { readonly index: number }) {
  // Lines change thousands of times a second: a person sees the ones where threads stay.
  eachSecond.value;
  const { t, stages } = shown.value;
  const stage = stages[index];
  const list = useRef<HTMLOListElement>(null);
  const lit = useRef<HTMLLIElement>(null);
  const standing = stage === undefined ? undefined : standingOf(stage);
  const marked = standing && [...standing.at.keys(), ...standing.aside.keys()];
  const first = Math.min(...(marked ?? [0]));
  useEffect(() => show(list.current, lit.current), [first]);
  if (stage === undefined) return null;
  const title = <h3>{stage.setup.architecture}</h3>;
  if (standing === undefined) {
    return (
      <section>
        {title}
        <p>The lines of this server are not traced.</p>
        <button
          type="button"
          disabled={!steers.value}
          onClick={() => send({ do: 'trace', s: index, on: true })}
        >
          Trace it: it starts again
        </button>
      </section>
    );
  }
  return (
    <section>
      {title}
      <p>
        {standing.name}{' '}
        <button
          type="button"
          class="small"
          disabled={!steers.value}
          onClick={() => send({ do: 'trace', s: index, on: false })}
        >
          end the trace
        </button>
      </p>
      <ol
        class="code"
        ref={list}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keys
        tabIndex={0}
        data-own-keys
        aria-label={`Code of ${stage.setup.architecture}`}
      >
        {standing.text.map((line, at) => {
          const here = standing.at.get(at + 1);
          const [one] = here ?? [];
          const aside = standing.aside.get(at + 1)?.map(([, place]) => place);
          return (
            <li
              key={at}
              class={here === undefined ? '' : 'lit'}
              ref={at + 1 === first ? lit : null}
            >
              <code>{line === '' ? ' ' : line}</code>
              {one !== undefined && (
                <span class="clock">
                  {clockText(stage, one, t)}
                  {here!.length > 1 && `, ${here!.length} threads`}
                </span>
              )}
              {aside !== undefined && <span class="clock aside">{asideText(aside)}</span>}
            </li>
          );
        })}
      </ol>
    </section>
  );
}

/** How long the thread is on its line: asleep, if the kernel says so and it sleeps for the client of the line. */
function clockText(
  { lanes }: Stage,
  [thread, { since, client }]: readonly [thread: number, Standing],
  t: number,
): string {
  const lane = [...lanes.values()].find(({ tid }) => tid === thread);
  const doing = lane === undefined ? '' : doingOf(lane);
  const isAsleep = doing.startsWith('asleep') && (client < 0 || doing !== 'asleep for anyone');
  const whose = client >= 0 ? `, for client ${client}` : '';
  return `${isAsleep ? 'asleep ' : ''}${durationText(t - since)}${whose}`;
}

/** Scrolls the list so that the line is in sight; the page stays where the viewer has it. */
function show(list: HTMLElement | null, line: HTMLElement | null): void {
  if (list === null || line === null) return;
  const top = line.offsetTop;
  const isInSight =
    top >= list.scrollTop && top + line.offsetHeight <= list.scrollTop + list.clientHeight;
  if (!isInSight) list.scrollTop = top - list.clientHeight / 2;
}
