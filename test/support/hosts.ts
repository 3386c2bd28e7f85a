/**
 * Several hosts on this machine: network namespaces on one bridge, each with its own host name. A test makes them and
 * removes them; no packet leaves them.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Process } from './processes.ts';
import { hasProgram } from './programs.ts';

let made = 0;
let isTold = false;

/** True if this process may make hosts; otherwise prints one line on how to run the test. */
export function canMakeHosts(): boolean {
  if (!hasProgram('ip', 'iproute2') || !hasProgram('nsenter', 'util-linux')) return false;
  if (process.getuid?.() === 0) return true;
  if (process.env.CI === 'true') throw new Error('Network namespaces need root: run as root');
  if (!isTold) console.log('Skipped, network namespaces need root: run this test as root');
  isTold = true;
  return false;
}

export class Hosts implements AsyncDisposable {
  readonly #names: readonly string[];
  readonly #prefix: string;

  /** Makes the hosts. The first has the bridge, to which the others are connected. */
  constructor(names: readonly string[]) {
    this.#names = names;
    this.#prefix = `mondo-${process.pid}-${made++}`;
    try {
      for (const name of names) {
        ip('netns', 'add', this.#space(name));
        ip('-n', this.#space(name), 'link', 'set', 'lo', 'up');
      }
      const bridge = this.#space(names[0]!);
      ip('-n', bridge, 'link', 'add', 'bridge', 'type', 'bridge');
      ip('-n', bridge, 'address', 'add', `${this.addressOf(names[0]!)}/24`, 'dev', 'bridge');
      ip('-n', bridge, 'link', 'set', 'bridge', 'up');
      for (const name of names.slice(1)) this.#connect(name, bridge);
    } catch (error) {
      this.#remove();
      throw error;
    }
  }

  /** IPv4 address of a host. */
  addressOf(name: string): string {
    return `10.99.0.${this.#names.indexOf(name) + 1}`;
  }

  /** Cuts a host off, as a pulled cable does. */
  cutOff(name: string): void {
    ip('-n', this.#space(this.#names[0]!), 'link', 'set', cableOf(name), 'down');
  }

  /** Connects a host that was cut off. */
  connect(name: string): void {
    ip('-n', this.#space(this.#names[0]!), 'link', 'set', cableOf(name), 'up');
  }

  /** Starts a program on a host. Its group is the test's to end, as of each `Process`. */
  start(name: string, file: string, ...args: readonly string[]): Process {
    // `ip netns exec` would hide /sys/fs/cgroup.
    const inside = ['nsenter', `--net=/run/netns/${this.#space(name)}`, 'unshare', '--uts'];
    const named = ['sh', '-c', 'hostname "$0"; exec "$@"', name, file, ...args];
    const [first = '', ...rest] = [...inside, ...named];
    return new Process(first, rest);
  }

  /** True if a process on the host has the word among its arguments. */
  runs(name: string, word: string): boolean {
    return this.#pids(name).some((pid) => argumentsOf(pid).includes(word));
  }

  /** Ends all processes of a host at once, as a loss of power does. */
  endAll(name: string): void {
    for (const pid of this.#pids(name)) endNow(pid);
  }

  /** Ends what still runs on the hosts, and removes them. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#remove();
    return Promise.resolve();
  }

  #space(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  #pids(name: string): number[] {
    return ip('netns', 'pids', this.#space(name)).split('\n').filter(Boolean).map(Number);
  }

  #connect(name: string, bridge: string): void {
    const cable = cableOf(name);
    const space = this.#space(name);
    ip(
      ...['-n', bridge, 'link', 'add', cable, 'type', 'veth'],
      ...['peer', 'name', 'eth0', 'netns', space],
    );
    ip('-n', bridge, 'link', 'set', cable, 'master', 'bridge', 'up');
    ip('-n', space, 'address', 'add', `${this.addressOf(name)}/24`, 'dev', 'eth0');
    ip('-n', space, 'link', 'set', 'eth0', 'up');
  }

  #remove(): void {
    for (const name of this.#names) {
      try {
        this.endAll(name);
        ip('netns', 'delete', this.#space(name));
      } catch {
        // It was not made.
      }
    }
  }
}

/** Name of the bridge's end of a host's cable: at most 15 characters. */
const cableOf = (name: string) => `to-${name}`;

const ip = (...args: readonly string[]): string =>
  execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It has ended.
    return [];
  }
}
