/** The clock of a recording, which the processes of the lab share. */

/**
 * A clock in ms since `epoch`, with µs as fraction.
 *
 * @param epoch text of `process.hrtime.bigint()`: on one machine, all processes have the same
 */
export function clockOf(epoch: string): () => number {
  const offset = Number(process.hrtime.bigint() - BigInt(epoch)) / 1e6 - performance.now();
  return () => performance.now() + offset;
}
