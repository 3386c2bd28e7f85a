/**
 * libuv's loop of this thread: Node's timers, sockets and promises depend on its turns. A loop of Mondo's can wait for
 * it too, because it has an epoll descriptor and a time limit, and Node exports the functions that tell both.
 */
import { functionOfProgram } from './libc.ts';
import { threadId } from './signal.ts';

type Loop = number;

export interface NodeLoop {
  /** Descriptor of libuv's own epoll: readable while Node has an event to handle. Never close it. */
  readonly fd: number;
  /** How long Node would sleep now, in whole ms; 0: it has something to do; -1: until an event comes. */
  timeout(): number;
}

/** Node's loop of this thread; undefined if this Node gives no access to it. */
export function nodeLoop(): NodeLoop | undefined {
  const backendFd = functionOfProgram<(loop: Loop) => number>('int uv_backend_fd(uintptr_t)');
  const backendTimeout = functionOfProgram<(loop: Loop) => number>(
    'int uv_backend_timeout(uintptr_t)',
  );
  const updateTime = functionOfProgram<(loop: Loop) => void>('void uv_update_time(uintptr_t)');
  const loop = loopOfThisThread();
  if (!backendFd || !backendTimeout || !updateTime || !loop) return undefined;
  const fd = backendFd(loop);
  if (fd < 0) return undefined;
  return {
    fd,
    timeout() {
      // libuv counts from the time that it read last, which may be some ms ago.
      updateTime(loop);
      return backendTimeout(loop);
    },
  };
}

function loopOfThisThread(): Loop | undefined {
  if (threadId() === process.pid) {
    return functionOfProgram<() => Loop>('uintptr_t uv_default_loop()')?.();
  }
  // Only node:ffi knows the loop of another thread.
  const ffi = withoutWarning(() => process.getBuiltinModule('node:ffi' as 'node:os')) as unknown as
    | { getCurrentEventLoop?(): bigint }
    | undefined;
  const loop = withoutWarning(() => ffi?.getCurrentEventLoop?.());
  return loop === undefined ? undefined : Number(loop);
}

/** Node warns users of node:ffi that it is experimental. A user of Mondo has not chosen it. */
function withoutWarning<T>(load: () => T): T | undefined {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}
