/**
 * A run as CSV (RFC 4180), one row per second. Times are in ms, memory in bytes; unknown values are
 * empty.
 */
import type { LoadResult, Second, ServerSample } from './result.ts';

const seconds: readonly (readonly [string, (second: Second) => number | null])[] = [
  ['at_s', ({ at }) => at],
  ['length_s', ({ seconds: length }) => length],
  ['answers_per_s', ({ rate }) => rate],
  ['wanted_per_s', ({ wantedRate }) => wantedRate],
  ['response_p50_ms', ({ p50 }) => p50],
  ['response_p99_ms', ({ p99 }) => p99],
  ['response_max_ms', ({ max }) => max],
  ['service_p50_ms', ({ serviceP50 }) => serviceP50],
  ['service_p99_ms', ({ serviceP99 }) => serviceP99],
  ['errors', ({ errors }) => errors],
  ['in_flight', ({ inFlight }) => inFlight],
  ['waiting', ({ waiting }) => waiting],
  ['open', ({ open }) => open],
  ['starved', ({ starved }) => starved],
  ['lag_max_ms', ({ lag }) => lag],
  ['own_cpu_cores', ({ cpu }) => cpu],
];

const samples: readonly (readonly [string, (sample: ServerSample) => number | null])[] = [
  ['server_cpu_cores', ({ cpu }) => cpu],
  ['server_switches_per_s', ({ switches }) => switches],
  ['server_processes', ({ processes }) => processes],
  ['server_threads', ({ threads }) => threads],
  ['server_memory_bytes', ({ memory }) => memory],
  ['server_descriptors', ({ descriptors }) => descriptors],
  ['server_accept_queue', ({ acceptQueue }) => acceptQueue],
];

export function csvOf({ series, server }: Pick<LoadResult, 'series' | 'server'>): string {
  const head = [...seconds, ...samples].map(([name]) => name);
  const rows = series.map((second) => {
    // The last sample taken before the second ended; a sample may be up to half a second late.
    const end = second.at + second.seconds;
    const sample = server?.samples.findLast(({ at }) => at > second.at && at <= end + 0.5);
    return [
      ...seconds.map(([, of]) => cell(of(second))),
      ...samples.map(([, of]) => (sample === undefined ? '' : cell(of(sample)))),
    ];
  });
  return [head, ...rows].map((row) => `${row.join(',')}\r\n`).join('');
}

const cell = (value: number | null) => (value === null ? '' : String(Number(value.toPrecision(7))));
