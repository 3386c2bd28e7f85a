// How long a server does not answer after a storm: clients that ask a question and reset at once, and then one
// that waits for its answer. Run it with `node bench/storm.ts [CLIENTS]`.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { node, start, stopAll } from './contestants.ts';

const QUESTION = 'Simple is better than?';
const THREADS = 32;
/** Duration of the storm, in ms. */
const LENGTH = 2000;
const clients = Math.min(10_000, Number(process.argv[2] ?? 1058));

const socketTo = async (port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect').catch(() => {});
  return socket;
};

async function askAndReset(port: number): Promise<void> {
  const socket = await socketTo(port);
  socket.write(QUESTION, () => socket.resetAndDestroy());
}

/** Time until a client is answered, in ms. */
async function answerTime(port: number): Promise<number> {
  const began = performance.now();
  const socket = await socketTo(port);
  socket.write(QUESTION);
  await once(socket, 'data');
  socket.destroy();
  return performance.now() - began;
}

async function storm(port: number): Promise<void> {
  const began = performance.now();
  const all: Promise<void>[] = [];
  for (let i = 0; i < clients; i++) {
    const due = began + (LENGTH * i) / clients;
    const early = due - performance.now();
    if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
    all.push(askAndReset(port));
  }
  await Promise.all(all);
}

const cap = ['--max-threads', String(THREADS)];
const options = ['socketserver', '127.0.0.1', '-p', '0', '--log', 'none'];
const mondo = [node, fileURLToPath(new URL('../bin/mondo', import.meta.url)), 'serve', ...options];
const peer = fileURLToPath(new URL('peers/chapter.py', import.meta.url));
for (const [name, command] of [
  ['socketserver', [...mondo, ...cap]],
  ['socketserver --mixin forking', [...mondo, ...cap, '--mixin', 'forking']],
  ['ThreadingTCPServer in Python', ['python3', peer, 'socketserver', '127.0.0.1', '0']],
] as const) {
  for (const isBusy of [false, true]) {
    const { port } = await start(command, []);
    const busy: Socket[] = [];
    for (let i = 0; isBusy && i < THREADS; i++) {
      const socket = await socketTo(port);
      socket.write(QUESTION);
      await once(socket, 'data');
      busy.push(socket);
    }
    await storm(port);
    const deaf = answerTime(port);
    // The clients that had the threads leave when the storm is over.
    for (const socket of busy) socket.destroy();
    const state = isBusy ? `${THREADS} clients are in` : 'no other client is in';
    console.log(`${name}, ${state}: answers ${(await deaf).toFixed(0)} ms after the storm`);
    await stopAll();
  }
}
