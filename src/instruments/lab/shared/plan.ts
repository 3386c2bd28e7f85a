/** What a lab is started with: its servers, and the clients that come to them. No Node and no DOM in here. */

/** The clients that come to each stage. Times in ms. `cast.ts` makes the clients of it. */
export interface Mix {
  /** Number of clients; the others below are among them. */
  readonly clients: number;
  /** Connect and send nothing. */
  readonly silent: number;
  /** Send their questions a few bytes at a time. */
  readonly slow: number;
  /** Close inside a question, and come again. */
  readonly leaving: number;
  /** Send all their questions at once. */
  readonly pipelining: number;
  /** Mean pause before a question. */
  readonly pause: number;
  /** Questions before a client leaves, and comes again; 0: it stays. */
  readonly questions: number;
}

export interface StagePlan {
  readonly architecture: string;
  readonly threads?: number;
  readonly processes?: number;
  readonly queue?: number;
  readonly backlog?: number;
  /** `socketserver`: most threads at once. */
  readonly 'max-threads'?: number;
  /** `inetd`: 1: one process accepts all clients (`--inetd wait`). */
  readonly wait?: number;
}

/** Numbers of a stage's plan, by the names of their options. */
export const sizes = ['threads', 'processes', 'queue', 'backlog', 'max-threads', 'wait'] as const;

/** What a stage must be started with; `Setup` of a recording says what it was started with. */
export interface Plan {
  readonly title: string;
  readonly seed: number;
  readonly mix: Mix;
  readonly stages: readonly StagePlan[];
  /** What an answer costs, in ms. */
  readonly think: number;
  readonly thinking: 'block' | 'defer';
  /** Limits that are set. Times in s. */
  readonly limits: Readonly<Partial<Record<LimitName, number>>>;
  /** The server only reports what the limits would end. */
  readonly dryRun: boolean;
}

/** Limits that a viewer can set, by the names of their options. */
export const LIMITS = [
  'idle',
  'question-time',
  'answer-time',
  'connections-per-address',
  'accepts-per-second',
  'question-size',
] as const;
export type LimitName = (typeof LIMITS)[number];
