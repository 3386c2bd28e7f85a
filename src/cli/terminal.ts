/** Where this process stands at its terminal. */
import { closeSync, openSync, readFileSync } from 'node:fs';

/** True while the process has a terminal that signals reach it from. */
export function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/**
 * True if the terminal's foreground group is this process's: Ctrl-C reaches it, and it must end with its terminal.
 * True as well on a system that does not say.
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
  // The name may hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [, , group, , terminal, foreground] = fields;
  return terminal !== '0' && group === foreground;
}

/** Width of what a command lists, in a file or a pipe. */
const LISTING_WIDTH = 100;

/** How many characters a line of a listing may have. */
export const listingWidth = ({ isTTY, columns } = process.stdout): number =>
  isTTY ? columns || 80 : LISTING_WIDTH;
