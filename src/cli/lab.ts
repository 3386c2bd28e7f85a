/** `mondo lab`: live servers, their clients and their kernel, on a page in a browser. */
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { architectureNames } from '../architectures/catalogue.ts';
import { ServeError } from '../host/errors.ts';
import { architectureNamed } from '../host/plan.ts';
import { requireSystemCalls } from '../host/system-calls.ts';
import { architecturesHere } from '../instruments/lab/hub/available.ts';
import { Hub } from '../instruments/lab/hub/hub.ts';
import { pageFiles } from '../instruments/lab/hub/page-files.ts';
import { Recorder } from '../instruments/lab/hub/recorder.ts';
import { Replay } from '../instruments/lab/hub/replay.ts';
import type { Listener, Source } from '../instruments/lab/hub/source.ts';
import { staticPage } from '../instruments/lab/hub/static.ts';
import type { Plan } from '../instruments/lab/shared/plan.ts';
import { MOST_BYTES, RecordingError, unpack } from '../instruments/lab/shared/recording.ts';
import { type LabRecord, MOST } from '../instruments/lab/shared/records.ts';
import { sceneNamed, scenes } from '../instruments/lab/shared/scenes.ts';
import type { WelcomeRecord } from '../instruments/lab/shared/wire.ts';
import { onInterrupt } from './interrupt.ts';
import { checkOutputs, writeOutput } from './output.ts';
import { CommandError } from './report.ts';

interface Options {
  readonly scene?: string;
  readonly seed?: number;
  readonly port: number;
  readonly open?: boolean;
  readonly record?: string;
  readonly replay?: string;
  readonly static?: string;
  readonly duration?: number;
}

/** The lecture's first experiment. */
const FIRST_SCENE = 'silent';

const usage = (message: string) => new ServeError('usage', message);

export async function labCommand(names: readonly string[], options: Options): Promise<void> {
  const { replay, record } = options;
  if (replay !== undefined && (names.length > 0 || options.scene || record)) {
    throw usage('Cannot use --replay with architectures, --scene or --record: it starts no server');
  }
  if (options.static !== undefined && replay === undefined) {
    throw usage('Cannot use --static without --replay: name the recording that the page plays');
  }
  const [scene, plan] = planOf(names, options);
  checkOutputs([record, options.static]);
  const records = replay === undefined ? undefined : await recordsIn(replay);
  if (records !== undefined && options.static !== undefined) {
    writeOutput(options.static, await staticPage(records, await pageFiles()));
    return;
  }
  if (records === undefined) requireSystemCalls('open the lab');
  const interruption = onInterrupt();
  const architectures = await architecturesHere();
  // A port that is in use is reported before servers start, and these start while the page is made.
  const hub = await Hub.listen(options.port, architectures);
  const files = pageFiles();
  files.catch(() => {});
  const recorder = record === undefined ? undefined : new Recorder();
  const began = performance.now();
  let source: Source | undefined;
  let failure: unknown;
  try {
    const known = { architectures: architectureNames, attacks: [], stages: MOST.stages };
    source =
      records === undefined
        ? await live(architectures, plan, scene, listener(hub, recorder))
        : new Replay(records, known, hub);
    hub.offer(await files);
    hub.show(source);
    print(hub, options.open === true);
    failure = await Promise.race([
      interruption.interrupted,
      timeout(options.duration),
      source.failed ?? new Promise(() => {}),
    ]);
  } finally {
    await source?.close();
    await hub.close();
  }
  if (recorder !== undefined && record !== undefined) {
    writeOutput(record, await recorder.finish(performance.now() - began));
    if (recorder.isFull) {
      console.error(`mondo: "${record}" ends early: a recording has at most ${MIB} MiB`);
    }
  }
  if (failure !== undefined) throw failure;
  process.exit();
}

const MIB = MOST_BYTES / 2 ** 20;

/** The name of the scene, and what it starts with. @throws ServeError that lists the names */
function planOf(names: readonly string[], { scene: name, seed }: Options): [string, Plan] {
  const scene = sceneNamed(name ?? FIRST_SCENE);
  if (scene === undefined) {
    const all = scenes.map((one) => one.name).join(', ');
    throw usage(`There is no scene "${name}"; there are ${all}`);
  }
  if (names.length > MOST.stages) {
    throw usage(`Cannot show ${names.length} architectures: name at most ${MOST.stages}`);
  }
  const stages = names.map((word) => ({ architecture: architectureNamed(word) }));
  const plan = {
    ...scene,
    ...(stages.length === 0 ? {} : { stages }),
    ...(seed === undefined ? {} : { seed }),
  };
  return [scene.name, plan];
}

async function recordsIn(file: string): Promise<readonly LabRecord[]> {
  try {
    if (statSync(file).size > MOST_BYTES) {
      throw new RecordingError(`it has more than ${MIB} MiB`);
    }
    return await unpack(new Uint8Array(readFileSync(file)));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = message.replace(/^Cannot read the recording: /, '');
    const rest = `${code ?? why}${code === undefined ? '' : '; name a file that mondo lab --record wrote'}`;
    throw new CommandError(`Cannot read "${file}": ${rest}`, { cause: error });
  }
}

/** A replay needs none of this. */
async function live(
  architectures: WelcomeRecord['architectures'],
  plan: Plan,
  scene: string,
  hear: Listener,
): Promise<Source> {
  const { realParts } = await import('../instruments/lab/hub/real-parts.ts');
  const { Session } = await import('../instruments/lab/hub/session.ts');
  return await Session.start(await realParts(architectures), plan, scene, hear);
}

function listener(hub: Hub, recorder: Recorder | undefined): Listener {
  return {
    keeps: recorder !== undefined,
    lines(lines) {
      hub.lines(lines);
      recorder?.lines(lines);
    },
    fault(text) {
      hub.fault(text);
      console.error(`mondo: ${text}`);
    },
  };
}

function print(hub: Hub, opens: boolean): void {
  console.log(`Mondo lab: ${hub.url}`);
  console.log(
    'Open it in a browser: keys 1 to 9 play scenes, space pauses, ? lists all keys. Ctrl-C ends the lab.',
  );
  if (!opens) return;
  const browser = spawn('xdg-open', [hub.oneTimeUrl()], { stdio: 'ignore', detached: true });
  browser.on('error', () => console.error('mondo: Cannot start a browser; open the address above'));
  browser.unref();
}

/** Resolves after this many seconds; never by default. */
const timeout = (seconds: number | undefined): Promise<unknown> =>
  seconds === undefined ? new Promise(() => {}) : sleep(1000 * seconds, undefined, { ref: false });
