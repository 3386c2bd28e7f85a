/** Many short connections through few descriptors: reusing a number must not mix up two clients. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import { mondo, Process } from './processes.ts';

const AT_ONCE = 40;
/** Number of descriptors that each process of the server may have. */
export const DESCRIPTORS = 100;

const echo = join(import.meta.dirname, 'services', 'echo.ts');

/** Asks its own question on its own connection. Resolves with the bytes that came back. */
function askOnce(port: number, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(question));
    socket.setEncoding('latin1');
    socket.on('data', (data) => {
      answer += data;
      if (answer.length >= question.length + 1) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

/** Each client gets the answer to its own question. */
export async function expectOwnAnswers(architecture: string, connections: number): Promise<void> {
  const command = `ulimit -n ${DESCRIPTORS}; exec "$@"`;
  const words = ['serve', architecture, '127.0.0.1', '-p', '0', '--log', 'none'];
  await using server = new Process('sh', [
    ...['-c', command, 'sh', process.execPath, mondo],
    ...[...words, '--service', echo],
  ]);
  const port = Number((await server.printed(/127\.0\.0\.1:(\d+)/))[1]);
  let next = 0;
  const wrong: string[] = [];
  const client = async () => {
    while (next < connections) {
      const question = `client ${next++}?`;
      const answer = await askOnce(port, question);
      if (answer !== `${question}!`) wrong.push(`${question} got ${answer}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  expect(wrong).toEqual([]);
  server.child.kill('SIGTERM');
  expect((await server.ended()).code).toBe(0);
}
