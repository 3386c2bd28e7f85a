/**
 * What the hub, its page, and its processes say to each other, apart from the records of records.ts. No Node and no
 * DOM in here.
 */

import type { LimitName, Plan, StagePlan } from './plan.ts';

/**
 * What a page asks of the hub: one JSON object a message. `s` is the index of a stage, or -1 for all. There is no
 * host, no path, no module and no shell text in any command.
 */
export type Command =
  /** All stages start again, with this plan: a scene, a link, or what the controls say. */
  | { readonly do: 'plan'; readonly plan: Plan; readonly scene: string }
  /** The same plan from its start. */
  | { readonly do: 'again' }
  /** Another architecture in one column; its clients come again from their start. */
  | { readonly do: 'swap'; readonly s: number; readonly stage: StagePlan }
  /** Limits change at a restart: the listener stays, and no client is lost. 0: the limit is off. */
  | {
      readonly do: 'limit';
      readonly s: number;
      readonly name: LimitName;
      readonly value: number;
    }
  | { readonly do: 'dry-run'; readonly s: number; readonly on: boolean }
  /** The name of an attack of `mondo siege`. */
  | { readonly do: 'attack'; readonly s: number; readonly attack: string; readonly seconds: number }
  | { readonly do: 'calm'; readonly s: number }
  /** The honest client that comes every 250 ms. */
  | { readonly do: 'probe'; readonly s: number; readonly on: boolean }
  | { readonly do: 'restart'; readonly s: number }
  /** Stops the server with a drain; `again` starts it. */
  | { readonly do: 'stop'; readonly s: number }
  /** Signals to one worker process, which must be one of the stage's own. */
  | {
      readonly do: 'signal';
      readonly s: number;
      readonly pid: number;
      readonly signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT';
    }
  /** One more silent client, as `nc` would be; and all of these leave. */
  | { readonly do: 'nc'; readonly s: number }
  | { readonly do: 'release'; readonly s: number }
  /** The lines of code of a stage are traced, or no longer: the stage starts again. */
  | { readonly do: 'trace'; readonly s: number; readonly on: boolean }
  /** This viewer steers from now on. */
  | { readonly do: 'take-over' };

/**
 * The page asks for this protocol and for a second one, by which it may come in: `t.` and the token of the launch,
 * or `o.` and a code that works once. The hub answers with this one, so that it sends no token back.
 */
export const PROTOCOL = 'mondo-lab';

/** The hub closes a connection with these codes; with others, it has ended. */
export const CLOSED = { full: 4001, tooQuick: 4002, wrong: 4003, slow: 4004 } as const;

/** An attack that a page can show as a button. */
export interface AttackChoice {
  readonly name: string;
  readonly title: string;
  /** What it does, in one sentence. */
  readonly sentence: string;
  /** For each architecture that it does not fit: why. */
  readonly unfit: Readonly<Record<string, string>>;
}

/** The first message to a viewer, and again when it changes. A recording does not have it. */
export interface WelcomeRecord {
  readonly k: 'y';
  /** Whether this viewer's commands are obeyed. */
  readonly steers: boolean;
  readonly viewers: number;
  readonly architectures: readonly {
    readonly name: string;
    readonly title: string;
    /** Why it cannot run here; '': it can. */
    readonly missing: string;
    /** Sizes that a viewer may set. */
    readonly takes: readonly ('threads' | 'processes' | 'queue')[];
  }[];
  readonly attacks: readonly AttackChoice[];
  /** It plays a recording: of all commands, only `again` and `take-over` are obeyed. */
  readonly isReplay: boolean;
  /** The token of the launch, for a page that came in with a code: it must keep it to come in again. */
  readonly token?: string;
}

/** What became of a command, or a fault of the lab: a line for the viewer. */
export interface NoteRecord {
  readonly k: 'n';
  readonly isFault: boolean;
  readonly text: string;
}

/** Clients of the cast have these ids; see `cast.ts`. The probe and all others have ids from these on. */
export const FIRST_NC = 10_001;
export const FIRST_PROBE = 20_001;
export const FIRST_STRANGER = 100_001;

/** Clients of one stage with an address of their own. */
const CAST = 2000;

/** The loopback address that client `id` of stage `s` binds: the journal and the kernel then name the client. */
export function addressOf(s: number, id: number): string {
  const index = id >= FIRST_NC ? CAST + (id - FIRST_NC) : id - 1;
  return `127.2.${s * 16 + Math.floor(index / 200)}.${1 + (index % 200)}`;
}

/** The client of stage `s` at this address; undefined: a stranger. */
export function clientAt(s: number, address: string): number | undefined {
  const [net, area, third, last] = address.split('.').map(Number);
  if (net !== 127 || area !== 2 || third === undefined || last === undefined) return;
  const block = third - s * 16;
  if (block < 0 || block > 15 || last < 1 || last > 200) return;
  const index = block * 200 + last - 1;
  return index < CAST ? index + 1 : FIRST_NC + (index - CAST);
}
