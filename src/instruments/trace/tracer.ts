/** Starts a server whose workers report what they do, and receives the reports. */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ServeError } from '../../host/errors.ts';
import { type Identity, identityOf } from '../../host/identity.ts';
import { serviceUrl } from '../../host/load-service.ts';
import type { ServeOptions } from '../../host/plan.ts';
import { serve } from '../../host/serve.ts';
import type { Server } from '../../host/server.ts';
import type { ServerEvent } from '../../host/server-event.ts';
import { loadModuleByModule } from '../../host/supervisor/worker-process.ts';
import { requireSystemCalls } from '../../host/system-calls.ts';
import { makeFifo } from '../../os/fifo.ts';
import { PROBE, type ProbeConfig, recordReader, type TraceRecord } from './records.ts';

export interface TraceOptions {
  /** True to report lines too, besides calls, questions and connections. Default true. */
  readonly lines?: boolean;
  /** Files and folders whose lines are reported, in addition to the pages and the service. */
  readonly include?: readonly string[];
  /** True to report the lines of all layers below the pages too. Default false. */
  readonly all?: boolean;
  /** Files and folders whose lines are not reported. */
  readonly ignore?: readonly string[];
}

/** Receives the records and events. Times are in ns since the launch. */
export interface Watcher {
  record(tid: number, record: TraceRecord): void;
  /** An event of the server or of a conversation. */
  event(t: number, event: ServerEvent): void;
}

export interface Tracer {
  readonly server: Server;
  /** ns since the launch. */
  now(): number;
  /**
   * Stops the server. Resolves when all reports of its workers have arrived.
   *
   * @param options as for `Server.close`
   */
  close(options?: Parameters<Server['close']>[0]): Promise<void>;
}

const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';
const probeUrl = new URL(`./probe${extension}`, import.meta.url).href;
const source = join(import.meta.dirname, '..', '..');

/** Folders that are traced: the pages. */
const PAGES = ['architectures'];
/** With `all`, also the layers below them. */
const ALL = [...PAGES, 'drivers', 'lifecycle', 'protocol', 'limits', 'worker'];

/** Name prefix of the folder with the pipe of a tracing process. */
export const pipePrefix = (pid: number): string => `mondo-trace-${pid}-`;

/** Removes the pipe of a tracing process that has been killed. */
export function removePipesOf(pid: number): void {
  for (const name of readdirSync(tmpdir())) {
    if (name.startsWith(pipePrefix(pid))) rmSync(join(tmpdir(), name), { recursive: true });
  }
}

/** Thread number that marks the end of the reports. No thread has it. */
const LAST = 0;

/**
 * Traces one server. A process can trace only one at a time, because workers read the configuration
 * from their environment.
 *
 * @throws ServeError if it cannot serve or cannot trace
 */
export async function startTrace(
  options: ServeOptions,
  { lines = true, include = [], ignore = [], all = false }: TraceOptions,
  watcher: Watcher,
): Promise<Tracer> {
  requireSystemCalls('trace');
  if (process.env[PROBE] !== undefined) {
    throw new ServeError('failed', 'Cannot trace: this process traces another server already');
  }
  for (const path of [...include, ...ignore]) {
    if (existsSync(path)) continue;
    throw new ServeError(
      'usage',
      `Cannot trace the lines of "${path}": there is no such file; give a file or a folder, relative to the current one`,
    );
  }
  const service = folderOf(options.service);
  const { folder, pipe } = makePipe(identityOf(options.user, options.group));
  const reading = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  // The pipe has no end while a process has it open for writing.
  const writing = openSync(pipe, 'w');
  const launch = process.hrtime.bigint();
  const launchedAt = performance.timeOrigin + performance.now();
  const config: ProbeConfig = {
    pipe,
    launch: String(launch),
    lines,
    // Node names a module by its real path, without links.
    include: [
      ...(all ? ALL : PAGES).map((name) => join(source, name)),
      ...service,
      ...include.map((path) => realpathSync(path)),
    ],
    ignore: ignore.map((path) => realpathSync(path)),
  };
  const before = { [PROBE]: process.env[PROBE], NODE_OPTIONS: process.env.NODE_OPTIONS };
  const loadAsBefore = loadModuleByModule();
  process.env[PROBE] = JSON.stringify(config);
  // Node warns in each thread that stripping types is experimental.
  const importing = `--import ${probeUrl} --disable-warning=ExperimentalWarning`;
  process.env.NODE_OPTIONS = `${before.NODE_OPTIONS ?? ''} ${importing}`.trim();

  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  /** Threads whose journal events arrive through the pipe, at the exact time. */
  const reporting = new Map<number, { readonly pid: number; readonly worker: number }>();
  const read = recordReader((tid, record) => {
    if (tid === LAST) {
      end();
      return;
    }
    if (record.kind === 'thread') reporting.set(tid, record);
    watcher.record(tid, record);
    if (record.kind !== 'event') return;
    const { pid, worker } = reporting.get(tid)!;
    const at = Math.round(launchedAt + record.t / 1e6);
    watcher.event(record.t, { ...record.event, at, pid, tid, worker });
  });
  const onEvent = (event: ServerEvent) => {
    if ('tid' in event && 'worker' in event) return;
    watcher.event((event.at - launchedAt) * 1e6, event);
  };
  const socket = new Socket({ fd: reading, readable: true, writable: false });
  socket.setEncoding('utf8').on('data', read);

  function tidyUp(): void {
    loadAsBefore();
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    closeSync(writing);
    socket.destroy();
    rmSync(folder, { recursive: true });
  }

  let server: Server;
  try {
    server = await serve(options, onEvent);
  } catch (error) {
    tidyUp();
    throw error;
  }
  return {
    server,
    now: () => Number(process.hrtime.bigint() - launch),
    async close(options) {
      await server.close(options);
      writeSync(writing, `${LAST}\n{}\n`);
      await ended;
      tidyUp();
    },
  };
}

/** @throws ServeError if it cannot make a pipe in the temporary folder */
function makePipe(identity: Identity | undefined): {
  readonly folder: string;
  readonly pipe: string;
} {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), pipePrefix(process.pid)));
    const pipe = join(folder, 'pipe');
    makeFifo(pipe, 0o600);
    // Records are trusted, so only the user of the workers may write to the pipe. That user may not
    // read it.
    if (identity !== undefined) {
      chmodSync(pipe, 0o200);
      chownSync(pipe, identity.uid, identity.gid);
      chmodSync(folder, 0o711);
    }
    return { folder, pipe };
  } catch (error) {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ServeError(
      'failed',
      `Cannot trace: cannot make a named pipe in "${tmpdir()}": ${code ?? message}; set TMPDIR to a folder that you may write to`,
      { cause: error },
    );
  }
}

/** The real path of the service's folder, because the service may consist of several modules. */
function folderOf(service: ServeOptions['service']): string[] {
  if (typeof service !== 'string' && !(service instanceof URL)) return [];
  const url = serviceUrl(service);
  return url.startsWith('file:') ? [dirname(realpathSync(fileURLToPath(url)))] : [];
}
