/** The honest client: it connects, asks the three questions, checks the answers, and leaves. */
import { connect } from 'node:net';
import { aphorisms } from '../../protocol/zen.ts';

/** Timeout for the whole conversation, in ms. */
const PATIENCE = 1000;

export type Outcome = 'answered' | 'late' | 'refused' | 'cut' | 'wrong';

const questions = Object.keys(aphorisms) as (keyof typeof aphorisms)[];

let clients = 0;

/** A new source address for each client, as honest clients have: 127.1.0.1, 127.1.0.2 and so on. */
export function nextAddress(): string {
  clients++;
  return `127.1.${Math.floor(clients / 250) % 250}.${1 + (clients % 250)}`;
}

/** Runs one honest client against a server on this machine. Never rejects. */
export function probe(port: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: nextAddress(), noDelay: true });
    let asked = 0;
    let received = '';
    const end = (outcome: Outcome) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(end, PATIENCE, 'late');
    const ask = () => {
      if (asked === questions.length) end('answered');
      else socket.write(questions[asked]!);
    };
    socket.setEncoding('latin1');
    socket.once('connect', ask);
    socket.on('data', (text: string) => {
      received += text;
      const wanted = aphorisms[questions[asked]!];
      if (!wanted.startsWith(received)) return end('wrong');
      if (received.length < wanted.length) return;
      asked++;
      received = '';
      ask();
    });
    socket.on('end', () => end('cut'));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ECONNREFUSED' ? 'refused' : 'cut'),
    );
  });
}

/** A client in the middle of a conversation, to be answered while the server drains. */
export interface Guest {
  /** Asks a question, and waits `ms` for the answer. */
  ask(ms: number): Promise<Outcome>;
  leave(): void;
}

/**
 * Connects a client and asks one question. Returns undefined if it is not answered within a second.
 */
export async function enter(port: number): Promise<Guest | undefined> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: nextAddress(), noDelay: true });
  socket.setEncoding('latin1');
  socket.on('error', () => {});
  const [question] = questions;
  const answer = aphorisms[question!];
  const ask = (ms: number): Promise<Outcome> =>
    new Promise((resolve) => {
      let received = '';
      const end = (outcome: Outcome) => {
        clearTimeout(timer);
        socket.off('data', hear);
        socket.off('close', gone);
        resolve(outcome);
      };
      const hear = (text: string) => {
        received += text;
        if (!answer.startsWith(received)) end('wrong');
        else if (received === answer) end('answered');
      };
      const gone = () => end('cut');
      const timer = setTimeout(end, ms, 'late');
      socket.on('data', hear);
      socket.once('close', gone);
      socket.write(question!);
    });
  if ((await ask(PATIENCE)) === 'answered') return { ask, leave: () => socket.destroy() };
  socket.destroy();
  return undefined;
}
