/** The number of descriptors that this process may have, and has. From proc(5), so that it does not need libc. */
import { readdirSync, readFileSync } from 'node:fs';

/** The soft limit. Node raises it to the hard one when it starts. Undefined if it is unknown or there is none. */
export function descriptorLimit(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** Number of open descriptors now, without the one of this call. */
export const openDescriptors = (): number => readdirSync('/proc/self/fd').length - 1;
