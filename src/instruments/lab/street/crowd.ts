/** All clients of one stage. */
import { cast, type Person } from '../shared/cast.ts';
import type { Mix } from '../shared/plan.ts';
import { MOST } from '../shared/records.ts';
import { FIRST_NC } from '../shared/wire.ts';
import { Client, type Place } from './client.ts';

/** Most silent clients that a viewer may add. */
const MOST_NC = 1000;

export class Crowd {
  readonly #place: Place;
  readonly #clients: readonly { readonly client: Client; readonly arrives: number }[];
  /** Silent clients that a viewer added, by id. */
  readonly #added = new Map<number, Client>();
  #next = 0;

  /** @param begins when the scene begins, in ms since the recording began */
  constructor(place: Place, { seed, mix }: { seed: number; mix: Mix }, begins: number) {
    this.#place = place;
    this.#clients = cast(seed, mix)
      .slice(0, MOST.clients)
      .map((person) => ({ client: new Client(place, person), arrives: person.arrives }));
    this.come(begins);
  }

  /** The port of its server. */
  get port(): number {
    return this.#place.port;
  }

  /** The clients of the scene come, each at its time. They must not be there already. */
  come(begins: number): void {
    for (const { client, arrives } of this.#clients) client.arrive(begins + arrives);
  }

  /**
   * One more silent client comes, and does not come again. Its id was not used for as long as possible, because the
   * server may tell the end of a visit late.
   */
  add(): void {
    if (this.#added.size === MOST_NC) return;
    let id: number;
    do id = FIRST_NC + (this.#next++ % MOST_NC);
    while (this.#added.has(id));
    const person: Person = { id, temper: 'silent', arrives: 0, questions: 0, seed: id };
    const client = new Client(this.#place, person, () => this.#added.delete(id));
    this.#added.set(id, client);
    client.arrive(this.#place.now());
  }

  /** The added clients leave. */
  release(): void {
    for (const client of this.#added.values()) client.leave();
    this.#added.clear();
  }

  /** All clients leave, and none comes again before `come`. */
  leave(): void {
    for (const { client } of this.#clients) client.leave();
    this.release();
  }

  /** All connections are closed, and tell nothing. */
  vanish(): void {
    for (const { client } of this.#clients) client.vanish();
    for (const client of this.#added.values()) client.vanish();
    this.#added.clear();
  }
}
