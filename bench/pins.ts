// Pins the server and the load to one core each: where the scheduler places them, decides how long a question takes.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { have } from './contestants.ts';
import type { Setting } from './scenarios.ts';

/** The cores that this process may run on. */
export function allowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'latin1');
  const ranges = /^Cpus_allowed_list:\s+(\S+)/m.exec(status)?.[1] ?? '0';
  return ranges.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** The server and the load run on all cores. */
export const unpinned = { onServerCore: [], onLoadCore: [] } as const;

/**
 * How to pin the server and the load to a core each. Without taskset or a second core nothing is pinned.
 *
 * @param note gets the reason why nothing is pinned
 */
export function pins(
  cores: readonly number[],
  note: (text: string) => void,
): Pick<Setting, 'onServerCore' | 'onLoadCore'> {
  const [server, load] = cores;
  if (!have('taskset'))
    note('taskset is absent: nothing is pinned to a core (apt install util-linux)');
  else if (server === undefined || load === undefined)
    note('There is one core for server and load');
  else {
    // This process sleeps during the measurements. When it wakes up, it must not use the server's core.
    spawnSync('taskset', ['-acp', String(load), String(process.pid)], { stdio: 'ignore' });
    return {
      onServerCore: ['taskset', '-c', String(server)],
      onLoadCore: ['taskset', '-c', String(load)],
    };
  }
  return unpinned;
}
