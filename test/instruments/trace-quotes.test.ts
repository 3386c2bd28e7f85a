/**
 * What docs/trace.md and docs/practice.md quote of `mondo trace`: each command is run again with the same clients, and
 * its output compared with the quote. Times, ports, descriptors and numbers of threads may differ.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { commands } from '../support/commands.ts';
import { spawnMondo } from '../support/processes.ts';
import { until } from '../support/until.ts';

const { run } = commands();

interface Quote {
  readonly page: string;
  /** The words after `npx mondo`. */
  readonly words: readonly string[];
  readonly blocks: readonly string[];
}

/** Commands, each with the blocks of output that stand between it and the next command. */
function quotesOf(page: string): Quote[] {
  const quotes: (Quote & { blocks: string[] })[] = [];
  for (const [, language, text] of readFileSync(page, 'utf8').matchAll(
    /^```(\w*)\n(.*?)^```$/gms,
  )) {
    if (language === 'bash') {
      const words = /^npx mondo ([^#\n]*)/.exec(text!)?.[1]?.trim().split(/ +/) ?? [];
      quotes.push({ page, words, blocks: [] });
    } else quotes.at(-1)?.blocks.push(text!);
  }
  return quotes.filter(({ words, blocks }) => words[0] === 'trace' && blocks.length > 0);
}

const quotes = ['docs/trace.md', 'docs/practice.md'].flatMap(quotesOf);

const beautiful = 'Beautiful is better than?';
const simple = 'Simple is better than?';

type Output = Awaited<ReturnType<typeof spawnMondo>>;

/** Longer than what `isChance` takes for chance, in ms. */
const LONG_SLEEP = 250;

/** The next step comes when the server has slept for a while; a trace of lines or calls says that it sleeps. */
async function untilAsleep(trace: Output, isSilent: boolean): Promise<void> {
  const last = /(asleep in .*, waiting .*|<asleep …>)\n$/;
  await until('the server to sleep', () => {
    const text = trace.stdout.replace(/^.*Listening at.*\n/m, '');
    // Node's own loop says only afterwards that it slept.
    return isSilent || last.test(text) || text.includes('poll: nothing to do');
  });
  await new Promise((resolve) => setTimeout(resolve, LONG_SLEEP));
}

/** A slow client, and a quick one during its silence, as docs/trace.md has them. */
async function slowAndQuick(trace: Output, port: number, isOne: boolean, isSilent: boolean) {
  const address = { family: 'IPv4', host: '127.0.0.1', port } as const;
  await untilAsleep(trace, isSilent);
  const slow = await NetClient.connect(address);
  await trace.printed(/Accepted connection/);
  await untilAsleep(trace, isSilent);
  const quick = await NetClient.connect(address);
  await quick.send(beautiful);
  await quick.end();
  const answered = quick.rest().then(() => quick.close());
  if (!isOne) await answered;
  await untilAsleep(trace, isSilent);
  await ask(slow, simple, 'Complex.'.length);
  await untilAsleep(trace, isSilent);
  await slow.close();
  await answered;
}

/** A client at a keyboard asks twice, as in docs/practice.md. */
async function typing(trace: Output, port: number) {
  await untilAsleep(trace, false);
  const client = await NetClient.connect({ family: 'IPv4', host: '127.0.0.1', port });
  await trace.printed(/Accepted connection/);
  for (const [question, answer] of [
    [simple, 'Complex.'],
    [beautiful, 'Ugly.'],
  ] as const) {
    await untilAsleep(trace, false);
    await ask(client, question, answer.length);
  }
  await untilAsleep(trace, false);
  await client.close();
}

async function outputOf({ page, words }: Quote): Promise<string> {
  const kept = words.filter((word, i) => word !== '--svg' && words[i - 1] !== '--svg');
  if (kept.includes('--compare')) {
    // It prints no source, so the built command shows the same.
    const { stdout, code } = await run(...kept);
    expect(code).toBe(0);
    return stdout;
  }
  await using trace = spawnMondo(...kept, '-p', '0');
  const [, port] = await trace.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  if (page.endsWith('practice.md')) await typing(trace, Number(port));
  else {
    const isSilent = kept.includes('--summary') && !kept.includes('--lines');
    await slowAndQuick(trace, Number(port), kept.includes('single'), isSilent);
  }
  const ends = page.endsWith('practice.md') ? 1 : 2;
  await until('both ends', () => trace.stdout.split(' closed normally').length > ends);
  trace.signalGroup('SIGINT');
  return (await trace.ended()).stdout;
}

/** A line without what differs from run to run. */
const alike = (line: string) =>
  line
    .replace(/^ *\d+\.\d{6}/, 'T')
    .replace(/127\.0\.0\.1:\d+/g, 'PEER')
    .replace(/\b\d+(\.\d+)? (s|ms|µs)\b/g, 'TIME')
    .replace(/\b\d\.\d{6}\b/g, 'TIME')
    .replace(/\d+\.\d %/g, 'SHARE')
    // On a busy machine, the first client may come before `single` sleeps in accept for the first time.
    .replace(/^(single: .*;) SHARE asleep in accept, [^;]*;/, '$1')
    .replace(/\b\d+</g, 'FD<')
    .replace(/fd=\d+/g, 'fd=FD')
    .replace(/(accept.*\) =) \d+/, '$1 FD')
    .replace(/(\], \d+), -?\d+/, '$1, MS')
    .replace(/\[\d+\]/, '[TID]')
    .replace(/\b(thread|main|process) \d+/g, '$1 TID')
    .replace(/ +/g, ' ')
    .trim();

/** Short sleeps come and go. A line that says for what a thread waits gives way to the one that says how long. */
const isChance = (line: string) =>
  /… asleep in .*, waiting|… \S+ µs asleep|… (1?\d\d?|\d+\.\d+) ms asleep/.test(line) ||
  /poll: nothing to do|timers: a timer is due|Listening at/.test(line) ||
  /^ *\d+\.\d{6} poll\(.* = 0 /.test(line);

/**
 * A call of poll that returns at once is one line, and one that sleeps is two. Which it is depends on which of server
 * and client is quicker, so here it is always two.
 */
const inTwo = (text: string) =>
  text.replace(
    /^( *\d+\.\d{6} )(poll\(.*)\) = (?!0 )(.*)$/gm,
    '$1$2 <asleep …>\n$1<… resumed> poll(…) = $3',
  );

/** The row of a summary: the line, and the call that it slept in. The order of those that worked is chance. */
const rowOf = (line: string) => {
  const [, asleep, call, text] =
    /^ *(\S+ (?:s|ms|µs) {2})?((?:[a-z_]+)?) +.*?([a-z]+\.ts\(\d+\): .*)$/.exec(line) ?? [];
  return text === undefined ? undefined : `${asleep === undefined ? 'works' : call}: ${text}`;
};

/** What of the quote the output does not have: nothing where they agree. */
function missing(quote: string, output: string, isSummary: boolean): string[] {
  const actual = inTwo(output)
    .split('\n')
    .filter((line) => line !== '' && !isChance(line));
  const quoted = inTwo(quote)
    .split('\n')
    .filter((line) => line !== '' && !isChance(line));
  if (isSummary && quoted.some((line) => rowOf(line) !== undefined)) {
    const rows = new Set(actual.map((line) => rowOf(line) ?? alike(line)));
    return quoted.filter((line) => line !== '…' && !rows.has(rowOf(line) ?? alike(line)));
  }
  const lines = actual.map(alike);
  let from = 0;
  for (const part of quoted.join('\n').split(/^ *…$/m)) {
    const wanted = part
      .split('\n')
      .filter((line) => line !== '')
      .map(alike);
    const at = lines.findIndex(
      (_, i) => i >= from && wanted.every((line, k) => lines[i + k] === line),
    );
    if (at < 0) return wanted;
    from = at + wanted.length;
  }
  return [];
}

test('there are quotes of all kinds', () => {
  const all = quotes.map(({ words }) => words.join(' ')).join('\n');
  expect(quotes.length).toBeGreaterThanOrEqual(9);
  expect(all).toMatch(/^trace single$/m);
  for (const word of ['--calls', '--summary', '--compare']) expect(all).toContain(word);
});

test.concurrent.each(quotes.map((quote) => [quote.page, quote.words.join(' '), quote] as const))(
  '%s: mondo %s prints what is quoted',
  // On a busy machine, the calls of two clients come in another order now and then.
  { retry: 5 },
  async (_page, _words, quote) => {
    const output = await outputOf(quote);
    const isSummary = quote.words.includes('--summary');
    for (const block of quote.blocks) {
      expect({ missing: missing(block, output, isSummary), of: output }).toEqual({
        missing: [],
        of: output,
      });
    }
  },
);
