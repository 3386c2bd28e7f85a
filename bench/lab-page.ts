/**
 * `node bench/lab-page.ts [ROUNDS]`: the time of a frame of the lab's page, in a browser without a graphics processor,
 * with 10 and with 10,000 clients that move. Budget: 95 of 100 frames with 10,000 clients take at most 33 ms.
 */
import { openBrowser } from '../test/support/browser.ts';
import { BEAT, Stand, Tab } from '../test/support/lab-page.ts';

const rounds = Number(process.argv[2] ?? 5);
if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 50)) {
  console.error(`lab-page: Cannot make "${process.argv[2]}" rounds: give a number from 1 to 50`);
  process.exit(2);
}
const BUDGET = 33;
const viewport = { width: 1600, height: 800 };

await using stand = await Stand.open();
await using browser = await openBrowser();
await using tab = await Tab.open(browser, stand.hub.url, {
  ...{ viewport, reducedMotion: 'no-preference' },
});

async function frameTime(clients: number): Promise<number> {
  stand.play(['epoll'], { clients, silent: clients / 2, restless: true }, 6, BEAT);
  await tab.ask('clear()');
  await tab.isDrawn();
  return await tab.ask<number>('frameTime(3000)');
}

const median = (figures: readonly number[]) =>
  figures.toSorted((a, b) => a - b)[figures.length >> 1]!;

const few: number[] = [];
const many: number[] = [];
for (let round = 0; round < rounds; round++) {
  few.push(await frameTime(10));
  many.push(await frameTime(10_000));
}
const verdict = median(many) <= BUDGET ? 'within' : 'MISSES';
console.log(
  `${rounds} rounds, Node ${process.versions.node}: time in ms that 95 of 100 frames keep`,
);
console.log(`    10 clients  ${median(few).toFixed(1)}`);
console.log(
  `10,000 clients  ${median(many).toFixed(1)}  (${verdict} ${BUDGET}; ${many.map((one) => one.toFixed(1)).join(', ')})`,
);
