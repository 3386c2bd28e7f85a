/** A running `mondo lab`, and viewers of it without a browser. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { type Model, nothing } from '../../src/instruments/lab/shared/model.ts';
import type { LabRecord } from '../../src/instruments/lab/shared/records.ts';
import { apply } from '../../src/instruments/lab/shared/reducer.ts';
import {
  type Command,
  type NoteRecord,
  PROTOCOL,
  type WelcomeRecord,
} from '../../src/instruments/lab/shared/wire.ts';
import { type Process, spawnMondo } from './processes.ts';
import { until } from './until.ts';

export interface Lab extends AsyncDisposable {
  readonly process: Process;
  /** With the token in its fragment. */
  readonly url: string;
  readonly port: number;
  readonly token: string;
}

/** Starts the command with these arguments; resolves when it has printed its address. */
export async function startLab(...args: string[]): Promise<Lab> {
  const process = spawnMondo('lab', ...args);
  try {
    const [, url] = await process.printed(/^Mondo lab: (http:\S+)$/m);
    const { port, hash } = new URL(url!);
    return {
      process,
      url: url!,
      port: Number(port),
      token: hash.slice('#t='.length),
      async [Symbol.asyncDispose]() {
        if (process.isRunning) process.signalGroup('SIGINT');
        await process.ended().catch(() => {});
        await process[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw error;
  }
}

/** A viewer of the lab at `port`, that keeps all it hears. */
export class LabViewer implements Disposable {
  readonly socket: WebSocket;
  readonly records: LabRecord[] = [];
  readonly notes: NoteRecord[] = [];
  welcome: WelcomeRecord | undefined;
  model: Model = nothing;
  /** The code with which the connection was closed. */
  closed: number | undefined;

  /** @param pass `t.` and the token, or `o.` and a code */
  static async open(port: number, pass: string): Promise<LabViewer> {
    const viewer = new LabViewer(port, pass);
    await Promise.race([
      once(viewer.socket, 'open'),
      once(viewer.socket, 'error').then(([error]) => Promise.reject(error)),
    ]);
    return viewer;
  }

  private constructor(port: number, pass: string) {
    const origin = `http://127.0.0.1:${port}`;
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/`, [PROTOCOL, pass], { origin });
    this.socket.on('message', (data) => {
      for (const line of String(data).split('\n')) if (line !== '') this.#hear(JSON.parse(line));
    });
    this.socket.on('close', (code) => {
      this.closed = code;
    });
    this.socket.on('error', () => {});
  }

  /** Resolves when the model is so. */
  sees(what: string, isSo: (model: Model) => boolean): Promise<Model> {
    return until(what, () => isSo(this.model) && this.model);
  }

  send(command: Command): void {
    this.socket.send(JSON.stringify(command));
  }

  /** Resolves with the first note that matches, and has come after the call. */
  async answered(command: Command, pattern: RegExp): Promise<NoteRecord> {
    const before = this.notes.length;
    this.send(command);
    return until(`a note ${pattern}`, () =>
      this.notes.slice(before).find(({ text }) => pattern.test(text)),
    );
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }

  #hear(record: LabRecord | WelcomeRecord | NoteRecord): void {
    if (record.k === 'y') this.welcome = record;
    else if (record.k === 'n') this.notes.push(record);
    else {
      this.records.push(record);
      this.model = apply(this.model, record);
    }
  }
}
