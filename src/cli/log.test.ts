import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { summaryText } from '../host/repeats.ts';
import { eventText, type ServerEvent } from '../host/server-event.ts';
import { createLogger, summingUp } from './log.ts';
import { StandardOutput } from './standard-output.ts';

const stamp = { at: 0, pid: 1, tid: 1, worker: 0 };
const refused = (port: number): ServerEvent => ({
  type: 'refused',
  peer: `127.0.0.1:${port}`,
  reason: 'connections',
  ...stamp,
});

let lines: string[] = [];
let log: (event: ServerEvent) => void;
beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  log = summingUp(
    (event) => void lines.push(eventText(event)),
    (summary) => void lines.push(summaryText(summary)),
  );
});
afterEach(() => {
  vi.useRealTimers();
});

const why = 'the server is full';
const first = (ports: readonly number[]) =>
  ports.map((port) => `Refused 127.0.0.1:${port}: ${why}`);

it('writes the first lines of a storm, and every 5 s how many more there were, until it is over', () => {
  for (let port = 1; port <= 105; port++) log(refused(port));
  log({ type: 'accepted', peer: '127.0.0.1:2', ...stamp });
  vi.advanceTimersByTime(5000);
  log(refused(7));
  vi.advanceTimersByTime(20_000);
  log(refused(8));
  expect(lines).toEqual([
    ...first([1, 2, 3, 4, 5]),
    'Accepted connection from 127.0.0.1:2',
    `… and 100 more in 5 s refused: ${why}`,
    `… and 1 more in 5 s refused: ${why}`,
    ...first([8]),
  ]);
});

const stopped: ServerEvent = {
  ...{ type: 'stopped', questions: 2000, connections: 1 },
  ...{ drained: 0, cut: 0, accepted: [], at: 0 },
};

it('writes how many more there were before the last line, and nothing after it', () => {
  for (let port = 1; port <= 6; port++) log(refused(port));
  log(stopped);
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual([
    ...first([1, 2, 3, 4, 5]),
    `… and 1 more refused: ${why}`,
    'Stopped: answered 2,000 questions on 1 connection; drained 0, cut 0',
  ]);
});

/** A standard output that keeps the written text, and has no room for it before the end. */
class Full extends StandardOutput {
  text = '';
  isEnding = false;
  override beginEnd() {
    this.isEnding = true;
  }
  override write(text: string) {
    if (this.isEnding) this.text += text;
  }
}

it.each([
  'text',
  'json',
] as const)('as %s includes the last sums at the end, even without room', async (form) => {
  const output = new Full();
  log = await createLogger(form, output);
  for (let port = 1; port <= 6; port++) log(refused(port));
  log(stopped);
  expect(output.text).toMatch(/… and 1 more refused.*\n.*Stopped: .*\n$/);
});

it.each([
  'text',
  'json',
] as const)('as %s contains no character that a terminal obeys', async (form) => {
  const output = new Full();
  output.beginEnd();
  log = await createLogger(form, output);
  const received = '\x1b[2J\x9b31m\x7f\u2028\u202e\n';
  log({ type: 'hungUp', peer: '127.0.0.1:1', received, ...stamp });
  expect(output.text).toMatch(/^[^\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+\n$/u);
  if (form === 'json') expect(JSON.parse(output.text)).toMatchObject({ received });
});
