/**
 * `node bench/metrics.ts [ROUNDS]`: how long a scrape takes while 64 threads are idle, and while all of them are
 * blocked. Then, what metrics cost `uring` with 64 connections that ask one question at a time; with 0 rounds, without
 * this second part. A round measures a server without an admin listener, and one with `--admin` and `--metrics-latency` whose metrics are
 * read each second, in an order that changes with each round. Server and load have a core each. The ratios are of the
 * same rounds, with the interval and the verdict of `mondo compare`.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '../src/index.ts';
import { pairedRatio } from '../src/instruments/compare/statistics.ts';
import { verdictOf } from '../src/instruments/compare/verdict.ts';
import { intervalText, verdictText } from '../src/instruments/compare/words.ts';
import { type Contestant, compile, node, stopAll } from './contestants.ts';
import { allowedCores, pins } from './pins.ts';
import { type Measurement, measure, type Scenario, type Setting, stopLoads } from './scenarios.ts';

/** More often than Prometheus reads: by default, each minute. */
const SCRAPE_INTERVAL_MS = 1000;

const [words = '9'] = process.argv.slice(2);
const rounds = Number(words);
if (!(rounds === 0 || (Number.isInteger(rounds) && rounds >= 3 && rounds <= 50))) {
  console.error(`metrics: Cannot make "${words}" rounds: give 0, or a number from 3 to 50`);
  process.exit(2);
}

const built = mkdtempSync(join(tmpdir(), 'mondo-metrics-'));
const admin = join(built, 'admin');
const uring = (name: string, ...options: string[]): Contestant => ({
  name,
  command: () => {
    const mondo = join(import.meta.dirname, '..', 'bin', 'mondo');
    return [node, mondo, 'serve', 'uring', '-p', '0', '--log', 'none', ...options];
  },
});
const bare = uring('without');
const watched = uring('with', '--admin', `unix:${admin}`, '--metrics-latency');
const scenario: Scenario = {
  name: '64 talk',
  title: '64 connections, one question at a time on each',
  load: ['--connections', '64'],
};

/** Resolves with the length of the page of metrics, or 0 while no server has the admin listener. */
function scrape(): Promise<number> {
  return new Promise((resolve) => {
    const request = get({ socketPath: admin, path: '/metrics' }, (response) => {
      let length = 0;
      response.on('data', (piece: Buffer) => {
        length += piece.length;
      });
      response.on('end', () => resolve(length));
    });
    request.on('error', () => resolve(0));
  });
}

const BLOCKED_THREADS = 64;
const SCRAPES = 200;

/** Prints how long scrapes take of a server whose threads wait for clients, and then all of them in the service. */
async function measureScrapes(): Promise<void> {
  const server = await serve({
    ...{ architecture: 'threaded', threads: BLOCKED_THREADS, port: 0 },
    ...{ admin: `unix:${admin}`, think: 3_600_000 },
  });
  const clients: ReturnType<typeof connect>[] = [];
  try {
    await printScrapes('idle');
    for (let i = 0; i < BLOCKED_THREADS; i++) {
      const client = connect(server.port, '127.0.0.1').on('error', () => {});
      client.write('Simple is better than?');
      clients.push(client);
    }
    const isBlocked = () => server.workers().every(({ state }) => state === 'answering');
    while (!isBlocked()) await sleep(10);
    await printScrapes('blocked');
  } finally {
    for (const client of clients) client.destroy();
    await server.close({ deadline: 0 });
  }
}

async function printScrapes(how: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < SCRAPES; i++) {
    const begun = performance.now();
    if ((await scrape()) === 0) throw new Error('The server shows no metrics');
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  const [least, median, most] = [times[0]!, times[SCRAPES / 2]!, times.at(-1)!];
  const text = [least, median, most].map((ms) => ms.toFixed(1)).join(' / ');
  console.log(
    `a scrape with ${BLOCKED_THREADS} threads ${how}: ${text} ms (least / median / most of ${SCRAPES})`,
  );
}

async function main(): Promise<void> {
  await measureScrapes();
  if (rounds === 0) {
    rmSync(built, { recursive: true });
    return;
  }
  const setting: Setting = {
    built,
    seconds: 2,
    warmup: 2,
    ...pins(allowedCores(), (text) => console.error(text)),
  };
  let scrapes = 0;
  const scraper = setInterval(async () => {
    if ((await scrape()) > 0) scrapes++;
  }, SCRAPE_INTERVAL_MS);
  process.once('SIGINT', async () => {
    stopLoads();
    await stopAll();
    process.exit(130);
  });
  const pairs: { readonly without: Measurement; readonly with: Measurement }[] = [];
  try {
    compile(built);
    for (let round = 0; round < rounds; round++) {
      const found = new Map<Contestant, Measurement>();
      for (const contestant of round % 2 === 0 ? [bare, watched] : [watched, bare]) {
        found.set(contestant, await measure(contestant, scenario, round, setting));
      }
      pairs.push({ without: found.get(bare)!, with: found.get(watched)! });
    }
  } finally {
    clearInterval(scraper);
    await stopAll();
    rmSync(built, { recursive: true });
  }
  for (const figure of ['rate', 'cpu', 'p99'] as const) {
    const ratio = pairedRatio(pairs.map((pair) => [pair.with[figure], pair.without[figure]]));
    const interval = ratio ?? null;
    const verdict = verdictText({ figure, verdict: verdictOf(ratio), interval });
    console.log(`${figure}: with metrics ${intervalText(interval)} times, ${verdict}`);
  }
  console.log(`${rounds} rounds; the metrics were read ${scrapes} times`);
}

await main();
