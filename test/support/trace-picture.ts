/** A picture of a trace that is hard to draw: many rows, long names, and times from µs to s. */
import type { Bar, Kind, Picture } from '../../src/instruments/trace/picture.ts';

/** Threads and clients with long names, in times from µs to s. */
export function crowdedPicture(): Picture {
  const ms = 1e6;
  const bars = (kind: Kind): Bar[] =>
    [0, 510, 512, 513].map((t, i) => ({
      ...{ from: t * ms, to: (i === 0 ? 500 : t + 1) * ms },
      ...{ kind, title: 'what' },
    }));
  const marks = (['connected', 'accepted', 'question'] as const).map((kind, i) => ({
    ...{ at: 512 * i * ms, kind, title: 'what' },
  }));
  const kinds = ['working', 'waiting for one client', 'waiting for any client', 'asleep'] as const;
  const rows = [...kinds, 'in the accept queue' as const, 'open' as const].map((kind, i) => ({
    ...{ label: `worker 12, assistant process 419430${i}`, bars: bars(kind), marks },
  }));
  const note = '512 ms in the accept queue; waited 516 ms, 11.7 ms, 13.9 ms, ended by the server';
  const client = { label: 'client 12', note, bars: bars('asking'), marks };
  const sentence = '5.01 s of 8 threads: 48.2 % asleep in recv, waiting for the client.';
  const group = { note: sentence, rows: [...rows, { ...client, isThin: true, isSeparate: true }] };
  const groups = ['socketserver', 'threaded'].map((title) => ({ title, ...group }));
  const title = 'mondo trace socketserver --mixin forking --max-threads 20';
  return { title, notes: [sentence, sentence], from: 0, to: 514 * ms, groups };
}
