/** Database servers that a test starts and stops itself, each on a free port and in a folder of its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendantsOf } from './kernel.ts';
import { hasProgram } from './programs.ts';
import { PATIENCE, until, within } from './until.ts';

/** User without rights on Debian: PostgreSQL refuses to run as root. */
const UNPRIVILEGED = 65534;
const isRoot = process.geteuid?.() === 0;

/** Folders of PostgreSQL's programs, the newest first. Debian has them in no folder of PATH. */
const postgresFolders = (): string[] => {
  const base = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(base).sort((one, other) => Number(other) - Number(one));
    return versions.map((version) => join(base, version, 'bin'));
  } catch {
    return [];
  }
};

export const hasPostgres = (): boolean =>
  hasProgram('postgres', '--no-install-recommends postgresql', postgresFolders());

export const hasRedis = (): boolean =>
  hasProgram('redis-server', '--no-install-recommends redis-server');

/** A port that is free now. It is below those that the kernel gives to clients, so none of them takes it. */
async function freePort(): Promise<number> {
  for (let port = 20_000 + (process.pid % 10_000); ; port++) {
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

interface Program {
  /** The command and its words; a server that stays in the foreground. */
  readonly command: readonly string[];
  /** Ends it as an administrator does, without waiting for its clients. */
  readonly signal: NodeJS.Signals;
  /** True if a PostgreSQL or Redis answers, not only a socket that listens. */
  isReady(): Promise<boolean>;
}

export class Database {
  readonly port: number;
  readonly #folder: string;
  readonly #program: Program;
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string, program: Program) {
    this.port = port;
    this.#folder = folder;
    this.#program = program;
  }

  /** It has the user and the database `postgres`, without a password. */
  static async postgres(): Promise<Database> {
    const folder = newFolder();
    const port = await freePort();
    const [programs = ''] = postgresFolders();
    const data = join(folder, 'data');
    const [initdb, ...words] = asUser([
      ...[join(programs, 'initdb'), '-D', data, '-U', 'postgres'],
      ...['--auth=trust', '--no-sync', '--locale=C', '--encoding=UTF8'],
    ]);
    execFileSync(initdb!, words, { stdio: 'pipe' });
    const command = asUser([
      ...[join(programs, 'postgres'), '-D', data, '-p', String(port), '-k', folder],
      ...['-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off', '-c', 'max_connections=200'],
    ]);
    const ready = [join(programs, 'pg_isready'), '-h', '127.0.0.1', '-p', String(port), '-q'];
    return Database.#started(port, folder, {
      command,
      signal: 'SIGINT',
      isReady: async () => (await exitOf(ready)) === 0,
    });
  }

  static async redis(): Promise<Database> {
    const folder = newFolder();
    const port = await freePort();
    return Database.#started(port, folder, {
      command: asUser([
        ...['redis-server', '--bind', '127.0.0.1', '--port', String(port)],
        // It keeps every change in a file, so counters survive a stop.
        ...['--dir', folder, '--appendonly', 'yes', '--save', ''],
      ]),
      signal: 'SIGTERM',
      isReady: () => answersPing(port),
    });
  }

  static async #started(port: number, folder: string, program: Program): Promise<Database> {
    const database = new Database(port, folder, program);
    await database.start();
    return database;
  }

  async start(): Promise<void> {
    const [command, ...words] = this.#program.command;
    let output = '';
    const child = spawn(command!, words, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes) => {
        output += bytes;
      });
    }
    await until('the database to answer', () => {
      if (child.exitCode === null) return this.#program.isReady();
      throw new Error(`${command} has ended:\n${output}`);
    });
  }

  /** Stops it, and keeps its data. Its port refuses connections afterwards. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'close');
    // A suspended process handles a signal only when it runs again.
    for (const signal of [this.#program.signal, 'SIGCONT'] as const) child.kill(signal);
    await within(PATIENCE, 'the database to end', ended);
  }

  /** It answers nothing, and its connections stay open, as if its machine were unreachable. */
  suspend(): void {
    for (const pid of this.#pids()) process.kill(pid, 'SIGSTOP');
  }

  resume(): void {
    for (const pid of this.#pids()) process.kill(pid, 'SIGCONT');
  }

  async remove(): Promise<void> {
    this.resume();
    await this.stop();
    rmSync(this.#folder, { recursive: true });
  }

  /** The server, and the processes that PostgreSQL has for its connections. */
  #pids(): number[] {
    const pid = this.#process?.pid;
    return pid === undefined ? [] : [pid, ...descendantsOf(pid)];
  }
}

/** A command as a user without rights if this is root. The command ends if this process dies. */
function asUser(words: readonly string[]): string[] {
  const user = isRoot
    ? [`--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, '--clear-groups']
    : [];
  return ['setpriv', ...user, '--pdeathsig=KILL', ...words];
}

/** A folder that belongs to the user of the database. */
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mondo-database-'));
  if (isRoot) chownSync(folder, UNPRIVILEGED, UNPRIVILEGED);
  return folder;
}

async function exitOf([command, ...words]: readonly string[]): Promise<number | null> {
  const [code] = await once(spawn(command!, words, { stdio: 'ignore' }), 'exit');
  return code as number | null;
}

/** While Redis loads its file, it answers `-LOADING`. */
async function answersPing(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write('PING\r\n');
    const [bytes] = await once(socket, 'data');
    return String(bytes) === '+PONG\r\n';
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
