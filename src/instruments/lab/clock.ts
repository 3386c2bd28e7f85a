/** The clock of a recording, which the processes of the lab share. */

/**
 * A clock in ms since `epoch`, with µs as fraction.
 *
 * @param epoch text of `process.hrtime.bigint()`: on one machine, all processes have the same
 */
export function clockOf(epoch: string): () => number {
  const start = BigInt(epoch);
  // Read anew each time. The difference to another clock would be wrong permanently if this process lost its processor
  // between the two readings.
  return () => Number(process.hrtime.bigint() - start) / 1e6;
}
