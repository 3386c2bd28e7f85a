/** Honest clients that come and go all the time, and their failures. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { aphorisms } from '../../src/protocol/zen.ts';

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
