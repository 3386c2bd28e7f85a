/** The columns with a server's resources under load agree with what the kernel says. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { serve } from '../../src/index.ts';
import type { LoadResult } from '../../src/instruments/load/result.ts';
import { descriptorsOf, threadsOf } from '../support/kernel.ts';
import { runMondo } from '../support/processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-holdings-'));
afterAll(() => rmSync(folder, { recursive: true }));

const CONNECTIONS = 30;

const memoryOf = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]) * 1024;

it.each([
  { architecture: 'epoll', threads: 1 },
  { architecture: 'uring', threads: 2 },
])('resources of $architecture match the kernel', async (options) => {
  await using stack = new AsyncDisposableStack();
  const server = await serve({ ...options, port: 0 });
  stack.defer(() => server.close());
  const [pid] = server.pids;
  const calm = { descriptors: descriptorsOf(pid!).size, threads: threadsOf(pid!).length };
  const csv = join(folder, `${options.architecture}.csv`);
  const { code, stdout } = await runMondo(
    ...['load', '127.0.0.1', '-p', String(server.port), '--pid', String(pid), '--max-lag', '1m'],
    ...['--connections', String(CONNECTIONS), '--rate', '300', '--warm-up', '200ms'],
    ...['--duration', '2500ms', '--csv', csv, '--json', '--quiet'],
  );
  expect(code).toBe(0);
  const { server: side } = JSON.parse(stdout) as LoadResult;
  const memory = memoryOf(pid!);
  const [sample] = side!.samples;
  expect(sample).toMatchObject({ processes: 1, threads: calm.threads });
  // Each thread opens one or two more with its first client.
  const more = sample!.descriptors - calm.descriptors - CONNECTIONS;
  expect(more).toBeGreaterThanOrEqual(0);
  expect(more).toBeLessThanOrEqual(2 * options.threads);
  expect(sample!.memory / memory).toBeGreaterThan(0.7);
  expect(sample!.memory / memory).toBeLessThan(1.4);
  expect(side!.totals.peakMemory).toBe(Math.max(...side!.samples.map(({ memory }) => memory)));
  const [head, first] = readFileSync(csv, 'utf8')
    .split('\r\n')
    .map((row) => row.split(','));
  const column = (name: string) => Number(first![head!.indexOf(name)]);
  expect({
    threads: column('server_threads'),
    descriptors: column('server_descriptors'),
  }).toEqual({ threads: sample!.threads, descriptors: sample!.descriptors });
  // The CSV has seven digits.
  expect(column('server_memory_bytes') / sample!.memory).toBeCloseTo(1, 6);
});
