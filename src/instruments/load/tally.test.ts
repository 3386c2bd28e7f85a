import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Batch, type Ended, numberOf, OUTCOMES, type Outcome } from './batch.ts';
import { decode } from './histograms.ts';
import { planOf } from './schema.ts';
import { figuresOf, jain } from './state.ts';
import { Tally } from './tally.ts';

const plan = planOf({
  loop: 'open',
  connections: 4,
  stages: [
    { kind: 'warm-up', seconds: 1, from: 10 },
    { kind: 'ramp', seconds: 2, from: 10, to: 30 },
  ],
});

interface Sample {
  readonly connection: number;
  readonly response: number;
  readonly service: number;
}

function batch(second: number, samples: readonly Sample[], change: Partial<Batch> = {}): Batch {
  const outcomes = new Int32Array(OUTCOMES.length);
  outcomes[numberOf('answered')] = samples.length;
  return {
    kind: 'batch',
    phase: second < 0 ? 'warm-up' : second < 2 ? 'measuring' : 'finishing',
    at: 0,
    second,
    isLast: true,
    right: samples.length,
    count: samples.length,
    times: Float64Array.from(samples.flatMap(({ response, service }) => [response, service])),
    connections: Int32Array.from(samples.map(({ connection }) => connection)),
    lags: new Uint32Array(),
    mostLag: 0,
    stalled: 0,
    longestStall: 0,
    outcomes,
    connectErrors: {},
    bytesSent: 0,
    bytesReceived: 0,
    inFlight: 0,
    waiting: 0,
    open: 4,
    starved: 0,
    cpu: 100,
    passed: 1000,
    ...change,
  };
}

const ended: Ended = {
  kind: 'ended',
  measured: 2000,
  interrupted: false,
  firstAnswers: Float64Array.of(1, 2, Number.NaN, 4),
  asked: Uint8Array.of(1, 1, 1, 0),
  opened: 4,
  startedLate: 0,
  unreached: 0,
};

const figures = (...batches: Batch[]) => {
  const tally = new Tally(plan);
  for (const one of batches) tally.add(one);
  const state = tally.state(ended, 0);
  return { ...figuresOf(state), seconds: state.series };
};

const at = (connection: number, response: number, service = response): Sample => ({
  connection,
  response,
  service,
});

describe('tally', () => {
  test('no figure contains warm-up, and no second contains answers after the end', () => {
    const { totals, series, seconds, response } = figures(
      batch(-1, [at(0, 500)]),
      batch(0, [at(0, 1)]),
      batch(1, [at(1, 2)]),
      batch(2, [at(1, 3)]),
    );
    expect(totals).toMatchObject({ answers: 3, questions: 3, rate: 1, wantedRate: 20 });
    expect(series.map(({ rate, wantedRate }) => [rate, wantedRate])).toEqual([
      [1, 15],
      [1, 25],
    ]);
    expect(seconds.map(({ at: second }) => second)).toEqual([0, 1, 2]);
    expect(response.count).toBe(3);
  });

  test('counts answers by connection, and connections without one', () => {
    const { connections } = figures(
      batch(0, [at(0, 1), at(0, 1), at(0, 1), at(1, 100)]),
      batch(1, []),
    );
    expect(connections).toMatchObject({
      count: 4,
      // Connection 3 never asked, so the server did not starve it.
      neverAnswered: 1,
      answers: { least: 0, median: 1, most: 3 },
      firstAnswer: { median: 2, max: 4 },
      worst: { connection: 1, answers: 1 },
    });
    expect(connections.worst!.p99).toBeGreaterThan(98);
    expect(connections.worst!.p99).toBeLessThan(102);
    expect(connections.fairness).toBeCloseTo(16 / 40);
  });

  test('any answers: histograms are of all of them, seconds and the heat map add up to them', () => {
    const sample = fc.record({
      connection: fc.nat({ max: 3 }),
      response: fc.double({ min: 0.002, max: 1e5, noNaN: true }),
      service: fc.double({ min: 0.002, max: 1e5, noNaN: true }),
    });
    const seconds = fc.array(
      fc.array(
        fc.oneof(
          sample,
          sample.map((s) => at(s.connection, s.response)),
        ),
        { maxLength: 30 },
      ),
      { minLength: 2, maxLength: 2 },
    );
    fc.assert(
      fc.property(seconds, ([first, second]) => {
        const all = [...first!, ...second!];
        const {
          response,
          service,
          seconds: parts,
          heat,
          totals,
        } = figures(batch(0, first!), batch(1, second!));
        expect([response.count, service.count, totals.answers]).toEqual([
          all.length,
          all.length,
          all.length,
        ]);
        expect(heat.counts.flat().reduce((a, b) => a + b, 0)).toBe(all.length);
        const counts = parts.map((one) => (one.service ? decode(one.service).totalCount : 0));
        expect(counts.reduce((a, b) => a + b, 0)).toBe(all.length);
        if (all.length === 0) return;
        const most = Math.max(...all.map((one) => one.service));
        expect(service.max / most).toBeGreaterThan(0.999);
        expect(service.max / most).toBeLessThan(1.001);
      }),
      { numRuns: 50 },
    );
  });

  test('errors of attempts to connect add up by their names', () => {
    const found = figures(
      batch(0, [], { connectErrors: { ENOENT: 2, EACCES: 1 } }),
      batch(1, [], { connectErrors: { ENOENT: 3 } }),
    );
    expect(found.connectErrors).toEqual({ ENOENT: 5, EACCES: 1 });
  });

  test('every outcome except an answer is an error', () => {
    const outcomes = new Int32Array(OUTCOMES.length);
    const set = (outcome: Outcome, count: number) => {
      outcomes[numberOf(outcome)] = count;
    };
    set('answered', 5);
    set('late', 1);
    set('wrong', 2);
    set('refused', 3);
    const { totals } = figures(batch(0, [], { outcomes }));
    // A refused connection asked no question.
    expect(totals).toMatchObject({ answers: 6, questions: 8, errors: 5 });
  });
});

test('Jain’s index', () => {
  expect(jain([5, 5, 5, 5])).toBe(1);
  expect(jain([8, 0, 0, 0])).toBe(0.25);
  expect(jain([0, 0])).toBeNull();
});
