/** What the kernel says of one process: processor time, memory and descriptors. proc(5) */
import { readdirSync, readFileSync, statSync } from 'node:fs';

export interface ProcessStats {
  /** Processor time in seconds, with that of children that have ended and were waited for. */
  readonly user: number;
  readonly system: number;
  /** Resident memory, in bytes. It includes pages that processes share. */
  readonly resident: number;
  readonly descriptors: number;
  /** The most descriptors that it may have; `Infinity`: no limit. */
  readonly mostDescriptors: number;
}

/** The unit of processor time in /proc, on every Linux: 10 ms. */
const TICKS_PER_SECOND = 100;
const PAGE = 4096;

/** Undefined if the process is gone, belongs to another user, or if there is no /proc. */
export function processStats(pid: number): ProcessStats | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Start after the name, which is in brackets and may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = (index: number) => Number(fields[index]) / TICKS_PER_SECOND;
    return {
      user: ticks(11) + ticks(13),
      system: ticks(12) + ticks(14),
      resident: Number(fields[21]) * PAGE,
      descriptors: descriptorsOf(pid),
      mostDescriptors: mostDescriptorsOf(pid),
    };
  } catch {
    return undefined;
  }
}

/** Since Linux 6.2 the size of the folder is the number of its entries. A list of 10,000 takes milliseconds. */
function descriptorsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  try {
    const { size } = statSync(folder);
    return size > 0 ? size : readdirSync(folder).length;
  } catch {
    // A zombie has closed all of them, and its processor time still counts.
    return 0;
  }
}

function mostDescriptorsOf(pid: number): number {
  const limits = readFileSync(`/proc/${pid}/limits`, 'latin1');
  const [, soft = ''] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  return soft === '' ? Number.POSITIVE_INFINITY : Number(soft);
}
