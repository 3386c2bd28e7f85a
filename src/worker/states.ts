/**
 * What a worker is doing at this moment. The scoreboard shows the numbers, so that a question costs no look-up. Without
 * imports: the lab's page loads it too. Recordings of the lab contain the numbers, so none may change.
 */

export const states = {
  free: 0,
  starting: 1,
  accepting: 2,
  receiving: 3,
  answering: 4,
  sending: 5,
  waiting: 6,
  asleep: 7,
  ended: 8,
} as const;
export type State = keyof typeof states;
export type StateNumber = (typeof states)[State];

const names = Object.keys(states) as State[];

export const nameOfState = (number: number): State => names[number] ?? 'free';
