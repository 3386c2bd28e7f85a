/**
 * Sockets that a service manager has opened and passes to this process, by the protocol of sd_listen_fds(3): systemd's
 * socket units, systemd-socket-activate, and others. They are the descriptors from 3 on, and LISTEN_FDS is their number.
 */
import { addressText } from '../os/address.ts';
import { whyNoSystemCalls } from '../os/libc.ts';
import { closeOnExec, localAddress, peerOf, socketKind, streamKind } from '../os/socket.ts';
import { ServeError } from './errors.ts';

/** The first descriptor that a manager passes. */
const FIRST_FD = 3;
const MOST_FDS = 64;
/** The name under which Mondo gives its own listeners to the manager, and gets them back after a crash. */
export const STORED_NAME = 'mondo-stored';

/** A listener that another process has opened, and holds too. */
export interface GivenListener {
  readonly fd: number;
  /** From LISTEN_FDNAMES; `unknown` without it. */
  readonly name: string;
}

export interface Activation {
  readonly listeners: readonly GivenListener[];
  /** Why sockets that seem to be there were not taken. */
  readonly warning: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const usage = (text: string) => new ServeError('usage', text);

/**
 * The names of the descriptors that are for this process, in their order; empty if there are none.
 *
 * @throws ServeError if the variables contradict each other
 */
export function givenNames(
  { LISTEN_PID: owner, LISTEN_FDS: count, LISTEN_FDNAMES: list }: Environment,
  pid: number,
): readonly string[] {
  if (owner === undefined || count === undefined || owner !== String(pid)) return [];
  const number = /^\d{1,4}$/.test(count) ? Number(count) : -1;
  if (number < 0 || number > MOST_FDS) {
    throw usage(
      `Cannot use LISTEN_FDS="${count}": it is the number of sockets that the service manager passes, from 0 to ${MOST_FDS}`,
    );
  }
  if (list === undefined) return new Array<string>(number).fill('unknown');
  const names = list === '' && number === 0 ? [] : list.split(':');
  if (names.length === number) return names;
  throw usage(
    `Cannot use LISTEN_FDNAMES="${list}": it has ${names.length} names, and LISTEN_FDS is ${number}; give one name for each socket, with colons between them`,
  );
}

/**
 * Takes the listeners that the manager passes.
 *
 * @throws ServeError that names the descriptor and what it is, if one of them is no listener
 */
export function takeListeners(environment: Environment, pid: number): Activation {
  const names = givenNames(environment, pid);
  const listeners = names.map((name, i) => ({ fd: FIRST_FD + i, name }));
  for (const { fd, name } of listeners) {
    const kind = streamKind(fd);
    if (kind === 'listener') {
      closeOnExec(fd);
      continue;
    }
    const hint =
      kind === 'connection'
        ? 'set Accept=no in the socket unit, or serve inetd'
        : 'pass stream sockets that listen (ListenStream= in the socket unit)';
    throw usage(
      `Cannot take descriptor ${fd} ("${name}") from the service manager: it is ${kindText(fd, kind)}; ${hint}`,
    );
  }
  return { listeners, warning: names.length > 0 ? undefined : strayText(environment, pid) };
}

function kindText(fd: number, kind: ReturnType<typeof streamKind>): string {
  if (typeof kind === 'object') return kind.other;
  if (kind === 'connection') return `a connection from ${peerOf(fd)}`;
  return 'a stream socket that does not listen and is not connected';
}

/** A descriptor with the number of a passed one is here, but the variables are for another process. */
function strayText({ LISTEN_PID: owner, LISTEN_FDS: count }: Environment, pid: number) {
  if (owner === undefined || count === undefined || owner === String(pid)) return undefined;
  if (typeof streamKind(FIRST_FD) !== 'string') return undefined;
  return `Ignored ${count} sockets of the service manager: they are for process ${owner}, and this is ${pid}; start node itself, and not npx, npm or a shell`;
}

const STDIN = 0;

/**
 * The socket that this process must serve without a supervisor, because another program supervises it. It is a
 * connection that systemd has accepted (`Accept=yes`), or what an inetd passes as standard input. Undefined if this
 * process was started in another way. Removes the manager's variables if they announce that connection.
 *
 * @throws ServeError as `givenNames`
 */
export function socketOfClient(
  environment: Record<string, string | undefined>,
  pid: number,
): number | undefined {
  if (whyNoSystemCalls() !== undefined) return undefined;
  const isPassed = givenNames(environment, pid).length === 1;
  const kind = isPassed ? streamKind(FIRST_FD) : undefined;
  // A client may have reset its connection by now. That is no fault of the manager's.
  if (kind === 'connection' || kind === 'unconnected') {
    takeVariables(environment);
    closeOnExec(FIRST_FD);
    return FIRST_FD;
  }
  return socketKind(STDIN) === undefined ? undefined : STDIN;
}

/** Where a listener listens, with its name, for messages. */
export const listenerText = ({ fd, name }: GivenListener): string =>
  `descriptor ${fd} ("${name}", a listener at ${addressText(localAddress(fd))})`;

/** What a manager sets for one process only. The processes that this one starts must not see it. */
const VARIABLES = [
  ...['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID'],
  ...['NOTIFY_SOCKET', 'WATCHDOG_PID', 'WATCHDOG_USEC', 'FDSTORE'],
] as const;

/** Removes the manager's variables from the environment. @returns them */
export function takeVariables(environment: Record<string, string | undefined>): Environment {
  const taken: Record<string, string> = {};
  for (const name of VARIABLES) {
    const value = environment[name];
    if (value !== undefined) taken[name] = value;
    delete environment[name];
  }
  return taken;
}
