import { describe, expect, test } from 'vitest';
import { neverLeaves } from '../../lifecycle/drain.ts';
import { pause } from '../../os/pause.ts';
import { READABLE, type Selector, WRITABLE } from '../../os/readiness.ts';
import { unreadRow } from '../../worker/scoreboard.ts';
import { type Coroutine, readable, Scheduler, sleep, stopped, writable } from './scheduler.ts';

/** Tells what a test put into `ready`, and notes what was asked of it. */
class ScriptedSelector implements Selector {
  readonly calls: string[] = [];
  readonly ready: [fd: number, events: number][] = [];
  refused = -1;
  events = 0;
  /** False once the server is to stop: a signal would end the wait at once. */
  readonly #tick: () => boolean;

  constructor(tick: () => boolean) {
    this.#tick = tick;
  }

  register(fd: number, interest: number): void {
    if (fd === this.refused) throw new Error(`cannot register ${fd}`);
    this.calls.push(`register ${fd} ${interest}`);
  }

  modify(fd: number, interest: number): void {
    this.calls.push(`modify ${fd} ${interest}`);
  }

  unregister(fd: number): void {
    this.calls.push(`unregister ${fd}`);
  }

  wait(timeout: number): number {
    if (this.#tick() && this.ready.length === 0 && timeout > 0) pause(timeout);
    return this.ready.length;
  }

  take(): number {
    const [fd, events] = this.ready.shift() ?? [-1, 0];
    this.events = events;
    return fd;
  }

  close(): void {}
}

/** A scheduler whose n-th wait runs the n-th of `ticks` first, and which stops after the last. */
function scripted(...ticks: (() => void)[]) {
  const worker = { stopping: false, row: unreadRow(), departure: neverLeaves() };
  const selector = new ScriptedSelector(() => {
    ticks.shift()?.();
    if (ticks.length === 0) worker.stopping = true;
    return !worker.stopping;
  });
  return { selector, scheduler: new Scheduler(selector, worker), worker };
}

describe('Scheduler', () => {
  test('sends into a coroutine what its descriptor is ready for', () => {
    const got: number[] = [];
    const { selector, scheduler } = scripted(
      () => selector.ready.push([7, READABLE]),
      () => selector.ready.push([7, WRITABLE]),
    );
    scheduler.start(
      (function* (): Coroutine {
        got.push(yield readable(7));
        got.push(yield writable(7));
      })(),
    );
    scheduler.run();
    expect(got).toEqual([READABLE, WRITABLE]);
    expect(selector.calls).toEqual(['register 7 1', 'modify 7 4']);
  });

  test('asks the selector for nothing when the wait is the same as before', () => {
    const { selector, scheduler } = scripted(
      () => selector.ready.push([7, READABLE]),
      () => selector.ready.push([7, READABLE]),
    );
    scheduler.start(
      (function* (): Coroutine {
        for (;;) yield readable(7);
      })(),
    );
    scheduler.run();
    expect(selector.calls).toEqual(['register 7 1']);
  });

  test('runs a part of a coroutine through yield* and gives back its result', () => {
    const steps: string[] = [];
    function* inner(): Coroutine<string> {
      yield readable(7);
      yield readable(7);
      return 'whole';
    }
    const { selector, scheduler } = scripted(
      () => selector.ready.push([7, READABLE]),
      () => steps.push('half') && selector.ready.push([7, READABLE]),
    );
    scheduler.start(
      (function* (): Coroutine {
        steps.push(yield* inner());
      })(),
    );
    scheduler.run();
    expect(steps).toEqual(['half', 'whole']);
  });

  test('throws a failed system call into the coroutine, where it yielded', () => {
    const { selector, scheduler } = scripted(() => undefined);
    selector.refused = 7;
    let caught: unknown;
    scheduler.start(
      (function* (): Coroutine {
        try {
          yield readable(7);
        } catch (error) {
          caught = error;
        }
        yield readable(8);
      })(),
    );
    expect(caught).toEqual(new Error('cannot register 7'));
    expect(selector.calls).toEqual(['register 8 1']);
  });

  test('lets an error that a coroutine does not catch end the run', () => {
    const { selector, scheduler } = scripted(() => selector.ready.push([7, READABLE]));
    scheduler.start(
      (function* (): Coroutine {
        yield readable(7);
        throw new Error('a bug');
      })(),
    );
    expect(() => scheduler.run()).toThrow('a bug');
  });

  test('wakes sleepers in the order of their time', () => {
    const woken: number[] = [];
    const { scheduler, worker } = scripted(...Array.from({ length: 1000 }, () => () => {}));
    function* sleeper(ms: number): Coroutine {
      yield sleep(ms);
      woken.push(ms);
      worker.stopping = woken.length === 3;
    }
    for (const ms of [12, 3, 7]) scheduler.start(sleeper(ms));
    const began = performance.now();
    scheduler.run();
    expect(woken).toEqual([3, 7, 12]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(12);
  });

  test('silences a descriptor whose coroutine sleeps, and registers it when it waits again', () => {
    const { selector, scheduler, worker } = scripted(
      () => selector.ready.push([7, READABLE]),
      () => selector.ready.push([7, READABLE]),
      ...Array.from({ length: 1000 }, () => () => {}),
    );
    scheduler.start(
      (function* (): Coroutine {
        yield readable(7);
        yield sleep(1);
        worker.stopping = true;
        yield readable(7);
      })(),
    );
    scheduler.run();
    expect(selector.calls).toEqual(['register 7 1', 'unregister 7', 'register 7 1']);
  });

  test('throws the stop into all that wait, readers and sleepers', () => {
    const ends: unknown[] = [];
    const { scheduler } = scripted(() => undefined);
    function* waiting(wait: number): Coroutine {
      try {
        yield wait;
      } catch (error) {
        ends.push(error);
        throw error;
      }
    }
    for (const wait of [readable(7), writable(8), sleep(60_000)]) scheduler.start(waiting(wait));
    scheduler.run();
    expect(ends).toEqual([stopped, stopped, stopped]);
  });

  test('forget() unregisters once, so that the number may be used again', () => {
    const { selector, scheduler } = scripted(() => selector.ready.push([7, READABLE]));
    function* once(): Coroutine {
      yield readable(7);
      scheduler.forget(7);
      scheduler.forget(7);
    }
    scheduler.start(once());
    scheduler.run();
    scheduler.start(once());
    expect(selector.calls).toEqual(['register 7 1', 'unregister 7', 'register 7 1']);
  });
});
