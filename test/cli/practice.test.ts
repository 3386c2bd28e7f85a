/**
 * The exercises of docs/practice.md: the page quotes what a learner sees. Times, numbers and the order of questions
 * may differ.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mondo, Process, runMondo, spawnMondo } from '../support/processes.ts';
import { type Block, blocksOf, linesOf, normalized } from '../support/quotes.ts';
import { until } from '../support/until.ts';

const PRACTICE = 'docs/practice.md';
const pageOf = (architecture: string) => `docs/architectures/${architecture}.md`;

/** The log's lines in these blocks, without lines of strace and ps, or a client's output. */
const loggedIn = (blocks: readonly Block[]) =>
  blocks
    .filter(({ language, text }) => language === '' && /^(?:\[|[A-Z])/.test(text))
    .flatMap(({ text }) => linesOf(text))
    .filter((line) => !/^Complex\.|^real|^Threads:|^Pss:/.test(line));

const withoutTime = (line: string) => normalized(line).replace(/^\[T\](?: \(N\))?: /, '');

/** Waits until a server has printed each of these lines, in this order. */
async function expectLogged(server: Process, quoted: readonly string[]): Promise<void> {
  expect(quoted.length).toBeGreaterThan(0);
  const wanted = quoted.map(withoutTime);
  const missing = () => {
    const printed = server.stdout.split('\n').map(withoutTime);
    let from = 0;
    return wanted.filter((line) => {
      const at = printed.indexOf(line, from);
      if (at !== -1) from = at + 1;
      return at === -1;
    });
  };
  await until('the quoted lines', () => missing().length === 0).catch(() => {});
  expect(missing(), server.stdout).toEqual([]);
}

async function started(...options: string[]) {
  const server = spawnMondo('serve', ...options, '-p', '0');
  const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  return { server, port: port! };
}

async function silent(port: string): Promise<Socket> {
  const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Waits until that many connections are in the log. */
const accepted = (server: Process, count: number) =>
  until(`${count} clients in the log`, () => server.stdout.split('Accepted').length > count);

describe.concurrent('docs/practice.md', () => {
  test('The protocol: three clients and the log', async () => {
    const { server, port } = await started('single');
    await using _ = server;
    const [, seen, log] = blocksOf(PRACTICE, 'The protocol');
    const runs = [
      ['127.0.0.1'],
      ['-e', '127.0.0.1'],
      ['127.0.0.1', '--ask', 'Complex is better than?'],
    ];
    let printed = '';
    for (const words of runs) printed += (await runMondo('client', ...words, '-p', port)).stdout;
    expect(linesOf(printed).map(normalized)).toEqual(linesOf(seen!.text).map(normalized));
    await expectLogged(server, loggedIn([log!]));
  });

  test('Asking with nc: the newline that is left', async () => {
    const { server, port } = await started('single');
    await using _ = server;
    const socket = await silent(port);
    socket.write('Simple is better than?\n');
    expect(String((await once(socket, 'data'))[0])).toBe('Complex.');
    socket.end();
    await expectLogged(server, loggedIn(blocksOf(PRACTICE, 'Asking with nc')));
  });

  test('2. Robustness: one client is silent, and another gives up', async () => {
    const { server, port } = await started('single');
    await using _ = server;
    const [, seen, , log] = blocksOf(PRACTICE, '2. Robustness');
    const first = await silent(port);
    await accepted(server, 1);
    const second = await runMondo('client', '127.0.0.1', '-p', port, '--timeout', '1000');
    expect(linesOf(second.stderr).map(normalized)).toEqual(linesOf(seen!.text).map(normalized));
    expect(second.code).toBe(1);
    first.destroy();
    await expectLogged(server, loggedIn([log!]));
  });

  test('queued: a fifth client is in the queue', async () => {
    const { server, port } = await started('queued');
    await using _ = server;
    for (let count = 1; count <= 6; count++) {
      await silent(port);
      await accepted(server, count);
    }
    await expectLogged(server, [
      ...loggedIn(blocksOf(PRACTICE, 'Threaded and multiprocess')).filter((it) => /queue/.test(it)),
      ...loggedIn(blocksOf(pageOf('queued'))),
    ]);
    expect(server.stdout).toContain(', number 1 in the queue');
  });

  test('prefork: a killed process takes one client along, and a new one serves the fifth', async () => {
    const { server, port } = await started('prefork');
    const begun = performance.now();
    await using _ = server;
    for (let count = 1; count <= 4; count++) {
      await silent(port);
      await accepted(server, count);
    }
    // A process that has lived for less than a second is replaced after a delay.
    await until('a second', () => performance.now() - begun > 1100);
    const fifth = runMondo('client', '127.0.0.1', '-p', port, '--timeout', '60000');
    const [, pid] = /\((\d+)\): Accepted/.exec(server.stdout)!;
    process.kill(Number(pid), 'SIGKILL');
    expect((await fifth).code).toBe(0);
    const quoted = loggedIn(blocksOf(PRACTICE, 'Threaded and multiprocess'));
    await expectLogged(
      server,
      quoted.filter((it) => !/queue/.test(it)),
    );
    await expectLogged(server, loggedIn(blocksOf(pageOf('prefork'))));
  });

  test('socketserver: says that it has no cap', async () => {
    const { server } = await started('socketserver');
    await using _ = server;
    await expectLogged(server, loggedIn(blocksOf(PRACTICE, 'The legacy SocketServer')));
    await expectLogged(server, loggedIn(blocksOf(pageOf('socketserver'))));
  });

  test('select: five lines for clients that are refused, and one for all others', async () => {
    const { server, port } = await started('select');
    await using _ = server;
    const attack = blocksOf(PRACTICE, 'Async servers').find(({ text }) =>
      text.startsWith('npx node'),
    )!;
    expect(blocksOf(pageOf('select'))).toContainEqual(attack);
    const [, program] = /^npx node -e '(.*)'$/.exec(attack.text.trim())!;
    // It stays until the end: a busy machine may need more than two seconds for all connections.
    const words = program!.replace('1060', port).replace('2000', '1e9');
    await using _crowd = new Process(process.execPath, ['-e', words]);
    await expectLogged(server, loggedIn(blocksOf(PRACTICE, 'Async servers')));
    await expectLogged(server, loggedIn(blocksOf(pageOf('select'))));
    expect(server.stdout.match(/Refused/g)!.length).toBeGreaterThanOrEqual(5);
  });

  test('inetd: a Node that is too old answers with the beginning of its complaint', async () => {
    const old = `for (const [name, value] of [['version', 'v20.1.0'], ['versions', { node: '20.1.0' }]])
      Object.defineProperty(process, name, { value });
      require(${JSON.stringify(mondo)});`;
    await using run = new Process(process.execPath, ['-e', old]);
    const { stderr } = await run.ended();
    const answer = stderr.slice(0, stderr.indexOf('.') + 1);
    const text = readFileSync(join(import.meta.dirname, '..', '..', PRACTICE), 'utf8');
    expect(text.replaceAll('\n', ' ')).toContain(`\`${answer}\``);
  });
});
