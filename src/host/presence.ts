/**
 * What the outside sees of a server besides its port: its state, the lame duck before a stop, its admin listener and
 * its agent check. A server in this process has the same presence as one with a supervisor.
 */
import { agentLine, factsOf } from './admin/health.ts';
import type { Subject } from './admin/http.ts';
import type { Opened } from './admin/listener.ts';
import type { ServerState, View } from './admin/view.ts';
import { deadlineOf, type Plan } from './plan.ts';
import type { ServerEvent } from './server-event.ts';

type Deliver = ((event: ServerEvent) => void) | undefined;

/** In ms. */
export type StopTimes = Pick<Plan, 'drain' | 'lameDuck'>;

export class Presence implements Subject {
  readonly #deliver: Deliver;
  #state: ServerState = 'starting';
  #view: () => View | undefined = () => undefined;
  #times: () => StopTimes;
  readonly #opened: { readonly what: 'admin' | 'agent-check'; readonly listener: Opened }[] = [];
  /** Ends the lame duck. */
  #endLameDuck: () => void = () => {};
  #lame: Promise<void> | undefined;

  /** Opens the admin listener and the agent check, if the plan has them. @throws ServeError */
  static async open(plan: Plan, deliver: Deliver): Promise<Presence> {
    const presence = new Presence(deliver, plan);
    try {
      await presence.#open(plan);
    } catch (error) {
      await presence.abandon();
      throw error;
    }
    return presence;
  }

  private constructor(deliver: Deliver, times: StopTimes) {
    this.#deliver = deliver;
    this.#times = () => times;
  }

  get state(): ServerState {
    return this.#state;
  }

  get view(): View | undefined {
    return this.#view();
  }

  /** Where the admin listener or the agent check is, as text; undefined if there is none. */
  where(what: 'admin' | 'agent-check'): string | undefined {
    return this.#opened.find((one) => one.what === what)?.listener.where;
  }

  /**
   * The server serves.
   *
   * @param view reads it, now and after its end
   * @param times of a stop; default: those of the plan. A restart may change them
   */
  serves(view: () => View, times = this.#times): void {
    this.#view = view;
    this.#times = times;
    this.#state = 'ready';
    for (const { what, listener } of this.#opened) {
      this.#deliver?.({ type: 'opened', what, address: listener.where, at: Date.now() });
    }
  }

  /**
   * Stops the server, after the lame duck unless there is a deadline. A second call ends the lame duck.
   *
   * @param options as for `Server.close`
   * @param stop stops the server, with a drain in ms; may be called again, with a shorter one
   * @throws ServeError if the deadline is not a number that `close` takes
   */
  async close(
    options: { readonly deadline?: number } | undefined,
    stop: (drain: number) => Promise<void>,
  ): Promise<void> {
    const { drain, lameDuck } = this.#timesOf(options);
    const isFirst = this.#state === 'ready';
    if (isFirst && lameDuck > 0) {
      this.#lame = this.#beLame(lameDuck);
    } else {
      this.#endLameDuck();
    }
    await this.#lame;
    if (this.#state !== 'stopped') this.#state = 'draining';
    await stop(drain);
    this.#state = 'stopped';
    await this.abandon();
  }

  /** The longest time that `close` takes with these options, in ms. @throws ServeError as `close` */
  longestStop(options: { readonly deadline?: number } | undefined): number {
    const { drain, lameDuck } = this.#timesOf(options);
    return drain + lameDuck;
  }

  /** A deadline leaves no time for a lame duck. */
  #timesOf(options: { readonly deadline?: number } | undefined): StopTimes {
    const { drain, lameDuck } = this.#times();
    return {
      drain: deadlineOf(options, drain),
      lameDuck: options?.deadline === undefined ? lameDuck : 0,
    };
  }

  /** Closes its listeners. */
  async abandon(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map(({ listener }) => listener.close()));
  }

  #beLame(ms: number): Promise<void> {
    this.#state = 'lame';
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#endLameDuck = () => {
      clearTimeout(timer);
      resolve();
    };
    this.#deliver?.({ type: 'lame', ms, at: Date.now() });
    return promise;
  }

  async #open({ admin, adminAnywhere, agentCheck }: Plan): Promise<void> {
    if (admin !== undefined) {
      // Node's HTTP and prom-client load only for a server that needs them.
      const [{ openAdmin }, { metricsOf }] = await Promise.all([
        import('./admin/http.ts'),
        import('./metrics.ts'),
      ]);
      const listener = await openAdmin(admin, adminAnywhere, this, metricsOf(this));
      this.#opened.push({ what: 'admin', listener });
    }
    if (agentCheck !== undefined) {
      const { openAgent } = await import('./admin/agent.ts');
      const line = () => agentLine(this.#state, factsOf(this.#view()));
      this.#opened.push({ what: 'agent-check', listener: await openAgent(agentCheck, line) });
    }
  }
}
