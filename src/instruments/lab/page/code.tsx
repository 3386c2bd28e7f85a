/** The code of a traced stage, with the line that each thread is on. */

import { useEffect, useRef } from 'preact/hooks';
import type { Stage, Standing } from '../model.ts';
import { durationText } from '../words.ts';
import { eachSecond } from './clock.ts';
import { send, shown, steers } from './state.ts';

/** The file that most threads are in, and who is on which of its lines. Pure. */
function standingOf({ code, lines }: Stage) {
  const files = Map.groupBy([...lines.entries()], ([, { file }]) => file);
  const [most] = [...files].sort((a, b) => b[1].length - a[1].length);
  const file = most?.[0] ?? [...code.keys()][0];
  const found = file === undefined ? undefined : code.get(file);
  if (found === undefined) return undefined;
  const at = new Map<number, (readonly [thread: number, Standing])[]>();
  for (const [thread, standing] of most?.[1] ?? []) {
    at.set(standing.line, [...(at.get(standing.line) ?? []), [thread, standing]]);
  }
  return { name: found.name, text: found.text.split('\n'), at };
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
  const lit = useRef<HTMLLIElement>(null);
  const standing = stage === undefined ? undefined : standingOf(stage);
  const first = standing === undefined ? 0 : Math.min(...standing.at.keys());
  useEffect(() => lit.current?.scrollIntoView({ block: 'nearest' }), [first]);
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
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keys
        tabIndex={0}
        data-own-keys
        aria-label={`Code of ${stage.setup.architecture}`}
      >
        {standing.text.map((line, at) => {
          const here = standing.at.get(at + 1);
          const [one] = here ?? [];
          return (
            <li
              key={at}
              class={here === undefined ? '' : 'lit'}
              ref={at + 1 === first ? lit : null}
            >
              <code>{line === '' ? ' ' : line}</code>
              {one !== undefined && (
                <span class="clock">
                  ⏱ {durationText(t - one[1].since)}
                  {one[1].client >= 0 && `, for client ${one[1].client}`}
                  {here!.length > 1 && `, ${here!.length} threads`}
                </span>
              )}
            </li>
          );
        })}
      </ol>
    </section>
  );
}
