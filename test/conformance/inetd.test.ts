import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descendantsOf, mondo, Process } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { until } from '../support/until.ts';

/** A port that was free a moment ago: inetd cannot be given port 0. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function converse(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (data) => {
      received += data;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
    socket.end(text);
  });
}

// Debian keeps it out of users' PATH.
process.env.PATH = `${process.env.PATH}:/usr/sbin`;

describe.runIf(hasProgram('inetd', 'openbsd-inetd'))('run by openbsd-inetd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mondo-inetd-'));
  let inetd: Process;
  let nowait: number;
  let wait: number;

  beforeAll(async () => {
    [nowait, wait] = [await freePort(), await freePort()];
    const command = `${userInfo().username} ${process.execPath} ${process.execPath} ${mondo} serve inetd`;
    const file = join(folder, 'inetd.conf');
    writeFileSync(
      file,
      `127.0.0.1:${nowait} stream tcp nowait ${command}\n127.0.0.1:${wait} stream tcp wait ${command}\n`,
    );
    inetd = new Process('inetd', ['-i', file]);
    await until('inetd to listen', () =>
      converse(nowait, '').then(
        () => true,
        () => false,
      ),
    );
  });
  afterAll(async () => {
    inetd.child.kill('SIGTERM');
    await inetd.ended();
    rmSync(folder, { recursive: true });
  });

  const mondosOf = () => descendantsOf(inetd.pid);

  it('nowait holds one conversation on the socket that is standard input, and ends', async () => {
    const [one, other] = await Promise.all([
      converse(nowait, 'Beautiful is better than?Simple is better than?'),
      converse(nowait, 'Explicit is better than?Why?'),
    ]);
    expect(one).toBe('Ugly.Complex.');
    expect(other).toBe('Implicit.Error: unknown aphorism.');
    await until('its processes to end', () => mondosOf().length === 0);
  });

  it('wait accepts client after client, and ends when none has come for 8 s', async () => {
    expect(await converse(wait, 'Beautiful is better than?')).toBe('Ugly.');
    const [first] = await until('its process', () => (mondosOf().length > 0 ? mondosOf() : false));
    expect(await converse(wait, 'Simple is better than?')).toBe('Complex.');
    const quietSince = performance.now();
    expect(mondosOf()).toEqual([first]);
    await until('its process to end', () => mondosOf().length === 0);
    const quiet = performance.now() - quietSince;
    expect(quiet).toBeGreaterThan(7_500);

    // inetd listens again, and starts another for the next client.
    expect(await converse(wait, 'Explicit is better than?')).toBe('Implicit.');
    expect(mondosOf()).not.toEqual([first]);
    for (const pid of mondosOf()) process.kill(pid, 'SIGKILL');
  });
});
