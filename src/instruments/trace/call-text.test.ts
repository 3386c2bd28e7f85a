import { expect, test } from 'vitest';
import { argumentsAfter, argumentsBefore, resultText, type Surroundings } from './call-text.ts';

/** Stands for memory: a table from addresses to bytes. */
const around = (memory: Readonly<Record<number, Uint8Array>> = {}): Surroundings => ({
  memory: (address, length) => memory[address]!.subarray(0, length),
  nameOf: (fd) => ({ 5: 'listener', 24: '127.0.0.1:9' })[fd],
});

const ints = (...values: number[]) => new Uint8Array(Int32Array.from(values).buffer);

test.each([
  ['fcntl', [5, 3, 0], 2050, 'fcntl(5<listener>, F_GETFL) = 2050 (O_RDWR|O_NONBLOCK)'],
  ['fcntl', [5, 4, 2050], 0, 'fcntl(5<listener>, F_SETFL, O_RDWR|O_NONBLOCK) = 0'],
  ['epoll_create1', [0o2000000], 24, 'epoll_create1(EPOLL_CLOEXEC) = 24'],
  [
    ...([
      'mmap',
      [0, 4096, 3, 34, -1, 0],
      0x7f00,
      'mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f00',
    ] as const),
  ],
  ['munmap', [0x7f00, 4096], 0, 'munmap(0x7f00, 4096) = 0'],
  ['shutdown', [24, 2], 0, 'shutdown(24<127.0.0.1:9>, SHUT_RDWR) = 0'],
  [
    'setsockopt',
    [24, 1, 20, ints(60, 0, 5, 0), 16],
    0,
    'setsockopt(24<127.0.0.1:9>, SOL_SOCKET, SO_RCVTIMEO, {60 s, 5 µs}) = 0',
  ],
  [
    'setsockopt',
    [24, 6, 1, ints(1), 4],
    0,
    'setsockopt(24<127.0.0.1:9>, IPPROTO_TCP, TCP_NODELAY, [1]) = 0',
  ],
  ['write', [24, Buffer.from('Busy.'), 5], 5, 'write(24<127.0.0.1:9>, "Busy.", 5) = 5'],
] as const)('%s has names for its numbers', (name, args, result, text) => {
  const told = argumentsAfter(name, args, result, around());
  expect(`${name}(${told}) = ${resultText(name, args, result, 0, around())}`).toBe(text);
});

test('poll shows the requested events and the found ones', () => {
  const POLLIN = 1;
  const asked = around({ 64: ints(5, POLLIN, 24, POLLIN) });
  expect(argumentsBefore('poll', [64, 2, 999], asked)).toBe(
    '[{fd=5<listener>, events=POLLIN}, {fd=24<127.0.0.1:9>, events=POLLIN}], 2, 999',
  );
  const found = around({ 64: ints(5, POLLIN, 24, POLLIN | (POLLIN << 16)) });
  expect(resultText('poll', [64, 2, 999], 1, 0, found)).toBe(
    '1 ([{fd=24<127.0.0.1:9>, revents=POLLIN}])',
  );
});

test('select shows them too, from its bit sets', () => {
  const sets = around({ 64: ints(1 << 24), 128: ints(0) });
  const args = [25, 64, 128, 0, 0];
  expect(argumentsBefore('select', args, sets)).toBe('25, [24<127.0.0.1:9>], [], NULL, NULL');
  expect(resultText('select', args, 1, 0, sets)).toBe('1 ([24<127.0.0.1:9>], [])');
});

test('a failure has the name of its errno, and bytes of a peer contain no terminal control', () => {
  expect(resultText('recv', [24], -1, 11, around())).toBe('-1 EAGAIN');
  const bytes = Buffer.from('\u001b[2J\u009b2J', 'latin1');
  expect(argumentsAfter('recv', [24, 64, 100, 0x40], bytes.length, around({ 64: bytes }))).toBe(
    '24<127.0.0.1:9>, "\\u001b[2J\\u009b2J", 100, MSG_DONTWAIT',
  );
});

test('a long list of descriptors is shortened', () => {
  const set = around({ 64: ints(...Array.from({ length: 20 }, (_, i) => [i + 100, 1]).flat()) });
  expect(argumentsBefore('poll', [64, 20, -1], set)).toMatch(
    /^\[\{fd=100, events=POLLIN\}, .*, … 12 more\], 20, -1$/,
  );
});
