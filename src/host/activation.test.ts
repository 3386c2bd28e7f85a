import { describe, expect, it } from 'vitest';
import { givenNames, takeListeners, takeVariables } from './activation.ts';

const PID = 17;
const names = (count: string, list?: string, owner = String(PID)) =>
  givenNames({ LISTEN_PID: owner, LISTEN_FDS: count, LISTEN_FDNAMES: list }, PID);

describe('givenNames', () => {
  it('gives each descriptor its name', () => {
    expect(names('2', 'a:b')).toEqual(['a', 'b']);
    expect(names('2')).toEqual(['unknown', 'unknown']);
    expect(names('2', ':')).toEqual(['', '']);
    expect(names('0')).toEqual([]);
    expect(names('0', '')).toEqual([]);
  });

  it('gives none to a process that they are not for', () => {
    expect(names('2', 'a:b', '18')).toEqual([]);
    expect(names('2', 'a:b', '')).toEqual([]);
    expect(names('2', 'a:b', '017')).toEqual([]);
    expect(givenNames({ LISTEN_FDS: '2' }, PID)).toEqual([]);
    expect(givenNames({ LISTEN_PID: String(PID) }, PID)).toEqual([]);
  });

  it.each(['', 'x', '-1', '1.5', '65', '1e1', ' 1'])('refuses LISTEN_FDS="%s"', (count) => {
    expect(() => names(count)).toThrow(
      `Cannot use LISTEN_FDS="${count}": it is the number of sockets that the service manager passes, from 0 to 64`,
    );
  });

  it.each([
    ['1', 'a:b'],
    ['2', 'a'],
    ['2', ''],
  ])('refuses LISTEN_FDS=%s with the names "%s"', (count, list) => {
    expect(() => names(count, list)).toThrow(`Cannot use LISTEN_FDNAMES="${list}": it has`);
  });
});

describe('takeListeners', () => {
  it('names a descriptor that is not there', () => {
    const all = { LISTEN_PID: String(PID), LISTEN_FDS: '64' };
    expect(() => takeListeners(all, PID)).toThrow(
      /^Cannot take descriptor \d+ \("unknown"\) from the service manager: it is .*;/,
    );
  });
});

describe('takeVariables', () => {
  it('removes what is for one process only', () => {
    const environment = { PATH: '/bin', LISTEN_FDS: '1', LISTEN_PIDFDID: '7', NOTIFY_SOCKET: '@a' };
    expect(takeVariables(environment)).toEqual({
      ...{ LISTEN_FDS: '1', LISTEN_PIDFDID: '7', NOTIFY_SOCKET: '@a' },
    });
    expect(environment).toEqual({ PATH: '/bin' });
  });
});
