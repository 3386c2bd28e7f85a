/**
 * For each connection: the questions in flight (sent, no answer yet), and those that wait to be
 * sent, in order.
 */

/** A growing ring buffer of times. */
class Moments {
  #ring = new Float64Array(8);
  #from = 0;
  length = 0;

  push(moment: number): void {
    const size = this.#ring.length;
    if (this.length === size) {
      const larger = new Float64Array(2 * size);
      for (let i = 0; i < size; i++) larger[i] = this.#ring[(this.#from + i) % size]!;
      this.#ring = larger;
      this.#from = 0;
    }
    this.#ring[(this.#from + this.length++) % this.#ring.length] = moment;
  }

  shift(): number {
    const moment = this.#ring[this.#from]!;
    this.#from = (this.#from + 1) % this.#ring.length;
    this.length--;
    return moment;
  }
}

export class Flights {
  readonly #pipeline: number;
  /** For each connection, a ring of `pipeline` times. */
  readonly #due: Float64Array;
  readonly #sent: Float64Array;
  readonly #head: Int32Array;
  readonly #count: Int32Array;
  /**
   * By connection: questions to send as soon as possible. They are due at the moment when they are
   * sent.
   */
  readonly #pending: Int32Array;
  /** By connection: due times of the questions that have one. */
  readonly #queues: (Moments | undefined)[];

  /** Over all connections: questions in flight, and questions that wait to be sent. */
  flying = 0;
  waiting = 0;

  /** Times of the question that `take` removed last. */
  due = 0;
  sent = 0;

  constructor(connections: number, pipeline: number) {
    this.#pipeline = pipeline;
    this.#due = new Float64Array(connections * pipeline);
    this.#sent = new Float64Array(connections * pipeline);
    this.#head = new Int32Array(connections);
    this.#count = new Int32Array(connections);
    this.#pending = new Int32Array(connections);
    this.#queues = new Array<Moments | undefined>(connections);
  }

  /** Questions in flight on this connection. */
  flyingOn(c: number): number {
    return this.#count[c]!;
  }

  waitingOn(c: number): number {
    return this.#pending[c]! + (this.#queues[c]?.length ?? 0);
  }

  isBusy(c: number): boolean {
    return this.#count[c]! > 0 || this.waitingOn(c) > 0;
  }

  /** Adds a question to send as soon as possible. */
  want(c: number): void {
    this.#pending[c]!++;
    this.waiting++;
  }

  /** Adds a question that is due at `due`, which may be in the past. */
  queue(c: number, due: number): void {
    let queue = this.#queues[c];
    if (queue === undefined) {
      queue = new Moments();
      this.#queues[c] = queue;
    }
    queue.push(due);
    this.waiting++;
  }

  /** Moves `count` waiting questions into flight, sent at `now`. */
  launch(c: number, count: number, now: number): void {
    const queue = this.#queues[c];
    const base = c * this.#pipeline;
    const last = this.#head[c]! + this.#count[c]!;
    for (let i = last; i < last + count; i++) {
      const place = base + (i % this.#pipeline);
      this.#sent[place] = now;
      if (queue !== undefined && queue.length > 0) this.#due[place] = queue.shift();
      else {
        this.#due[place] = now;
        this.#pending[c]!--;
      }
    }
    this.#count[c]! += count;
    this.waiting -= count;
    this.flying += count;
  }

  /**
   * Corrects the sent time of the last `count` launched questions to `now`, when they really left.
   */
  stamp(c: number, count: number, now: number): void {
    const base = c * this.#pipeline;
    const last = this.#head[c]! + this.#count[c]!;
    for (let i = last - count; i < last; i++) {
      const place = base + (i % this.#pipeline);
      if (this.#due[place] === this.#sent[place]) this.#due[place] = now;
      this.#sent[place] = now;
    }
  }

  /** Removes the oldest question in flight, and sets `due` and `sent` to its times. */
  take(c: number): void {
    const place = c * this.#pipeline + this.#head[c]!;
    this.due = this.#due[place]!;
    this.sent = this.#sent[place]!;
    this.#head[c] = (this.#head[c]! + 1) % this.#pipeline;
    this.#count[c]!--;
    this.flying--;
  }

  /** When the oldest question in flight was sent; `Infinity` if there is none. */
  oldest(c: number): number {
    if (this.#count[c] === 0) return Number.POSITIVE_INFINITY;
    return this.#sent[c * this.#pipeline + this.#head[c]!]!;
  }

  /** Removes one waiting question unsent, and sets `due` to its due time, or NaN if it had none. */
  drop(c: number): void {
    const queue = this.#queues[c];
    this.waiting--;
    if (queue !== undefined && queue.length > 0) {
      this.due = queue.shift();
      return;
    }
    this.due = Number.NaN;
    this.#pending[c]!--;
  }
}
