/** A cgroup whose processes and threads are counted and limited, where this user may make one. cgroups(7) */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mondo, Process } from './processes.ts';
import { until } from './until.ts';

export class TasksCgroup implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined where there is no such controller, or this user may not make a group. */
  static make(name: string): TasksCgroup | undefined {
    for (const root of ['/sys/fs/cgroup/pids', '/sys/fs/cgroup']) {
      const folder = join(root, name);
      try {
        mkdirSync(folder);
      } catch {
        continue;
      }
      if (existsSync(join(folder, 'pids.max'))) return new TasksCgroup(folder);
      rmdirSync(folder);
    }
    return undefined;
  }

  get current(): number {
    return Number(readFileSync(join(this.#folder, 'pids.current'), 'latin1'));
  }

  allow(most: number): void {
    writeFileSync(join(this.#folder, 'pids.max'), String(most));
  }

  /** Runs `mondo` in the group. */
  run(...args: string[]): Process {
    const command = `echo $$ > ${join(this.#folder, 'cgroup.procs')}; exec "$0" "$@"`;
    return new Process('/bin/sh', ['-c', command, process.execPath, mondo, ...args]);
  }

  /** Once none of its processes is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await until('its processes to end', () => this.current === 0);
    rmdirSync(this.#folder);
  }
}
