/**
 * `node bench/metrics.ts [ROUNDS]`: what metrics cost `uring` with 64 connections that ask one question at a time.
 * A round measures a server without an admin listener, and one with `--admin` and `--metrics-latency` whose metrics are
 * read each second, in an order that changes with each round. Server and load have a core each. The ratios are of the
 * same rounds, with the interval and the verdict of `mondo compare`.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
if (!(Number.isInteger(rounds) && rounds >= 3 && rounds <= 50)) {
  console.error(`metrics: Cannot make "${words}" rounds: give a number from 3 to 50`);
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

async function main(): Promise<void> {
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
