/** `mondo client`: the chapter's client. Asks its questions over one connection, one after the other. */
import { styleText } from 'node:util';
import { ServeError } from '../host/errors.ts';
import { connect } from '../instruments/client/client.ts';
import { ClientError } from '../instruments/client/errors.ts';
import { printable, quoted } from '../protocol/shown.ts';
import { aphorisms } from '../protocol/zen.ts';
import { CommandError } from './report.ts';

export interface ClientCommandOptions {
  readonly port: number;
  /** Sends a question without its last character, and leaves. */
  readonly error?: boolean;
  /** The questions, in this order; if there are none, the three questions in random order. */
  readonly ask: readonly string[];
  /** Time limit for each step of the server, in ms. */
  readonly timeout: number;
}

export async function clientCommand(host: string, options: ClientCommandOptions): Promise<void> {
  try {
    await converse(host, options);
  } catch (error) {
    if (error instanceof ClientError) throw new CommandError(error.message, { cause: error });
    if (error instanceof RangeError) throw new ServeError('usage', error.message, { cause: error });
    throw error;
  }
}

async function converse(host: string, { port, error, ask, timeout }: ClientCommandOptions) {
  const questions = ask.length > 0 ? ask.flatMap(separate) : shuffled(Object.keys(aphorisms));
  await using client = await connect(host === '' ? 'localhost' : host, port, {
    connectTimeout: timeout,
    answerTimeout: timeout,
  });
  if (error === true) {
    const part = questions[0]!.slice(0, -1);
    client.send(part);
    await client.close();
    console.log(`Sent ${quoted(part)} to ${client.where} and left`);
    return;
  }
  for (const question of questions) {
    const answer = await client.ask(question);
    console.log(`${printable(question)} ${styleText('bold', printable(answer))}`);
  }
}

/** Splits a text with several questions: each gets its answer. */
const separate = (text: string): string[] => text.match(/[^?]*\?|[^?]+$/g) ?? [text];

function shuffled<T>(values: readonly T[]): T[] {
  const all = [...values];
  for (let i = all.length - 1; i > 0; i--) {
    const k = Math.floor(Math.random() * (i + 1));
    [all[i], all[k]] = [all[k]!, all[i]!];
  }
  return all;
}
