/** Errors of used-up resources, which will be there again: neither the service nor Mondo is at fault. */

/** The fix if a process or a thread cannot be started because a resource is used up. */
const remedies: Readonly<Record<string, string>> = {
  EMFILE:
    'this process has no descriptor left: allow it more (ulimit -n), or start fewer processes',
  ENFILE: 'the system has no descriptor left: allow it more (sysctl fs.file-max)',
  EAGAIN:
    'there may be no more processes and threads: allow more (ulimit -u, pids.max), or start fewer',
  ENOMEM: 'there is no memory left: start fewer processes and threads',
};

/** The error in one line, with the fix if a resource is used up. */
export function explained(what: string, error: Error): string {
  const remedy = remedies[scarcityOf(error) ?? ''];
  const text = `${what}: ${error.message.split('\n', 1)[0]}`;
  return remedy === undefined ? text : `${text}; ${remedy}`;
}

/** The errno's name of the used-up resource. Node reports it as a code, in a text, or in words. */
export function scarcityOf(error: unknown): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  const [name] = /\b(EMFILE|ENFILE|ENOMEM|EAGAIN|ENOBUFS)\b/.exec(`${code} ${message}`) ?? [];
  return name ?? (/too many open files/i.test(message) ? 'EMFILE' : undefined);
}
