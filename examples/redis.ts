/**
 * Counters in Redis, over one connection for each thread and process. `hit NAME` adds one to a counter, `read NAME`
 * reads it, and both answer `NAME COUNT`. REDIS_URL says where Redis is.
 */
import { createClient } from '@redis/client';
import type { Service } from '../src/index.ts';

let isOpen = false;

const client = createClient({
  url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
  // Without a connection a command fails at once. Otherwise clients would wait until Redis is back.
  disableOfflineQueue: true,
  // A Redis that hangs answers no ping, and then the connection breaks. A limit for commands would not help: it ends
  // with the sending of a command. Both in ms.
  pingInterval: 1000,
  socket: {
    socketTimeout: 2000,
    connectTimeout: 2000,
    // The first attempt decides whether the server starts. Later ones go on until Redis is back; in ms.
    reconnectStrategy: (retries) => isOpen && Math.min(50 * 2 ** retries, 1000),
  },
});
// A broken connection emits an error, and without a listener it would end the process.
client.on('error', () => {});

/** The reason in one line. A refused connection has a code and, for a name with two addresses, no message. */
const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return message || code || String(error);
};

const redis: Service = {
  shared: 'external',
  delimiter: '\n',
  async open() {
    try {
      await client.connect();
      isOpen = true;
    } catch (error) {
      throw new Error(`no answer from Redis: ${reasonOf(error)}`, { cause: error });
    }
  },
  async answerAsync(line) {
    const [, verb, name] = /^(hit|read) (\S+)\r?\n$/.exec(line) ?? [];
    if (name === undefined) return 'error: ask hit NAME or read NAME\n';
    try {
      const count = verb === 'hit' ? await client.incr(name) : await client.get(name);
      return `${name} ${count ?? 0}\n`;
    } catch (error) {
      return `error: no answer from Redis: ${reasonOf(error)}\n`;
    }
  },
  close: () => client.destroy(),
};

export default redis;
