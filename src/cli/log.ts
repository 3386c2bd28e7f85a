/** The server's events as a log on standard output: one pino line per event, as JSON or as text. */
import { pino } from 'pino';
import { Repeats, type Summary, summaryText } from '../host/repeats.ts';
import { eventText, type ServerEvent } from '../host/server-event.ts';
import { grouped, printableJson } from '../protocol/shown.ts';
import type { StandardOutput } from './standard-output.ts';

/** The level of each kind of event; kinds that are not listed are `info`. */
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
  // The time is that of the event, not of its writing.
  const options = { base: null, timestamp: false };
  const log = pino(options, form === 'json' ? asJson(output) : await readable(output));
  output.onDropped = (lines, why) => {
    const text = `${grouped(lines)} log lines dropped: ${why}`;
    log.warn({ type: 'dropped', lines, time: Date.now() }, text);
  };
  const write = (event: ServerEvent) => {
    const { at, ...fields } = event;
    log[levels[event.type] ?? 'info']({ ...fields, time: at }, eventText(event));
  };
  const record = summingUp(write, (summary) => {
    const { more, ms, like } = summary;
    const fields = { type: 'repeated', more, ms: Math.round(ms), like, time: Date.now() };
    log.warn(fields, summaryText(summary));
  });
  return (event) => {
    // The last sums belong to the end.
    if (event.type === 'stopped') output.beginEnd();
    record(event);
  };
}

/** Writes each event that is not part of a storm. From a storm it writes the first few events, and sums. */
export function summingUp(
  write: (event: ServerEvent) => void,
  sumUp: (summary: Summary) => void,
): (event: ServerEvent) => void {
  const repeats = new Repeats();
  let timer: NodeJS.Timeout | undefined;
  const sumUpDue = () => {
    timer = undefined;
    repeats.due(performance.now()).forEach(sumUp);
    wait();
  };
  const wait = () => {
    if (repeats.next === undefined) return;
    timer ??= setTimeout(sumUpDue, Math.max(0, repeats.next - performance.now())).unref();
  };
  return (event) => {
    const now = performance.now();
    // Write nothing after the last line.
    if (event.type === 'stopped') {
      clearTimeout(timer);
      repeats.rest(now).forEach(sumUp);
    }
    if (repeats.isReportedAlone(event, now)) write(event);
    wait();
  };
}

/** The fields of an event may contain text from a client. */
const asJson = (output: StandardOutput) => ({
  write: (line: string) => output.write(`${printableJson(line.trimEnd())}\n`),
});

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
