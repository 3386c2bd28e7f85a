/** `mondo serve`: a server in the foreground, its account on standard output. */
import { DEFAULT_PORT, type ServeOptions } from '../host/plan.ts';
import { type Server, serve } from '../host/serve.ts';
import { createLogger } from './log.ts';

interface Options extends ServeOptions {
  readonly log: 'text' | 'json' | 'none';
}

export async function serveCommand(
  architecture: string,
  host: string,
  { log, ...options }: Options,
): Promise<void> {
  const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<void>();
  // Before the server starts: a signal that comes meanwhile must not leave workers behind.
  process.once('SIGINT', () => interrupt());
  process.once('SIGTERM', () => interrupt());

  const logger = log === 'none' ? undefined : await createLogger(log);
  let server: Server;
  try {
    server = await serve({ ...options, architecture, host }, logger);
  } catch (error) {
    interrupt();
    throw error;
  }
  if (log === 'none') console.log(`Listening at ${server.where}`);
  if (process.stdout.isTTY && log === 'text') hint(server);
  process.on('SIGUSR2', () => console.table(server.workers()));
  await interrupted;
  await server.close();
}

/** What to try next, where somebody sits at the terminal. */
function hint({ address }: Server): void {
  const target =
    address.family === 'unix'
      ? `unix:${address.path}`
      : address.host.replace(/^(::|0\.0\.0\.0)$/, '127.0.0.1');
  const port =
    address.family === 'unix' || address.port === DEFAULT_PORT ? '' : ` -p ${address.port}`;
  const command = `npx mondo client ${target}${port}`;
  console.log(
    [
      '',
      'In another terminal, try:',
      `  ${command}                 three questions and their answers`,
      `  ${command} -e              a client that leaves in the middle of a question`,
      ...(address.family === 'unix'
        ? []
        : [
            `  nc ${target} ${address.port}                             a silent client: who else is served now?`,
          ]),
      '  npx mondo architectures                         the other ways to serve',
      'Ctrl-C stops the server.',
      '',
    ].join('\n'),
  );
}
