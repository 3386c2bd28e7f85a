/** What a thread is to a server, in words. */
import type { TraceRecord } from './records.ts';

/** A thread by its number; one that is a process's only one, by that. */
export const roleOf = (
  tid: number,
  { pid, role }: Pick<Extract<TraceRecord, { kind: 'thread' }>, 'pid' | 'role'>,
): string =>
  tid === pid ? `${role === 'assistant' ? 'assistant ' : ''}process ${pid}` : `${role} ${tid}`;
