/**
 * Attacks on the lab's own server: by other users of the machine, and hostile viewers. foreign-page-tests.ts has pages of
 * other origins in a browser.
 */
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CLOSED, PROTOCOL } from '../../src/instruments/lab/shared/wire.ts';
import { type Lab, LabViewer, startLab } from '../support/lab.ts';
import { descendantsOf } from '../support/processes.ts';
import { PATIENCE, until, within } from '../support/until.ts';

let lab: Lab;
/** The folder of the program that the lab takes for a browser, and the file with the address that it got. */
let folder: string;
let openedFile: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mondo-lab-'));
  openedFile = join(folder, 'opened');
  const browser = join(folder, 'xdg-open');
  const file = openedFile;
  writeFileSync(browser, `#!/bin/sh\nprintf %s "$1" > '${file}.new'; mv '${file}.new' '${file}'\n`);
  chmodSync(browser, 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
  try {
    lab = await startLab('single', '--open');
  } finally {
    vi.unstubAllEnvs();
  }
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test('a browser that the lab opens gets a code, which works once, and then the token', async () => {
  const opened = new URL(
    await until('the browser', () => existsSync(openedFile) && readFileSync(openedFile, 'utf8')),
  );
  expect(opened.origin).toBe(`http://127.0.0.1:${lab.port}`);
  expect(opened.hash).toMatch(/^#o=[\w-]{22}$/);
  expect(opened.hash).not.toContain(lab.token);
  const pass = `o.${opened.hash.slice(3)}`;
  {
    using viewer = await LabViewer.open(lab.port, pass);
    expect((await until('a welcome', () => viewer.welcome)).token).toBe(lab.token);
  }
  await expect(LabViewer.open(lab.port, pass)).rejects.toThrow('401');
  using viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
  expect((await until('a welcome', () => viewer.welcome)).token).toBeUndefined();
});

/** Sends these bytes; resolves with all that comes back until the server ends the connection. */
async function exchange(...lines: readonly string[]): Promise<string> {
  const socket = connect(lab.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return await within(PATIENCE, 'the end of the connection', textOf(socket));
}

async function textOf(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  await once(socket, 'close');
  return text;
}

const statusOf = async (...lines: readonly string[]): Promise<number> =>
  Number((await exchange(...lines, 'Connection: close')).split(' ')[1]);

const host = () => `Host: 127.0.0.1:${lab.port}`;

/** After each attack the lab still serves. */
async function mustServe(): Promise<void> {
  expect(await statusOf('GET / HTTP/1.1', host())).toBe(200);
  using viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
  await viewer.sees('a header', ({ header }) => header !== undefined);
}

describe('requests', () => {
  test.each([
    'evil.example',
    'localhost6',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
    '0.0.0.0',
    '2130706433',
    '127.0.0.1.',
    'LOCALHOST',
  ])('a name that was made to point here is refused: %s', async (name) => {
    expect(await statusOf('GET / HTTP/1.1', `Host: ${name}:${lab.port}`)).toBe(421);
    expect(await statusOf(...upgrade({ Host: name, Origin: `http://${name}` }))).toBe(421);
  });

  test('no Host, an empty one, and two of them are refused', async () => {
    expect(await statusOf('GET / HTTP/1.1')).toBe(400);
    expect(await statusOf('GET / HTTP/1.0')).toBe(400);
    expect(await statusOf('GET / HTTP/1.1', 'Host:')).toBe(421);
    expect(await statusOf('GET / HTTP/1.1', host(), 'Host: evil.example')).toBe(400);
    expect(await statusOf('GET / HTTP/1.1', 'Host: evil.example', host())).toBe(400);
  });

  test.each([
    ['//evil/page.js', 400],
    ['http://evil/', 400],
    ['/..%2f..%2fetc/passwd', 404],
    ['/../package.json', 404],
    ['/%00', 404],
    ['/?raw', 404],
    ['/page.js?import&raw??', 404],
    ['/@fs/etc/passwd', 404],
    ['/node_modules', 404],
    ['/?t=TOKEN', 404],
  ])('the target %s is %d', async (target, status) => {
    const url = target.replace('TOKEN', lab.token);
    const response = await exchange(`GET ${url} HTTP/1.1`, host(), 'Connection: close');
    expect(Number(response.split(' ')[1])).toBe(status);
    expect(response).not.toContain('root:');
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('%s is refused', async (method) => {
    expect(await statusOf(`${method} / HTTP/1.1`, host(), 'Content-Length: 0')).toBe(405);
  });

  test('a form that needs no permission of the browser is refused, and its body is no request', async () => {
    const body = `GET /page.js HTTP/1.1\r\n${host()}\r\n\r\n`;
    const response = await exchange(
      'POST / HTTP/1.1',
      host(),
      'Content-Type: multipart/form-data; boundary=x',
      `Content-Length: ${body.length}`,
      '',
      body,
    );
    expect(response.match(/^HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 405']);
  });

  test('each response forbids what it can, and allows no other origin', async () => {
    const responses = await Promise.all([
      exchange('GET / HTTP/1.1', host(), 'Origin: http://evil.example', 'Connection: close'),
      exchange('GET /x HTTP/1.1', host(), 'Origin: http://evil.example', 'Connection: close'),
      exchange(...upgrade({ Origin: 'http://evil.example' })),
    ]);
    for (const response of responses) {
      expect(response).toContain("Content-Security-Policy: default-src 'none'; script-src 'self'");
      expect(response).toContain("require-trusted-types-for 'script'");
      expect(response).toContain('Cross-Origin-Resource-Policy: same-origin');
      expect(response).toContain('X-Frame-Options: DENY');
      expect(response).toContain('Cache-Control: no-store');
      expect(response).not.toMatch(/^access-control/im);
      expect(response).not.toContain(lab.token);
    }
  });

  test('connections that never finish their headers are ended', async () => {
    const sockets = Array.from({ length: 80 }, () => connect(lab.port, '127.0.0.1'));
    const [unused, ...others] = sockets;
    let response = '';
    unused!.on('data', (bytes) => (response += bytes));
    for (const socket of sockets) socket.on('error', () => {});
    for (const socket of others) socket.write('GET / HTTP/1.1\r\nX: ');
    const dripping = setInterval(() => {
      for (const socket of others) if (!socket.destroyed) socket.write('y');
    }, 200);
    try {
      await until('all to be ended', () => sockets.every(({ closed }) => closed));
    } finally {
      clearInterval(dripping);
      for (const socket of sockets) socket.destroy();
    }
    // A browser that sends a request at this moment sends it again, but only after this status.
    expect(response).toMatch(/^HTTP\/1\.1 408 /);
    await mustServe();
  });
});

test('no other address of this machine reaches the lab', async () => {
  const others = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  for (const address of [...others, '127.0.0.2', '::1']) {
    const socket = connect(lab.port, address);
    const result = await new Promise((resolve) => {
      socket.once('connect', () => resolve('connected'));
      socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
    });
    socket.destroy();
    expect([address, result]).not.toEqual([address, 'connected']);
  }
});

test('processes, environments and temporary files show no token', async () => {
  const { pid } = lab.process;
  for (const one of [pid, ...descendantsOf(pid)]) {
    for (const file of ['cmdline', 'environ']) {
      expect(readFileSync(`/proc/${one}/${file}`, 'latin1')).not.toContain(lab.token);
    }
  }
  expect(readdirSync(tmpdir()).filter((name) => name.includes(lab.token))).toEqual([]);
});

function upgrade(headers: Readonly<Record<string, string | undefined>> = {}): string[] {
  const all = {
    Host: `127.0.0.1:${lab.port}`,
    Origin: `http://127.0.0.1:${lab.port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': `${PROTOCOL}, t.${lab.token}`,
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return ['GET / HTTP/1.1', ...lines];
}

describe('connections of viewers', () => {
  test.each<[string, Readonly<Record<string, string | undefined>>, number]>([
    ['no Origin', { Origin: undefined }, 403],
    ['the Origin null', { Origin: 'null' }, 403],
    ['a foreign Origin', { Origin: 'http://evil.example' }, 403],
    ['another port', { Origin: 'http://127.0.0.1:1' }, 403],
    ['a user in the Origin', { Origin: 'http://localhost@evil' }, 403],
    ['another site', { 'Sec-Fetch-Site': 'cross-site' }, 403],
    ['no token', { 'Sec-WebSocket-Protocol': PROTOCOL }, 401],
    ['a wrong token', { 'Sec-WebSocket-Protocol': `${PROTOCOL}, t.AAAAAAAAAAAAAAAAAAAAAA` }, 401],
    ['no key', { 'Sec-WebSocket-Key': undefined }, 400],
    ['an old version', { 'Sec-WebSocket-Version': '7' }, 400],
    ['another protocol', { Upgrade: 'h2c' }, 400],
  ])('with %s is refused', async (_, headers, status) => {
    const response = await exchange(...upgrade(headers));
    expect(Number(response.split(' ')[1])).toBe(status);
    expect(response).not.toContain(lab.token);
  });

  test('a reset inside the upgrade harms none', async () => {
    for (let i = 0; i < 50; i++) {
      const socket = connect(lab.port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(`${upgrade().join('\r\n')}\r\n\r\n`);
      socket.resetAndDestroy();
    }
    await mustServe();
  });

  const viewer = () => LabViewer.open(lab.port, `t.${lab.token}`);

  test('a message of a mebibyte ends its connection', async () => {
    using one = await viewer();
    one.socket.send('x'.repeat(2 ** 20));
    expect(await until('its end', () => one.closed)).toBe(1009);
    await mustServe();
  });

  test('endless fragments end their connection', async () => {
    using one = await viewer();
    const sending = setInterval(() => {
      for (let i = 0; i < 100; i++) one.socket.send('xxxx', { fin: false });
    }, 1);
    try {
      expect(await until('its end', () => one.closed)).toBeGreaterThan(1000);
    } finally {
      clearInterval(sending);
    }
    await mustServe();
  });

  test('ten thousand commands in a moment end their connection', async () => {
    using one = await viewer();
    for (let i = 0; i < 10_000; i++) one.socket.send('{}');
    expect(await until('its end', () => one.closed)).toBe(CLOSED.tooQuick);
    await mustServe();
  });

  test('a binary message ends its connection', async () => {
    using one = await viewer();
    one.socket.send(Buffer.from('{"do":"nc","s":0}'));
    expect(await until('its end', () => one.closed)).toBe(CLOSED.wrong);
  });

  test('a viewer that answers no ping is ended', async () => {
    using one = await viewer();
    await one.sees('a header', ({ header }) => header !== undefined);
    // Its process is there, and its socket open, but it answers nothing.
    one.socket.pause();
    using other = await viewer();
    await until('it to be counted as gone', () => other.welcome?.viewers === 1);
  });

  test('of a hundred viewers eight watch, and the others learn why not', async () => {
    const opened = await Promise.allSettled(Array.from({ length: 100 }, viewer));
    // The server takes few connections at once, so some do not even come in.
    const all = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    try {
      await until('all but eight to be ended', () => {
        const ended = all.filter(({ closed }) => closed !== undefined);
        return (
          ended.length === all.length - 8 && ended.every(({ closed }) => closed === CLOSED.full)
        );
      });
      expect(all.length).toBeGreaterThan(8);
      await until('a welcome', () =>
        all.every(({ closed, welcome }) => closed !== undefined || welcome?.viewers === 8),
      );
    } finally {
      for (const one of all) one[Symbol.dispose]();
    }
    await until('room', async () => {
      using one = await viewer();
      await until('an answer', () => one.welcome ?? one.closed);
      return one.welcome !== undefined;
    });
  });

  test.each([
    ['a prototype', '{"do":"plan","scene":"","plan":{"__proto__":{}}}'],
    ['a path', '{"do":"swap","s":0,"stage":{"architecture":"../../etc/passwd"}}'],
    ['process 1', '{"do":"signal","s":0,"pid":1,"signal":"SIGKILL"}'],
    ['the lab itself', '{"do":"signal","s":0,"pid":PID,"signal":"SIGKILL"}'],
    ['an endless attack', '{"do":"attack","s":0,"attack":"idle-crowd","seconds":1e9}'],
    ['a program', '{"do":"exec","command":"id"}'],
    ['markup', '{"do":"<img src=x onerror=alert(1)>"}'],
    ['what a terminal obeys', '{"do":"\\u001b[2J\\u202e"}'],
    ['NULs', '\0'.repeat(4096)],
  ])('a command with %s is refused in a line', async (_, text) => {
    using one = await viewer();
    await until('a welcome', () => one.welcome?.steers);
    one.socket.send(text.replace('PID', String(lab.process.pid)));
    const note = await until('a note', () => one.notes[0]);
    expect(note.text).toMatch(/^[ -~·]+$/);
    expect(lab.process.isRunning).toBe(true);
  });
});

test('the page as it is served names no token', async () => {
  for (const path of ['/', '/page.js', '/page.css', '/favicon.svg']) {
    const response = await exchange(`GET ${path} HTTP/1.1`, host(), 'Connection: close');
    expect(response.split(' ')[1]).toBe('200');
    expect(response).not.toContain(lab.token);
  }
});
