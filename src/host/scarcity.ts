/** What is used up and will be there again: nothing is wrong with the service or with us. */

/** The way out where a process or a thread cannot be started for want of something. */
const remedies: Readonly<Record<string, string>> = {
  EMFILE:
    'this process has no descriptor left: allow it more (ulimit -n), or start fewer processes',
  ENFILE: 'the system has no descriptor left: allow it more (sysctl fs.file-max)',
  EAGAIN:
    'there may be no more processes and threads: allow more (ulimit -u, pids.max), or start fewer',
  ENOMEM: 'there is no memory left: start fewer processes and threads',
};

/** What went wrong in one line, with the way out if something is used up. */
export function explained(what: string, error: Error): string {
  const remedy = remedies[scarcityOf(error) ?? ''];
  const text = `${what}: ${error.message.split('\n', 1)[0]}`;
  return remedy === undefined ? text : `${text}; ${remedy}`;
}

/** The errno's name, if that is why; Node says it by a code, in a text, or in words. */
export function scarcityOf(error: unknown): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  const [name] = /\b(EMFILE|ENFILE|ENOMEM|EAGAIN|ENOBUFS)\b/.exec(`${code} ${message}`) ?? [];
  return name ?? (/too many open files/i.test(message) ? 'EMFILE' : undefined);
}
