/** Reports the state of a server to a service manager: the messages of sd_notify(3), and when each of them is due. */
import { constants } from 'node:os';
import type { NotifySocket } from '../os/notify.ts';
import type { GivenListener } from './activation.ts';
import { ServeError } from './errors.ts';

/** Interval of the line of state, in ms: at most one a second. */
const STATUS_INTERVAL_MS = 1000;
/** Interval of the requests for more time during a drain, and the time that each requests, in ms. */
const EXTEND_INTERVAL_MS = 5000;
const EXTENSION_MS = 10_000;
/** Longest text of a STATUS line, in characters. */
const LONGEST_STATUS = 400;

/** What the reports say of the server. */
export interface Reported {
  /** Its state in one line, such as `serving epoll, 1 worker, 3 connections`. */
  text(): string;
  /** True if a worker has work and gets nowhere. */
  isStuck(): boolean;
}

export class Notifier {
  readonly #socket: Pick<NotifySocket, 'send' | 'close'>;
  /** Time between two signs of life, in ms; 0: the manager wants none. */
  readonly #beat: number;
  readonly #timers: NodeJS.Timeout[] = [];
  #server: Reported | undefined;
  #status = '';
  #statusAt = Number.NEGATIVE_INFINITY;
  /** Number of restarts that have begun and not ended. */
  #reloads = 0;
  /** The end of the line of state after a failed restart, until the next one. */
  #failure = '';
  #isStopping = false;

  /** @param watchdog time after which a silent service counts as hung, in µs; 0: never */
  constructor(socket: Pick<NotifySocket, 'send' | 'close'>, watchdog: number) {
    this.#socket = socket;
    // Half of it, as sd_watchdog_enabled(3) recommends.
    this.#beat = watchdog > 0 ? Math.max(1, Math.floor(watchdog / 2000)) : 0;
  }

  /** All workers serve. The line of state and the signs of life follow by themselves. */
  ready(server: Reported): void {
    this.#server = server;
    this.#say('READY=1');
    this.#every(STATUS_INTERVAL_MS, () => this.#sayStatus());
    if (this.#beat === 0) return;
    const live = () => {
      if (!server.isStuck()) this.#socket.send('WATCHDOG=1');
    };
    live();
    this.#every(this.#beat, live);
  }

  /** A restart begins. Each call needs a later call of `reloaded`. */
  reloading(): void {
    this.#reloads++;
    if (this.#isStopping) return;
    // systemd ignores a reload without the time, and one whose time comes in another datagram.
    this.#say('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  /** A restart has ended. @param error why it failed: then the old workers serve on */
  reloaded(error?: Error): void {
    this.#reloads--;
    this.#failure = error === undefined ? '' : `; the last restart failed: ${error.message}`;
    if (this.#reloads === 0 && !this.#isStopping) this.#say('READY=1');
  }

  /** The server stops. @param longest time that it may take, in ms */
  stopping(longest: number): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const extend = `EXTEND_TIMEOUT_USEC=${EXTENSION_MS * 1000}`;
    if (longest <= EXTEND_INTERVAL_MS) {
      this.#say('STOPPING=1');
      return;
    }
    this.#say('STOPPING=1', extend);
    this.#every(EXTEND_INTERVAL_MS, () => this.#socket.send(extend));
  }

  /** The server could not start. */
  failed(error: Error): void {
    this.#socket.send(`STATUS=${oneLine(error.message)}\nERRNO=${errnoOf(error)}`);
  }

  /** Gives listeners to the manager, which returns them to the next process if this one crashes. */
  store(name: string, listeners: readonly number[]): void {
    this.#socket.send(`FDSTORE=1\nFDNAME=${name}`, listeners);
  }

  /** Makes the manager close the listeners that it has under that name. */
  forget(name: GivenListener['name']): void {
    this.#socket.send(`FDSTOREREMOVE=1\nFDNAME=${name}`);
  }

  /** Ends the reports. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#socket.close();
  }

  #every(ms: number, act: () => void): void {
    this.#timers.push(setInterval(act, ms).unref());
  }

  get #line(): string {
    const state = this.#isStopping ? 'stopping: ' : this.#reloads > 0 ? 'restarting: ' : '';
    return oneLine(`${state}${this.#server?.text() ?? ''}${this.#failure}`);
  }

  /** Sends a change of state, with the line of state in the same datagram. */
  #say(...fields: readonly string[]): void {
    this.#status = this.#line;
    this.#statusAt = performance.now();
    this.#socket.send([...fields, `STATUS=${this.#status}`].join('\n'));
  }

  #sayStatus(): void {
    const line = this.#line;
    if (line === this.#status || performance.now() - this.#statusAt < STATUS_INTERVAL_MS) return;
    this.#say();
  }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').slice(0, LONGEST_STATUS);

/** The errno of a failed start. An invalid request has EINVAL. */
function errnoOf(error: Error): number {
  const { cause } = error;
  const own = typeof cause === 'object' && cause !== null && 'errno' in cause ? cause.errno : 0;
  // Mondo's own errors have the kernel's number, and Node's the negative one.
  const number = typeof own === 'number' ? Math.abs(own) : 0;
  if (number > 0) return number;
  const isUsage = error instanceof ServeError && error.kind === 'usage';
  return isUsage ? constants.errno.EINVAL : constants.errno.EIO;
}
