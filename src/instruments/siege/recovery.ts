/** When a server has recovered from an attack: one rule for every stopwatch. */
import { type Outcome, probe } from './probe.ts';

/** Interval between honest clients, in ms. */
export const PROBE_INTERVAL = 100;
/** Time within which a server must recover, in ms. */
export const RECOVERY_TIMEOUT = 5000;
/** Honest clients in a row that a recovered server answers. */
const IN_A_ROW = 3;

/** An honest client after the attack; without an outcome, it still waits. */
export interface Try {
  outcome?: Outcome;
  /** When it had its outcome, in ms. */
  done?: number;
}

/**
 * When the first of three consecutive honest clients was answered, in the clock of `done`; undefined if no three
 * were.
 */
export function recoveredAt(tries: readonly Try[]): number | undefined {
  for (let i = 0; i + IN_A_ROW <= tries.length; i++) {
    const row = tries.slice(i, i + IN_A_ROW);
    if (row.every(({ outcome }) => outcome === 'answered')) return tries[i]!.done;
  }
  return undefined;
}

/**
 * Time until the first of three consecutive honest clients was answered, in ms; undefined if more
 * than 5 s.
 */
export async function recoveryOf(port: number): Promise<number | undefined> {
  const from = performance.now();
  // The clients run concurrently, so that one that waits a second does not delay the next.
  const tries: Try[] = [];
  for (let i = 0; performance.now() - from < RECOVERY_TIMEOUT; i++) {
    const one: Try = {};
    tries.push(one);
    void probe(port).then((outcome) => {
      one.outcome = outcome;
      one.done = performance.now();
    });
    const next = from + (i + 1) * PROBE_INTERVAL;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
    const at = recoveredAt(tries);
    if (at !== undefined) return Math.round(at - from);
  }
  return undefined;
}
