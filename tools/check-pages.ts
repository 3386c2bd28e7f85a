/**
 * Checks the rule for pages in `src/architectures/`: which files there are, how long they are, what they import
 * and which names they use. Run by `npm run check`; prints every fault and exits 1.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '..', 'src', 'architectures');

const MOST_LINES = 80;
/** The pages. Besides them there are the four routines of the blocking family, and the list. */
const catalogue = readFileSync(join(folder, 'catalogue.ts'), 'utf8');
const pages = [...catalogue.matchAll(/import\('\.\/([a-z]+)\.ts'\)/g)].map(
  ([, name]) => `${name}.ts`,
);
const known = new Set([...pages, 'blocking.ts', 'catalogue.ts']);

/** Selectors and the ring: the waits of a page. */
const kernel = ['epoll', 'poll', 'select', 'readiness', 'uring'].map((name) => `../os/${name}.ts`);
/** Names that production needs and a lesson does not. */
const forbidden =
  /\b\w*(?:departure|drain|deadline|backlog|unsentTotal|admission|exceeded|phase|journal|limits|\brow\b)\w*/i;

const faults: string[] = [];

function checkImports(name: string, text: string): void {
  for (const [, kind, from] of text.matchAll(/^import (type )?[^;]*?from '([^']+)'/gms)) {
    const isAllowed =
      from!.startsWith('../drivers/') ||
      from!.startsWith('../worker/') ||
      from === './blocking.ts' ||
      kernel.includes(from!) ||
      (from!.startsWith('../protocol/') && kind !== undefined);
    if (!isAllowed) {
      faults.push(
        `architectures/${name} imports '${from}': a page imports drivers, the worker's contract, selectors, and types of the protocol`,
      );
    }
  }
}

function checkNames(name: string, text: string): void {
  for (const [index, line] of text.split('\n').entries()) {
    const code = line.replace(/\/\/.*|^\s*(?:\/\*\*|\*).*/, '').replace(/(['"`]).*?\1/g, '');
    const found = forbidden.exec(code);
    if (found !== null) {
      faults.push(
        `architectures/${name}:${index + 1} names '${found[0]}': that belongs into a driver or into src/lifecycle`,
      );
    }
  }
}

for (const name of readdirSync(folder)) {
  if (!known.has(name)) {
    faults.push(`architectures/${name} is no page of the catalogue: move it to src/drivers`);
    continue;
  }
  const text = readFileSync(join(folder, name), 'utf8');
  const lines = text.split('\n').length - 1;
  if (lines > MOST_LINES) {
    faults.push(
      `architectures/${name} has ${lines} lines: a page has at most ${MOST_LINES}; move what is no lesson to a driver`,
    );
  }
  checkImports(name, text);
  checkNames(name, text);
}

for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
