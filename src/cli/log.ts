/** The account as a log on standard output: one pino line per event, as JSON or made readable. */
import { pino } from 'pino';
import { eventText, type ServerEvent } from '../host/server-event.ts';

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
export async function createLogger(form: 'text' | 'json'): Promise<(event: ServerEvent) => void> {
  // The time is the event's own, not that of its writing.
  const options = { base: null, timestamp: false };
  const log = pino(options, form === 'json' ? process.stdout : await readable());
  return (event) => {
    const { at, ...fields } = event;
    log[levels[event.type] ?? 'info']({ ...fields, time: at }, eventText(event));
  };
}

async function readable() {
  const { default: pretty } = await import('pino-pretty');
  const isColored = process.stdout.isTTY === true && !process.env.NO_COLOR;
  return pretty({
    colorize: isColored,
    hideObject: true,
    ignore: 'level',
    translateTime: 'SYS:HH:MM:ss.l',
    // Node's own stream and not pino's: it tells when whoever read it has left.
    destination: process.stdout,
  });
}
