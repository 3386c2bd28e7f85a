/** Honest clients that come and go all the time, and their failures. */
import { connect } from 'node:net';
import { aphorisms } from '../../src/protocol/zen.ts';

const questions = Object.entries(aphorisms);

/** Clients that come, ask all questions, and leave, several at a time, until the test stops them. */
export function crowd(port: number, size: number) {
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
