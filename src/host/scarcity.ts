/** What is used up and will be there again: nothing is wrong with the service or with us. */

/** The errno's name, if that is why; Node says it by a code, in a text, or in words. */
export function scarcityOf(error: unknown): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  const [name] = /\b(EMFILE|ENFILE|ENOMEM|EAGAIN|ENOBUFS)\b/.exec(`${code} ${message}`) ?? [];
  return name ?? (/too many open files/i.test(message) ? 'EMFILE' : undefined);
}
