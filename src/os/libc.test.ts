import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { libc, whyNoSystemCalls } from './libc.ts';

describe('libc', () => {
  it('is called without the JavaScript part of koffi, which would make a start slower', () => {
    expect(whyNoSystemCalls()).toBeUndefined();
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    expect(loaded.filter((file) => /koffi/.test(file))).toEqual([]);
    expect(readFileSync('/proc/self/maps', 'utf8')).toMatch(/\/koffi\.node$/m);
  });

  it('can be called by a function that has replaced one of its own, any number of times', () => {
    const { getrusage, gettid } = libc;
    const calls: string[] = [];
    libc.gettid = () => {
      calls.push('gettid');
      return gettid();
    };
    const [first, second] = [libc.gettid(), libc.gettid()];
    libc.gettid = gettid;
    expect([first, second]).toEqual([libc.gettid(), libc.gettid()]);
    expect(calls).toEqual(['gettid', 'gettid']);
    expect(libc.getrusage).toBe(getrusage);
  });
});
