import { expect, it } from 'vitest';
import { checkLimits, defaultLimits, parseLimits } from '../../../limits/limits.ts';
import type { StageOrder } from '../parts.ts';
import { changesOf, commandOf, limitsOf, serveOptionsOf } from './options.ts';

const order: StageOrder = {
  s: 0,
  plan: { architecture: 'queued', threads: 2, queue: 3, backlog: 8 },
  think: 250,
  thinking: 'defer',
  limits: { idle: 1.5, 'question-size': 100, 'connections-per-address': 2 },
  dryRun: true,
  epoch: '0',
};

it('the command sets the same limits as the options, and the same sizes', () => {
  const command = commandOf(order);
  const named = [...command.matchAll(/--limit (\S+)/g)].map(([, limit]) => limit!);
  const { limits, ...options } = serveOptionsOf(order);
  // Without a proxy this limit has no effect, so the command leaves it out.
  const { proxyHeader } = defaultLimits;
  expect(checkLimits(parseLimits(named))).toEqual(checkLimits({ ...limits, proxyHeader }));
  expect(command.replaceAll(/ --limit \S+/g, '')).toBe(
    'mondo serve queued --threads 2 --queue 3 --backlog 8 --think 250 --think-how defer --dry-run',
  );
  expect(options).toMatchObject({
    ...{ architecture: 'queued', threads: 2, queue: 3, backlog: 8 },
    ...{ think: 250, thinkHow: 'defer', dryRun: true, port: 0 },
  });
});

it.each([
  [{ architecture: 'socketserver', 'max-threads': 5 }, { maxThreads: 5 }, '--max-threads 5'],
  [{ architecture: 'inetd', wait: 1 }, { inetd: 'wait' }, '--inetd wait'],
])('%j has the options and the command of serve', (plan, options, words) => {
  const { architecture, ...named } = serveOptionsOf({ ...order, plan });
  expect(named).toMatchObject(options);
  expect(Object.keys(named)).not.toContain('wait');
  expect(Object.keys(named)).not.toContain('max-threads');
  expect(commandOf({ ...order, plan })).toContain(`mondo serve ${architecture} ${words} `);
});

it('a restart switches off the limits that it does not name', () => {
  expect(changesOf({ limits: { 'answer-time': 3 }, dryRun: false })).toEqual({
    limits: {
      ...{ idle: 0, questionTime: 0, answerTime: 3000 },
      ...{ connectionsPerAddress: 0, acceptsPerSecond: 0, questionSize: 0 },
    },
    dryRun: false,
  });
  expect(limitsOf({ limits: { idle: 0, 'answer-time': 3 } })).toEqual([['answer-time', 3]]);
});
