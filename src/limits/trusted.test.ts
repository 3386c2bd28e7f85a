import { expect, it } from 'vitest';
import { parseAddress } from './networks.ts';
import { checkTrusted, parseTrusted, Trusted, trustsUnix } from './trusted.ts';

const addressOf = (text: string) => parseAddress(text)!;

it('trusts the addresses of its networks, and peers of a unix socket only if it says so', () => {
  const networks = new Trusted(parseTrusted('10.0.0.0/8, 2001:db8::/32'));
  expect(networks.has(addressOf('10.1.2.3'))).toBe(true);
  expect(networks.has(addressOf('2001:db8::1'))).toBe(true);
  expect(networks.has(addressOf('11.1.2.3'))).toBe(false);
  expect(networks.has(undefined)).toBe(false);
  const unix = new Trusted(['unix']);
  expect(unix.has(undefined)).toBe(true);
  expect(unix.has(addressOf('10.1.2.3'))).toBe(false);
  const both = new Trusted(['unix', '10.0.0.0/8']);
  expect([both.has(undefined), both.has(addressOf('10.1.2.3'))]).toEqual([true, true]);
  expect([trustsUnix(['10.0.0.0/8']), trustsUnix(['unix'])]).toEqual([false, true]);
});

it.each([
  '',
  ',',
  '10.0.0.0/8,',
  '10.0.0.0/33',
  '10.0.0.1/8',
  'balancer',
  'UNIX',
])('refuses the list %j', (text) => {
  expect(() => parseTrusted(text)).toThrow(/Cannot/);
});

it.each([[undefined], [[]], ['10.0.0.0/8'], [[7]]])('refuses %j from a program', (list) => {
  expect(() => checkTrusted(list)).toThrow(/Cannot/);
});
