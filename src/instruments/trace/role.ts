/** The role of a thread in a server, in words. */
import type { TraceRecord } from './records.ts';

/** Names a thread by its number. The only thread of a process is named by the process number. */
export const roleOf = (
  tid: number,
  { pid, role }: Pick<Extract<TraceRecord, { kind: 'thread' }>, 'pid' | 'role'>,
): string =>
  tid === pid ? `${role === 'assistant' ? 'assistant ' : ''}process ${pid}` : `${role} ${tid}`;
