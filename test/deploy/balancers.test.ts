/** Real balancers before the server: HAProxy and nginx announce each client, and HAProxy checks the server's health. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { hasProgram } from '../support/programs.ts';
import { Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

const ARCHITECTURES = ['threaded', 'epoll', 'uring', 'coroutine'] as const;
const service = join(import.meta.dirname, '../support/services/announced.ts');
const folder = mkdtempSync(join(tmpdir(), 'mondo-balancer-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A balancer with that configuration. Resolves when it accepts clients. */
async function balancer(program: string, words: readonly string[], port: number) {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  child.stderr.on('data', (text) => (output += text));
  await until(`${program} to listen`, async () => {
    if (child.exitCode !== null) throw new Error(`${program} has ended: ${output}`);
    const socket = connect(port, '127.0.0.1');
    return new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    }).finally(() => socket.destroy());
  });
  return {
    async stop(): Promise<void> {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** Asks once through a balancer. Returns the client's own name, and what the service has seen. */
async function seenThrough(port: number, localAddress: string) {
  const host = localAddress.includes(':') ? '::1' : '127.0.0.1';
  const socket: Socket = connect({ port, host, localAddress });
  await once(socket, 'connect');
  const own = { address: socket.localAddress!, port: socket.localPort! };
  let received = '';
  socket.setEncoding('utf8').on('data', (text) => (received += text));
  socket.write('?');
  await until('an answer', () => received.includes('\n'));
  socket.destroy();
  await once(socket, 'close');
  return { own, seen: JSON.parse(received) as Record<string, unknown> };
}

const textOf = ({ address, port }: { address: string; port: number }) =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

describe.each(ARCHITECTURES)('%s', (architecture) => {
  let serving: Serving;
  beforeAll(async () => {
    serving = await Serving.start({ architecture, service, proxy: { trusted: ['127.0.0.1'] } });
  });
  afterAll(() => serving.stop());

  /** The service and the log see each client, of both families. */
  async function expectAnnounced(port: number): Promise<void> {
    for (const address of ['127.0.0.5', '::1']) {
      const { own, seen } = await seenThrough(port, address);
      const family = address.includes(':') ? 'IPv6' : 'IPv4';
      expect(seen).toMatchObject({ family, ...own });
      await serving.expectAccount(textOf(own), ['accepted', 'closed']);
    }
  }

  it.runIf(hasProgram('haproxy', 'haproxy'))(
    'sees the clients of HAProxy, version 1 and 2, and is UP for its health checks',
    async () => {
      const ports = [await freePort(), await freePort()] as const;
      const file = join(folder, `${architecture}.cfg`);
      const socket = join(folder, `${architecture}.sock`);
      const server = `server mondo 127.0.0.1:${serving.server.port} check inter 50ms`;
      writeFileSync(
        file,
        `global
  stats socket ${socket} level admin
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout check 10s
frontend one
  bind 127.0.0.1:${ports[0]}
  bind [::1]:${ports[0]}
  default_backend one
frontend two
  bind 127.0.0.1:${ports[1]}
  bind [::1]:${ports[1]}
  unique-id-format %[uuid()]
  default_backend two
backend one
  option tcp-check
  tcp-check send ?
  tcp-check expect string address
  ${server} check-send-proxy send-proxy
backend two
  option tcp-check
  tcp-check connect default linger
  tcp-check send ?
  tcp-check expect string address
  ${server} check-send-proxy send-proxy-v2 proxy-v2-options crc32c,unique-id
`,
      );
      const haproxy = await balancer('haproxy', ['-db', '-f', file], ports[0]);
      try {
        await expectAnnounced(ports[0]);
        await expectAnnounced(ports[1]);
        const { seen } = await seenThrough(ports[1], '127.0.0.5');
        expect(seen.uniqueId).toMatch(/^[\da-f-]{36}$/);
        // The first check finds it UP before it has checked anything: so wait for checks that were answered.
        for (const backend of ['one', 'two']) {
          await until(`backend ${backend} to be checked`, async () => {
            const line = (await stateOf(socket)).find((words) => words[0] === backend);
            return line?.[17] === 'UP' && line[36] === 'L7OK';
          });
        }
        await until('health checks of both versions', () => {
          const { local, unspecified } = serving.server.proxyHeaders();
          return local + unspecified > 10;
        });
        const faults = Object.keys(serving.server.counts()).filter((name) =>
          name.startsWith('proxy'),
        );
        expect(faults).toEqual([]);
      } finally {
        await haproxy.stop();
      }
    },
  );

  it.runIf(hasProgram('nginx', 'nginx libnginx-mod-stream'))(
    'sees the clients of nginx',
    async () => {
      const port = await freePort();
      const file = join(folder, `${architecture}.conf`);
      writeFileSync(
        file,
        `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid ${folder}/${architecture}.pid;
error_log stderr;
events {}
stream {
  server {
    listen 127.0.0.1:${port};
    listen [::1]:${port};
    proxy_pass 127.0.0.1:${serving.server.port};
    proxy_protocol on;
  }
}
`,
      );
      const nginx = await balancer('nginx', ['-e', 'stderr', '-c', file], port);
      try {
        await expectAnnounced(port);
      } finally {
        await nginx.stop();
      }
    },
  );
});

/** The lines of `show stat` about servers. */
async function stateOf(path: string): Promise<string[][]> {
  const socket = connect(path);
  let text = '';
  socket.setEncoding('utf8').on('data', (data) => (text += data));
  socket.write('show stat\n');
  await once(socket, 'close');
  return text
    .split('\n')
    .map((line) => line.split(','))
    .filter((words) => words[1] === 'mondo');
}
