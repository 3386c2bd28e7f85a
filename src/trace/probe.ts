/**
 * Loaded into each traced process and thread before anything else (`node --import`). It puts recorders
 * around the narrow places that everything passes through: the text of modules as they are loaded,
 * the functions of `libc`, `Atomics.wait`, the conversation, the ring, and Node's own loop. Where nobody
 * traces, none of this is there.
 */
import { openSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread, workerData } from 'node:worker_threads';
import type { Architecture } from '../architectures/architecture.ts';
import type { ArchitectureName } from '../architectures/catalogue.ts';
import { instrument, RECORDER, type Recorder } from './instrument.ts';
import { PROBE, type ProbeConfig, type TraceRecord } from './records.ts';
import { Teller } from './teller.ts';
import { isTraced } from './which.ts';

const given = process.env[PROBE];
const place = placeOf();
if (given !== undefined && place !== undefined) await probe(JSON.parse(given), place);

type Place = Pick<Extract<TraceRecord, { kind: 'thread' }>, 'worker' | 'role'>;

/** Where in the server this thread is; nowhere if a service has started it for itself. */
function placeOf(): Place | undefined {
  if (!isMainThread) {
    const index = workerData?.config?.index;
    if (typeof index !== 'number') return undefined;
    return { worker: index, role: workerData.task === undefined ? 'thread' : 'assistant' };
  }
  if (!/[\\/]host[\\/]worker\.[jt]s$/.test(process.argv[1] ?? '')) return undefined;
  const { index, assistant } = JSON.parse(process.argv[2]!);
  return { worker: index, role: assistant === undefined ? 'main' : 'assistant' };
}

async function probe(config: ProbeConfig, place: Place): Promise<void> {
  const teller = new Teller(config.launch);
  if (config.lines) tellLines(teller, config);
  // Only now: what these bring along is traced as well.
  const { libc } = await import('../os/libc.ts');
  const { knowListener, tellCalls } = await import('./probe-calls.ts');
  const { tellLoop } = await import('./probe-loop.ts');
  const { loadArchitecture } = await import('../architectures/catalogue.ts');
  teller.writeInto(openSync(config.pipe, 'w'), libc.gettid());
  process.on('exit', () => teller.flush());
  tellCalls(teller);
  // Read-only to everybody else, and one object in each thread: what it is called with is the beginning.
  const architecture: Changeable = await loadArchitecture(architectureName());
  const { serve, assist, arrangement } = architecture;
  const begin = () => {
    teller.tell({ kind: 'thread', t: teller.now(), pid: process.pid, ...place });
    if (arrangement === 'node') tellLoop(teller);
    teller.isBusy = false;
  };
  architecture.serve = (worker) => {
    begin();
    knowListener(worker.listener);
    return serve.call(architecture, worker);
  };
  architecture.assist = (worker, task) => {
    begin();
    assist?.call(architecture, worker, task);
  };
}

type Changeable = { -readonly [Name in keyof Architecture]: Architecture[Name] };

function architectureName(): ArchitectureName {
  const { architecture } = isMainThread ? JSON.parse(process.argv[2]!) : workerData.config;
  return architecture;
}

function tellLines(teller: Teller, { include, ignore }: ProbeConfig): void {
  const recorder: Recorder = {
    line(module, line) {
      if (!teller.isBusy) teller.tell({ kind: 'line', t: teller.now(), module, line });
      return true;
    },
    enter(module, line, name) {
      if (!teller.isBusy) teller.tell({ kind: 'enter', t: teller.now(), module, line, name });
    },
    leave: (module, line) => ({ module, line, since: teller.now() }),
    goOn({ module, line, since }, value) {
      if (!teller.isBusy) teller.tell({ kind: 'goOn', t: teller.now(), since, module, line });
      return value;
    },
  };
  (globalThis as Record<string, unknown>)[RECORDER] = recorder;
  let modules = 0;
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const { format, source } = loaded;
      if (format !== 'module' && format !== 'module-typescript') return loaded;
      if (!url.startsWith('file:') || source === undefined || source === null) return loaded;
      const path = fileURLToPath(url);
      if (!isTraced(path, include, ignore)) return loaded;
      const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
      const plain = format === 'module' ? text : stripTypeScriptTypes(text);
      const module = modules++;
      teller.tell({ kind: 'module', module, path });
      return { format: 'module', source: instrument(plain, module), shortCircuit: true };
    },
  });
}
