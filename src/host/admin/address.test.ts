import { expect, it } from 'vitest';
import { literalAddress } from '../../os/address.ts';
import { isLoopback, parsePlace } from './address.ts';

it.each([
  ['9106', '127.0.0.1', 9106],
  ['0', '127.0.0.1', 0],
  ['10.0.0.5:65535', '10.0.0.5', 65_535],
  ['localhost:9106', 'localhost', 9106],
  ['[::1]:9106', '[::1]', 9106],
  ['[fe80::1%eth0]:1', '[fe80::1%eth0]', 1],
  ['unix:/run/mondo admin.sock', 'unix:/run/mondo admin.sock', 0],
])('takes %s', (text, host, port) => {
  expect(parsePlace('--admin', text)).toEqual({ host, port });
});

it.each([
  '',
  '65536',
  '-1',
  '1.5',
  ':9106',
  'host:',
  '::1:9106',
  '[::1]',
  'a b',
  '9106/metrics',
])('refuses "%s", and names the option', (text) => {
  expect(() => parsePlace('--admin', text)).toThrow(
    `Cannot use "${text}" for --admin: give a port`,
  );
});

it.each([
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['unix:/tmp/x', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['::ffff:127.0.0.1', true],
  ['::ffff:10.0.0.1', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopback(literalAddress(host, 1)!)).toBe(expected);
});
