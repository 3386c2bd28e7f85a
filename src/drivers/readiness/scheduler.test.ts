import { describe, expect, test } from 'vitest';
import { scriptedClients } from '../../../test/support/scripted-clients.ts';
import type { Clients } from '../../lifecycle/clients.ts';
import { IDLE } from '../../lifecycle/phase.ts';
import { pause } from '../../os/pause.ts';
import { READABLE, type Selector, WRITABLE } from '../../os/readiness.ts';
import { causeOf, Ended } from '../ended.ts';
import { type Coroutine, type Held, readable, Scheduler, sleep, writable } from './scheduler.ts';

/** Reports the events that a test put into `ready`, and notes the calls. */
class ScriptedSelector implements Selector {
  readonly calls: string[] = [];
  readonly ready: [fd: number, events: number][] = [];
  refused = -1;
  events = 0;
  /** False once the server must stop: a signal would end the wait at once. */
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

  next(): number {
    const [fd, events] = this.ready.shift() ?? [-1, 0];
    this.events = events;
    return fd;
  }

  close(): void {}
}

const quiet = { awaits: false, journal: { on: false, record() {} } };

/** A scheduler whose n-th wait runs the n-th of `ticks` first, and whose worker stops after the last. */
function scripted(...ticks: (() => void)[]) {
  const { clients, orders, row } = scriptedClients();
  const stop = () => {
    orders.order = 'stop';
  };
  const selector = new ScriptedSelector(() => {
    ticks.shift()?.();
    if (ticks.length === 0) stop();
    return orders.order === 'serve';
  });
  return {
    selector,
    scheduler: new Scheduler(selector, { clients, row, ...quiet }),
    clients,
    orders,
    stop,
  };
}

describe('Scheduler', () => {
  test('sends the readiness of its descriptor into a coroutine', async () => {
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
    await scheduler.run();
    expect(got).toEqual([READABLE, WRITABLE]);
    expect(selector.calls).toEqual(['register 7 1', 'modify 7 4']);
  });

  test('does not call the selector when the wait is the same as before', async () => {
    const { selector, scheduler } = scripted(
      () => selector.ready.push([7, READABLE]),
      () => selector.ready.push([7, READABLE]),
    );
    scheduler.start(
      (function* (): Coroutine {
        for (;;) yield readable(7);
      })(),
    );
    await scheduler.run();
    expect(selector.calls).toEqual(['register 7 1']);
  });

  test('runs a part of a coroutine through yield* and returns its result', async () => {
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
    await scheduler.run();
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

  test('lets an error that a coroutine does not catch end the run', async () => {
    const { selector, scheduler } = scripted(() => selector.ready.push([7, READABLE]));
    scheduler.start(
      (function* (): Coroutine {
        yield readable(7);
        throw new Error('a bug');
      })(),
    );
    await expect(scheduler.run()).rejects.toThrow('a bug');
  });

  test('wakes sleepers in the order of their time', async () => {
    const woken: number[] = [];
    const { scheduler, stop } = scripted(...Array.from({ length: 1000 }, () => () => {}));
    function* sleeper(ms: number): Coroutine {
      yield sleep(ms);
      woken.push(ms);
      if (woken.length === 3) stop();
    }
    for (const ms of [12, 3, 7]) scheduler.start(sleeper(ms));
    const began = performance.now();
    await scheduler.run();
    expect(woken).toEqual([3, 7, 12]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(12);
  });

  test('unregisters a descriptor whose coroutine sleeps, and registers it when the coroutine waits again', async () => {
    const { selector, scheduler, stop } = scripted(
      () => selector.ready.push([7, READABLE]),
      () => selector.ready.push([7, READABLE]),
      ...Array.from({ length: 1000 }, () => () => {}),
    );
    scheduler.start(
      (function* (): Coroutine {
        yield readable(7);
        yield sleep(1);
        stop();
        yield readable(7);
      })(),
    );
    await scheduler.run();
    expect(selector.calls).toEqual(['register 7 1', 'unregister 7', 'register 7 1']);
  });

  test('throws the stop into all coroutines that wait, readers and sleepers', async () => {
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
    await scheduler.run();
    expect(ends).toHaveLength(3);
    for (const end of ends) expect(end).toMatchObject({ cause: 'stop' });
  });

  /** A connection whose coroutine receives the bytes of the test, and ends as `CoroutineClient` does. */
  function connection(clients: Clients) {
    const ends: unknown[] = [];
    let causeIfNothing: 'stop' | 'restart' | undefined;
    const inbox: string[] = [];
    const got: string[] = [];
    const limits: string[] = [];
    const held: Held = {
      phase: IDLE,
      endIfNothing(cause) {
        causeIfNothing = cause;
      },
      endAfterAnswer: (limit) => void limits.push(limit),
    };
    function* converse(): Coroutine {
      try {
        for (;;) {
          yield readable(7);
          const text = inbox.shift();
          if (text !== undefined) got.push(text);
          else if (causeIfNothing !== undefined) throw new Ended(causeIfNothing);
        }
      } catch (reason) {
        ends.push(causeOf(reason));
        clients.gone(7, IDLE, undefined, { cause: causeOf(reason) });
      }
    }
    clients.come(7, 7, 'peer');
    return { held, inbox, got, ends, converse };
  }

  test('lets a coroutine receive once more after a stop before it ends', async () => {
    const { clients, scheduler, orders } = scripted(
      () => undefined,
      () => undefined,
      () => undefined,
    );
    const { held, inbox, got, ends, converse } = connection(clients);
    scheduler.hold(7, held);
    inbox.push('asked before the stop');
    scheduler.start(converse());
    orders.order = 'stop';
    orders.left = 60_000;
    await scheduler.run();
    expect(got).toEqual(['asked before the stop']);
    expect(ends).toEqual(['stop']);
  });

  test('throws a limit that is reached into the coroutine', async () => {
    const { clients, orders, row } = scriptedClients({ idle: 40 });
    const selector = new ScriptedSelector(() => true);
    const scheduler = new Scheduler(selector, { clients, row, ...quiet });
    const { held, ends, converse } = connection(clients);
    scheduler.hold(7, held);
    scheduler.start(
      (function* (): Coroutine {
        yield* converse();
        orders.order = 'stop';
      })(),
    );
    await scheduler.run();
    expect(ends).toMatchObject([{ limit: 'idle' }]);
  });

  test('forget() unregisters once, so that the number may be used again', async () => {
    const { selector, scheduler } = scripted(() => selector.ready.push([7, READABLE]));
    function* once(): Coroutine {
      yield readable(7);
      scheduler.forget(7);
      scheduler.forget(7);
    }
    scheduler.start(once());
    await scheduler.run();
    scheduler.start(once());
    expect(selector.calls).toEqual(['register 7 1', 'unregister 7', 'register 7 1']);
  });
});
