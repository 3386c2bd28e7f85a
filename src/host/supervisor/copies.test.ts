import { expect, it } from 'vitest';
import { loadArchitecture } from '../../architectures/catalogue.ts';
import { planOf, type ServeOptions } from '../plan.ts';
import { copiesText } from './copies.ts';

it.each<[ServeOptions, string | undefined]>([
  [{ architecture: 'single' }, undefined],
  [{ architecture: 'epoll' }, undefined],
  [{ architecture: 'threaded' }, '4 threads'],
  [{ architecture: 'threaded', threads: 1 }, undefined],
  [{ architecture: 'threaded', threads: 2, processes: 3 }, '3 processes with 2 threads each'],
  [{ architecture: 'prefork' }, '4 processes'],
  [{ architecture: 'queued' }, '4 threads'],
  [{ architecture: 'queued', threads: 1 }, undefined],
  [{ architecture: 'socketserver' }, 'Threads for clients'],
  [{ architecture: 'socketserver', mixin: 'forking' }, 'Processes for clients'],
  [{ architecture: 'inetd' }, 'Processes for clients'],
  [{ architecture: 'inetd', inetd: 'wait' }, 'Processes for clients'],
])('%j: %s', async (options, copies) => {
  const traits = await loadArchitecture(options.architecture as 'single');
  const text = copiesText(planOf(traits, options), 'file:///a/counter.ts');
  const start = `${copies}, each with its own copy of the module /a/counter.ts: `;
  expect(text?.slice(0, start.length)).toBe(copies === undefined ? undefined : start);
});
