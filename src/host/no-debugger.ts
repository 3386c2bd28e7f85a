/** Options of Node for the processes of a server. */

/** SIGUSR1 opens no debugger, even before the process handles signals. */
export const NO_DEBUGGER = ['--disable-sigusr1'] as const;
