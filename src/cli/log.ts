/** The account as a log on standard output: one pino line per event, as JSON or made readable. */
import { pino } from 'pino';
import { eventText, repeated, type ServerEvent } from '../host/server-event.ts';
import type { StandardOutput } from './standard-output.ts';

/** Of what repeats there is one line in that many ms, and one that sums up the rest. */
const QUIET = 5000;

/** How loud each kind of event is; those not named are `info`. */
const levels: Partial<Record<ServerEvent['type'], 'warn' | 'error'>> = {
  hungUp: 'warn',
  unsent: 'warn',
  failed: 'warn',
  refused: 'warn',
  warning: 'warn',
  threw: 'error',
  died: 'error',
  crashed: 'error',
};

/** @param form `json` is pino's own form, with the event's fields; `text` is for people */
export async function createLogger(
  form: 'text' | 'json',
  output: StandardOutput,
): Promise<(event: ServerEvent) => void> {
  // The time is the event's own, not that of its writing.
  const options = { base: null, timestamp: false };
  const log = pino(options, form === 'json' ? output : await readable(output));
  output.onDropped = (lines) => {
    const text = `${lines.toLocaleString('en')} log lines dropped: whoever reads them is too slow`;
    log.warn({ type: 'dropped', lines, time: Date.now() }, text);
  };
  const write = (event: ServerEvent) => {
    const { at, ...fields } = event;
    log[levels[event.type] ?? 'info']({ ...fields, time: at }, eventText(event));
  };
  // Programs that read the account are to have all of it.
  if (form === 'json') return write;
  return summingUp(write, (text) => log.warn({ time: Date.now() }, text));
}

/** Keeps a storm of one kind from the log: its first line is written, and every 5 s how many more there were. */
export function summingUp(
  write: (event: ServerEvent) => void,
  say: (text: string) => void,
): (event: ServerEvent) => void {
  const storms = new Map<string, { more: number; timer: NodeJS.Timeout }>();
  const sumUp = (kind: string, time = ` in ${QUIET / 1000} s`) => {
    const storm = storms.get(kind)!;
    if (storm.more === 0) {
      clearInterval(storm.timer);
      storms.delete(kind);
      return;
    }
    say(`… and ${storm.more.toLocaleString('en')} more${time} ${kind}`);
    storm.more = 0;
  };
  return (event) => {
    const kind = repeated(event);
    if (kind === undefined) {
      // Nothing is written behind the last line.
      if (event.type === 'stopped') for (const [open] of storms) sumUp(open, '');
      write(event);
      return;
    }
    const storm = storms.get(kind);
    if (storm !== undefined) {
      storm.more++;
      return;
    }
    const timer = setInterval(sumUp, QUIET, kind).unref();
    storms.set(kind, { more: 0, timer });
    write(event);
  };
}

async function readable(output: StandardOutput) {
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({
    colorize: process.stdout.isTTY === true && !process.env.NO_COLOR,
    hideObject: true,
    ignore: 'level',
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return { write: (line: string) => output.write(pretty(line)) };
}
