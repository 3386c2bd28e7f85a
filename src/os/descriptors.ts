/** How many descriptors this process may have, and has. proc(5), so that libc is not needed for it. */
import { readdirSync, readFileSync } from 'node:fs';

/** The soft limit, which Node raises to the hard one when it starts; undefined where nobody tells, or there is none. */
export function descriptorLimit(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** How many are open now; that of the look itself is not among them. */
export const openDescriptors = (): number => readdirSync('/proc/self/fd').length - 1;
