/** The only list of architectures. Each page is loaded when needed: a thread starts faster without the others. */
import type { Architecture } from '../worker/contract.ts';

const pages = {
  single: async () => (await import('./single.ts')).single,
  threaded: async () => (await import('./threaded.ts')).threaded,
  queued: async () => (await import('./queued.ts')).queued,
  prefork: async () => (await import('./prefork.ts')).prefork,
  socketserver: async () => (await import('./socketserver.ts')).socketserver,
  select: async () => (await import('./select.ts')).select,
  poll: async () => (await import('./poll.ts')).poll,
  epoll: async () => (await import('./epoll.ts')).epoll,
  uring: async () => (await import('./uring.ts')).uring,
  callback: async () => (await import('./callback.ts')).callback,
  coroutine: async () => (await import('./coroutine.ts')).coroutine,
  generator: async () => (await import('./generator.ts')).generator,
  asyncore: async () => (await import('./asyncore.ts')).asyncore,
  inetd: async () => (await import('./inetd.ts')).inetd,
} satisfies Record<string, () => Promise<Architecture>>;

/**
 * The name of an architecture; see `mondo architectures`.
 *
 * @example
 * ```ts
 * import { type ArchitectureName, serve } from 'mondo';
 *
 * const loops: readonly ArchitectureName[] = ['poll', 'epoll', 'uring'];
 * for (const architecture of loops) {
 *   const server = await serve({ architecture, port: 0 });
 *   await server.close();
 * }
 * ```
 */
export type ArchitectureName = keyof typeof pages;

export const architectureNames = Object.keys(pages) as ArchitectureName[];

export const isArchitectureName = (name: string): name is ArchitectureName =>
  Object.hasOwn(pages, name);

export const loadArchitecture = (name: ArchitectureName): Promise<Architecture> => pages[name]();
