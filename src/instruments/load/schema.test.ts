import { expect, test } from 'vitest';
import { runLoad } from './run.ts';
import { checks, planGiven, planOf, planOptions } from './schema.ts';

const reading = { now: 1_800_000_000_000, read: () => 'How?\tSo.\n', variables: {} };

test('every default passes its check', () => {
  const plan = planOf({});
  for (const [name, check] of Object.entries(checks)) {
    const usual = plan[name as keyof typeof plan];
    if (usual !== undefined) expect(check(usual, name)).toEqual(usual);
  }
  expect(Object.keys(plan).sort()).toEqual(
    Object.keys(checks)
      .filter((name) => name !== 'startAt')
      .sort(),
  );
});

test('given options become fields of a plan', () => {
  const words: Record<string, string> = {
    '--connections': '5',
    '--poisson': 'true',
    '--think': '5ms',
    '--timeout': '2s',
    '--connect-rate': '2.5k',
    '--questions': 'q.txt',
    '--framing': 'length:2',
    '--shard': '2/3',
    '--start-at': '+10s',
    '--engine': 'epoll',
  };
  const given = planGiven(({ flags }) => words[/--[\w-]+/.exec(flags)![0]], reading);
  expect(given).toEqual({
    connections: 5,
    arrivals: 'poisson',
    think: 5,
    timeout: 2000,
    connectRate: 2500,
    exchanges: [{ question: 'How?', answer: 'So.' }],
    framing: { kind: 'length', bytes: 2 },
    shard: { index: 2, of: 3 },
    startAt: reading.now + 10_000,
    engine: 'epoll',
  });
});

test.each(
  planOptions.filter(({ flags }) => flags.includes('<') && !/host|question/.test(flags)),
)('$flags is refused with its name if its value is wrong', (option) => {
  const [name = ''] = /--[\w-]+/.exec(option.flags) ?? [];
  const nonsense = () => planGiven((one) => (one === option ? '?' : undefined), reading);
  expect(nonsense).toThrow(`${name} is "?"; give `);
  expect(nonsense).toThrow(/^[^\n]+$/);
});

test('the help has a default for each option', () => {
  const help = new Map(planOptions.map((option) => [option.flags, option.help]));
  expect(help.get('-c, --connections <n>')).toMatch(/ \(default: 64\)$/);
  expect(help.get('--timeout <time>')).toMatch(/ \(default: 10s\)$/);
  expect(help.get('--max-lag <time>')).toMatch(/ \(default: 10ms\)$/);
  for (const text of help.values()) expect(text).toMatch(/ \(default: [^()]+\)$/);
});

test('an unknown field of a plan is refused, by planOf and by runLoad', async () => {
  const odd = { conections: 5 } as object;
  expect(() => planOf(odd)).toThrow('A load plan has no option "conections"; there are host, port');
  await expect(runLoad({ ...planOf({}), ...odd })).rejects.toThrow(
    'The plan has no "conections"; there are host, port',
  );
  await expect(runLoad(planOf({ connections: 0 }))).rejects.toThrow('"connections" is "0"; give');
  await expect(runLoad(planOf({}), { onProgres: () => {} } as object)).rejects.toThrow(
    'runLoad has no option "onProgres"; there are signal, onProgress',
  );
});
