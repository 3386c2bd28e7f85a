import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PATIENCE, until, within } from '../../test/support/until.ts';
import {
  descendantsOf,
  holdingsOf,
  isRunning,
  killWithAll,
  look,
  memoryOf,
  watchOthers,
} from './processes.ts';

const MIB = 2 ** 20;

/** Takes the resources that the test orders, and keeps them. */
const taker = `
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
const kept = [];
const take = {
  descriptors: (count) => { for (let i = 0; i < count; i++) kept.push(openSync('/dev/null')); },
  threads: async (count) => {
    for (let i = 0; i < count; i++) {
      const worker = new Worker('setInterval(() => {}, 1e6)', { eval: true });
      await once(worker, 'online');
      kept.push(worker);
    }
  },
  memory: (bytes) => { kept.push(Buffer.alloc(bytes, 1)); },
  processes: async (count) => {
    for (let i = 0; i < count; i++) {
      const child = spawn('sleep', ['600'], { stdio: 'ignore' });
      await once(child, 'spawn');
      kept.push(child);
    }
  },
};
process.on('message', async ({ what, count }) => {
  await take[what](count);
  process.send('taken');
});
process.on('disconnect', () => process.exit());
process.send('ready');
`;

const folder = mkdtempSync(join(tmpdir(), 'mondo-processes-'));
let child: ChildProcess;
let pid: number;
const heard = () => within(PATIENCE, 'an answer', once(child, 'message'));
async function take(what: 'descriptors' | 'threads' | 'memory' | 'processes', count: number) {
  const before = { held: holdingsOf(pid), seen: look(pid) };
  child.send({ what, count });
  await heard();
  const after = { held: holdingsOf(pid), seen: look(pid) };
  return {
    held: (key: keyof typeof after.held) => after.held[key] - before.held[key],
    seen: (key: keyof typeof after.seen) => after.seen[key] - before.seen[key],
  };
}

beforeAll(async () => {
  const file = join(folder, 'taker.mjs');
  writeFileSync(file, taker);
  child = fork(file, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  pid = child.pid!;
  await heard();
});
afterAll(async () => {
  await killWithAll(pid);
  rmSync(folder, { recursive: true });
});

describe('the holdings of a process and all its descendants', () => {
  it('include each descriptor', async () => {
    const more = await take('descriptors', 20);
    expect([more.held('descriptors'), more.seen('descriptors')]).toEqual([20, 20]);
  });

  it('include the memory that was written', async () => {
    const more = await take('memory', 64 * MIB);
    for (const bytes of [more.held('memory'), more.seen('memory')]) {
      expect(bytes).toBeGreaterThan(60 * MIB);
      expect(bytes).toBeLessThan(96 * MIB);
    }
  });

  it('count shared memory in parts, and not once for each process', async () => {
    // This process runs the same program, so the kernel has its code in memory once for both.
    const ofKernel = (file: string, name: string) =>
      Number(
        new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(
          readFileSync(`/proc/${pid}/${file}`, 'utf8'),
        )![1],
      ) * 1024;
    // The share of a process changes as other processes of the same program start and end.
    await until('the kernel to give the same amount', () => {
      const [pss, rss] = [ofKernel('smaps_rollup', 'Pss'), ofKernel('status', 'VmRSS')];
      const drift = Math.min(MIB, rss - pss) / 2;
      const isSame = (memory: number) => Math.abs(memory - pss) < drift;
      return rss - pss > MIB && isSame(memoryOf(pid)) && isSame(holdingsOf(pid).memory);
    });
    expect(memoryOf(2 ** 30)).toBe(0);
  });

  it('include each thread', async () => {
    const more = await take('threads', 3);
    expect([more.held('threads'), more.seen('threads')]).toEqual([3, 3]);
    expect(more.held('processes')).toBe(0);
  });

  it('include the holdings of its children, each of which is a process', async () => {
    const more = await take('processes', 2);
    expect([more.held('processes'), more.held('threads')]).toEqual([2, 2]);
    expect(descendantsOf(pid)).toHaveLength(2);
  });
});

it('a process that is gone has no holdings', async () => {
  const gone = fork(join(folder, 'taker.mjs'), { execArgv: [], stdio: 'ignore' });
  await within(PATIENCE, 'the process to be there', once(gone, 'message'));
  gone.kill('SIGKILL');
  await once(gone, 'exit');
  expect(isRunning(gone.pid!)).toBe(false);
  expect(holdingsOf(gone.pid!)).toEqual({ memory: 0, descriptors: 0, threads: 0, processes: 0 });
  expect(look(gone.pid!)).toEqual({ memory: 0, descriptors: 0, threads: 0, processes: 0, cpu: 0 });
});

it('watchOthers counts the processor time of other programs, and not that of its roots', async () => {
  const busy = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
  try {
    const before = look(busy.pid!).cpu;
    const from = performance.now();
    const [all, others] = [watchOthers([]), watchOthers([busy.pid!])];
    await until('the program to work', () => look(busy.pid!).cpu >= before + 500);
    const [ofAll, ofOthers] = [all(), others()];
    const own = (look(busy.pid!).cpu - before) / (performance.now() - from);
    expect(ofAll - ofOthers).toBeGreaterThan(own / 2);
    expect(ofOthers).toBeGreaterThanOrEqual(0);
  } finally {
    busy.kill('SIGKILL');
  }
});
