import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../test/support/until.ts';
import { StandardOutput } from './standard-output.ts';

let folder: string;
let reading: number;
let writing: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mondo-output-'));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  reading = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  writing = openSync(pipe, 'w');
});
afterEach(() => {
  closeSync(reading);
  closeSync(writing);
  rmSync(folder, { recursive: true });
});

/** The bytes in the pipe. */
function taken(): string {
  const bytes = Buffer.alloc(1_000_000);
  try {
    return bytes.toString('utf8', 0, readSync(reading, bytes));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
    throw error;
  }
}

it('does not wait for a stopped reader: it drops text without room, and reports that when the reader continues', async () => {
  const output = new StandardOutput(writing);
  let dropped = 0;
  output.onDropped = (count) => {
    dropped = count;
  };
  const line = `${'x'.repeat(999)}\n`;
  for (let i = 0; i < 3000; i++) output.write(line);
  expect(await output.written()).toBe(false);
  let text = '';
  await until('the drops to be reported', () => {
    text += taken();
    return dropped > 0;
  });
  expect(await output.written()).toBe(true);
  text += taken();
  expect(text).toBe(line.repeat(3000 - dropped));
});

it('does not drop the end of the log, even without room', async () => {
  const output = new StandardOutput(writing);
  const line = `${'x'.repeat(999)}\n`;
  for (let i = 0; i < 3000; i++) output.write(line);
  output.beginEnd();
  const last = line.replaceAll('x', 'y');
  output.write(last);
  let text = '';
  await until('the end', () => {
    text += taken();
    return text.endsWith(last);
  });
  expect(await output.written()).toBe(true);
});

it('reports at the end that all is written, for a slow reader', async () => {
  const output = new StandardOutput(writing);
  for (let i = 0; i < 200; i++) output.write(`${'x'.repeat(999)}\n`);
  let length = 0;
  const slow = setInterval(() => {
    length += taken().length;
  }, 20);
  try {
    expect(await output.written()).toBe(true);
  } finally {
    clearInterval(slow);
  }
  expect(length + taken().length).toBe(200_000);
});
