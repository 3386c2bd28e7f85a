/** The relation of this process to its terminal. */
import { closeSync, openSync, readFileSync } from 'node:fs';

/** True while the process has a terminal whose signals reach it. */
export function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/**
 * True if this process is in the terminal's foreground group: Ctrl-C reaches it, and it must end with its terminal.
 * Also true on a system that does not report it.
 */
export function isInForeground(): boolean {
  let stat: string;
  try {
    stat = readFileSync('/proc/self/stat', 'latin1');
  } catch {
    return true;
  }
  return ownsTerminal(stat);
}

/** The rule, on the text of `/proc/PID/stat`. proc_pid_stat(5) */
export function ownsTerminal(stat: string): boolean {
  // The name may contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [, , group, , terminal, foreground] = fields;
  return terminal !== '0' && group === foreground;
}

/** Width of a listing in a file or a pipe. */
const LISTING_WIDTH = 100;

/** The most characters in a line of a listing. */
export const listingWidth = ({ isTTY, columns } = process.stdout): number =>
  isTTY ? columns || 80 : LISTING_WIDTH;
