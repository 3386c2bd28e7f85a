/** What happens to new clients when a server has as many connections as it may have. */
import { LimitError } from './errors.ts';

export type WhenFull =
  /** The worker stops accepting: clients wait in the kernel's queue. */
  | { readonly policy: 'wait' }
  /** The server tells them so in one line, and closes. */
  | { readonly policy: 'busy' }
  /** The server resets them, which costs the least. */
  | { readonly policy: 'reset' }
  /**
   * The server drops some clients before it is full. From `start` connections on it drops `rate` per cent, rising
   * to all at `full`, like OpenSSH's MaxStartups. Zeroes: from half of the limit to the limit.
   */
  | {
      readonly policy: 'random';
      readonly start: number;
      readonly rate: number;
      readonly full: number;
    };

/** Parses the option: a policy, or `random:START:RATE:FULL`. @throws LimitError */
export function parseWhenFull(text: string): WhenFull {
  if (text === 'wait' || text === 'busy' || text === 'reset') return { policy: text };
  if (text === 'random') return { policy: 'random', start: 0, rate: 30, full: 0 };
  const parts = /^random:(\d{1,9}):(\d{1,3}):(\d{1,9})$/.exec(text);
  if (parts === null) {
    throw new LimitError(
      `Cannot use "${text}" as policy for a full server: give wait, busy, reset, random or random:START:RATE:FULL`,
    );
  }
  const [start, rate, full] = parts.slice(1).map(Number) as [number, number, number];
  if (start < 1 || full <= start || rate > 100) {
    throw new LimitError(
      `Cannot use "${text}" as policy for a full server: START is at least 1, RATE at most 100 per cent, FULL more than START`,
    );
  }
  return { policy: 'random', start, rate, full };
}

/** Probability, from 0 to 1, of dropping a client when there are `open` connections already. */
export function dropChance(
  open: number,
  { start, rate, full }: { start: number; rate: number; full: number },
): number {
  if (open < start) return 0;
  if (open >= full) return 1;
  return (rate + ((100 - rate) * (open - start)) / (full - start)) / 100;
}
