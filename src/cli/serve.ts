/** `mondo serve`: a server in the foreground that writes its events to standard output. */
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { AS_ROOT, isRootUnasked } from '../host/identity.ts';
import { DEFAULT_PORT, type RestartOptions } from '../host/plan.ts';
import { startServer } from '../host/serve.ts';
import type { Server } from '../host/server.ts';
import type { ServerEvent } from '../host/server-event.ts';
import { effectiveOptions } from './effective.ts';
import { listenForInterrupt } from './interrupt.ts';
import { optionsOf, refusedChanges, restartOptionsOf } from './serve-configuration.ts';
import { hasTerminal, isInForeground } from './terminal.ts';

const { pid } = process;

/** Interval at which it checks whether the shell has moved the server to the foreground or background, in ms. */
const LOOK_INTERVAL_MS = 1000;

/** pino's number for the level `info`. */
const INFO = 30;

/** @param command `serve`, with its arguments and options */
export async function serveCommand(command: Command): Promise<void> {
  const file: string | undefined = command.getOptionValue('config');
  const effective = await effectiveOptions(command, file);
  const log = effective.options.log as 'text' | 'json' | 'none';
  const options = optionsOf(effective);
  if (options.architecture === 'inetd') {
    const { socketOfClient } = await import('../host/activation.ts');
    const { serveStandardInput } = await import('../host/worker/standard-input.ts');
    const socket = socketOfClient(process.env, process.pid);
    if (socket !== undefined) {
      await serveStandardInput(options, socket);
      // The service is closed, but it may have left a timer or a socket that keeps Node's loop alive.
      process.exit();
    }
  }
  let server: Server | undefined;
  // Remember it now: once the terminal is gone, the kernel no longer reports its foreground group.
  let isForeground = isInForeground();
  if (hasTerminal()) {
    setInterval(() => {
      if (hasTerminal()) isForeground = isInForeground();
    }, LOOK_INTERVAL_MS).unref();
  }
  const interruption = listenForInterrupt(
    () => server,
    ({ code }) => code === 'EIO' && !isForeground,
  );
  const warn = (text: string) => {
    // Without a log there are no events, but the user must still see a warning.
    if (log === 'none') console.error(`mondo: ${text}`);
    else record({ type: 'warning', text, at: Date.now(), pid, tid: pid, worker: -1 });
  };
  const reread = async (): Promise<RestartOptions> => {
    try {
      const now = await effectiveOptions(command, file);
      const refused = refusedChanges(effective, now);
      if (refused.length > 0)
        warn(`Ignored changes that need another start: ${refused.join(', ')}`);
      return await restartOptionsOf(server!.architecture, effective, now);
    } catch (error) {
      const { message } = error as Error;
      if (log !== 'none') warn(`Cannot restart, the old workers continue to serve: ${message}`);
      throw error;
    }
  };
  const restart = () =>
    server!.restart(file === undefined ? {} : reread).catch((error: Error) => {
      // The log reports it, except for a server in this process.
      if (log === 'none' || server!.pids.length === 0) console.error(`mondo: ${error.message}`);
    });
  let isRestartDue = false;
  process.on('SIGHUP', () => {
    // The terminal was closed. In the background, or if the terminal still exists, the signal requests a restart.
    if (isForeground && process.stdin.isTTY && !hasTerminal()) interruption.interrupt();
    else if (server === undefined) isRestartDue = true;
    else void restart();
  });
  // Set the handler from the beginning: a signal without a handler ends the process.
  process.on('SIGUSR2', () => {
    if (server === undefined) return;
    const workers = server.workers();
    output.write(log === 'json' ? lineOf(workers) : tableOf(workers));
  });

  // The log's modules load while the workers start; events wait for them.
  const events: ServerEvent[] = [];
  let record = (event: ServerEvent): void => void events.push(event);
  const starting = startServer(
    { ...options, systemd: true },
    log === 'none' ? undefined : (event) => record(event),
  );
  // The failure is handled below; without this line it would be an unhandled rejection.
  starting.catch(() => {});
  const { StandardOutput } = await import('./standard-output.ts');
  const output = new StandardOutput();
  output.leaveAtExit();
  try {
    if (log !== 'none') {
      const { createLogger } = await import('./log.ts');
      const logger = await createLogger(log, output);
      for (const event of events) logger(event);
      record = logger;
    }
    server = await starting;
    if (isRootUnasked(options)) warn(AS_ROOT);
    for (const text of effective.warnings) warn(text);
    if (log === 'none') output.write(`Listening at ${server.where}\n`);
    if (process.stdout.isTTY && log === 'text') output.write(hint(server));
    // A change after the workers loaded the service must not be missed.
    if (isRestartDue) void restart();
    await interruption.interrupted;
  } catch (error) {
    // Ctrl-C reaches the workers, too, and ends one that has just started. That is not a failure.
    if (interruption.isInterrupted && server === undefined) return;
    // A server that still runs would prevent this process from ending with its exit code.
    await starting.then(({ close }) => close({ deadline: 0 })).catch(() => {});
    throw error;
  }
  await server.close();
  await output.written(interruption.interruptedAgain);
  // End it explicitly: otherwise Node first removes its signal handlers, and a late second Ctrl-C would be an error.
  process.exit();
}

/** The work of each worker, as a line like those of the log. */
const lineOf = (workers: readonly object[]): string =>
  `${JSON.stringify({ level: INFO, type: 'workers', time: Date.now(), workers, msg: 'Workers' })}\n`;

/** A table in the form of `console.table`. */
function tableOf(rows: readonly object[]): string {
  let table = '';
  const stdout = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      table += text;
      done();
    },
  });
  new Console({ stdout }).table(rows);
  return table;
}

/** What to try next, if a user sits at the terminal. */
function hint({ address }: Server): string {
  const isUnix = address.family === 'unix';
  const host = isUnix
    ? `unix:${address.path}`
    : address.host.replace(/^(::|0\.0\.0\.0)$/, '127.0.0.1');
  const isUsual = isUnix || address.port === DEFAULT_PORT;
  const client = `npx mondo client ${host}${isUsual ? '' : ` -p ${address.port}`}`;
  const commands: readonly (readonly [command: string, explanation: string])[] = [
    [client, 'three questions and their answers'],
    [`${client} -e`, 'a client that sends half a question and leaves'],
    [
      isUnix ? `nc -U ${address.path}` : `nc ${host} ${address.port}`,
      'a silent client: do other clients wait?',
    ],
    ['npx mondo lab', 'who waits and for what, on a live page'],
    ['npx mondo architectures', 'the other ways to serve'],
  ];
  const columns = process.stdout.columns || 80;
  const widest = Math.max(...commands.map(([command]) => command.length));
  const lines = commands.map(([command, explanation]) => {
    const line = `  ${command.padEnd(widest)}  ${explanation}`;
    // Commands stay on one line, so that they can be copied.
    return line.length <= columns ? line : `  # ${explanation}\n  ${command}`;
  });
  return [
    '\nIn another terminal, try:',
    ...lines,
    `Ctrl-C stops the server, kill -HUP ${pid} replaces its workers.\n\n`,
  ].join('\n');
}
