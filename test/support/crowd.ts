/** Honest clients that come and go all the time, and their failures. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../../src/host/server.ts';
import { aphorisms } from '../../src/protocol/zen.ts';
import { until } from './until.ts';

const questions = Object.entries(aphorisms);

/**
 * Clients that come, ask all questions, and leave, several at a time, until the test stops them.
 *
 * @param pause between two visits of a client, in ms; without one, the crowd takes all processors
 */
export function crowd(port: number, size: number, pause = 0) {
  const faults: string[] = [];
  let served = 0;
  let isOver = false;
  const one = async () => {
    while (!isOver) {
      const socket = connect(port, '127.0.0.1').setEncoding('latin1');
      try {
        for (const [question, answer] of questions) {
          let received = '';
          await new Promise<void>((resolve, reject) => {
            socket.on('data', (data: string) => {
              received += data;
              if (received.length >= answer.length) resolve();
            });
            socket.on('error', reject).on('close', () => reject(new Error('closed early')));
            socket.write(question);
          });
          socket.removeAllListeners();
          if (received !== answer) faults.push(`${question} ${received}`);
        }
        served++;
      } catch (error) {
        faults.push(String(error));
      } finally {
        socket.on('error', () => {}).destroy();
      }
      if (pause > 0) await sleep(pause);
    }
  };
  const all = Array.from({ length: size }, one);
  return {
    faults,
    get served() {
      return served;
    },
    async stop() {
      isOver = true;
      await Promise.all(all);
    },
  };
}

/** Restarts the server that number of times, and waits each time until it has served clients of the crowd again. */
export async function restartUnder(
  clients: { readonly served: number },
  server: Pick<Server, 'restart'>,
  count: number,
): Promise<void> {
  for (let i = 0; i < count; i++) {
    await server.restart();
    const { served } = clients;
    await until('clients to be served', () => clients.served > served);
  }
}
