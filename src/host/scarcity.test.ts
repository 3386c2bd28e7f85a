import { expect, it } from 'vitest';
import { SystemError } from '../os/libc.ts';
import { scarcityOf } from './scarcity.ts';

it('scarcity is recognised by code, text or words, and nothing else counts', () => {
  expect(scarcityOf(Object.assign(new Error('spawn node EAGAIN'), { code: 'EAGAIN' }))).toBe(
    'EAGAIN',
  );
  expect(scarcityOf(new Error('Worker initialization failure: EMFILE'))).toBe('EMFILE');
  expect(scarcityOf(new Error('Cannot read package config x: too many open files.'))).toBe(
    'EMFILE',
  );
  expect(scarcityOf(new SystemError('mmap', 12))).toBe('ENOMEM');
  expect(scarcityOf(new SyntaxError('Unexpected token'))).toBeUndefined();
  expect(scarcityOf(Object.assign(new Error('no such file'), { code: 'ENOENT' }))).toBeUndefined();
});
