/** Checks a Chrome trace by the rules of the Trace Event Format that viewers rely on. */
import { expect } from 'vitest';
import type { TraceEvent } from '../../src/instruments/report/trace-event.ts';

/** Slices of a track side by side or inside each other, in order; flights end after they began. */
export function expectValid(events: readonly TraceEvent[]): void {
  const tracks = Map.groupBy(
    events.filter(({ ph }) => ph === 'X'),
    ({ pid, tid }) => `${pid}/${tid}`,
  );
  for (const slices of tracks.values()) {
    const open: number[] = [];
    let last = Number.NEGATIVE_INFINITY;
    for (const { ts, dur } of slices) {
      // The format's numbers are µs; these are whole ns again.
      const from = Math.round(ts! * 1000);
      const to = from + Math.round(dur! * 1000);
      expect(to).toBeGreaterThanOrEqual(from);
      expect(from).toBeGreaterThanOrEqual(last);
      last = from;
      while (open.length > 0 && open.at(-1)! <= from) open.pop();
      if (open.length > 0) expect(to).toBeLessThanOrEqual(open.at(-1)!);
      open.push(to);
    }
  }
  const flights = new Map<string, number>();
  for (const { ph, id, cat, ts } of events) {
    if (ph === 'b') flights.set(`${cat}/${id}`, ts!);
    if (ph === 'e') expect(ts).toBeGreaterThanOrEqual(flights.get(`${cat}/${id}`)!);
  }
}
