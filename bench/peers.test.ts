// Checks that every peer of the bench holds the conversation correctly, so that none is fast by leaving
// something out: real processes, raw bytes, questions split and joined in every way. Also checks that the load
// generator notices wrong answers.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memory } from '../src/os/costs.ts';
import { MS, PATIENCE, steady, until, untilSo } from '../test/support/until.ts';
import { compile, contestants, have, type Running, start, stopAll } from './contestants.ts';

const conversation = [
  ['Beautiful is better than?', 'Ugly.'],
  ['Explicit is better than?', 'Implicit.'],
  ['Simple is better than?', 'Complex.'],
  ['Flat is better than?', 'Error: unknown aphorism.'],
] as const;
const questions = conversation.map(([question]) => question).join('');
const answers = conversation.map(([, answer]) => answer).join('');

const peers = contestants.filter(({ name, isExtra }) => !name.startsWith('mondo-') && !isExtra);
const absent = (['cc', 'python3'] as const).filter((program) => !have(program));
const packages = { cc: 'gcc', python3: 'python3' };
if (absent.length > 0) {
  const install = `apt install ${absent.map((program) => packages[program]).join(' ')}`;
  if (process.env.CI === 'true')
    throw new Error(`The peers of the bench cannot be tested: ${install}`);
  console.log(`Some peers of the bench are not tested: ${install}`);
}
const canCompile = !absent.includes('cc');

const built = mkdtempSync(join(tmpdir(), 'mondo-peers-'));
beforeAll(() => {
  if (canCompile) compile(built);
});
afterAll(async () => {
  await stopAll();
  rmSync(built, { recursive: true, force: true });
});

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Reads until `size` bytes have arrived, or to the end. */
async function read(socket: Socket, size = Number.POSITIVE_INFINITY): Promise<string> {
  let text = '';
  socket.setTimeout(PATIENCE * MS, () =>
    socket.destroy(new Error(`Only ${text.length} bytes came`)),
  );
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += (chunk as Buffer).toString('latin1');
    if (text.length >= size) break;
  }
  return text;
}

async function exchange(port: number, ...pieces: readonly string[]): Promise<string> {
  const socket = await open(port);
  for (const piece of pieces) {
    socket.write(piece, 'latin1');
    // Time for the server to receive this piece by itself.
    if (pieces.length > 1) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  socket.end();
  return await read(socket);
}

describe.each(peers)('$name', ({ needs, command }) => {
  const runs = test.skipIf(needs !== undefined && absent.includes(needs));
  let server: Running;
  beforeAll(async () => {
    if (needs === undefined || !absent.includes(needs)) server = await start(command(built), []);
  });
  afterAll(() => server?.stop());

  runs('answers each question in its turn', async () => {
    const socket = await open(server.port);
    for (const [question, answer] of conversation) {
      socket.write(question);
      expect(await read(socket, answer.length)).toBe(answer);
    }
    socket.destroy();
  });

  runs('accepts questions split at any byte', async () => {
    const cuts = Array.from({ length: questions.length - 1 }, (_, index) => index + 1);
    const texts = await Promise.all(
      cuts.map((cut) => exchange(server.port, questions.slice(0, cut), questions.slice(cut))),
    );
    expect(new Set(texts)).toEqual(new Set([answers]));
  });

  runs('accepts questions byte by byte', async () => {
    expect(await exchange(server.port, ...questions)).toBe(answers);
  });

  runs('answers 20 questions from one segment in order', async () => {
    const socket = await open(server.port);
    socket.write(questions.repeat(5));
    expect(await read(socket, answers.length * 5)).toBe(answers.repeat(5));
    socket.destroy();
  });

  runs('knows no question that only resembles one', async () => {
    const near = [
      '?',
      ' Simple is better than?',
      'simple is better than?',
      'Simple is better than ?',
    ];
    const far = `${'x'.repeat(100_000)}Simple is better than?`;
    const text = await exchange(server.port, [...near, far].join(''), 'Simple is better than?');
    expect(text).toBe(`${'Error: unknown aphorism.'.repeat(5)}Complex.`);
  });

  runs('answers a client that has closed its half, and closes then', async () => {
    expect(await exchange(server.port, questions)).toBe(answers);
    expect(await exchange(server.port, `${questions}Simple is`)).toBe(answers);
    expect(await exchange(server.port, '')).toBe('');
  });

  runs('keeps the connection until the client closes', async () => {
    const socket = await open(server.port);
    socket.write('Simple is better than?');
    expect(await read(socket, 8)).toBe('Complex.');
    await new Promise((resolve) => setTimeout(resolve, 200));
    socket.write('Simple is better than?');
    expect(await read(socket, 8)).toBe('Complex.');
    socket.destroy();
  });

  runs('survives resets at every point of a conversation', async () => {
    for (const said of ['', 'Simple is', 'Simple is better than?', questions.repeat(2000)]) {
      const sockets = await Promise.all(Array.from({ length: 20 }, () => open(server.port)));
      for (const socket of sockets) {
        if (said === '') socket.resetAndDestroy();
        else socket.write(said, () => socket.resetAndDestroy());
      }
    }
    expect(await exchange(server.port, questions)).toBe(answers);
  });

  // A million questions from a client that does not read at first. The kernel's buffers are limited, so the
  // server must stop taking questions. It still serves others during this time, and finally sends every answer
  // in order.
  runs('stops reading a client that does not take its answers', async () => {
    const times = 250;
    const block = questions.repeat(1000);
    const socket = await open(server.port);
    const before = memory(server.pid);
    let taken = 0;
    for (let count = 0; count < times; count++) socket.write(block, () => taken++);
    socket.end();
    expect(await steady('the number of bytes it takes', () => taken)).toBeLessThan(times);
    expect(memory(server.pid)).toBeLessThan(before + 32 * 1024);
    expect(await exchange(server.port, questions)).toBe(answers);
    const text = await read(socket);
    expect(text.length).toBe(answers.length * 1000 * times);
    expect(text === answers.repeat(1000 * times)).toBe(true);
  });

  // The last test: it ends the server.
  runs('ends on SIGTERM', async () => {
    process.kill(server.pid, 'SIGTERM');
    const gone = async () => {
      const socket = connect(server.port, '127.0.0.1');
      const event = await Promise.race([
        once(socket, 'connect').then(() => 'connect'),
        once(socket, 'error').then(
          () => 'error',
          () => 'error',
        ),
      ]).catch(() => 'error');
      socket.destroy();
      return event === 'error';
    };
    await until('the process to end', gone);
  });
});

const chapter = join(import.meta.dirname, 'peers', 'chapter.py');
/** The servers of chapter.py, as it lists them itself. */
function serversOfChapter(): string[] {
  const { stderr } = spawnSync('python3', [chapter], { encoding: 'utf8' });
  return /usage: chapter\.py (\S+)/.exec(stderr)?.[1]?.split('|') ?? [];
}
const canPython = !absent.includes('python3');
/** Python had it until 3.11. */
const hasAsyncore =
  canPython && spawnSync('python3', ['-W', 'ignore', '-c', 'import asynchat']).status === 0;
if (canPython && !hasAsyncore) console.log('chapter.py asyncore is not tested: Python until 3.11');

describe.skipIf(!canPython)('the counterparts in chapter.py', () => {
  const servers = canPython ? serversOfChapter() : [];

  test('are one for each architecture', () => expect(servers).toHaveLength(10));

  test.each(
    servers,
  )('%s answers whole, cut and unknown questions, and keeps the connection', async (name) => {
    const server = await start(['python3', chapter, name, '127.0.0.1', '0'], []);
    try {
      const socket = await open(server.port);
      for (const [question, answer] of conversation) {
        socket.write(question);
        expect(await read(socket, answer.length)).toBe(answer);
      }
      socket.destroy();
      expect(await exchange(server.port, questions.repeat(5))).toBe(answers.repeat(5));
      const middle = questions.length >> 1;
      const pieces = [questions.slice(0, middle), questions.slice(middle)];
      expect(await exchange(server.port, ...pieces)).toBe(answers);
      const near = `simple is better than?${'x'.repeat(100_000)}Simple is better than?`;
      expect(await exchange(server.port, near, 'Simple is better than?')).toBe(
        `${'Error: unknown aphorism.'.repeat(2)}Complex.`,
      );
    } finally {
      await server.stop();
    }
  });
});

describe.skipIf(!canCompile)('load', () => {
  async function load(
    ...options: readonly string[]
  ): Promise<{ code: number; output: string; complaint: string }> {
    const child: ChildProcess = spawn(join(built, 'load'), options);
    let output = '';
    let complaint = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    const [code] = (await once(child, 'close')) as [number];
    return { code, output, complaint };
  }

  const peer = contestants.find(({ name }) => name === 'c-epoll');
  let server: Running;
  beforeAll(async () => {
    server = await start(peer?.command(built) ?? [], []);
  });
  afterAll(() => server?.stop());

  test.each([
    ['one question at a time', ['--connections', '8']],
    ['many in flight', ['--connections', '8', '--depth', '100']],
    ['new connections again and again', ['--connections', '8', '--reconnect', '3']],
    ['some of them idle', ['--connections', '8', '--idle', '200']],
    ['a number of questions', ['--connections', '8', '--requests', '1000']],
  ])('reports what it saw: %s', async (_, options) => {
    const times = ['--port', String(server.port), '--seconds', '0.1', '--warmup', '0.05'];
    // On a busy machine a short run may end before any answer comes.
    const { code, output } = await untilSo(
      () => load(...times, ...options),
      ({ output }) => JSON.parse(output).answers > 0,
    );
    expect(code).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ wrong: 0, errors: 0 });
    expect(JSON.parse(output).answers).toBeGreaterThan(0);
  });

  test.each([
    ['a wrong byte', 'Complex!'],
    ['too many bytes', 'Complex.Complex.Complex.'],
  ])('notices %s', async (_, wrong) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        socket.write(String(data).startsWith('S') ? wrong : answerTo(String(data)));
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    // On a busy machine a short run may end before any answer comes.
    const { code, output } = await untilSo(
      () => load('--port', String(port), '--seconds', '0.2', '--warmup', '0'),
      ({ output }) => JSON.parse(output).answers + JSON.parse(output).wrong > 0,
    );
    server.close();
    expect(code).toBe(1);
    expect(JSON.parse(output).wrong).toBeGreaterThan(0);
  });

  test('loads no machine but this one', async () => {
    const { code, complaint } = await load('--host', '192.0.2.1', '--port', '7');
    expect(code).toBe(2);
    expect(complaint).toContain('192.0.2.1');
  });

  test('does not run for more than a minute', () => {
    const { status } = spawnSync(join(built, 'load'), ['--port', '7', '--seconds', '61']);
    expect(status).toBe(2);
  });
});

function answerTo(text: string): string {
  return conversation.find(([question]) => question === text)?.[1] ?? 'Error: unknown aphorism.';
}
