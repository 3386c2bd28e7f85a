import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { coresOf, keepTo } from './affinity.ts';
import { SystemError } from './libc.ts';

describe('affinity', () => {
  it('restricts this thread and its children to some processors, and undoes that', () => {
    const all = coresOf();
    expect(all.length).toBeGreaterThan(0);
    const last = all.at(-1)!;
    try {
      keepTo([last]);
      expect(coresOf()).toEqual([last]);
      const { stdout } = spawnSync('cat', ['/proc/self/status'], { encoding: 'utf8' });
      expect(stdout).toMatch(new RegExp(`^Cpus_allowed_list:\\s+${last}$`, 'm'));
    } finally {
      keepTo(all);
    }
    expect(coresOf()).toEqual(all);
  });

  it('names the processors that do not exist', () => {
    expect(() => keepTo([8000])).toThrow(SystemError);
    expect(() => keepTo([8000])).toThrow('sched_setaffinity: EINVAL (cores 8000)');
  });
});
