import { expect, test } from 'vitest';
import { isTraced } from './which.ts';

const included = ['/home/me/mondo/src/os', '/home/me/mondo/src/host/plan.ts', '/home/me/service/'];

test.each([
  ['/home/me/mondo/src/os/poll.ts', true],
  ['/home/me/mondo/src/oslo/poll.ts', false],
  ['/home/me/mondo/src/host/plan.ts', true],
  ['/home/me/mondo/src/host/serve.ts', false],
  ['/home/me/service/deep/index.ts', true],
  ['/home/me/service/node_modules/other/index.js', false],
])('%s: %s', (path, expected) => {
  expect(isTraced(path, included, [])).toBe(expected);
});

test('the longest path decides, and if two are equal, `ignore` wins', () => {
  const path = '/home/me/service/deep/index.ts';
  expect(isTraced(path, included, ['/home/me/service/deep'])).toBe(false);
  expect(isTraced(path, included, ['/home/me'])).toBe(true);
  expect(isTraced(path, included, ['/home/me/service'])).toBe(false);
});

test('an included package is traced, and its dependencies are not', () => {
  const own = ['/app/node_modules/mondo/dist'];
  expect(isTraced('/app/node_modules/mondo/dist/os/poll.js', own, [])).toBe(true);
  expect(isTraced('/app/node_modules/mondo/dist/node_modules/x/y.js', own, [])).toBe(false);
});
