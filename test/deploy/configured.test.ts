/** Servers with a configuration file, which they read again at SIGHUP. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { spawnManaged } from '../support/activated.ts';
import { ask, NetClient } from '../support/clients.ts';
import { descendantsOf } from '../support/kernel.ts';
import { NotifyRecorder } from '../support/notify-recorder.ts';
import { mondo, Process, spawnMondo } from '../support/processes.ts';
import { listeningAt } from '../support/serve-command.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-configured-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileOf(text: string): string {
  const file = join(folder, `${files++}.toml`);
  writeFileSync(file, text);
  return file;
}

/** A file whose server answers that number of questions on a connection. */
const limited = (questions: number, more = '') =>
  `architecture = "epoll"\nport = 0\n${more}\n[limit]\nquestions = ${questions}\n`;

/** Number of answers that a client gets on one connection, at most 3. */
async function answersOf(address: Awaited<ReturnType<typeof listeningAt>>): Promise<number> {
  const client = await NetClient.connect(address);
  await client.send('Simple is better than?'.repeat(3));
  await client.end();
  const text = await client.rest();
  await client.close();
  return text.split('.').length - 1;
}

describe('mondo serve --config', () => {
  it('reads the file at its start and again at SIGHUP', async () => {
    const file = fileOf(limited(1));
    await using server = spawnMondo('serve', '--config', file);
    const address = await listeningAt(server);
    expect(await answersOf(address)).toBe(1);
    writeFileSync(file, limited(2, 'processes = 2'));
    server.child.kill('SIGHUP');
    await server.printed(/Restarted: workers of generation 2 serve/);
    // A leaving worker may accept until it notices the order.
    await until('two workers', () => descendantsOf(server.pid).length === 2);
    expect(await answersOf(address)).toBe(2);
    // An option that the file does not have any more has its default again.
    writeFileSync(file, 'architecture = "epoll"\nport = 0\n');
    server.child.kill('SIGHUP');
    await server.printed(/Restarted: workers of generation 3 serve/);
    await until('one worker', () => descendantsOf(server.pid).length === 1);
    expect(await answersOf(address)).toBe(3);
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
    expect(server.stdout).not.toContain('Ignored');
  });

  it('keeps the old workers if the file is wrong, and takes what a restart can change from a right one', async () => {
    const file = fileOf(limited(1));
    await using server = spawnMondo('serve', '--config', file);
    const address = await listeningAt(server);
    const workers = descendantsOf(server.pid);
    for (const [text, says] of [
      ['thread = 2', 'there is no key "thread"; do you mean "threads"?'],
      ['architecture = "epoll"\nqueue = 3', 'Cannot use queue with epoll: it is for queued'],
    ] as const) {
      writeFileSync(file, text);
      server.child.kill('SIGHUP');
      const line = `Cannot restart, the old workers continue to serve: `;
      await until(says, () => server.stdout.includes(line) && server.stdout.includes(says));
    }
    expect(descendantsOf(server.pid)).toEqual(workers);
    expect(await answersOf(address)).toBe(1);
    expect(server.stdout).not.toContain('Restarted');

    // A right file: it refuses another address or architecture with a line, and applies the rest.
    writeFileSync(file, limited(2, 'host = "::1"\nbacklog = 9').replace('epoll', 'poll'));
    server.child.kill('SIGHUP');
    await server.printed(/Restarted: workers of generation 2 serve/);
    expect(server.stdout).toContain(
      'Ignored changes that need another start: architecture, host, backlog\n',
    );
    await until('the end of the old worker', () => descendantsOf(server.pid).length === 1);
    expect(await answersOf(address)).toBe(2);
    server.child.kill('SIGTERM');
    const { code, stdout, stderr } = await server.ended();
    expect({ code, stderr, restarts: stdout.match(/Restarted/g)?.length }).toEqual({
      code: 0,
      stderr: '',
      restarts: 1,
    });
  });

  it('reports to systemd that a wrong file has failed', async () => {
    using manager = new NotifyRecorder(true);
    const file = fileOf(limited(1));
    const variables = { NOTIFY_SOCKET: manager.name };
    await using server = spawnManaged([], ['serve', '--config', file], variables);
    await manager.has('READY');
    writeFileSync(file, 'thread = 2');
    server.child.kill('SIGHUP');
    const { fields } = await manager.has('READY', 2);
    expect(fields.STATUS).toMatch(/; the last restart failed: .* do you mean "threads"\?$/);
    expect(manager.story.slice(0, 3)).toEqual(['READY', 'RELOADING MONOTONIC_USEC', 'READY']);
    server.child.kill('SIGTERM');
    await server.ended();
  });

  it('lets the command line decide, then the variables', async () => {
    const file = fileOf(limited(1, 'log = "none"'));
    const variables = [
      'MONDO_ARCHITECTURE=poll',
      'MONDO_LOG=json',
      'MONDO_PORT=tcp://10.0.0.1:1060',
    ];
    const words = ['serve', 'single', '--config', file, '--limit', 'questions=2'];
    await using server = new Process('/usr/bin/env', [
      ...variables,
      ...[process.execPath, mondo, ...words],
    ]);
    const address = await listeningAt(server);
    expect(await answersOf(address)).toBe(2);
    await server.printed(/"msg":"Ignored MONDO_PORT=tcp:\/\/10\.0\.0\.1:1060: /);
    expect(server.stdout).toContain('"architecture":"single"');
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
  });

  it('loads the parsers only with the option', async () => {
    const hooks = `import { registerHooks } from 'node:module';
      registerHooks({ resolve(name, context, next) {
        if (name === 'ajv' || name === 'smol-toml') process.stderr.write('loads ' + name + '\\n');
        return next(name, context);
      } });`;
    const loaded = async (...words: string[]) => {
      const hook = `data:text/javascript,${encodeURIComponent(hooks)}`;
      const args = ['--import', hook, mondo, 'serve', 'callback', '-p', '0', ...words];
      await using server = new Process(process.execPath, args);
      await listeningAt(server);
      server.child.kill('SIGTERM');
      return (await server.ended()).stderr.match(/loads \S+/g) ?? [];
    };
    expect(await loaded()).toEqual([]);
    expect((await loaded('--config', fileOf(''))).toSorted()).toEqual([
      'loads ajv',
      'loads smol-toml',
    ]);
  });
});

it('restarts with another number of threads, and still wakes each one when it leaves', async () => {
  // The drain is longer than the test: a worker that does not wake up does not end.
  const withThreads = (threads: number) =>
    `architecture = "poll"\nport = 0\ndrain = "60m"\nthreads = ${threads}\n`;
  const file = fileOf(withThreads(1));
  await using server = spawnMondo('serve', '--config', file);
  const address = await listeningAt(server);
  for (const [i, threads] of [3, 1].entries()) {
    writeFileSync(file, withThreads(threads));
    server.child.kill('SIGHUP');
    await server.printed(new RegExp(`Restarted: workers of generation ${i + 2} serve`));
    await until('the old worker to end', () => descendantsOf(server.pid).length === 1);
    const client = await NetClient.connect(address);
    expect(await ask(client, 'Simple is better than?', 8)).toBe('Complex.');
    await client.close();
  }
  server.child.kill('SIGTERM');
  const { code, stdout } = await server.ended();
  expect(code).toBe(0);
  expect(stdout).not.toContain('died');
});
