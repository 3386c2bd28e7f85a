/**
 * Asks one question before a measurement, so that a server that is not there, or a plan that does
 * not fit the service, is reported at once and not after the whole run.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ServeError } from '../../host/errors.ts';
import { addressText, type SocketAddress } from '../../os/address.ts';
import { quoted } from '../../protocol/shown.ts';
import { reasonOf } from '../client/errors.ts';
import { Answers, MORE, WRONG } from './answers.ts';
import type { Framing, LoadPlan } from './plan.ts';
import { Script } from './script.ts';
import { targetAddress } from './target-address.ts';

/** Timeout for the first byte of the answer, and for each next piece, in ms. */
const QUIET = 1000;
/** Timeout for the whole answer, in ms. */
const LONGEST = 10_000;
/** Longest text in a message, in characters. */
const SHOWN = 80;
/** Errors of a running server that has no room or closes the connection: a run measures that. */
const MEASURED = new Set(['EAGAIN', 'ECONNRESET', 'EPIPE', 'EMFILE', 'ENFILE']);

/**
 * Resolves if a measurement is useful: the first answer is right, or the server runs and has not
 * answered yet.
 *
 * @throws ServeError if no server listens there, or if the answer differs from the plan
 */
export async function rehearse(plan: LoadPlan, signal?: AbortSignal): Promise<void> {
  const to = await targetAddress(plan.host, plan.port);
  const where = addressText(to);
  const socket = await connected(to, where, plan.connectTimeout);
  if (socket === undefined) return;
  const leave = () => void socket.destroy();
  signal?.addEventListener('abort', leave);
  try {
    const heard = await ask(socket, plan);
    const fault = signal?.aborted ? undefined : faultOf(heard, plan);
    if (fault === undefined) return;
    throw new ServeError('failed', `Cannot measure ${where}: ${fault}`);
  } finally {
    signal?.removeEventListener('abort', leave);
    socket.destroy();
  }
}

/** Returns undefined if the server has no room, or if it is not known whether it runs. */
async function connected(
  to: SocketAddress,
  where: string,
  patience: number,
): Promise<Socket | undefined> {
  const socket = connect(
    to.family === 'unix' ? { path: to.path } : { host: to.host, port: to.port, noDelay: true },
  );
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(Math.min(patience, LONGEST)) });
    return socket;
  } catch (error) {
    socket.destroy();
    const { name, code = '' } = error as NodeJS.ErrnoException;
    if (name === 'AbortError' || MEASURED.has(code)) return undefined;
    throw new ServeError('failed', `Cannot connect to "${where}": ${reasonOf(error).state}`, {
      cause: error,
    });
  }
}

/** The bytes that came for one question. */
interface Heard {
  readonly bytes: Buffer;
  readonly state: 'right' | 'wrong' | 'unfinished';
  /** True if the connection ended, so that no more bytes can come. */
  readonly isOver: boolean;
}

async function ask(socket: Socket, plan: LoadPlan): Promise<Heard> {
  const script = new Script(plan.exchanges, plan.framing);
  const answers = new Answers(script, plan.framing, 1);
  const pieces: Buffer[] = [];
  let state: Heard['state'] = 'unfinished';
  let isOver = false;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const quiet = setTimeout(resolve, QUIET);
  const longest = setTimeout(resolve, LONGEST);
  socket.on('data', (piece: Buffer) => {
    pieces.push(piece);
    quiet.refresh();
    if (state !== 'unfinished') return;
    const end = answers.read(0, 0, piece, 0, piece.length);
    if (end === MORE) return;
    state = end === WRONG ? 'wrong' : 'right';
    resolve();
  });
  const over = () => {
    isOver = true;
    resolve();
  };
  socket.on('end', over).on('error', over).on('close', over);
  socket.write(script.question(0));
  await done;
  clearTimeout(quiet);
  clearTimeout(longest);
  return { bytes: Buffer.concat(pieces), state, isOver };
}

/** Why a measurement would be useless, and what to do; undefined if it is useful. */
function faultOf(
  { bytes, state, isOver }: Heard,
  { exchanges, framing }: LoadPlan,
): string | undefined {
  // A server that closes inside an answer is measured: that is an outcome.
  if (state === 'right' || bytes.length === 0 || (state === 'unfinished' && isOver)) {
    return undefined;
  }
  const [{ question, answer }] = exchanges as [LoadPlan['exchanges'][number]];
  const came = `to ${short(question)} the server answered ${short(bytes.toString())}`;
  if (answer === undefined) {
    return `${came}, and no ${endText(framing)} came that ends an answer; say how its answers end, as in --framing ${proposal(bytes)}`;
  }
  const expected = `${came}, and not ${short(answer)}${framing.kind === 'delimiter' ? '' : ` (${formText(framing)})`}`;
  return `${expected}; give its questions and answers with --questions, and with --framing how its answers end`;
}

const short = (text: string) => quoted(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);

const endText = (framing: Framing): string =>
  framing.kind === 'delimiter'
    ? quoted(framing.answerEnd)
    : 'end by its '.concat(formText(framing));

const formText = (framing: Framing): string =>
  framing.kind === 'length' ? `--framing length:${framing.bytes}` : `--framing ${framing.kind}`;

/** The framing that an answer suggests by its last character. */
function proposal(bytes: Buffer): string {
  const text = bytes.toString();
  if (text.endsWith('\n')) return 'line';
  return `'delimiter:${[...text].at(-1)}'`;
}
