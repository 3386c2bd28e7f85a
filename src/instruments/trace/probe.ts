/**
 * Loaded into each traced process and thread before everything else (`node --import`). It puts
 * recorders at the points that all work passes through: the text of loaded modules, the functions
 * of `libc`, `Atomics.wait`, the conversation, the ring, and Node's own loop. Without tracing, none
 * of this is loaded.
 */
import { openSync, realpathSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread, workerData } from 'node:worker_threads';
import type { ArchitectureName } from '../../architectures/catalogue.ts';
import type { Architecture, Journal, Task, Worker } from '../../worker/contract.ts';
import { instrument, RECORDER } from './instrument.ts';
import { recorderInto } from './recorder.ts';
import { cut, PROBE, type ProbeConfig, type TraceRecord } from './records.ts';
import { Reporter } from './reporter.ts';
import { isTraced } from './which.ts';

const given = process.env[PROBE];
const place = placeOf();
if (given !== undefined && place !== undefined) await probe(JSON.parse(given), place);

type Place = Pick<Extract<TraceRecord, { kind: 'thread' }>, 'worker' | 'role'>;

/** The place of this thread in the server; undefined if a service has started it. */
function placeOf(): Place | undefined {
  if (!isMainThread) {
    const index = workerData?.config?.index;
    if (typeof index !== 'number') return undefined;
    return { worker: index, role: workerData.task === undefined ? 'thread' : 'assistant' };
  }
  if (!/[\\/]host[\\/]worker[\\/]worker\.[jt]s$/.test(process.argv[1] ?? '')) return undefined;
  const { index, assistant } = JSON.parse(process.argv[2]!);
  return { worker: index, role: assistant === undefined ? 'main' : 'assistant' };
}

async function probe(config: ProbeConfig, place: Place): Promise<void> {
  const reporter = new Reporter(config.launch);
  if (config.lines) reportLines(reporter, config);
  // Imported only now, so that these modules are traced too.
  const { libc } = await import('../../os/libc.ts');
  const { knowListener, reportCalls } = await import('./probe-calls.ts');
  const { reportLoop } = await import('./probe-loop.ts');
  const { loadArchitecture } = await import('../../architectures/catalogue.ts');
  reporter.writeInto(openSync(config.pipe, 'w'), libc.gettid());
  process.on('exit', () => reporter.flush());
  reportCalls(reporter);
  // Read-only for all other code. Each thread has its own object, and its first call marks the
  // start of serving.
  const architecture = (await loadArchitecture(architectureName())) as Changeable;
  const { serve, assist, arrangement } = architecture;
  const begin = ({ journal, listener }: Surroundings) => {
    reporter.report({ kind: 'thread', t: reporter.now(), pid: process.pid, ...place });
    if (arrangement === 'node') reportLoop(reporter);
    reporter.isBusy = false;
    reportJournal(reporter, journal);
    return listener;
  };
  architecture.serve = (worker) => {
    knowListener(begin(worker));
    return serve.call(architecture, worker);
  };
  architecture.assist = (worker, task) => {
    begin(worker);
    assist?.call(architecture, worker, task);
  };
}

/** The fields of a worker that the probe reads, for all kinds of workers. */
type Surroundings = Pick<Worker, 'journal' | 'listener'>;

/** An architecture whose methods the probe replaces. */
interface Changeable {
  readonly arrangement: Architecture['arrangement'];
  serve(worker: Surroundings): void | Promise<void>;
  assist?(worker: Surroundings, task: Task): void;
}

function architectureName(): ArchitectureName {
  const { architecture } = isMainThread ? JSON.parse(process.argv[2]!) : workerData.config;
  return architecture;
}

function reportJournal(reporter: Reporter, journal: Journal): void {
  const { record } = journal;
  journal.record = (event) => {
    const short = Object.entries(event).map(([name, value]) => [
      name,
      typeof value === 'string' ? cut(value) : value,
    ]);
    reporter.report({ kind: 'event', t: reporter.now(), event: Object.fromEntries(short) });
    record.call(journal, event);
  };
}

function reportLines(reporter: Reporter, { include, ignore }: ProbeConfig): void {
  (globalThis as Record<string, unknown>)[RECORDER] = recorderInto(reporter);
  let modules = 0;
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const { format, source } = loaded;
      if (!url.startsWith('file:')) return loaded;
      const path = fileURLToPath(url);
      // Equal to the path of the URL, except with --preserve-symlinks.
      if (!isTraced(realpathSync(path), include, ignore)) return loaded;
      if (format === 'commonjs' || format === 'commonjs-typescript') {
        const text = `Cannot trace the lines of ${path}: it is CommonJS; make it a module (.mjs, .mts)`;
        reporter.report({ kind: 'note', t: reporter.now(), text });
        return loaded;
      }
      if (format !== 'module' && format !== 'module-typescript') return loaded;
      if (source === undefined || source === null) return loaded;
      const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
      const plain = format === 'module' ? text : stripTypeScriptTypes(text);
      const instrumented = instrumentedOr(plain, modules, (why) =>
        reporter.report({
          kind: 'note',
          t: reporter.now(),
          text: `Cannot trace the lines of ${path}: ${why}`,
        }),
      );
      if (instrumented === undefined) return loaded;
      reporter.report({ kind: 'module', module: modules++, path });
      return { format: 'module', source: instrumented, shortCircuit: true };
    },
  });
}

/** Returns undefined for source that Node can read and the parser cannot: it stays unchanged. */
function instrumentedOr(
  source: string,
  module: number,
  say: (why: string) => void,
): string | undefined {
  try {
    return instrument(source, module);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    say(error.message);
    return undefined;
  }
}
