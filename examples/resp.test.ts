/** The store that speaks the protocol of Redis: what it answers, in pieces of any size, and to Redis' own programs. */

import { createServer } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Conversation } from '../src/protocol/conversation.ts';
import { Outbox } from '../src/protocol/outbox.ts';
import { speakersOf } from '../src/protocol/speaker.ts';
import { NetClient } from '../test/support/clients.ts';
import { Process } from '../test/support/processes.ts';
import { hasProgram } from '../test/support/programs.ts';
import { Serving } from '../test/support/serving.ts';
import { until } from '../test/support/until.ts';
import resp from './resp.ts';

const service = `${import.meta.dirname}/resp.ts`;
const hasTools = hasProgram('redis-cli', 'redis-tools');
const hasServer = hasProgram('redis-server', 'redis-server');

/** A command as a list of words. Each character is a byte. */
const list = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
const listOf = (line: string): string => list(...line.split(' '));

/** What a new connection answers to these pieces, without a socket. `closed`: it has hung up. */
function answersTo(pieces: readonly Buffer[]): { text: string; closed: boolean } {
  const conversation = new Conversation(speakersOf(resp, false)());
  const out = new Outbox();
  let turn = conversation.open(out);
  let text = '';
  for (const piece of pieces) {
    // The receive buffer is used again: nothing may point into it.
    const room = Buffer.alloc(piece.length + 3, '$');
    piece.copy(room, 3);
    turn = conversation.receive(room, 3, room.length, out);
    room.fill('*');
    while (turn === 'full') {
      text += out.copy().toString('latin1');
      out.clear();
      turn = conversation.resume(out);
    }
  }
  expect(conversation.failure).toBeUndefined();
  return { text: text + out.copy().toString('latin1'), closed: turn === 'close' };
}

const answer = (...texts: string[]): string =>
  answersTo(texts.map((text) => Buffer.from(text, 'latin1'))).text;

const keys = ['a', 'b', 'c', '\r\n\xff\0'];
const forgetAll = list('DEL', ...keys);
const everyByte = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));

afterEach(() => void answer(forgetAll));

describe('the commands', () => {
  it.each([
    ['PING', '+PONG\r\n'],
    ['ping hello', '$5\r\nhello\r\n'],
    ['PING a b', "-ERR wrong number of arguments for 'ping' command\r\n"],
    ['ECHO hello', '$5\r\nhello\r\n'],
    ['SET a 1|GET a', '+OK\r\n$1\r\n1\r\n'],
    ['SET a 1|SET a 22|GET a|SET a 33|GET a', '+OK\r\n+OK\r\n$2\r\n22\r\n+OK\r\n$2\r\n33\r\n'],
    ['GET a', '$-1\r\n'],
    ['SET a 1 NX|SET a 2 nx|GET a', '+OK\r\n$-1\r\n$1\r\n1\r\n'],
    ['SET a 1 EX 100|TTL a|SET a 1|TTL a|TTL b', '+OK\r\n:100\r\n+OK\r\n:-1\r\n:-2\r\n'],
    ['SET a 1 EX', '-ERR syntax error\r\n'],
    ['SET a 1 KEEP', '-ERR syntax error\r\n'],
    ['SET a 1 EX x', '-ERR value is not an integer or out of range\r\n'],
    ['SET a 1 EX 0', "-ERR invalid expire time in 'set' command\r\n"],
    ['SET a 1 EX 9223372036854775807', "-ERR invalid expire time in 'set' command\r\n"],
    ['SET a', "-ERR wrong number of arguments for 'set' command\r\n"],
    ['MSET a 1 b 2|MGET a c b', '+OK\r\n*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n'],
    ['MSET a 1 b', "-ERR wrong number of arguments for 'mset' command\r\n"],
    ['SET a 1|EXISTS a a b|DEL a b|EXISTS a', '+OK\r\n:2\r\n:1\r\n:0\r\n'],
    ['INCR a|INCR a|GET a', ':1\r\n:2\r\n$1\r\n2\r\n'],
    ['SET a 9|INCR a|GET a', '+OK\r\n:10\r\n$2\r\n10\r\n'],
    ['SET a 1 EX 100|INCR a|TTL a', '+OK\r\n:2\r\n:100\r\n'],
    ['SET a x|INCR a', '+OK\r\n-ERR value is not an integer or out of range\r\n'],
    ['SET a -9223372036854775808|INCR a', '+OK\r\n:-9223372036854775807\r\n'],
    ['SET a 9223372036854775807|INCR a', '+OK\r\n-ERR increment or decrement would overflow\r\n'],
    ['SET a 9223372036854775808|INCR a', '+OK\r\n-ERR value is not an integer or out of range\r\n'],
    ['EXPIRE a 10|SET a 1|EXPIRE a 10|TTL a', ':0\r\n+OK\r\n:1\r\n:10\r\n'],
    ['SET a 1|EXPIRE a -1|GET a', '+OK\r\n:1\r\n$-1\r\n'],
    ['EXPIRE a 1 NX', '-ERR Unsupported option NX\r\n'],
    ['EXPIRE a 9223372036854775807', "-ERR invalid expire time in 'expire' command\r\n"],
    ['COMMAND COUNT', ':13\r\n'],
    ['COMMAND DOCS get', '*0\r\n'],
    ['CONFIG GET save', '*2\r\n$4\r\nsave\r\n$0\r\n\r\n'],
    ['CONFIG GET port', '*0\r\n'],
    ['CONFIG SET a b', "-ERR unknown subcommand 'SET'. Try CONFIG HELP.\r\n"],
    ['NOPE', "-ERR unknown command 'NOPE', with args beginning with: \r\n"],
    ['GETS a b', "-ERR unknown command 'GETS', with args beginning with: 'a' 'b' \r\n"],
    ['EXIST a', "-ERR unknown command 'EXIST', with args beginning with: 'a' \r\n"],
  ])('%s', (lines, expected) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      expect(answer(lines.split('|').map(listOf).join(''))).toBe(expected);
      answer(forgetAll);
      expect(answer(lines.split('|').join('\r\n'), '\n')).toBe(expected);
    } finally {
      vi.useRealTimers();
    }
  });

  it('keep any bytes, in keys too', () => {
    const key = '\r\n\xff\0';
    const size = `$256\r\n${everyByte}\r\n`;
    const asked = list('SET', key, everyByte) + list('GET', key) + list('ECHO', everyByte);
    expect(answer(asked)).toBe(`+OK\r\n${size}${size}`);
    expect(answer(list('GET', '\r\n\xff\x01'))).toBe('$-1\r\n');
  });

  it('describe themselves: each has a name and a number of words', () => {
    const text = answer(list('COMMAND'));
    expect(text).toMatch(/^\*13\r\n\*6\r\n\$3\r\nget\r\n:2\r\n\*0\r\n/);
  });

  it('forget a value when its time is over', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      answer(listOf('SET a 1 EX 10') + listOf('SET b 2'));
      vi.setSystemTime(Date.now() + 9_999);
      expect(answer(listOf('MGET a b'))).toBe('*2\r\n$1\r\n1\r\n$1\r\n2\r\n');
      vi.setSystemTime(Date.now() + 1);
      expect(answer(listOf('MGET a b') + listOf('SET a 3 NX'))).toBe(
        '*2\r\n$-1\r\n$1\r\n2\r\n+OK\r\n',
      );
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a typed line', () => {
  it.each([
    ['SET a  "b c"\r\nGET a\n', '+OK\r\n$3\r\nb c\r\n'],
    ['ECHO "\\x00\\xFf\\n\\r\\t\\a\\b\\\\\\"\\q"\n', '$10\r\n\0\xff\n\r\t\x07\b\\"q\r\n'],
    ["ECHO 'it\\'s \\n'\n", "$7\r\nit's \\n\r\n"],
    ['ECHO ""\n', '$0\r\n\r\n'],
    ['ECHO a"b"\n', '$2\r\nab\r\n'],
    ['\r\n \n\t\nPING\n', '+PONG\r\n'],
    ['ECHO "a\n', '-ERR Protocol error: unbalanced quotes in request\r\n'],
    ['ECHO "a"b\n', '-ERR Protocol error: unbalanced quotes in request\r\n'],
    ["ECHO 'a\n", '-ERR Protocol error: unbalanced quotes in request\r\n'],
  ])('%j', (line, expected) => expect(answer(line)).toBe(expected));
});

describe('what is not the protocol', () => {
  it.each([
    ['*1\r\nPING\r\n', "expected '$', got 'P'"],
    ['*x\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*1048577\r\n', 'invalid multibulk length'],
    ['*99999999999999999999\r\n', 'invalid multibulk length'],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$+4\r\n', 'invalid bulk length'],
    ['*1\r\n$1048577\r\n', 'invalid bulk length'],
    [`*${'1'.repeat(65_537)}`, 'too big mbulk count string'],
    [`*1\r\n$${'1'.repeat(65_537)}`, 'too big bulk count string'],
    ['a'.repeat(65_537), 'too big inline request'],
  ])('%.20j: answers the questions before it, says what is wrong, and closes', (text, error) => {
    const stream = Buffer.from(listOf('PING') + text + listOf('PING'), 'latin1');
    const expected = { text: `+PONG\r\n-ERR Protocol error: ${error}\r\n`, closed: true };
    expect(answersTo([stream])).toEqual(expected);
    const pieces = Array.from({ length: Math.ceil(stream.length / 11) }, (_, i) =>
      stream.subarray(i * 11, (i + 1) * 11),
    );
    expect(answersTo(pieces)).toEqual(expected);
  });

  it('a command of no words has no answer', () => {
    expect(answer('*0\r\n*-1\r\n', listOf('PING'))).toBe('+PONG\r\n');
  });

  it('a command of many words that comes byte by byte costs time in proportion to its length', () => {
    const piecesOf = (words: number) => {
      const stream = Buffer.from(list('DEL', ...Array(words).fill('a')), 'latin1');
      return Array.from(stream, (_, i) => stream.subarray(i, i + 1));
    };
    // Processor time, of which other processes take none. The kernel counts it in steps of some ms.
    const time = (count: number, words: number) => {
      const pieces = piecesOf(words);
      const began = process.threadCpuUsage();
      for (let i = 0; i < count; i++) answersTo(pieces);
      const { user, system } = process.threadCpuUsage(began);
      return user + system;
    };
    time(20, 500);
    const short = time(90, 500);
    expect(short).toBeGreaterThan(0);
    // As many words. Quadratic work would be 30 times as much.
    expect(time(3, 15_000) / short).toBeLessThan(10);
  });
});

/** Commands, also wrong ones, and bytes that are no command. */
const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...keys) },
  { weight: 2, arbitrary: fc.constantFrom('1', '7', '', 'x y', 'EX', 'NX', '-5', '100') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 90 }).map(latin1) },
);
const name = fc.constantFrom(
  ...['GET', 'set', 'SET', 'Incr', 'DEL', 'exists', 'EXPIRE', 'MGET', 'MSET', 'PING', 'ECHO'],
  ...['COMMAND', 'config', 'GE', 'GETX', 'nope'],
);
const command = fc
  .tuple(name, fc.array(word, { maxLength: 5 }))
  .map(([first, rest]) => ({ text: list(first, ...rest), keys: rest }));
const line = fc
  .tuple(
    fc.constantFrom('GET a', 'SET a 1', "ECHO 'b c'", 'SET a "\\x01" NX', '', 'PING "'),
    fc.constantFrom('\n', '\r\n'),
  )
  .map((parts) => ({ text: parts.join(''), keys }));
const junk = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }).map(latin1),
  fc.constantFrom('*2\r\n', '$1\r\n', '*-1\r\n', '\r\n', '*3\r', '$', '*1\r\n$5\r\nab'),
);
const stream = fc
  .tuple(fc.array(fc.oneof(command, line)), junk)
  .map(([parts, rest]) => streamOf([...parts, { text: rest, keys }]));

/** The bytes, and the command that removes all keys that they may set. */
function streamOf(parts: readonly { text: string; keys: readonly string[] }[]) {
  const forget = list('DEL', ...keys, ...parts.flatMap((part) => part.keys));
  return { bytes: Buffer.from(parts.map(({ text }) => text).join(''), 'latin1'), forget };
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function cutAt(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

it('any cutting of any stream gives the same answers', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(stream, sizes, ({ bytes, forget }, cut) => {
      const whole = answersTo([bytes]);
      answer(forget);
      expect(answersTo(cutAt(bytes, cut))).toEqual(whole);
      answer(forget);
    }),
    { numRuns: 250 },
  );
});

describe.each([
  // Blocking calls, whose threads all have the same stores as `single` has, and one or two of each other kind.
  'threaded',
  'epoll',
  'uring',
  'callback',
  'coroutine',
])('under %s', (architecture) => {
  let serving: Serving;
  beforeAll(async () => {
    serving = await Serving.start({ architecture, service });
  });
  afterAll(() => serving.stop());

  it('answers many commands of one segment in their order, and one that comes in pieces', async () => {
    const client = await NetClient.connect(serving.address);
    const count = 500;
    const asked = Array.from({ length: count }, (_, i) => list('ECHO', `${i}`)).join('');
    await client.send(asked);
    const expected = Array.from({ length: count }, (_, i) => `$${`${i}`.length}\r\n${i}\r\n`);
    expect(await client.receive(expected.join('').length)).toBe(expected.join(''));
    const value = 'v'.repeat(300_000);
    await client.send(list('SET', 'long', value));
    expect(await client.receive(5)).toBe('+OK\r\n');
    await client.send(list('GET', 'long') + list('DEL', 'long'));
    expect(await client.receive(300_015)).toBe(`$300000\r\n${value}\r\n:1\r\n`);
    await client.close();
  });

  it('says what is wrong, and closes', async () => {
    const client = await NetClient.connect(serving.address);
    await client.send(`${list('PING')}*1\r\n!`);
    expect(await client.rest()).toBe("+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n");
    await client.close();
  });

  if (!['epoll', 'uring', 'callback'].includes(architecture)) return;

  const run = async (program: string, ...args: string[]) => {
    await using child = new Process(program, ['-p', String(serving.server.port), ...args]);
    const { code, stdout, stderr } = await child.ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };

  it.skipIf(!hasTools)('redis-cli sets and gets', async () => {
    expect(await run('redis-cli', 'set', 'a', 'b c')).toBe('OK\n');
    expect(await run('redis-cli', '--no-raw', 'get', 'a')).toBe('"b c"\n');
    expect(await run('redis-cli', '--no-raw', 'mget', 'a', 'b')).toBe('1) "b c"\n2) (nil)\n');
    expect(await run('redis-cli', 'nope')).toMatch(/^ERR unknown command 'nope'/);
  });

  it.skipIf(!hasTools)('redis-benchmark gets no error, alone and in pipelines', async () => {
    for (const pipeline of ['1', '16']) {
      const args = ['-c', '50', '-n', '1000', '-P', pipeline, '-r', '1000', '--csv'];
      const tests = ['-t', 'ping,set,get,incr,mset'];
      const lines = (await run('redis-benchmark', ...args, ...tests)).trim().split('\n');
      // The names of the columns, and PING as a line and as a list.
      expect(lines.map((text) => text.split(',')[0])).toEqual(
        ['test', 'PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'MSET (10 keys)'].map(
          (text) => `"${text}"`,
        ),
      );
    }
  });
});

describe.skipIf(!hasServer)('beside redis-server', () => {
  let redis: Process;
  let port = 0;
  beforeAll(async () => {
    ({ redis, port } = await startRedis());
  });
  afterAll(() => redis[Symbol.asyncDispose]());

  /** All answers to these bytes and a last PING, or all until it hangs up. */
  async function fromRedis(bytes: Buffer): Promise<string> {
    const client = await NetClient.connect({ family: 'IPv4', host: '127.0.0.1', port });
    await client.send(bytes);
    await client.end();
    const text = await client.rest();
    await client.close();
    return text;
  }

  it('any commands get the same answers', async () => {
    // What the two answer differently: the description of commands, settings, bytes zero in numbers and lines, and the
    // options of EXPIRE, which this service has not.
    const isOurs = /COMMAND|config|^\*[4-9]\r\n\$6\r\nEXPIRE/;
    const comparable = command.filter(({ text }) => !isOurs.test(text));
    const same = fc.array(fc.oneof(comparable, line)).map(streamOf);
    await fc.assert(
      fc.asyncProperty(same, async ({ bytes, forget }) => {
        // Before each case, and not after it: one that fails must leave nothing for the next.
        answer(forget);
        await fromRedis(Buffer.from(list('FLUSHALL')));
        const { text } = answersTo([bytes]);
        expect(text).toBe(await fromRedis(bytes));
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['*1\r\nPING\r\n'],
    ['*x\r\n'],
    ['*01\r\n'],
    ['*99999999999999999999\r\n'],
    ['*1\r\n$-1\r\n'],
    ['*1\r\n$+4\r\n'],
    [`*${'1'.repeat(70_000)}`],
    [`*1\r\n$${'1'.repeat(70_000)}`],
    ['a'.repeat(70_000)],
    ['ECHO "a\r\n'],
    ['NOPE \x80 "\\r\\n"\r\n'],
    ['EXPIRE a 1 "x\\ny"\r\n'],
  ])('%.20j gets the same error', async (text) => {
    const bytes = Buffer.from(text, 'latin1');
    expect(answer(text)).toBe(await fromRedis(bytes));
  });
});

/** A real Redis on a free port, without files. */
async function startRedis(): Promise<{ redis: Process; port: number }> {
  // Redis does not report a port that it chooses: find a free one, and try again if another process was faster.
  return until('redis-server to listen', async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const { port } = free.address() as { port: number };
    await new Promise((resolve) => free.close(resolve));
    const options = [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
    ];
    const redis = new Process('redis-server', options);
    try {
      await redis.printed(/Ready to accept connections/);
      return { redis, port };
    } catch {
      await redis[Symbol.asyncDispose]();
      return undefined;
    }
  });
}
