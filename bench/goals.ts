// The goals of Mondo's architectures, as ratios to another contestant in the same run. They are data, so that
// every run of the bench reports which goals are reached.

import { reference } from './contestants.ts';

/**
 * The figures that a goal can be set on. Unless they say otherwise they are ratios to `against`.
 */
export type Figure =
  | 'cpu'
  | 'rate'
  | 'p99'
  /** Microseconds in user space per question. */
  | 'user'
  /** KiB per idle connection. */
  | 'memory'
  /** Questions per second among idle connections, against the same server without them. */
  | 'kept'
  /** Seconds from launch to the first answer. */
  | 'startup';

export interface Goal {
  contestant: string;
  scenario: string;
  figure: Figure;
  against: string;
  reach: number;
  beyond?: number;
}

function goal(
  contestant: string,
  scenario: string,
  figure: Figure,
  reach: number,
  beyond?: number,
  against = reference,
): Goal {
  const set = { contestant, scenario, figure, against, reach };
  return beyond === undefined ? set : { ...set, beyond };
}

export const goals: readonly Goal[] = [
  goal('mondo-uring', 'many', 'cpu', 0.95, 0.85),
  goal('mondo-uring', 'crowd', 'cpu', 1.0, 0.85),
  goal('mondo-uring', 'deep', 'cpu', 1.15, 0.95),
  goal('mondo-uring', 'churn', 'cpu', 1.0, 0.9),
  goal('mondo-epoll', 'many', 'cpu', 1.15, 1.0),
  goal('mondo-epoll', 'crowd', 'cpu', 1.2, 1.05),
  goal('mondo-epoll', 'deep', 'cpu', 1.3, 1.1),
  goal('mondo-poll', 'many', 'cpu', 1.35, 1.2),
  goal('mondo-generator', 'many', 'cpu', 1.4, 1.2),
  goal('mondo-callback', 'many', 'cpu', 1.05, 0.9, 'node-net'),
  goal('mondo-threaded', 'four', 'cpu', 1.3, 1.1, 'c-threads'),
  goal('mondo-uring', 'many', 'rate', 1.05, 1.15),
  goal('mondo-uring', 'crowd', 'rate', 1.0, 1.15),
  goal('mondo-uring', 'many', 'p99', 1.0, 0.8),
  goal('mondo-uring', 'many', 'user', 0.7),
  goal('mondo-epoll', 'many', 'user', 1.5),
  goal('mondo-uring', 'idle', 'memory', 0.3, 0.1),
  goal('mondo-epoll', 'idle', 'memory', 0.3, 0.1),
  goal('mondo-uring', 'idle', 'kept', 0.9, 1.0),
  goal('mondo-epoll', 'idle', 'kept', 0.9, 1.0),
  goal('mondo-uring', 'startup', 'startup', 0.25, 0.15),
  goal('mondo-epoll', 'startup', 'startup', 0.25, 0.15),
];

/** A higher rate is better; of everything else, less is better. */
export function reaches(figure: Figure, value: number, wanted: number): boolean {
  return figure === 'rate' || figure === 'kept' ? value >= wanted : value <= wanted;
}
