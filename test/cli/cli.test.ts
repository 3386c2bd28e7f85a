/** The command as a user sees it: real processes, their output, their exit codes, and what they leave behind. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'acorn';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { architectureNames } from '../../src/architectures/catalogue.ts';
import { connect } from '../../src/index.ts';
import { planOptions } from '../../src/instruments/load/schema.ts';
import { outcomeWords } from '../../src/instruments/load/words.ts';
import { limitDefaults } from '../../src/limits/limits.ts';
import { aphorisms } from '../../src/protocol/zen.ts';
import { commands } from '../support/commands.ts';
import {
  descendantsOf,
  type Ended,
  isAlive,
  mondo,
  Process,
  runMondo,
  spawnMondo,
} from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { type Block, blocksOf, normalized } from '../support/quotes.ts';
import { MS, until } from '../support/until.ts';

const ESCAPE = '\u001b';
const hasIPv6 = Object.values(networkInterfaces())
  .flat()
  .some((it) => it?.address === '::1');

const { run } = commands();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mondo-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** One line on standard error that names the program, no stack, nothing on standard output. */
function expectOneLine(ended: Ended, code: number, says: string) {
  expect(ended.stderr).toMatch(/^mondo: [^\n]+\n$/);
  expect(ended.stderr).toContain(says);
  expect(ended.stdout).toBe('');
  expect(ended.code).toBe(code);
}

async function portOf(server: Process): Promise<number> {
  const [, port] = await server.printed(/Listening at \S+:(\d+)/);
  return Number(port);
}

/** A port without a listener. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('mondo', () => {
  test('alone prints its help', async () => {
    const { code, stdout, stderr } = await runMondo();
    expect(stdout).toMatch(/^Usage: mondo /);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('--version prints the version', async () => {
    const { code, stdout } = await runMondo('--version');
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(code).toBe(0);
  });

  test.each([
    ['serve', 8],
    ['client', 0],
    ['architectures', 0],
    ['config', 2],
    ['trace', 7],
    ['siege', 0],
    ['load', 7],
    ['load merge', 1],
    ['compare', 5],
    ['this', 0],
  ])('%s --help fits 80 columns, with an example for each of its %i groups', async (name, groups) => {
    const { code, stdout } = await run(...name.split(' '), '--help');
    expect(code).toBe(0);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    if (groups === 0) {
      expect(stdout.match(/^Example:\n {2}\$ mondo .*/gm)).toEqual([
        expect.stringContaining(`$ mondo ${name}`),
      ]);
      return;
    }
    const parts = stdout.split('\n\n').filter((part) => /^[A-Z].*:\n {2}-+\w/.test(part));
    const examples = parts
      .filter((part) => !part.startsWith('Help:'))
      .map((part) => {
        const [example, ...more] = part.match(/^ {2}Example: .*/gm) ?? [];
        expect(more).toEqual([]);
        return example;
      });
    expect(examples).toHaveLength(groups);
    for (const example of examples) expect(example).toMatch(`Example: mondo ${name} `);
  });

  test('the help of serve and load begins with four options, and has every default, limit and outcome', async () => {
    const optionsOf = (help: string) =>
      help
        .split(/\n(?= {2}-)/)
        .slice(1)
        .map((text) => text.split(/\n {2}Example:|\n\n/)[0]!);
    const serve = (await run('serve', '--help')).stdout;
    const load = (await run('load', '--help')).stdout;
    const names = (help: string) =>
      optionsOf(help.split('Start with these:')[1]!.split('\n\n')[0]!.replace(/^/, '\n')).map(
        (text) => /--[a-z]+/.exec(text)![0],
      );
    expect(names(serve)).toEqual(['--port', '--threads', '--think', '--service']);
    expect(names(load)).toEqual(['--port', '--connections', '--rate', '--duration']);
    // These have an effect of their own, and no default.
    const plain = /--(help|find-knee|stage|fail-if|json|csv|hlog|html|quiet|plan|save-plan) /;
    for (const option of [...optionsOf(serve), ...optionsOf(load)]) {
      if (!plain.test(option)) expect(option.replaceAll(/\s+/g, ' ')).toMatch(/\(default: .+\)/);
    }
    for (const [, word] of limitDefaults()) expect(serve).toMatch(new RegExp(`^  ${word} .*`, 'm'));
    for (const [, word] of outcomeWords) expect(load).toMatch(new RegExp(`^  ${word} .*`, 'm'));
    for (const { flags } of planOptions) expect(load).toContain(`  ${flags}`);
  });

  test('reports in one line that there is no such command or option', async () => {
    expectOneLine(await runMondo('serv'), 2, "unknown command 'serv' (Did you mean serve?)");
    expectOneLine(await run('this', '--fast'), 2, "unknown option '--fast'");
    expectOneLine(await run('client'), 2, "missing required argument 'host'");
  });

  test('says in one line to an old Node which one it needs, in words that it can read', async () => {
    const old = `for (const [name, value] of [['version', 'v20.1.0'], ['versions', { node: '20.1.0' }]])
      Object.defineProperty(process, name, { value });
      require(${JSON.stringify(mondo)});`;
    await using command = new Process(process.execPath, ['-e', old]);
    const { code, stdout, stderr } = await command.ended();
    expect(stderr).toMatch(
      /^mondo needs Node 24 or newer and this is v20\.1\.0 [^\n]+npx mondo[^\n]+\n$/,
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const door = readFileSync(mondo, 'utf8');
    expect(() => parse(door, { ecmaVersion: 5, allowHashBang: true })).not.toThrow();
  });

  test.each([
    ['this'],
    ['architectures'],
    ['--help'],
  ])('%s is quiet when the reader of its output has left', async (command) => {
    await using running = spawnMondo(command);
    running.child.stdout.destroy();
    expect(await running.ended()).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('mondo this', () => {
  test('prints the Zen of Python', async () => {
    const { code, stdout } = await run('this');
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('The Zen of Python, by Tim Peters');
    expect(lines.slice(2, -1)).toHaveLength(19);
    for (const [question, answer] of Object.entries(aphorisms)) {
      expect(lines).toContain(question.replace('?', ` ${answer.toLowerCase()}`));
    }
    expect(code).toBe(0);
  });

  test.skipIf(!hasProgram('python3', 'python3'))('prints what Python prints', async () => {
    const { stdout } = await run('this');
    expect(stdout).toBe(execFileSync('python3', ['-c', 'import this'], { encoding: 'utf8' }));
  });
});

describe('mondo architectures', () => {
  test('prints all of them into a pipe, in columns, in at most 100 characters', async () => {
    const { code, stdout } = await run('architectures');
    const [heading = '', ...lines] = stdout.trimEnd().split('\n');
    expect(lines.flatMap((line) => /^\w+/.exec(line)?.[0] ?? [])).toEqual(architectureNames);
    const second = heading.indexOf('in the chapter');
    for (const line of lines.filter((one) => one !== '')) {
      expect(line.slice(second - 2)).toMatch(/^ {2}/);
    }
    for (const title of ['process model', 'I/O model', 'what defeats it']) {
      expect(heading).toContain(title);
    }
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(stdout).not.toContain(ESCAPE);
    expect(code).toBe(0);
  });

  test('--json gives every trait of each', async () => {
    const { stdout } = await run('architectures', '--json');
    const catalogue = JSON.parse(stdout) as Record<string, unknown>[];
    expect(catalogue.map(({ name }) => name)).toEqual(architectureNames);
    for (const traits of catalogue) {
      expect(Object.keys(traits)).toEqual(
        expect.arrayContaining(['chapter', 'processModel', 'ioModel', 'capacity', 'threads']),
      );
    }
  });

  test.skipIf(!hasProgram('script', 'bsdutils')).each([80, 160])(
    'fits a terminal of %i columns, in colour only where that is welcome',
    (columns) => {
      const print = (environment: string) => {
        const command = `stty cols ${columns}; ${environment} '${process.execPath}' '${mondo}' architectures`;
        const env = { PATH: process.env.PATH, TERM: 'xterm' };
        return execFileSync('script', ['-qec', command, '/dev/null'], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'inherit'],
          env,
        });
      };
      const plain = print('NO_COLOR=1');
      const lines = plain.split('\r\n');
      expect(plain).not.toContain(ESCAPE);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      for (const name of architectureNames) {
        expect(lines.some((line) => line.startsWith(`${name} `))).toBe(true);
      }
      expect(print('')).toContain(`${ESCAPE}[1m`);
    },
  );
});

describe('mondo serve', () => {
  test('prints its address, without colour in a pipe', async () => {
    await using server = spawnMondo('serve', 'epoll', '127.0.0.1', '-p', '0');
    const port = await portOf(server);
    await using client = await connect('127.0.0.1', port);
    expect(await client.ask('Simple is better than?')).toBe('Complex.');
    expect(server.stdout).not.toContain(ESCAPE);
    expect(server.stdout).not.toContain('In another terminal');
  });

  test.skipIf(!hasProgram('script', 'bsdutils'))(
    'is in colour on a terminal, but not with NO_COLOR',
    async () => {
      const accountWith = async (environment: string) => {
        const command = `${environment} exec '${process.execPath}' '${mondo}' serve epoll -p 0`;
        await using terminal = new Process('script', ['-qefc', command, '/dev/null']);
        await terminal.printed(/Ctrl-C stops/);
        return terminal.stdout;
      };
      expect(await accountWith('NO_COLOR=1')).not.toContain(ESCAPE);
      expect(await accountWith('NO_COLOR=')).toContain(`${ESCAPE}[`);
    },
  );

  test.skipIf(!hasProgram('script', 'bsdutils'))(
    'suggests on a terminal what README.md says that it suggests',
    async () => {
      const command = `stty cols 120; exec '${process.execPath}' '${mondo}' serve threaded -p 0`;
      await using terminal = new Process('script', ['-qefc', command, '/dev/null']);
      await terminal.printed(/replaces its workers/);
      const [{ text }] = blocksOf('README.md', 'The first minute') as [Block];
      const suggestions = (printed: string) =>
        /In another terminal.*replaces its workers/s
          .exec(printed)![0]
          .replaceAll(/ -p \d+|(?<=nc \S+) \d+/g, '')
          .split(/\r?\n/)
          .map(normalized);
      expect(suggestions(terminal.stdout)).toEqual(suggestions(text));
    },
  );

  test('--log json writes the events as lines of JSON', async () => {
    await using server = spawnMondo('serve', 'epoll', '-p', '0', '--log', 'json');
    const client = await connect('127.0.0.1', await portOf(server));
    await client.ask('Simple is better than?');
    client.send('Simple is');
    await client.close();
    await server.printed(/hungUp/);
    server.child.kill('SIGUSR2');
    await server.printed(/"workers"/);
    server.child.kill('SIGTERM');
    const { stdout } = await server.ended();
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const types = events.map(({ type }) => type);
    // Only root gets a warning.
    expect(types.filter((type) => type !== 'warning')).toEqual([
      'listening',
      'accepted',
      'hungUp',
      'workers',
      'stopped',
    ]);
    const { workers } = events.find(({ type }) => type === 'workers');
    expect(workers).toEqual([expect.objectContaining({ accepted: 1, open: 0 })]);
    expect(events.at(-1)).toMatchObject({ questions: 1, connections: 1, drained: 0, cut: 0 });
    for (const { time } of events) expect(Math.abs(Date.now() - time)).toBeLessThan(60_000 * MS);
    // JSON with the same name twice is valid for one reader, and not for another.
    for (const line of stdout.trimEnd().split('\n')) {
      expect(line.match(/"time":/g)).toHaveLength(1);
    }
  });

  test('--log none prints only its address', async () => {
    await using server = spawnMondo('serve', 'epoll', '-p', '0', '--log', 'none');
    await using client = await connect('127.0.0.1', await portOf(server));
    await client.ask('Simple is better than?');
    server.child.kill('SIGTERM');
    expect((await server.ended()).stdout).toMatch(/^Listening at 127\.0\.0\.1:\d+\n$/);
  });

  test('fails in one line if the port is in use', async () => {
    await using server = spawnMondo('serve', 'epoll', '-p', '0');
    const port = String(await portOf(server));
    for (const architecture of ['single', 'callback', 'prefork']) {
      const second = await run('serve', architecture, '127.0.0.1', '-p', port);
      expectOneLine(second, 1, `port ${port} is in use`);
    }
  });

  test('fails in one line if a server listens at the socket file', async () => {
    const where = `unix:${join(folder, 'used')}`;
    await using server = spawnMondo('serve', 'epoll', where);
    await server.printed(/Listening/);
    expectOneLine(await run('serve', 'single', where), 1, 'a server is listening there');
  });

  test('fails in one line for an unknown host', async () => {
    expectOneLine(await runMondo('serve', 'single', 'mondo.invalid'), 1, '"mondo.invalid"');
  });

  test.each([
    [['serve', 'single', '-p', 'many'], "argument 'many'"],
    [['serve', 'single', '-p', '65536'], "argument '65536'"],
    [['serve', 'threaded', '--threads', '0'], 'Cannot use 0 as the number of threads'],
    [['serve', 'threaded', '--threads', '-1'], "argument '-1'"],
    [['serve', 'single', '--threads', '2'], 'Cannot serve single with 2 threads'],
    [['serve', 'mondo'], 'no architecture "mondo"'],
    [['serve', 'single', '--service', './not-there.ts'], '"./not-there.ts"'],
    [['serve', 'single', '--log', 'xml'], 'text, json, none'],
    [['serve', 'poll', '--exclusive'], 'Cannot use exclusive with poll: it is for epoll'],
    [
      ['serve', 'epoll', '--mixin', 'forking'],
      'Cannot use mixin with epoll: it is for socketserver',
    ],
  ])('reports in one line the fault of %j', async (args, says) => {
    expectOneLine(await run(...args), 2, says);
  });

  test.skipIf(!hasIPv6)('accepts an IPv6 address', async () => {
    await using server = spawnMondo('serve', 'epoll', '::1', '-p', '0');
    const [, port] = await server.printed(/Listening at \[::1\]:(\d+)/);
    for (const host of ['::1', '[::1]']) {
      const { stdout, code } = await run('client', host, '-p', port!);
      expect(stdout).toContain('Simple is better than? Complex.');
      expect(code).toBe(0);
    }
  });

  // Listeners of our own system calls, and Node's.
  test.skipIf(!hasIPv6).each(['epoll', 'callback'])(
    '%s "" listens on all interfaces, IPv4 and IPv6',
    async (architecture) => {
      await using server = spawnMondo('serve', architecture, '', '-p', '0');
      const port = await portOf(server);
      for (const host of ['127.0.0.1', '::1']) {
        await using client = await connect(host, port);
        expect(await client.ask('Simple is better than?')).toBe('Complex.');
      }
      await server.printed(/Accepted connection from 127\.0\.0\.1:/);
      await server.printed(/Accepted connection from \[::1\]:/);
    },
  );

  test('ends when the reader of its log has left', async () => {
    await using server = spawnMondo('serve', 'epoll', '-p', '0');
    const port = await portOf(server);
    const workers = descendantsOf(server.pid);
    server.child.stdout.destroy();
    await using client = await connect('127.0.0.1', port);
    client.send('Simple is');
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
    expect(workers.filter(isAlive)).toEqual([]);
  });

  // One architecture of each driver, and those with processes: test/leaving/ stops every one. Ctrl-C reaches all
  // processes of a terminal's group.
  const ofEachDriver = ['threaded', 'prefork', 'epoll', 'uring', 'callback', 'inetd'];
  describe.concurrent.each(ofEachDriver)('%s waits for no drain', (architecture) => {
    // kill reaches only one process, which always orders the others in the same way.
    const signals = architecture === 'inetd' ? ['SIGINT', 'SIGTERM'] : ['SIGINT'];
    test.each(signals as NodeJS.Signals[])('when %s comes, for any clients', async (signal) => {
      const path = join(folder, `${architecture}-${signal}`);
      await using server = spawnMondo('serve', architecture, `unix:${path}`, '--drain', '60m');
      await server.printed(/Listening at unix:/);
      const silent = await connect(`unix:${path}`);
      const halfway = await connect(`unix:${path}`);
      halfway.send('Simple is better');
      await server.printed(/Accepted connection/);
      const workers = descendantsOf(server.pid);
      expect(workers.length).toBeGreaterThan(0);

      if (signal === 'SIGINT') server.signalGroup(signal);
      else server.child.kill(signal);
      const { code, stderr } = await server.ended();
      expect(code).toBe(0);
      expect(stderr).toBe('');
      expect(server.stdout).toMatch(/Stopped.*\n$/);
      expect(workers.filter(isAlive)).toEqual([]);
      expect(existsSync(path)).toBe(false);
      await Promise.all([silent.close(), halfway.close()]);
    });
  });

  test('stops without an error when the signal comes during the start', async () => {
    const path = join(folder, 'early');
    await using server = spawnMondo('serve', 'threaded', `unix:${path}`);
    // Its worker has just started, and has no signal handlers yet.
    await until('a worker', () => descendantsOf(server.pid).length > 0);
    server.signalGroup('SIGINT');
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
    expect(existsSync(path)).toBe(false);
  });

  test('stops cleanly even if the signal comes twice, as it does through npm', async () => {
    const path = join(folder, 'twice');
    await using server = spawnMondo('serve', 'threaded', `unix:${path}`);
    await server.printed(/Listening/);
    server.signalGroup('SIGINT');
    server.signalGroup('SIGINT');
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
    expect(existsSync(path)).toBe(false);
  });
});

describe('mondo client', () => {
  let server: Process;
  let port: string;
  beforeAll(async () => {
    server = spawnMondo('serve', 'epoll', '127.0.0.1', '-p', '0');
    port = String(await portOf(server));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const pairs = Object.entries(aphorisms).map(([question, answer]) => `${question} ${answer}`);

  test('asks the three questions, each with its answer on one line', async () => {
    const { code, stdout, stderr } = await runMondo('client', '127.0.0.1', '-p', port);
    expect(stdout.trimEnd().split('\n').toSorted()).toEqual(pairs.toSorted());
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('asks them in random order', async () => {
    const orders = new Set<string>();
    await until('two orders', async () => {
      orders.add((await run('client', '127.0.0.1', '-p', port)).stdout);
      return orders.size > 1;
    });
  });

  test('-e sends a question without its last character and leaves', async () => {
    const { code, stdout } = await run('client', '127.0.0.1', '-p', port, '-e');
    expect(stdout).toMatch(/^Sent "\w+ is better than" to 127\.0\.0\.1:\d+ and left\n$/);
    expect(code).toBe(0);
    await server.printed(/sent "\w+ is better than" but then closed/);
  });

  test('--ask asks the given questions in their order', async () => {
    const asked = ['--ask', 'Why?', '--ask', 'Simple is better than?Who?', '--ask', 'Über?'];
    const { code, stdout } = await run('client', '127.0.0.1', '-p', port, ...asked);
    expect(stdout.split('\n')).toEqual([
      'Why? Error: unknown aphorism.',
      'Simple is better than? Complex.',
      'Who? Error: unknown aphorism.',
      'Über? Error: unknown aphorism.',
      '',
    ]);
    expect(code).toBe(0);
  });

  test('fails in one line for a question without an end', async () => {
    // It must have connected within that time, on a busy machine too.
    const args = ['client', '127.0.0.1', '-p', port, '--ask', 'Why', '--timeout', '2000'];
    expectOneLine(await run(...args), 1, 'connected, but the server has not answered for 2 s');
  });

  test('fails in one line without a server', async () => {
    const free = String(await freePort());
    expectOneLine(await run('client', '127.0.0.1', '-p', free), 1, 'connection refused');
    const missing = `unix:${join(folder, 'nobody')}`;
    expectOneLine(await run('client', missing), 1, 'no such socket file');
  });

  test('fails in one line for an unknown host', async () => {
    expectOneLine(await run('client', 'mondo.invalid'), 1, '"mondo.invalid:1060"');
  });

  test.each([
    [['--timeout', '0'], "argument '0'"],
    [['-p', '0'], 'Cannot use 0 as port'],
  ])('reports in one line the fault of %j', async (args, says) => {
    expectOneLine(await run('client', '127.0.0.1', ...args), 2, says);
  });

  /** Runs the client against a server that does `serve` with its connection. */
  async function runAgainst(serve: (socket: Socket) => void, ...args: string[]) {
    const rude: NetServer = createServer((socket) => serve(socket.on('error', () => {})));
    await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve));
    const { port } = rude.address() as { port: number };
    try {
      return await run('client', '127.0.0.1', '-p', String(port), ...args);
    } finally {
      rude.close();
    }
  }

  test('fails in one line if the server resets, or closes inside an answer', async () => {
    const reset = await runAgainst((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expectOneLine(reset, 1, 'connection reset by the server');
    const closed = await runAgainst((socket) => socket.once('data', () => socket.end('Comp')));
    expectOneLine(closed, 1, 'the server closed the connection after "Comp"');
  });

  test("prints a server's control characters as text", async () => {
    const { stdout } = await runAgainst(
      (socket) => socket.once('data', () => socket.end(`${ESCAPE}[2J\nUgly.`)),
      '--ask',
      'a?',
    );
    expect(stdout).toBe('a? \\x1b[2J\\nUgly.\n');
  });
});
