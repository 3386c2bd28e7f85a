/** The user of the workers: root opens the port, and a user with fewer rights talks to the clients. */
import { execFileSync } from 'node:child_process';
import { ServeError } from './errors.ts';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

export const AS_ROOT =
  'Serving as root: the workers have all its rights; give them a user with fewer (--user nobody)';

/** True if the processes that talk to clients run as root, and the user did not ask for that. */
export const isRootUnasked = ({ user }: { readonly user?: string }): boolean =>
  user === undefined && process.geteuid?.() === 0;

/**
 * The numbers of a user and a group, given by name or number; undefined if neither is given.
 *
 * @param group default: the user's own
 * @throws ServeError if there is no such user or group, or if only root could do it
 */
export function identityOf(
  user: string | undefined,
  group: string | undefined,
): Identity | undefined {
  if (user === undefined && group === undefined) return undefined;
  const [euid, egid] = [process.geteuid!(), process.getegid!()];
  const uid = user === undefined ? euid : userId(user, '-u');
  const gid =
    group === undefined ? (user === undefined ? egid : userId(user, '-g')) : groupId(group);
  if (euid !== 0 && (uid !== euid || gid !== egid)) {
    throw new ServeError(
      'failed',
      `Cannot serve as user "${user ?? euid}" and group "${group ?? gid}": only root may change to another user; start it with sudo`,
    );
  }
  return { uid, gid };
}

const isNumber = (text: string) => /^\d{1,9}$/.test(text);

/** Looks the user up with id(1), which knows where this system keeps its users. */
function userId(user: string, which: '-u' | '-g'): number {
  if (which === '-u' && isNumber(user)) return Number(user);
  const found = ask('id', [which, '--', user]);
  if (found !== undefined && isNumber(found)) return Number(found);
  throw new ServeError(
    'usage',
    isNumber(user)
      ? `Cannot find the group of user ${user}: this system does not know that number; give --group too`
      : `There is no user "${user}" on this system; give the name or number of one, such as nobody`,
  );
}

function groupId(group: string): number {
  if (isNumber(group)) return Number(group);
  const found = ask('getent', ['--', 'group', group])?.split(':')[2];
  if (found !== undefined && isNumber(found)) return Number(found);
  throw new ServeError(
    'usage',
    `There is no group "${group}" on this system; give the name or number of one, such as nogroup`,
  );
}

function ask(program: string, words: readonly string[]): string | undefined {
  try {
    return execFileSync(program, words, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return undefined;
    throw new ServeError(
      'failed',
      `Cannot look up "${words.at(-1)}": there is no program "${program}" on the PATH; give numbers with --user and --group`,
      { cause: error },
    );
  }
}
