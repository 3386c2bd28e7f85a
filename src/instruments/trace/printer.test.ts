import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Printer, type PrinterOptions } from './printer.ts';

const ms = 1e6;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A printer of lines, a clock to set, and what was printed. */
function printer(options: Partial<PrinterOptions> = {}) {
  let now = 0;
  let text = '';
  const printing = new Printer({
    lines: true,
    calls: false,
    tagged: false,
    write: (more) => {
      text += more;
    },
    now: () => now,
    ...options,
  });
  for (const tid of [1, 2]) {
    printing.record(tid, { kind: 'module', module: 0, path: import.meta.filename });
    printing.record(tid, { kind: 'thread', t: 0, pid: 9, worker: 0, role: 'main' });
  }
  return {
    printing,
    /** @returns what was printed by this time, in ms */
    at(t: number): string {
      now = t * ms;
      vi.advanceTimersByTime(60);
      const printed = text;
      text = '';
      return printed;
    },
  };
}

const line = (t: number) => ({ kind: 'line', t: t * ms, module: 0, line: 1 }) as const;
const begin = (t: number, name: string) => ({ kind: 'begin', t: t * ms, name, args: '' }) as const;
const call = (t: number, end: number, name: string, blocked = end - t) => {
  const times = { t: t * ms, end: end * ms, blocked: blocked * ms };
  return { kind: 'call', ...times, name, args: '', result: '1', begun: true } as const;
};

const first = "import { afterEach, beforeEach, expect, test, vi } from 'vitest';";

test('the last line says what a thread waits for, and the next one how long it has waited', () => {
  const { printing, at } = printer();
  printing.record(1, line(1));
  printing.record(1, begin(2, 'accept4'));
  expect(at(100)).toBe(
    `  0.001000 printer.test.ts(1): ${first}\n           … asleep in accept, waiting for a client to connect\n`,
  );
  expect(at(1000)).toBe('');
  printing.record(1, call(2, 3162, 'accept4'));
  printing.record(1, line(3163));
  expect(at(4000)).toBe(
    `           … 3.16 s asleep in accept\n  3.163000 printer.test.ts(1): ${first}\n`,
  );
  printing.close();
});

test('on a terminal the time replaces the line that said for what, if that is the last one and did not wrap', () => {
  const up = '\x1b[1A\x1b[2K';
  for (const [columns, other, expected] of [
    [80, false, up],
    [80, true, ''],
    [20, false, ''],
  ] as const) {
    const { printing, at } = printer({ columns: () => columns });
    printing.record(1, begin(2, 'recv'));
    expect(at(100)).toBe('           … asleep in recv, waiting for the client\n');
    if (other) printing.record(2, line(150));
    if (other) at(300);
    printing.record(1, call(2, 502, 'recv'));
    expect(at(600)).toBe(`${expected}           … 500 ms asleep in recv\n`);
    printing.close();
  }
});

test('a call that did not sleep leaves no line, and a short sleep one line', () => {
  const { printing, at } = printer();
  printing.record(1, begin(1, 'recv'));
  printing.record(1, call(1, 2, 'recv', 0));
  printing.record(1, begin(3, 'recv'));
  printing.record(1, call(3, 5, 'recv'));
  printing.record(1, call(6, 7, 'close', 0));
  expect(at(200)).toBe('           … 2 ms asleep in recv\n');
  printing.close();
});

test("each thread's wait has its number, and Node's own loop is asleep if the kernel says so", () => {
  let isAsleep = false;
  const { printing, at } = printer({
    tagged: true,
    sleepsInLoop: (pid, tid) => pid === 9 && tid === 2 && isAsleep,
  });
  printing.record(1, begin(1, 'poll'));
  const heads = '           [1] --- worker 0, main 1\n           [2] --- worker 0, main 2\n';
  const polling = '           [1] … asleep in poll, waiting for any of its sockets\n';
  expect(at(100)).toBe(heads + polling);
  isAsleep = true;
  const looping = "           [2] … asleep in Node's loop, waiting for any of its sockets\n";
  expect(at(200)).toBe(looping);
  expect(at(300)).toBe('');
  printing.record(2, { kind: 'idle', t: 0, end: 301 * ms });
  expect(at(500)).toContain("           [2] … 301 ms asleep in Node's loop\n");
  printing.close();
});

test('a call that was printed when it began is printed again when it ends, whatever it reports in between', () => {
  const { printing, at } = printer({ calls: true });
  printing.record(1, begin(1, 'accept4'));
  expect(at(100)).toBe('  0.001000 accept4( <asleep …>\n');
  printing.record(1, { kind: 'opened', t: 150 * ms, peer: 'one' });
  printing.record(1, call(1, 150, 'accept4'));
  expect(at(300)).toBe(
    '  0.150000 <… resumed> accept4(…) = 1  <0.149000 asleep, 0.000000 working>\n',
  );
  printing.close();
});

test('beside calls, which say how long they slept, no wait has a line of its own', () => {
  const { printing, at } = printer({ calls: true });
  printing.record(1, begin(1, 'recv'));
  printing.record(1, call(1, 5, 'recv'));
  expect(at(200)).toBe('  0.001000 recv() = 1  <0.004000 asleep, 0.000000 working>\n');
  printing.close();
});
