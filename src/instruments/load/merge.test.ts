import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runOf, type Sample, serverSide } from '../../../test/support/load-runs.ts';
import { ServeError } from '../../host/errors.ts';
import { hlogOf, parseHlog } from './hlog.ts';
import { merged, type Part } from './merge.ts';
import type { LoadPlan } from './plan.ts';
import type { Run } from './state.ts';

const SECONDS = 3;
const CONNECTIONS = 8;
const open: Partial<LoadPlan> = {
  loop: 'open',
  connections: CONNECTIONS,
  stages: [{ kind: 'steady', seconds: SECONDS, from: 10, to: 10 }],
};

/** From 1 µs to 100 s, in whole ns as in a histogram. */
const milliseconds = fc.integer({ min: 1000, max: 100_000_000_000 }).map((ns) => ns / 1e6);
const sample: fc.Arbitrary<Sample> = fc.record({
  connection: fc.integer({ min: 0, max: CONNECTIONS - 1 }),
  second: fc.integer({ min: 0, max: SECONDS - 1 }),
  service: milliseconds,
  response: milliseconds,
});

const shardOf = ({ connection }: Sample, of: number) => (connection % of) + 1;

/** Each shard's run, written to its log and read again. */
const shards = (samples: readonly Sample[], of: number): Part[] =>
  Array.from({ length: of }, (_, i) => {
    const index = i + 1;
    const own = samples.filter((one) => shardOf(one, of) === index);
    const run = runOf(own, { plan: { ...open, shard: { index, of } }, seconds: SECONDS });
    const name = `${index}.hlog`;
    return { name, run: parseHlog(hlogOf(run), name) };
  });

/** The parts of a result that adding may change only in the last digit of a sum. */
function expectSame(actual: Run, expected: Run): void {
  const { validity, ...result } = actual.result;
  const { validity: _, ...whole } = expected.result;
  expect(rounded({ ...result, heat: cellsOf(result.heat) })).toEqual(
    rounded({ ...whole, heat: cellsOf(whole.heat) }),
  );
  expect(rounded({ ratio: validity.rateRatio, trusted: validity.trusted })).toEqual(
    rounded({ ratio: expected.result.validity.rateRatio, trusted: true }),
  );
  expect(actual.state.series.map(histogramsOf)).toEqual(expected.state.series.map(histogramsOf));
}

const histogramsOf = ({ at, service, response }: Run['state']['series'][number]) => ({
  at,
  service,
  response,
});

/** Rows that are empty in every column make no difference. */
const cellsOf = ({ columns, rows, counts }: Run['result']['heat']) =>
  columns.flatMap((column, i) =>
    rows.flatMap((row, k) => (counts[i]![k]! > 0 ? [[column, row, counts[i]![k]!]] : [])),
  );

const rounded = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, one) => (typeof one === 'number' ? Number(one.toPrecision(9)) : one)),
  );

/** The gauges of the shards add up to those of the whole. */
const withGauges = (run: Run, of: number): Run => ({
  ...run,
  result: {
    ...run.result,
    series: run.result.series.map((second) => ({
      ...second,
      inFlight: of,
      waiting: 2 * of,
      open: of * CONNECTIONS,
    })),
  },
});

describe('the shards of a plan', () => {
  it('add up to the whole, whatever the answers and however many shards', () => {
    fc.assert(
      fc.property(
        fc.array(sample, { maxLength: 200 }),
        fc.integer({ min: 1, max: 5 }),
        (samples, of) => {
          const ordered = [...samples].sort((a, b) => a.second - b.second);
          const whole = runOf(ordered, { plan: open, seconds: SECONDS });
          expectSame(merged(shards(ordered, of)), withGauges(whole, of));
        },
      ),
      {
        numRuns: 30,
        // Two equally bad connections, on different shards.
        examples: [
          [
            [1, 5].map((connection) => ({ connection, second: 0, service: 1, response: 99_992 })),
            5,
          ],
        ],
      },
    );
  });

  it('have the figures of the whole for more connections than a result lists', () => {
    // A list of some connections would have another median, because only a few of many are fast or well served.
    const connections = 2503;
    const samples = Array.from({ length: connections }, (_, connection) =>
      Array.from({ length: 1 + (connection % 3 === 0 ? 0 : (connection * 7) % 5) }, (_one, i) => ({
        connection,
        second: i % SECONDS,
        service: 1,
        response: 1 + ((connection * 7919) % 1009) / 3 + i,
      })),
    )
      .flat()
      .sort((a, b) => a.second - b.second);
    const plan = { ...open, connections };
    const whole = runOf(samples, { plan, seconds: SECONDS }).result.connections;
    const of = 3;
    const parts = Array.from({ length: of }, (_, i): Part => {
      const own = samples.filter((one) => shardOf(one, of) === i + 1);
      const run = runOf(own, { plan: { ...plan, shard: { index: i + 1, of } }, seconds: SECONDS });
      return { name: `${i}`, run: parseHlog(hlogOf(run), `${i}`) };
    });
    const { connections: added } = merged(parts).result;
    expect(added).toEqual(whole);

    // These are the figures of all connections.
    const answers = Map.groupBy(samples, ({ connection }) => connection);
    const counts = [...answers.values()].map(({ length }) => length).sort((a, b) => a - b);
    const firsts = [...answers.values()].map(([one]) => one!.response).sort((a, b) => a - b);
    expect(added.answers.median).toBe(counts[connections >> 1]);
    expect(added.firstAnswer).toMatchObject({
      median: firsts[connections >> 1],
      p99: firsts[Math.ceil(connections * 0.99) - 1],
    });
    expect(added.each.length).toBeLessThanOrEqual(1000);
  });

  it('add up to the same in any order, and in two steps of their histograms', () => {
    const samples = Array.from({ length: 90 }, (_, i) => ({
      connection: i % CONNECTIONS,
      second: i % SECONDS,
      service: 1 + i / 7,
      response: 2 + i * i,
    }));
    const parts = shards(samples, 3);
    const one = merged(parts);
    const other = merged([...parts].reverse());
    expect(other.state).toEqual(one.state);
    expect(other.result.response).toEqual(one.result.response);
    expect(other.result.series).toEqual(one.result.series);
  });

  it('add up the errors of attempts to connect by their names', () => {
    const parts = [{ ENOENT: 1 }, { ENOENT: 2, EACCES: 4 }].map((connectErrors, i) => ({
      name: `${i}`,
      run: runOf([], { plan: { ...open, shard: { index: i + 1, of: 2 } }, connectErrors }),
    }));
    expect(merged(parts).result.connectErrors).toEqual({ ENOENT: 3, EACCES: 4 });
  });

  it('are aligned by their start times', () => {
    const samples = [{ connection: 1, second: 0, service: 1, response: 1 }];
    const part = (index: number, startedAt: number): Part => ({
      name: `${index}`,
      run: runOf(samples, { plan: { ...open, shard: { index, of: 2 } }, startedAt }),
    });
    const near = merged([part(1, 5_000_400), part(2, 5_000_000)]);
    expect(near.result.startedAt).toBe(5_000_000);
    expect(near.result.series.map(({ rate }) => rate)).toEqual([2, 0, 0]);
    expect(near.result.validity.trusted).toBe(true);
    expect(near.result.validity.notes.join()).toContain('began within 400 ms');

    const far = merged([part(1, 5_002_000), part(2, 5_000_000)]);
    expect(far.result.series.map(({ rate }) => rate)).toEqual([1, 0, 1, 0, 0]);
    expect(far.result.validity.trusted).toBe(false);
    expect(far.result.validity.reasons.join()).toContain('Shards began 2.0 s apart');
  });

  it('make the whole untrusted if one is untrusted, missing or interrupted', () => {
    const part = (index: number, validity = {}): Part => ({
      name: `${index}`,
      run: runOf([], { plan: { ...open, shard: { index, of: 2 } }, validity }),
    });
    const bad = merged([part(1), part(2, { reasons: ['Too slow; go on'], trusted: false })]);
    expect(bad.result.validity).toMatchObject({
      trusted: false,
      reasons: ['Shard 2: Too slow; go on'],
    });
    const half = merged([part(2)]);
    expect(half.result.validity.trusted).toBe(false);
    expect(half.result.validity.reasons).toEqual([
      'Shard 1 of 2 is missing, so this is not all of the load; give its log, too.',
    ]);
    expect(merged([part(1, { interrupted: true }), part(2)]).result.validity.interrupted).toBe(
      true,
    );
  });

  it('are refused if they do not belong to one plan', () => {
    const part = (name: string, plan: Partial<LoadPlan>): Part => ({
      name,
      run: runOf([], { plan }),
    });
    const first = part('a', { shard: { index: 1, of: 2 } });
    const message = (...parts: Part[]) => {
      try {
        merged(parts);
        return '';
      } catch (error) {
        expect(error).toBeInstanceOf(ServeError);
        return (error as ServeError).message;
      }
    };
    expect(message(first, part('b', { shard: { index: 1, of: 2 } }))).toBe(
      'Cannot add "b" to "a": both are shard 1/2; give each shard once',
    );
    expect(message(first, part('b', { shard: { index: 2, of: 2 }, pipeline: 3 }))).toBe(
      'Cannot add "b" to "a": their plans differ in pipeline; give the shards of one plan',
    );
    expect(message(first, part('b', { shard: { index: 2, of: 3 } }))).toContain('a shard of 3');
    expect(message(first, part('b', { shard: { index: 2, of: 2 }, pid: 7 }))).toBe('');
    expect(message()).toContain('name one or more');
  });

  it('report the server once, however many shards watched it', () => {
    const samples = [{ connection: 1, second: 0, service: 1, response: 1 }];
    const part = (index: number, server = serverSide(3)): Part => ({
      name: `${index}`,
      run: runOf(samples, { plan: { ...open, shard: { index, of: 2 } }, server }),
    });
    const { server } = merged([part(1), part(2)]).result;
    expect(server!.totals.cpuSeconds).toBe(serverSide(3).totals.cpuSeconds);
    expect(server!.totals.cpuMicrosecondsPerAnswer).toBeCloseTo((0.8 * 3 * 1e6) / 2);
    expect(merged([part(1), part(2, { ...serverSide(3), pid: 5 })]).result.server).toBeNull();
  });
});
