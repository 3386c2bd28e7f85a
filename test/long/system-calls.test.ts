/** The architectures' pages quote the system calls that their command shows. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { architectureNames } from '../../src/architectures/catalogue.ts';
import { whyNoUring } from '../../src/os/uring.ts';
import { mondo, Process, runMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { type Block, blocksOf, linesOf, normalized } from '../support/quotes.ts';
import { wordsOf } from '../support/shell-words.ts';
import { until } from '../support/until.ts';

/** Clients that may come until all that is quoted was seen. */
const CLIENTS = 10;
/** Time for strace to write what a client caused, in ms. */
const LISTED = 2000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mondo-calls-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const isCalls = ({ language, text }: Block) => language === '' && /^\d+ +[\w<]/.test(text);

/** This call depends on timing: it occurs only if there was nothing to do. */
const MAY_BE_MISSING = /^epoll_pwait\(N, \[\],/;

/**
 * The calls of each thread, normalized. A call that strace prints in two parts becomes one line. A
 * call that has not returned ends where the listing was cut.
 */
function callsByThread(listing: string): string[][] {
  const threads = new Map<string, string[]>();
  const begun = new Map<string, string>();
  for (const line of listing.split('\n')) {
    const [, thread, text] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (thread === undefined) continue;
    const [, first] = /^(.*?) *<unfinished \.\.\.>$/.exec(text!) ?? [];
    if (first !== undefined) {
      begun.set(thread, first);
      continue;
    }
    const [, call, rest] = /^<\.\.\. (\w+) resumed>(.*)$/.exec(text!) ?? [];
    const whole = rest === undefined ? text! : `${begun.get(thread) ?? `${call}(`}${rest}`;
    begun.delete(thread);
    threads.set(thread, [...(threads.get(thread) ?? []), whole]);
  }
  for (const [thread, first] of begun) threads.set(thread, [...(threads.get(thread) ?? []), first]);
  return [...threads.values()].map((calls) => calls.map(normalizedCall));
}

const normalizedCall = (call: string) =>
  normalized(
    call
      .replaceAll(/0x[\da-f]+/g, 'ADDRESS')
      .replaceAll(/\(\d+, <?(?=$)/g, '(N,')
      .replaceAll(/"\{\\"at.*?"\.\.\./g, 'EVENT')
      .replaceAll(/"(?:\\\d+)+"/g, 'BYTES')
      .replace(/…$/, ''),
  );

/** The first of the quoted calls that a thread did not make, or not in this order. */
function missingIn(thread: readonly string[], quoted: readonly string[]): string | undefined {
  let from = 0;
  return quoted
    .filter((call) => !MAY_BE_MISSING.test(call))
    .find((call) => {
      const at = thread.findIndex((made, index) => index >= from && isCall(made, call));
      from = at + 1;
      return at === -1;
    });
}

/** A call that is quoted without a result may have one here, because the thread sleeps in it. */
const isCall = (made: string, quoted: string) =>
  made === quoted || (!/ = (?:-?N|\?)/.test(quoted) && made.startsWith(quoted));

const cases = architectureNames.flatMap((name) => {
  const page = `docs/architectures/${name}.md`;
  const command = blocksOf(page)
    .flatMap(({ text }) => text.split('\n'))
    .find((line) => line.startsWith('strace'))!;
  return blocksOf(page)
    .filter(isCalls)
    .map(({ text }, index) => ({ name, command, text, index }));
});

describe.skipIf(!hasProgram('strace', 'strace'))('docs/architectures', () => {
  it('quote calls', () => {
    expect(cases.length).toBeGreaterThanOrEqual(architectureNames.length - 1);
  });

  it.each(cases)('$name: block $index', async ({ name, command, text, index }) => {
    if (name === 'uring' && whyNoUring() !== undefined) return;
    const listing = join(folder, `${name}-${index}`);
    const words = wordsOf(command.replace('/tmp/calls.txt', listing));
    const [, ...options] = words.slice(words.indexOf('mondo'));
    if (name === 'inetd' && index === 1) options.push('--inetd', 'wait');
    await using server = new Process('strace', [
      ...words.slice(1, words.indexOf('npx')),
      process.execPath,
      mondo,
      ...options,
      '-p',
      '0',
    ]);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const quoted = callsByThread(linesOf(text).join('\n'));
    /** The quoted threads whose calls no traced thread has made, in that order. */
    const missing = () => {
      const made = existsSync(listing) ? callsByThread(readFileSync(listing, 'utf8')) : [];
      return quoted.filter(
        (calls) => !made.some((thread) => missingIn(thread, calls) === undefined),
      );
    };
    // A client may find a thread that has not begun to wait: another client follows then.
    for (let client = 0; client < CLIENTS && missing().length > 0; client++) {
      const { code } = await runMondo('client', '127.0.0.1', '-p', port!, '--timeout', '60000');
      expect(code).toBe(0);
      await until('the calls', () => missing().length === 0, LISTED).catch(() => {});
    }
    expect(missing()).toEqual([]);
  });
});

describe.skipIf(!hasProgram('strace', 'strace'))('docs/architectures/uring.md', () => {
  it('says what happens where io_uring is forbidden', async () => {
    const block = blocksOf('docs/architectures/uring.md').find(({ text }) => /inject/.test(text))!;
    const words = wordsOf(block.text.split('\n')[0]!.replace('$ ', ''));
    await using run = new Process('strace', [
      ...words.slice(1, words.indexOf('npx')),
      process.execPath,
      mondo,
      ...words.slice(words.indexOf('mondo') + 1),
    ]);
    const { code, stderr } = await run.ended();
    expect(linesOf(stderr)).toEqual(linesOf(block.text));
    expect(code).toBe(1);
  });
});
