import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Client, connect } from './client.ts';
import { ClientError } from './errors.ts';

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Starts a server that calls `serve` for each connection, and returns its port. */
async function listening(serve: (socket: Socket) => void, path?: string): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    serve(socket);
  });
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function connected(
  serve: (socket: Socket) => void,
  options?: Parameters<typeof connect>[2],
): Promise<Client> {
  const port = await listening(serve);
  const client = await connect('127.0.0.1', port, options);
  cleanUps.push(() => client.close());
  return client;
}

const echo = (socket: Socket) => void socket.on('data', (bytes) => socket.write(bytes));

const failure = async (promise: Promise<unknown>): Promise<ClientError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ClientError) return error;
  throw new Error('no ClientError was thrown', { cause: error });
};

describe('ask', () => {
  test('resolves with the answer up to and including the delimiter', async () => {
    const client = await connected((socket) => socket.write('Error: unknown aphorism.'));
    expect(await client.ask('Why?')).toBe('Error: unknown aphorism.');
  });

  test('gives each of several questions its own answer, in order', async () => {
    const client = await connected(echo);
    const questions = Array.from({ length: 100 }, (_, i) => `${i}.`);
    expect(await Promise.all(questions.map((question) => client.ask(question)))).toEqual(questions);
  });

  test('joins an answer that was cut inside a character', async () => {
    const client = await connected((socket) => {
      const answer = Buffer.from('Hässlich.');
      socket.once('data', () => {
        socket.write(answer.subarray(0, 2), () =>
          setImmediate(() => socket.write(answer.subarray(2))),
        );
      });
    });
    expect(await client.ask('?')).toBe('Hässlich.');
  });

  test('takes a delimiter of several characters', async () => {
    const client = await connected(echo, { delimiter: '\r\n' });
    expect(await client.ask('3.5\r\n')).toBe('3.5\r\n');
  });

  test('takes text that the server sends first as the first answer', async () => {
    const client = await connected((socket) => {
      socket.write('Welcome. ');
      echo(socket);
    });
    expect(await client.ask('a.')).toBe('Welcome.');
    expect(await client.ask('b.')).toBe(' a.');
  });

  test('throws "closed" with the received text, if the server closes inside an answer', async () => {
    const client = await connected((socket) => socket.once('data', () => socket.end('Comp')));
    const error = await failure(client.ask('Simple is better than?'));
    expect(error.kind).toBe('closed');
    expect(error.message).toMatch(
      /^Cannot ask "Simple is better than\?" of "127\.0\.0\.1:\d+": the server closed the connection after "Comp"; see its log, or connect again$/,
    );
  });

  test('throws "closed" at once for a question after the server has closed', async () => {
    const client = await connected((socket) => socket.once('data', () => socket.end('Ugly.')));
    await client.ask('one?');
    expect((await failure(client.ask('two?'))).kind).toBe('closed');
    expect((await failure(client.ask('three?'))).kind).toBe('closed');
  });

  test('throws "reset" if the server resets', async () => {
    const client = await connected((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const error = await failure(client.ask('one?'));
    expect(error.kind).toBe('reset');
    expect(error.message).toContain('connection reset by the server; see its log');
    expect(error.cause).toMatchObject({ code: 'ECONNRESET' });
  });

  test('throws "timeout" with the received text, for this question and for the waiting ones', async () => {
    const client = await connected((socket) => socket.write('Comp'), { answerTimeout: 50 });
    const [first, second] = [failure(client.ask('one?')), failure(client.ask('two?'))];
    expect((await first).kind).toBe('timeout');
    expect((await first).message).toContain('Cannot ask "one?"');
    expect((await first).message).toContain(
      'only "Comp" came within 50 ms, and no "." to end the answer',
    );
    expect((await second).message).toContain('Cannot ask "two?"');
  });

  test('throws "timeout" that says whether the server has served this client before', async () => {
    const client = await connected((socket) => socket.once('data', () => socket.write('Ugly.')), {
      answerTimeout: 100,
    });
    await client.ask('one?');
    const later = await failure(client.ask('two?'));
    expect(later.message).toMatch(/": the server has not answered for 100 ms; check/);
    const silent = await connected(() => {}, { answerTimeout: 1000 });
    expect((await failure(silent.ask('one?'))).message).toMatch(
      /": connected, but the server has not answered for 1 s: it may be serving another client; wait/,
    );
  });

  test('throws "too long" for an answer without an end', async () => {
    const client = await connected((socket) => {
      const noise = Buffer.alloc(2 ** 20, 'x');
      const pour = () => {
        while (socket.writable && socket.write(noise));
      };
      socket.on('drain', pour);
      pour();
    });
    expect((await failure(client.ask('one?'))).kind).toBe('too long');
  });
});

describe('close', () => {
  test('sends what was written before, and no question after it', async () => {
    const { promise: heard, resolve } = Promise.withResolvers<string>();
    const port = await listening((socket) => {
      let text = '';
      socket.on('data', (bytes) => (text += String(bytes)));
      socket.on('end', () => resolve(text));
    });
    const client = await connect('127.0.0.1', port);
    client.send('Simple is better than');
    await client.close();
    expect(await heard).toBe('Simple is better than');
    expect((await failure(client.ask('one?'))).kind).toBe('ended');
    expect(() => client.send('one')).toThrow(ClientError);
  });

  test('fails the open questions', async () => {
    const client = await connected(() => {});
    const waiting = failure(client.ask('one?'));
    await client.close();
    expect((await waiting).kind).toBe('ended');
  });

  test('may be called twice, and after the server has closed', async () => {
    const client = await connected((socket) => socket.destroy());
    await failure(client.ask('one?'));
    await client.close();
    await client.close();
  });
});

describe('connect', () => {
  test('reaches a unix socket, and throws "refused" if there is none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mondo-client-'));
    cleanUps.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'socket');
    await listening(echo, path);
    const client = await connect(`unix:${path}`);
    cleanUps.push(() => client.close());
    expect(await client.ask('a.')).toBe('a.');
    expect(client.where).toBe(`unix:${path}`);

    const error = await failure(connect(`unix:${path}-not`));
    expect(error.kind).toBe('refused');
    expect(error.message).toContain('there is no such socket file');
  });

  test('throws "refused" for a free port, for an address and for a name', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const error = await failure(connect('127.0.0.1', port));
    expect(error.kind).toBe('refused');
    expect(error.message).toBe(
      `Cannot connect to "127.0.0.1:${port}": connection refused; start a server there, or choose another port`,
    );
    expect((await failure(connect('localhost', port))).kind).toBe('refused');
  });

  test('throws "unknown host" for a name that does not resolve', async () => {
    const error = await failure(connect('mondo.invalid', 1060));
    expect(error.kind).toBe('unknown host');
    expect(error.message).toContain('"mondo.invalid:1060"');
  });

  test.each([
    [0, {}, 'Cannot use 0 as port'],
    [70_000, {}, 'Cannot use 70000 as port'],
    [1060, { connectTimeout: 0 }, 'Cannot use 0 as connectTimeout'],
    [1060, { answerTimeout: 2 ** 31 }, 'Cannot use 2147483648 as answerTimeout'],
    [1060, { delimiter: '' }, 'Cannot use "" as delimiter'],
    [1060, { answerTimout: 5 } as object, 'connect has no option "answerTimout"; there are'],
  ])('throws RangeError for port %i and %j', async (port, options, message) => {
    await expect(connect('127.0.0.1', port, options)).rejects.toThrow(message);
  });
});
