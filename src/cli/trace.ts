/** `mondo trace`: a server in the foreground that shows its work, line by line or call by call. */
import { readFileSync } from 'node:fs';
import { loadArchitecture } from '../architectures/catalogue.ts';
import { ServeError } from '../host/errors.ts';
import { architectureNamed, checkedLimits, type ServeOptions } from '../host/plan.ts';
import type { Server } from '../host/server.ts';
import { nanoseconds } from '../instruments/report/figures.ts';
import { type Table, tableLines } from '../instruments/report/table.ts';
import { chromeTrace } from '../instruments/trace/chrome.ts';
import { compareTraces, queuedText, waitsText } from '../instruments/trace/compare.ts';
import { htmlOf } from '../instruments/trace/html.ts';
import { pictureOf } from '../instruments/trace/picture.ts';
import { Printer } from '../instruments/trace/printer.ts';
import { fileName, sourceLine } from '../instruments/trace/source-text.ts';
import { type LineSum, Summary } from '../instruments/trace/summary.ts';
import { svgOf } from '../instruments/trace/svg.ts';
import { Timeline } from '../instruments/trace/timeline.ts';
import { startTrace } from '../instruments/trace/tracer.ts';
import { waitName } from '../instruments/trace/waits.ts';
import { parseLimits } from '../limits/limits.ts';
import { listenForInterrupt, onInterrupt } from './interrupt.ts';
import { checkOutputs, writeOutputs } from './output.ts';
import { CommandError, INTERRUPTED } from './report.ts';

interface Options extends ServeOptions {
  readonly limit: readonly string[];
  readonly lines?: boolean;
  readonly calls?: boolean;
  readonly summary?: boolean;
  readonly quiet?: boolean;
  readonly include: readonly string[];
  readonly all?: boolean;
  readonly ignoreDir: readonly string[];
  readonly seconds?: number;
  readonly out?: string;
  readonly svg?: string;
  readonly html?: string;
  readonly compare?: readonly string[];
  readonly silent?: number;
  readonly clients?: number;
}

/** The most lines that `--summary` prints. */
const MOST_LINES = 30;

export async function traceCommand(
  architecture: string | undefined,
  host: string,
  options: Options,
): Promise<void> {
  const {
    limit,
    lines,
    calls,
    summary,
    quiet,
    include,
    all,
    ignoreDir,
    out,
    svg,
    html,
    compare,
    silent,
    clients,
    seconds: longest,
    ...rest
  } = options;
  const serving: ServeOptions = { ...rest, limits: checkedLimits(() => parseLimits(limit)) };
  checkOutputs([out, svg, html]);
  const startedAt = Date.now();
  if (compare !== undefined) {
    await compared(
      [...(architecture === undefined ? [] : [architecture]), ...compare],
      serving,
      options,
    );
    return;
  }
  const odd = silent === undefined ? (clients === undefined ? undefined : 'clients') : 'silent';
  if (odd !== undefined) {
    throw new ServeError(
      'usage',
      `Cannot use --${odd} without --compare: name the architectures there`,
    );
  }
  if (architecture === undefined) {
    throw new ServeError('usage', 'Cannot trace: name an architecture, or several with --compare');
  }
  const traits = await loadArchitecture(architectureNamed(architecture));
  const wantsPicture = out !== undefined || svg !== undefined || html !== undefined;
  const showsLines = lines ?? (calls !== true && !wantsPicture && summary !== true);
  const needsLines = showsLines || lines === true || summary === true;
  const sums = new Summary();
  const timeline = new Timeline();
  let server: Server | undefined;
  const interruption = listenForInterrupt(() => server);
  process.on('SIGHUP', interruption.interrupt);
  let now = () => 0;
  const threads = rest.threads ?? traits.threads.default;
  const processes = rest.processes ?? traits.processes.default;
  const printer = new Printer({
    lines: showsLines && quiet !== true,
    calls: calls === true && quiet !== true,
    tagged: traits.arrangement === 'crew' || threads * processes > 1,
    write: (text) => process.stdout.write(text),
    now: () => now(),
    columns: process.stdout.isTTY ? () => process.stdout.columns || 80 : undefined,
    sleepsInLoop: traits.arrangement === 'node' ? isAsleep : undefined,
  });
  const tracer = await startTrace(
    { ...serving, architecture, host },
    { lines: needsLines, include, ignore: ignoreDir, all: all === true },
    {
      record(tid, record) {
        printer.record(tid, record);
        sums.record(tid, record);
        if (wantsPicture) timeline.record(tid, record);
      },
      event(t, event) {
        printer.event(t, event);
        timeline.event(t, event);
      },
    },
  ).catch((error) => {
    printer.close();
    // Ctrl-C has ended a process that was just starting. That is not a failure.
    if (!interruption.isInterrupted) throw error;
  });
  if (tracer === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  try {
    now = tracer.now;
    server = tracer.server;
    if (longest !== undefined) timer = setTimeout(interruption.interrupt, longest * 1000);
    await interruption.interrupted;
  } finally {
    // Do it after an error, too: a server that still runs would prevent this process from ending.
    clearTimeout(timer);
    await tracer.close();
    printer.close();
  }
  const sentence = sums.sentence();
  if (summary === true) printSummary(sums.lines());
  console.log(`\n${sentence}`);
  const title = `mondo trace ${architecture}`;
  const picture = () => pictureOf(timeline, title, sentence);
  const fault = await writeOutputs([
    { file: out, text: () => JSON.stringify(chromeTrace(timeline, title)) },
    { file: svg, text: () => svgOf(picture()).text },
    { file: html, text: () => htmlOf(picture(), tablesOf(timeline, sums.lines()), startedAt) },
  ]);
  if (timeline.dropped > 0) {
    console.error(`The pictures end early: ${timeline.dropped} more calls have no room in them`);
  }
  if (fault !== undefined) throw fault;
}

/** Whether the kernel has put a thread to sleep: the state in proc_pid_stat(5). */
function isAsleep(pid: number, tid: number): boolean {
  try {
    return /\) S [^)]*$/.test(readFileSync(`/proc/${pid}/task/${tid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** A table of lines, with one more column if a `yield` or `await` suspended a function. */
function summaryTable(lines: readonly LineSum[]): Omit<Table, 'caption'> {
  const isSuspended = lines.some(({ suspended }) => suspended > 0);
  const timeOf = (ns: number) => (ns > 0 ? nanoseconds(ns) : '');
  const head = ['asleep', 'in', 'working', ...(isSuspended ? ['suspended'] : []), 'times', 'line'];
  const rows = lines.map(({ path, line, times, waiting, waits, working, suspended }) => [
    timeOf(waiting),
    [...waits]
      .sort(([, a], [, b]) => b - a)
      .map(([call]) => waitName(call))
      .join(', '),
    timeOf(working),
    ...(isSuspended ? [timeOf(suspended)] : []),
    String(times),
    `${fileName(path)}(${line}): ${sourceLine(path, line).trim()}`,
  ]);
  return { head, rows, align: isSuspended ? 'rlrrrl' : 'rlrrl' };
}

function printSummary(lines: readonly LineSum[]): void {
  const width = process.stdout.isTTY ? process.stdout.columns || 80 : undefined;
  console.log();
  for (const row of tableLines(summaryTable(lines.slice(0, MOST_LINES)), { width })) {
    console.log(row.join('\n'));
  }
  if (lines.length > MOST_LINES) console.log(`… and ${lines.length - MOST_LINES} more lines`);
}

function tablesOf(timeline: Timeline, lines: readonly LineSum[]): Table[] {
  const tables: Table[] = [];
  if (lines.length > 0) {
    tables.push({ caption: 'Lines', ...summaryTable(lines) });
  }
  const rows = timeline.connections.map(({ peer, from, queued, to, how, questions }) => [
    peer,
    nanoseconds(from),
    queued === undefined ? '' : nanoseconds(queued),
    to === undefined ? 'open' : nanoseconds(to - from),
    String(questions.length),
    how ?? '',
  ]);
  if (rows.length > 0) {
    const head = [
      'peer',
      'accepted after',
      'in the accept queue',
      'open for',
      'times asked',
      'end',
    ];
    tables.push({ caption: 'Connections', head, rows });
  }
  return tables;
}

/** Options that a comparison cannot use: it has its own clients, and its own port. */
const ALONE = ['lines', 'calls', 'summary', 'quiet', 'seconds', 'out', 'service'] as const;

async function compared(
  names: readonly string[],
  serving: ServeOptions,
  options: Options,
): Promise<void> {
  const odd = ALONE.find((name) => options[name] !== undefined);
  if (odd !== undefined) {
    throw new ServeError(
      'usage',
      `Cannot use --${odd} with --compare: it plays its own clients, and has --svg and --html for the picture`,
    );
  }
  const startedAt = Date.now();
  const { signal } = onInterrupt({}, ['SIGINT', 'SIGTERM', 'SIGHUP']);
  const architectures = [...new Set(names.map(architectureNamed))];
  const {
    picture,
    compared: runs,
    interrupted,
  } = await compareTraces(architectures, serving, {
    ...(options.silent === undefined ? {} : { silent: options.silent }),
    ...(options.clients === undefined ? {} : { clients: options.clients }),
    onBegin: (name) => console.error(`Tracing ${name}`),
    signal,
  });
  const interruption = new CommandError(
    `Interrupted after ${runs.length} of ${architectures.length} architectures`,
    { exitCode: INTERRUPTED },
  );
  if (runs.length === 0) throw interruption;
  const head = ['architecture', 'client', 'in the accept queue', 'waited for its answers'];
  const rows = runs.flatMap(({ architecture, clients }) =>
    clients.map((client) => [architecture, client.name, queuedText(client), waitsText(client)]),
  );
  for (const row of tableLines({ head, rows })) console.log(row.join(''));
  console.log();
  for (const { architecture, sentence } of runs) console.log(`${architecture}: ${sentence}`);
  const caption = 'How long each client waited for its answers';
  const tables = [{ caption, head, rows }];
  const fault = await writeOutputs([
    { file: options.svg, text: () => svgOf(picture).text },
    { file: options.html, text: () => htmlOf(picture, tables, startedAt) },
  ]);
  if (fault !== undefined) throw fault;
  if (interrupted) throw interruption;
}
