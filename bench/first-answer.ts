// The cost of a thread's or a process's start for a client: from connecting to the first answer. Once with a
// new one for each client, and once with finished ones that serve the next client; beside the cost of a start
// in C. Run it with `node bench/first-answer.ts [CLIENTS]`.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { type Client, connect, serve } from '../src/index.ts';

const clients = Math.min(1000, Number(process.argv[2] ?? 40));

/** Median time from connecting to the first answer, in ms, with one client after the other. */
async function firstAnswer(options: Parameters<typeof serve>[0]): Promise<number> {
  const server = await serve({ ...options, port: 0, user: 'root' });
  const times: number[] = [];
  for (let i = 0; i < clients; i++) {
    const began = performance.now();
    const client: Client = await connect('127.0.0.1', server.port);
    await client.ask('Simple is better than?');
    times.push(performance.now() - began);
    await client.close();
    // A process that ends with its client must not take the processor from the next start.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await server.close();
  return times.toSorted((a, b) => a - b)[times.length >> 1]!;
}

const folder = mkdtempSync(join(tmpdir(), 'mondo-first-answer-'));
try {
  const program = join(folder, 'first-answer');
  const source = fileURLToPath(new URL('first-answer.c', import.meta.url));
  execFileSync('cc', ['-O2', '-std=c11', '-pthread', '-o', program, source]);
  const c = JSON.parse(execFileSync(program, { encoding: 'utf8' }));
  console.log(`C: a thread ${c.thread} µs, a process ${c.process} µs`);
  const socketserver = { architecture: 'socketserver' } as const;
  const forking = { ...socketserver, mixin: 'forking' } as const;
  for (const [name, none, some] of [
    ['socketserver', { ...socketserver, threadCache: 0 }, socketserver],
    ['socketserver --mixin forking', { ...forking, threadCache: 0 }, forking],
    ['inetd', { architecture: 'inetd', processCache: 0 }, { architecture: 'inetd' }],
  ] as const) {
    const [cold, warm] = [await firstAnswer(none), await firstAnswer(some)];
    console.log(
      `${name}: first answer ${cold.toFixed(2)} ms, from the cache ${warm.toFixed(2)} ms`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
