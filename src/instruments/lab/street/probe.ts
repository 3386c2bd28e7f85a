/** The honest client of the lab: it comes again and again, and says whether the server still answers. */
import { type Outcome, probe } from '../../siege/probe.ts';
import { PROBE_INTERVAL, RECOVERY_TIMEOUT, recoveredAt, type Try } from '../../siege/recovery.ts';
import { PROBE } from '../shared/records.ts';

/** Interval between probes, in ms, while no recovery is measured. */
const INTERVAL = 250;
/** Most tries that are kept while a recovery takes long. */
const MOST_TRIES = 64;

type Ask = (port: number) => Promise<Outcome>;

export class StreetProbe {
  readonly #now: () => number;
  readonly #ask: Ask;
  /** undefined: the stage has no server at the moment. */
  #port: number | undefined;
  #isOn = false;
  #due = 0;
  #light: number = PROBE.off;
  /**
   * Number of the latest probe that has an outcome. An older one that is late does not change the light, nor does one
   * that was sent before a switch, or to another server.
   */
  #latest = 0;
  #asked = 0;
  #waiting = 0;
  #answered = 0;
  /** When the watched recovery began; undefined: none is watched. */
  #watchedFrom: number | undefined;
  #tries: Try[] = [];
  #recovery = -1;
  #sent = 0;
  #hasChanged = false;

  /** @param ask one honest client; tests replace it */
  constructor(now: () => number, ask: Ask = probe) {
    this.#now = now;
    this.#ask = ask;
  }

  /** Whether a probe waits for an answer. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  /** Its server is at this port from now on; undefined: it has none. */
  aim(port: number | undefined): void {
    this.#port = port;
    this.#due = this.#now();
    this.#answered = this.#now();
    this.#latest = this.#asked;
    this.#watchedFrom = undefined;
    this.#show(PROBE.off, -1);
  }

  turn(on: boolean): void {
    this.#isOn = on;
    this.#due = this.#now();
    this.#answered = this.#now();
    this.#latest = this.#asked;
    if (!on) this.#watchedFrom = undefined;
    this.#show(PROBE.off, -1);
  }

  /** An attack has ended: starts the stopwatch, if the probe is on. */
  watch(): void {
    if (!this.#isOn) return;
    this.#watchedFrom = this.#now();
    this.#tries = [];
    this.#due = this.#watchedFrom;
    this.#show(this.#light, -1);
  }

  /**
   * Sends a probe if it is time for one. While a recovery is measured, they come as often as a siege's; else at most
   * one waits, so that they do not fill the queue of a server that does not answer.
   */
  look(): void {
    const now = this.#now();
    if (!this.#isOn || this.#port === undefined || now < this.#due) return;
    const isClose = this.#watchedFrom !== undefined && now - this.#watchedFrom < RECOVERY_TIMEOUT;
    this.#due = now + (isClose ? PROBE_INTERVAL : INTERVAL);
    if (isClose || this.#waiting === 0) void this.#send(this.#port);
  }

  /** `FrameRecord.p`, if it has changed or is old. */
  columns(): readonly number[] | undefined {
    const now = this.#now();
    const isOld = this.#isOn && this.#port !== undefined && now - this.#sent >= INTERVAL;
    if (!this.#hasChanged && !isOld) return undefined;
    this.#hasChanged = false;
    this.#sent = now;
    const since = this.#isOn ? Math.round(now - this.#answered) : 0;
    return [this.#light, since, this.#recovery];
  }

  async #send(port: number): Promise<void> {
    const number = ++this.#asked;
    const one: Try = {};
    if (this.#watchedFrom !== undefined) this.#tries.push(one);
    this.#waiting++;
    one.outcome = await this.#ask(port);
    one.done = this.#now();
    this.#waiting--;
    if (number > this.#latest) {
      this.#latest = number;
      const isAnswered = one.outcome === 'answered';
      if (isAnswered) this.#answered = one.done;
      this.#show(isAnswered ? PROBE.green : PROBE.red, this.#recovery);
    }
    this.#stop();
  }

  /** Stops the stopwatch if the server has recovered. */
  #stop(): void {
    if (this.#watchedFrom === undefined) return;
    const at = recoveredAt(this.#tries);
    if (at !== undefined) {
      this.#show(this.#light, Math.round(at - this.#watchedFrom));
      this.#watchedFrom = undefined;
    } else if (this.#tries.length > MOST_TRIES) this.#tries.shift();
  }

  #show(light: number, recovery: number): void {
    this.#hasChanged ||= light !== this.#light || recovery !== this.#recovery;
    this.#light = light;
    this.#recovery = recovery;
  }
}
