/** `mondo serve` as a service manager starts it: with sockets from descriptor 3 on, and with its variables. */
import { mondo, Process } from './processes.ts';

/**
 * Starts `mondo` with these arguments and descriptors.
 *
 * @param variables further variables of the manager, or others than the usual ones; an empty LISTEN_PID stands for the
 *   number of the process
 */
export function spawnManaged(
  inherited: readonly number[],
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Process {
  const usual = inherited.length > 0 ? { LISTEN_FDS: String(inherited.length) } : {};
  const all = Object.entries({ ...usual, LISTEN_PID: '', WATCHDOG_PID: '', ...variables });
  // The shell and env become node: the number of the process stays.
  const own = all.filter(([, value]) => value === '').map(([name]) => `${name}=$$`);
  const given = all.filter(([, value]) => value !== '').map((pair) => pair.join('='));
  const script = `${own.join(' ')} exec "$0" "$@"`;
  const command = ['/bin/sh', '-c', script, process.execPath, mondo, ...args];
  return new Process('/usr/bin/env', [...given, ...command], inherited);
}
