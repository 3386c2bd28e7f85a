/** The sequence of a comparison, with real servers and a load that only records its calls. */
import { spawn } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { calm, planWith } from '../../../test/support/comparison.ts';
import { runOf } from '../../../test/support/load-runs.ts';
import { until } from '../../../test/support/until.ts';
import { coresOf } from '../../os/affinity.ts';
import { descendantsOf, look } from '../../os/processes.ts';
import { compare, type Progress } from './compare.ts';
import type { RunLoad } from './measure.ts';
import { orderOf } from './order.ts';
import { type ComparePlan, variantKey, variantsOf } from './plan.ts';

const answered: RunLoad = async (plan) =>
  runOf(
    Array.from({ length: 60 }, (_, i) => ({
      connection: i % plan.connections,
      second: i % 3,
      service: 1,
      response: 1,
    })),
    { plan },
  );

const plan: ComparePlan = planWith({
  architectures: ['single', 'epoll'],
  conditions: calm(4),
  rounds: 2,
});

describe('compare', () => {
  it('measures every variant in every round, in order, each on a new server, and leaves nothing behind', async () => {
    const before = descendantsOf(process.pid);
    const cores = coresOf();
    const ports: number[] = [];
    const kept: number[][] = [];
    const told: Progress[] = [];
    const found = await compare(plan, {
      run: async (load, options) => {
        ports.push(load.port);
        kept.push(coresOf());
        expect(descendantsOf(load.pid).length).toBeGreaterThan(0);
        return await answered(load, options);
      },
      onProgress: (progress) => told.push(progress),
    });
    expect(found).toMatchObject({ schema: 'mondo-compare-1', end: 'done', planned: 4, left: [] });
    const order = [1, 2].flatMap((round) => orderOf(variantsOf(plan), round, plan.seed));
    expect(found.cells.map(({ variant }) => variantKey(variant))).toEqual(order.map(variantKey));
    expect(found.cells.map(({ round }) => round)).toEqual([1, 1, 2, 2]);
    expect(new Set(ports).size).toBeGreaterThan(1);
    expect(told.filter(({ last }) => last !== undefined).map(({ done }) => done)).toEqual([
      1, 2, 3, 4,
    ]);
    expect(told.at(-1)!.left).toBe(0);
    if (cores.length > 1) {
      expect(found.cores).toEqual({ server: cores.slice(0, -1), load: cores.slice(-1) });
      expect(kept.every((own) => own.length === 1)).toBe(true);
    }
    expect(coresOf()).toEqual(cores);
    await until('its processes to end', () => descendantsOf(process.pid).length <= before.length);
  });

  it('measures what other programs take of the processors, for each cell', async () => {
    const found = await compare(
      { ...plan, rounds: 1, architectures: ['single'], conditions: calm(1) },
      {
        run: async (load, options) => {
          const busy = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
          await until('another program to work', () => look(busy.pid!).cpu >= 300);
          busy.kill('SIGKILL');
          return await answered(load, options);
        },
      },
    );
    const { othersCpu } = found.cells[0]!.figures!;
    expect(othersCpu).toBeGreaterThan(0);
    expect(othersCpu).toBeLessThanOrEqual(1);
  });

  it('pins no process without `pinned`', async () => {
    const cores = coresOf();
    const found = await compare(
      { ...plan, architectures: ['single'], pinned: false, rounds: 1 },
      {
        run: async (load, options) => {
          expect(coresOf()).toEqual(cores);
          return await answered(load, options);
        },
      },
    );
    expect(found.cores).toBeNull();
  });

  it('tries a failing variant twice, and goes on with the others', async () => {
    const found = await compare(
      { ...plan, architectures: ['single'], conditions: calm(1, 4), rounds: 3 },
      {
        run: async (load, options) => {
          if (load.connections === 4) throw new Error('no luck');
          return await answered(load, options);
        },
      },
    );
    const failed = found.cells.filter(({ state }) => state === 'failed');
    expect(failed).toHaveLength(2);
    expect(failed[0]!.reasons).toEqual(['The measurement failed: no luck']);
    expect(found.cells.filter(({ state }) => state === 'good')).toHaveLength(3);
    expect(found.findings.doubts).toHaveLength(1);
  });

  it('makes a cell with the reason for a server that cannot start', async () => {
    const service = 'file:///no/such/service.ts';
    const found = await compare({ ...plan, service, rounds: 1 }, { run: answered });
    expect(found.cells.every(({ state }) => state === 'failed')).toBe(true);
    expect(found.cells[0]!.reasons[0]).toMatch(/there is no such file$/);
    expect(found.environment).toBeNull();
  });

  it('ends at once when aborted, without the cell that was cut short', async () => {
    const stopping = new AbortController();
    let runs = 0;
    const found = await compare(plan, {
      signal: stopping.signal,
      run: async (load, options) => {
        if (++runs === 2) stopping.abort();
        return await answered(load, options);
      },
    });
    expect(found).toMatchObject({ end: 'interrupted', planned: 4 });
    expect(found.cells).toHaveLength(1);
  });

  it('begins no round that would exceed the time limit', async () => {
    const brief = { ...plan, architectures: ['single'], rounds: 100, longest: 0.7 };
    const found = await compare(brief, { run: answered });
    expect(found.end).toBe('out of time');
    expect(found.cells.length).toBeGreaterThan(0);
    expect(found.cells.length).toBeLessThan(100);
    expect(found.seconds).toBeLessThan(60);
  });

  it('says after a few cells that the rounds for a verdict take longer than the time limit', async () => {
    const stopping = new AbortController();
    const told: boolean[] = [];
    await compare(
      { ...plan, conditions: calm(1, 4), rounds: 100, longest: 2 },
      {
        signal: stopping.signal,
        onProgress({ done, isExtended, left }) {
          told[done] = isExtended;
          // What is left is for three rounds of four variants.
          if (isExtended) expect(left).toBeGreaterThan((12 - done) * 0.3);
          if (done === 3) stopping.abort();
        },
        run: async (load, options) => {
          await setTimeout(300);
          return await answered(load, options);
        },
      },
    );
    expect(told).toEqual([false, false, false, true]);
  });

  it('leaves out variants that do not fit the machine, with the reason', async () => {
    const found = await compare(
      { ...plan, architectures: ['inetd', 'epoll'], conditions: calm(1, 64), rounds: 1 },
      // The plan is all that this test needs.
      { run: answered, signal: AbortSignal.abort() },
    );
    expect(found.left).toEqual([
      {
        variant: expect.objectContaining({ architecture: 'inetd', connections: 64 }),
        why: 'more than the 16 connections that it is measured with: each is a separate process',
      },
    ]);
    expect(found.planned).toBe(3);
  });
});
