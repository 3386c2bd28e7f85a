/** The honest client: connects, asks the three questions, checks the answers, and leaves. */
import { connect } from 'node:net';
import { aphorisms } from '../../protocol/zen.ts';

/** How long it has for all of that, in ms. */
const PATIENCE = 1000;

export type Outcome = 'answered' | 'late' | 'refused' | 'cut' | 'wrong';

const questions = Object.keys(aphorisms) as (keyof typeof aphorisms)[];

let clients = 0;

/** Each client comes from an address of its own, as honest ones do: 127.1.0.1, 127.1.0.2, … */
export function nextAddress(): string {
  clients++;
  return `127.1.${Math.floor(clients / 250) % 250}.${1 + (clients % 250)}`;
}

/** One honest client at a server on this machine; never rejects. */
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

/** A client in the middle of its conversation, for what is to be answered while a server stops. */
export interface Guest {
  /** Asks a question, and waits for the answer for `ms`. */
  ask(ms: number): Promise<Outcome>;
  leave(): void;
}

/** A client that has been answered once; nothing if it is not within a second. */
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
