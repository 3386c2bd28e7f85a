/** Commands for another terminal that show the same, with the values that they have now. */

import type { Stage } from '../shared/model.ts';
import { doingOf } from '../shared/words.ts';
import { eachSecond } from './clock.ts';
import { Command } from './command.tsx';
import { isMeasuring } from './state.ts';

/** Each command, and what it shows now. Pure. */
function looksOf({
  setup,
  queue,
  lanes,
  cost,
}: Stage): readonly (readonly [command: string, value: string])[] {
  const { port, pid } = setup;
  const rows = [...lanes.values()].sort((a, b) => a.row - b.row);
  const workers = [...new Set(rows.map((lane) => lane.pid))].filter((worker) => worker > 0);
  const asleep = rows.filter((lane) => doingOf(lane).startsWith('asleep')).length;
  const [worker] = workers;
  return [
    [
      `ss -ltn 'sport = :${port}'`,
      `Recv-Q ${queue.waiting}, Send-Q ${Math.max(0, queue.limit - 1)}`,
    ],
    ...(worker === undefined
      ? []
      : [
          [
            `ps -L -o tid,wchan:20,comm -p ${worker}`,
            `${asleep} of ${rows.length} threads asleep`,
          ] as const,
        ]),
    ...(pid > 0
      ? [[`pgrep -P ${pid} | wc -l`, String(Math.max(cost.processes - 1, workers.length))] as const]
      : []),
    [`nc 127.0.0.1 ${port}`, 'one more silent client: press N for the same'],
    [setup.command, 'the same server, in a terminal'],
  ];
}

export function Outside() {
  const { stages } = eachSecond.value;
  const names = new Set(stages.map(({ setup }) => setup.architecture));
  return (
    <>
      <p>
        <button
          type="button"
          aria-pressed={isMeasuring.value}
          onClick={() => {
            isMeasuring.value = !isMeasuring.value;
          }}
        >
          no pictures
        </button>{' '}
        The page costs least. For figures:{' '}
        <Command text={`npx mondo compare ${[...names].join(' ')}`} />
      </p>
      <div class="columns">
        {stages.map((stage, index) => (
          <section key={index}>
            <h3>{stage.setup.architecture}</h3>
            <dl class="looks">
              {looksOf(stage)
                .filter(([command]) => command !== '')
                .map(([command, value]) => (
                  <div key={command}>
                    <dt>
                      <Command text={command} />
                    </dt>
                    <dd>→ {value}</dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
      </div>
    </>
  );
}
