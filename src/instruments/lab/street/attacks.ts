/** The attacks of `mondo siege` as buttons of the lab: which there are, and how one runs on a stage. */
import { architectureNames, loadArchitecture } from '../../../architectures/catalogue.ts';
import { ServeError } from '../../../host/errors.ts';
import type { Traits } from '../../../worker/contract.ts';
import { Attacker } from '../../siege/apart.ts';
import { type Attack, attackNamed, attacks } from '../../siege/attacks.ts';
import type { Running } from '../../siege/hostile.ts';
import type { Intensity } from '../../siege/intensity.ts';
import { forceOf } from '../../siege/settings.ts';
import type { AttackRecord } from '../shared/records.ts';
import type { AttackChoice } from '../shared/wire.ts';

/** Interval between reports of the intensity, in ms. */
const REPORT = 500;
/** Longest attack, in s. */
const LONGEST = 30;
/** Clients of the thread bomb here. Each costs the server a thread, which is about 12 MiB, or a process. */
const BOMB = 50;

/** Where the sentence of the siege does not fit the lab. */
const sentences: Readonly<Record<string, string>> = {
  'thread-bomb': `${BOMB} clients ask once each and stay, so the server starts a thread or process for each.`,
};

/** All attacks, in the order of `mondo siege`. */
export async function attackChoices(): Promise<AttackChoice[]> {
  const catalogue = await Promise.all(architectureNames.map(loadArchitecture));
  return attacks.map((attack) => ({
    name: attack.name,
    title: attack.title,
    sentence: sentences[attack.name] ?? attack.what,
    unfit: Object.fromEntries(
      catalogue
        .filter((traits) => !isFit(attack, traits))
        .map((traits) => [traits.name, whyUnfit(traits)]),
    ),
  }));
}

const isFit = ({ isFor }: Attack, traits: Traits): boolean => isFor === undefined || isFor(traits);

/** The only attack that does not fit all architectures is that on servers which grow with their clients. */
const whyUnfit = ({ name }: Traits): string => `${name} starts no thread or process for a client`;

/** What a server needs to be attacked like this: the most descriptors of a process, or the service that burns. */
export function needsOf(name: string): {
  readonly descriptors?: number;
  readonly burning?: boolean;
} {
  const { descriptors, service } = attackNamed(name)?.server ?? {};
  return {
    ...(descriptors === undefined ? {} : { descriptors }),
    ...(service === undefined ? {} : { burning: true }),
  };
}

/** The service that a server needs if `needsOf` says `burning`. It answers the usual questions too. */
export const burningService = (): URL => attackNamed('burn')!.server!.service!;

/** The server that is attacked. */
export interface Victim {
  readonly traits: Traits;
  /** Its port on 127.0.0.1. */
  readonly port: number;
  /** Its worker processes at the moment. */
  pids(): readonly number[];
}

/** What an attack reaches of what it intends, in %; -1: not known yet. What the server prevented counts, as in a siege. */
const reachedOf = ({ reached, prevented, wanted }: Intensity): number =>
  wanted === 0 ? -1 : Math.round((100 * (reached + prevented)) / wanted);

interface Post {
  /** Started by the first attack on the stage; its process runs one attack at a time. */
  attacker: Attacker | undefined;
  attack: string;
  running: Running | undefined;
  reporting: NodeJS.Timeout | undefined;
  ending: NodeJS.Timeout | undefined;
  reached: number;
  /** The last order: each waits for the one before. */
  last: Promise<unknown>;
}

/** Attacks on stages: one at a time on each. */
export class Assault implements AsyncDisposable {
  readonly #now: () => number;
  readonly #hear: (record: AttackRecord) => void;
  readonly #posts = new Map<number, Post>();

  /**
   * @param now ms since the recording began
   * @param hear gets what each attack reaches, every 500 ms, and its end: a record with the attack ''
   */
  constructor(now: () => number, hear: (record: AttackRecord) => void) {
    this.#now = now;
    this.#hear = hear;
  }

  /** Process ids of the attackers. */
  get pids(): readonly number[] {
    return [...this.#posts.values()].flatMap(({ attacker }) => attacker?.pid ?? []);
  }

  /**
   * Starts an attack on a stage, instead of the one that runs there. Resolves when its first wave is connected. It
   * ends by itself after at most 30 s. The server must have what `needsOf` says.
   *
   * @throws ServeError the attack does not exist, does not fit the architecture, or cannot start
   */
  async start(s: number, name: string, victim: Victim, seconds: number): Promise<void> {
    const attack = attackNamed(name);
    const { traits } = victim;
    if (attack === undefined) {
      throw new ServeError('usage', `Cannot attack: there is no attack "${name}"`);
    }
    if (!isFit(attack, traits)) {
      throw new ServeError('usage', `Cannot attack with "${attack.title}": ${whyUnfit(traits)}`);
    }
    await this.#inTurn(s, async (post) => {
      await this.#end(s, post);
      await this.#begin(s, post, attack, victim);
      post.ending = setTimeout(() => void this.stop(s), 1000 * Math.min(LONGEST, seconds));
    });
  }

  /** Ends the attack on a stage, if one runs. Resolves when all its connections are closed. */
  stop(s: number): Promise<void> {
    return this.#inTurn(s, (post) => this.#end(s, post));
  }

  /** Ends all attacks and their processes. */
  async close(): Promise<void> {
    await Promise.all([...this.#posts.keys()].map((s) => this.stop(s)));
    await Promise.all([...this.#posts.values()].map(({ attacker }) => attacker?.close()));
    this.#posts.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #begin(s: number, post: Post, attack: Attack, { traits, port, pids }: Victim) {
    post.attack = attack.name;
    post.reached = -1;
    this.#tell(s, post);
    try {
      post.attacker ??= await Attacker.start();
      const target = { port, ...forceOf(traits), bomb: BOMB, pids };
      post.running = await post.attacker.attack(attack, target);
    } catch (error) {
      await this.#giveUp(s, post);
      throw error;
    }
    this.#report(s, post);
    post.reporting = setInterval(() => this.#report(s, post), REPORT);
  }

  async #end(s: number, post: Post): Promise<void> {
    const { running } = post;
    if (running === undefined) return;
    clearInterval(post.reporting);
    clearTimeout(post.ending);
    post.running = undefined;
    post.reached = reachedOf(running.intensity());
    try {
      await running.stop();
      post.attack = '';
      this.#tell(s, post);
    } catch {
      // Its process does not obey, so it may still attack: the end of the process ends the attack.
      await this.#giveUp(s, post);
    }
  }

  async #giveUp(s: number, post: Post): Promise<void> {
    const { attacker } = post;
    post.attacker = undefined;
    await attacker?.close();
    post.attack = '';
    this.#tell(s, post);
  }

  #report(s: number, post: Post): void {
    post.reached = reachedOf(post.running!.intensity());
    this.#tell(s, post);
  }

  #tell(s: number, { attack, reached }: Post): void {
    this.#hear({ k: 'a', t: Math.round(this.#now() * 1000) / 1000, s, attack, reached });
  }

  #inTurn(s: number, act: (post: Post) => Promise<void>): Promise<void> {
    const post = this.#posts.get(s) ?? {
      attacker: undefined,
      attack: '',
      running: undefined,
      reporting: undefined,
      ending: undefined,
      reached: -1,
      last: Promise.resolve(),
    };
    this.#posts.set(s, post);
    const done = post.last.then(() => act(post));
    post.last = done.catch(() => {});
    return done;
  }
}
