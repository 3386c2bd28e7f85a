/** The kernel's table of unix sockets, /proc/net/unix. proc(5) */
import { readFileSync } from 'node:fs';
import { basename, isAbsolute, resolve } from 'node:path';

/** State of a socket that has an address at most, and the flag of one that listens. */
const UNCONNECTED = '01';
const ACCEPTS = 0x10000;

/** True if a socket of any process has this path, and does not listen there. */
export const isBoundUnix = (path: string): boolean =>
  hasBound(readFileSync('/proc/net/unix', 'utf8'), path);

/** The same for the text of such a table. */
export function hasBound(table: string, path: string): boolean {
  const whole = resolve(path);
  for (const line of table.split('\n')) {
    const [, , , flags, , state, , ...rest] = line.split(/\s+/);
    if (state !== UNCONNECTED || rest.length === 0) continue;
    if (Number.parseInt(flags!, 16) & ACCEPTS) continue;
    const bound = rest.join(' ');
    // The table has a path as the program gave it, and not the folder to which it is relative. So any folder counts.
    if (isAbsolute(bound) ? bound === whole : basename(bound) === basename(whole)) return true;
  }
  return false;
}
