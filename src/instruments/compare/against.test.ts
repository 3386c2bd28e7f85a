import { describe, expect, it } from 'vitest';
import { calm, madeUp, planWith, type Said } from '../../../test/support/comparison.ts';
import { againstOf, isUnjudged, regressionsOf, storedRunOf, whyUnlike } from './against.ts';
import { againstNotes } from './tables.ts';

const compared = (now: Said, then: Said = () => ({})) =>
  againstOf(madeUp({ seed: 3 }, now), madeUp({}, then));

const onlyUring =
  (said: ReturnType<Said>): Said =>
  ({ architecture }) =>
    architecture === 'uring' ? said : {};

describe('againstOf', () => {
  it('finds no regression between equal runs', () => {
    const against = compared(() => ({}));
    expect(regressionsOf(against)).toBe(0);
    expect(against.changes).toHaveLength(6);
    expect(against.changes.every(({ verdict }) => verdict === 'alike')).toBe(true);
    expect(against.notes).toEqual([]);
    expect(against.unmatched).toBe(0);
  });

  it('finds a lower rate, a costlier answer, a longer tail and connections that starve', () => {
    const found = (said: ReturnType<Said>) => {
      const against = compared(onlyUring(said));
      const { changes, starving } = against;
      return {
        figures: changes.filter(({ isRegression }) => isRegression).map(({ figure }) => figure),
        starving: starving.map(({ architecture }) => architecture),
      };
    };
    expect(found({ rate: 80_000 })).toEqual({ figures: ['rate'], starving: [] });
    expect(found({ cpu: 8 })).toEqual({ figures: ['cpu'], starving: [] });
    expect(found({ p99: 1.5 })).toEqual({ figures: ['p99'], starving: [] });
    expect(found({ neverAnswered: 3 })).toEqual({ figures: [], starving: ['uring'] });
    expect(found({ rate: 0, p50: null, p99: null, cpu: null, neverAnswered: 64 })).toEqual({
      figures: ['rate'],
      starving: ['uring'],
    });
  });

  it('takes neither an improvement nor a small change for a regression', () => {
    expect(regressionsOf(compared(() => ({ rate: 150_000, cpu: 4, p99: 0.4 })))).toBe(0);
    expect(regressionsOf(compared(() => ({ rate: 95_000, cpu: 7.4, p99: 1.15 })))).toBe(0);
  });

  it('finds no regression in two rounds', () => {
    const against = againstOf(
      madeUp({ rounds: 2 }, () => ({ rate: 10 })),
      madeUp({}),
    );
    expect(regressionsOf(against)).toBe(0);
    expect(against.changes.every(({ verdict }) => verdict === 'none')).toBe(true);
  });

  it('notes another machine, variants without a counterpart, and a change of all variants together', () => {
    const then = madeUp({ conditions: calm(1, 64, 100) });
    const now = madeUp({ conditions: calm(1, 64) }, () => ({ rate: 80_000 }));
    const against = againstOf(
      { ...now, environment: { ...now.environment!, kernel: '7.0', cores: 8 } },
      then,
    );
    expect(against.unmatched).toBe(2);
    expect(against.notes).toEqual([
      'The machine or the versions differ: cores 8, then 2; kernel 7.0, then 6.18.0',
      expect.stringMatching(/^Over all variants the rate is 0\.8\d? times what it was: /),
    ]);
  });
});

it('finds no regression on a busy machine, now or then, and says that it did not judge', () => {
  const slow = { rate: 50_000 };
  const busy = { othersCpu: 0.5 };
  const counted = (now: object, then: object) => {
    const against = againstOf(
      madeUp({}, () => now),
      madeUp({}, () => then),
    );
    return [regressionsOf(against), isUnjudged(against), againstNotes(against)[0]];
  };
  const note = expect.stringMatching(/^6 of 6 figures were measured on a busy machine /);
  expect(counted(slow, {})[0]).toBe(2);
  expect(counted({ ...slow, ...busy }, {})).toEqual([0, true, note]);
  expect(counted(slow, busy)).toEqual([0, true, note]);
  // Other programs alone do not make it a thousand times slower.
  expect(counted({ ...busy, rate: 100 }, {}).slice(0, 2)).toEqual([2, false]);
  // A run of an older version does not say.
  expect(counted(slow, { othersCpu: undefined })[0]).toBe(2);
});

describe('whyUnlike', () => {
  it('allows different rounds, order and matrix, and no other difference', () => {
    const plan = planWith({});
    expect(whyUnlike(plan, planWith({ rounds: 9, seed: 5, conditions: calm(1) }))).toBeUndefined();
    expect(whyUnlike(plan, planWith({ seconds: 2 }))).toBe('measured time in s: 1 now, 2 then');
    expect(whyUnlike(plan, planWith({ threads: 8 }))).toBe('threads: by default now, 8 then');
    expect(whyUnlike(plan, planWith({ pinned: false }))).toBe('cores: pinned now, not pinned then');
    expect(whyUnlike(plan, planWith({ service: 'file:///a/b/mine.ts' }))).toBe(
      'service: the Zen questions now, mine.ts then',
    );
    expect(whyUnlike(plan, planWith({ exchanges: [{ question: 'Why?' }] }))).toBe(
      'the questions differ',
    );
    const elsewhere = (folder: string) => planWith({ service: `file:///${folder}/mine.ts` });
    expect(whyUnlike(elsewhere('a'), elsewhere('b'))).toBeUndefined();
  });
});

describe('storedRunOf', () => {
  it('reads a stored run, and says what any other text is', () => {
    const stored = madeUp({});
    expect(storedRunOf(JSON.stringify(stored)).cells).toEqual(stored.cells);
    expect(() => storedRunOf('half')).toThrow(/^it is not JSON \(/);
    expect(() => storedRunOf('[]')).toThrow(/^it has no "schema"; name a file that mondo compare/);
    expect(() => storedRunOf('null')).toThrow(/^it has no "schema"/);
    expect(() => storedRunOf('{"schema":"mondo-load-1"}')).toThrow(/^it is a "mondo-load-1"; /);
    const broken = JSON.stringify({ ...stored, cells: [{}] });
    expect(() => storedRunOf(broken)).toThrow(/^its cells are not those of a comparison; /);
  });
});
