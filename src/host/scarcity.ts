/** Errors of used-up resources, which will be there again: neither the service nor Mondo is at fault. */

import { taskRoom } from '../os/tasks.ts';

/** Threads of a process of Node that runs nothing yet, its first one included. Node aborts if it cannot start them. */
const NODE_TASKS = 6;

const MORE_TASKS = 'allow more (ulimit -u, pids.max), or start fewer';

/** The fix if a process or a thread cannot be started because a resource is used up. */
const remedies: Readonly<Record<string, string>> = {
  EMFILE:
    'this process has no descriptor left: allow it more (ulimit -n), or start fewer processes',
  ENFILE: 'the system has no descriptor left: allow it more (sysctl fs.file-max)',
  EAGAIN: `there may be no more processes and threads: ${MORE_TASKS}`,
  ENOMEM: 'there is no memory left: start fewer processes and threads',
};

/** The error in one line, with the fix if a resource is used up. */
export function explained(what: string, error: Error): string {
  const remedy = remedies[scarcityOf(error) ?? ''];
  const text = `${what}: ${error.message.split('\n', 1)[0]}`;
  return remedy === undefined ? text : `${text}; ${remedy}`;
}

/** The errno's name of the used-up resource. Node reports it as a code, in a text, or in words. */
export function scarcityOf(error: unknown): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  const [name] = /\b(EMFILE|ENFILE|ENOMEM|EAGAIN|ENOBUFS)\b/.exec(`${code} ${message}`) ?? [];
  return name ?? (/too many open files/i.test(message) ? 'EMFILE' : undefined);
}

/** Too few tasks are left for what must be started. */
export interface Lack {
  /** The limit, such as `pids.max of 30`. */
  readonly limit: string;
  /** In one line, with the way out. */
  readonly text: string;
}

/**
 * True if a limit leaves no room for processes of Node. Such a process could not report it itself.
 *
 * @param threads of each process, besides those of Node
 * @param uid user of the processes
 */
export function lackOfTasks(processes: number, threads: number, uid: number): Lack | undefined {
  const needed = processes * (NODE_TASKS + threads);
  const room = taskRoom(uid);
  if (room === undefined || room.left >= needed) return undefined;
  const { limit, left } = room;
  const text = `${needed} processes and threads are needed, and ${limit} leaves ${Math.max(0, left)}; ${MORE_TASKS}`;
  return { limit, text };
}
