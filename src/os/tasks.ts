/** How many processes and threads may still be started: both are tasks to the kernel. cgroups(7), getrlimit(2) */
import { readdirSync, readFileSync } from 'node:fs';

export interface TaskRoom {
  /** Tasks that may still be started. */
  readonly left: number;
  /** The limit that leaves no more, such as `pids.max of 30`. */
  readonly limit: string;
}

/** Above this limit of a user's tasks its tasks are not counted: that reads a file of each process of the machine. */
const COUNTED_LIMIT = 2048;

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
};

/**
 * The least room that any limit leaves; undefined if no limit is known.
 *
 * @param uid user of the tasks; the limit for each user does not hold for root
 * @param root where the cgroups are mounted; default: `/sys/fs/cgroup`
 */
export function taskRoom(uid: number, root = '/sys/fs/cgroup'): TaskRoom | undefined {
  const rooms = [...cgroupRooms(root), ...userRoom(uid)];
  return rooms.toSorted((a, b) => a.left - b.left)[0];
}

/** The room in the group of this process, and in each group above it. */
function* cgroupRooms(root: string): Generator<TaskRoom> {
  for (const line of read('/proc/self/cgroup')?.split('\n') ?? []) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const isPids = controllers!.split(',').includes('pids');
    // Version 2 has one hierarchy for all controllers, and its line names none.
    if (!isPids && controllers !== '') continue;
    for (let group = path; ; group = group.replace(/\/[^/]*$/, '')) {
      const folder = `${root}${isPids ? '/pids' : ''}${group === '/' ? '' : group}`;
      const most = Number(read(`${folder}/pids.max`) ?? Number.NaN);
      const current = Number(read(`${folder}/pids.current`) ?? Number.NaN);
      if (most >= 0 && current >= 0) yield { left: most - current, limit: `pids.max of ${most}` };
      if (group === '' || group === '/') break;
    }
  }
}

function* userRoom(uid: number): Generator<TaskRoom> {
  if (uid === 0) return;
  const [, soft] = /^Max processes +(\d+)/m.exec(read('/proc/self/limits') ?? '') ?? [];
  const most = Number(soft ?? Number.NaN);
  if (!(most <= COUNTED_LIMIT)) return;
  let count = 0;
  for (const name of readdirSync('/proc')) {
    const status = /^\d+$/.test(name) ? read(`/proc/${name}/status`) : undefined;
    if (status === undefined || !new RegExp(`^Uid:\\t${uid}\\t`, 'm').test(status)) continue;
    count += Number(/^Threads:\t(\d+)/m.exec(status)?.[1] ?? 0);
  }
  yield { left: most - count, limit: `ulimit -u of ${most}` };
}
