/**
 * The metrics of a server for Prometheus. The supervisor reads them from the scoreboard and from /proc, and asks no
 * worker: a thread that sleeps in a system call could not answer. prom-client checks and writes them.
 */
import { release } from 'node:os';
import { Counter, Gauge, Registry } from 'prom-client';
import { type ProcessStats, processStats } from '../os/process-stats.ts';
import type { AcceptQueue } from '../os/socket.ts';
import { type AnswerTimesReading, BUCKETS } from '../worker/answer-times.ts';
import type { Work } from '../worker/scoreboard.ts';
import type { MetricsWriter, Subject } from './admin/http.ts';
import type { ServerState, View } from './admin/view.ts';
import { version } from './version.ts';

/** Everything that one scrape reads, at one moment. */
interface Moment {
  readonly state: ServerState;
  readonly view: View | undefined;
  readonly work: Work | undefined;
  readonly processes: readonly ProcessStats[];
  readonly queue: AcceptQueue | undefined;
}

/** A value with the values of its labels. */
type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

interface Metric {
  readonly name: string;
  /** A counter's values never fall. */
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly labels?: readonly string[];
  read(moment: Moment): readonly Sample[];
}

/** A metric without labels. It has no value while `read` returns undefined. */
const plain = (
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  read: (moment: Moment) => number | undefined,
): Metric => ({
  name,
  type,
  help,
  read: (moment) => {
    const value = read(moment);
    return value === undefined ? [] : [[{}, value]];
  },
});

/** A metric with one label, and a value for each of its values. */
const labelled = (
  type: 'counter' | 'gauge',
  name: string,
  label: string,
  help: string,
  read: (moment: Moment) => Readonly<Record<string, number>> | undefined,
): Metric => ({
  name,
  type,
  help,
  labels: [label],
  read: (moment) =>
    Object.entries(read(moment) ?? {}).map(([key, value]) => [{ [label]: key }, value] as const),
});

const STATES: readonly ServerState[] = ['starting', 'ready', 'lame', 'draining'];
const WORKER_STATES = [
  ...['starting', 'accepting', 'receiving', 'answering', 'sending', 'waiting', 'asleep', 'ended'],
] as const;

const zeroes = (names: readonly string[]): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, 0]));

function workersByState(view: View): Record<string, number> {
  const counts = zeroes(WORKER_STATES);
  for (const { state } of view.workers()) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

const sumOf = ({ processes, view }: Moment, of: (stats: ProcessStats) => number) =>
  view === undefined ? undefined : processes.reduce((sum, stats) => sum + of(stats), 0);

const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);

const metrics: readonly Metric[] = [
  {
    name: 'mondo_build_info',
    type: 'gauge',
    help: 'Always 1. The labels are the versions of Mondo, Node and the kernel.',
    labels: ['version', 'node', 'kernel'],
    read: () => [[{ version: version(), node: process.versions.node, kernel: release() }, 1]],
  },
  labelled(
    'gauge',
    'mondo_architecture_info',
    'name',
    'Always 1. The label is the architecture that serves.',
    ({ view }) => (view === undefined ? undefined : { [view.architecture]: 1 }),
  ),
  labelled(
    'gauge',
    'mondo_state',
    'state',
    '1 for the state of the server, 0 for the others.',
    (moment) => ({
      ...zeroes(STATES),
      [moment.state]: 1,
    }),
  ),
  plain('gauge', 'mondo_connections', 'Connections now.', ({ view }) => view?.connections.open),
  plain(
    'gauge',
    'mondo_connections_limit',
    'The most connections that there may be.',
    ({ view }) => view?.connections.limit,
  ),
  plain(
    'counter',
    'mondo_connections_accepted_total',
    'Connections that workers have accepted and not refused.',
    ({ work }) => work?.connections,
  ),
  labelled(
    'counter',
    'mondo_connections_closed_total',
    'how',
    'Connections that have ended, by the way in which they ended.',
    ({ view }) => view?.ended(),
  ),
  labelled(
    'counter',
    'mondo_limited_total',
    'reason',
    'Connections that were refused or ended for a limit, by reason.',
    ({ view }) => view?.limited(),
  ),
  labelled(
    'counter',
    'mondo_proxy_headers_total',
    'result',
    'Headers of the PROXY protocol that the server has used, by what they were.',
    ({ view }) => view?.headers(),
  ),
  plain(
    'counter',
    'mondo_answers_total',
    'Questions that the server has answered.',
    ({ work }) => work?.questions,
  ),
  plain(
    'counter',
    'mondo_received_bytes_total',
    'Bytes that clients have sent.',
    ({ work }) => work?.received,
  ),
  plain(
    'counter',
    'mondo_sent_bytes_total',
    'Bytes of answers. Clients that left early have not taken all of them.',
    ({ work }) => work?.sent,
  ),
  plain(
    'gauge',
    'mondo_unsent_bytes',
    'Bytes of answers that clients have not taken yet.',
    ({ view }) => view?.unsent,
  ),
  plain(
    'gauge',
    'mondo_accept_queue',
    'Clients that are connected, and that no worker has accepted yet.',
    ({ queue }) => queue?.waiting,
  ),
  plain(
    'gauge',
    'mondo_accept_queue_limit',
    'The most clients that may wait in the accept queues.',
    ({ queue }) => queue?.limit,
  ),
  labelled(
    'gauge',
    'mondo_workers',
    'state',
    'Worker threads, by what they do now.',
    ({ view }) => view && workersByState(view),
  ),
  plain(
    'gauge',
    'mondo_serving_processes',
    'Worker processes that serve and have no order to leave.',
    ({ view }) => view?.serving,
  ),
  labelled(
    'counter',
    'mondo_worker_exits_total',
    'why',
    'Worker processes that have ended, by the reason.',
    ({ view }) => view?.exits,
  ),
  plain(
    'gauge',
    'mondo_stuck_workers',
    'Worker threads that have work, or are stopped, and make no turn.',
    ({ view }) => view?.stuck,
  ),
  plain(
    'gauge',
    'mondo_generation',
    'The generation of the workers that serve. Each restart adds 1.',
    ({ view }) => view?.generation,
  ),
  labelled(
    'counter',
    'mondo_restarts_total',
    'result',
    'Restarts of all workers: done, or failed because the new workers could not start.',
    ({ view }) => view && { done: view.restarts.done, failed: view.restarts.failed },
  ),
  plain(
    'gauge',
    'mondo_last_restart_timestamp_seconds',
    'When the last restart was done, in seconds since 1970. Without a restart there is no value.',
    ({ view }) => seconds(view?.restarts.lastAt),
  ),
  plain(
    'counter',
    'mondo_journal_dropped_total',
    'Events that workers could not report, because the supervisor did not read.',
    ({ view }) => view?.dropped,
  ),
  labelled(
    'counter',
    'mondo_processes_cpu_seconds_total',
    'mode',
    'Processor time of the supervisor and all workers, also of those that have ended.',
    (moment) => {
      const user = sumOf(moment, (stats) => stats.user);
      const system = sumOf(moment, (stats) => stats.system);
      return user === undefined || system === undefined ? undefined : { user, system };
    },
  ),
  plain(
    'gauge',
    'mondo_processes_resident_memory_bytes',
    'Resident memory of the supervisor and all workers. Shared pages count once for each process.',
    (moment) => sumOf(moment, ({ resident }) => resident),
  ),
  plain(
    'gauge',
    'mondo_processes_open_fds',
    'Open descriptors of the supervisor and all workers.',
    (moment) => sumOf(moment, ({ descriptors }) => descriptors),
  ),
  plain(
    'gauge',
    'mondo_processes_max_fds',
    'The most descriptors that the supervisor and all workers may have, as a sum.',
    (moment) => sumOf(moment, ({ mostDescriptors }) => mostDescriptors),
  ),
];

const ANSWER_SECONDS = 'mondo_answer_seconds';

/** A histogram that workers fill in shared memory. prom-client's own would need each time by itself. */
const answerSeconds = (times: AnswerTimesReading) => ({
  name: ANSWER_SECONDS,
  get: () => ({
    name: ANSWER_SECONDS,
    help: 'Time from the last byte of a question to its answer, for one question in 64.',
    type: 'histogram',
    aggregator: 'sum' as const,
    values: histogramValues(times),
  }),
});

function histogramValues({ counts, sum }: AnswerTimesReading) {
  let count = 0;
  const buckets = counts.map((more, i) => {
    count += more;
    const le = BUCKETS[i] ?? '+Inf';
    return { metricName: `${ANSWER_SECONDS}_bucket`, labels: { le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${ANSWER_SECONDS}_sum`, labels: {}, value: sum },
    { metricName: `${ANSWER_SECONDS}_count`, labels: {}, value: count },
  ];
}

/** Names of all metrics, in the order in which /metrics has them. */
export const metricNames: readonly string[] = [...metrics.map(({ name }) => name), ANSWER_SECONDS];

/** @param subject what the metrics describe; it may not serve yet */
export function metricsOf(subject: Subject): MetricsWriter {
  const registry = new Registry();
  let moment = momentOf(subject);
  for (const metric of metrics) register(metric, registry, () => moment);
  return {
    contentType: registry.contentType,
    write() {
      moment = momentOf(subject);
      // A restart may have switched it on or off.
      registry.removeSingleMetric(ANSWER_SECONDS);
      const times = moment.view?.answerTimes();
      if (times !== undefined) registry.registerMetric(answerSeconds(times) as never);
      return registry.metrics();
    },
  };
}

function momentOf({ state, view }: Subject): Moment {
  // Parents come first: a child that ends between two readings is missing in this scrape, and never counts twice.
  const processes = (view?.pids ?? []).flatMap((pid) => processStats(pid) ?? []);
  return { state, view, work: view?.work(), processes, queue: view?.queue() };
}

function register(
  { name, type, help, labels = [], read }: Metric,
  registers: Registry,
  now: () => Moment,
): void {
  const options = { name, help, labelNames: [...labels], registers: [registers] };
  if (type === 'gauge') {
    const gauge: Gauge = new Gauge({
      ...options,
      collect() {
        gauge.reset();
        const samples = read(now());
        // Without this, a gauge without labels is 0 if it has no value.
        if (samples.length === 0) gauge.remove();
        for (const [values, value] of samples) gauge.set(values, value);
      },
    });
    return;
  }
  const highest = new Map<string, number>();
  const counter: Counter = new Counter({
    ...options,
    collect() {
      counter.reset();
      for (const [values, value] of read(now())) {
        // A row or a process that ends during the reading may be missing in it. A counter that falls looks like a
        // restart to Prometheus.
        const key = Object.values(values).join();
        const most = Math.max(value, highest.get(key) ?? 0);
        highest.set(key, most);
        counter.inc(values, most);
      }
    },
  });
}
