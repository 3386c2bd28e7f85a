import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasBound } from './unix-table.ts';

const TABLE = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00000000 0001 01 1001 /run/starting
0000000000000000: 00000002 00000000 00010000 0001 01 1002 /run/listening
0000000000000000: 00000003 00000000 00000000 0001 03 1003 /run/connected
0000000000000000: 00000002 00000000 00000000 0001 01 1004
0000000000000000: 00000002 00000000 00000000 0001 01 1005 some/relative
0000000000000000: 00000002 00000000 00000000 0001 01 1006 /run/two words
`;

describe('hasBound', () => {
  it.each([
    ['/run/starting', true],
    ['/run/two words', true],
    [resolve('elsewhere/relative'), true],
    ['/run/listening', false],
    ['/run/connected', false],
    ['/run/start', false],
    ['/run/relatives', false],
  ])('%s: %s', (path, isBound) => {
    expect(hasBound(TABLE, path)).toBe(isBound);
  });
});
