/** How Node's own processes are started. */

/** Options of Node for a process of a server: SIGUSR1 opens no debugger, not even before the process handles signals. */
export const NO_DEBUGGER = ['--disable-sigusr1'] as const;
