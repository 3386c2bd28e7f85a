// The scenarios, and how one contestant is measured in one of them. A new server runs on one core, the load on
// another. After a warm-up, only the differences over the measured time count.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memory, spent, type Usage, usage } from '../src/os/costs.ts';
import { type Contestant, ContestantError, type Running, start } from './contestants.ts';

export interface Scenario {
  name: string;
  title: string;
  load: readonly string[];
  /** Connections that are opened first, and are silent after one question. */
  idle?: number;
  /** The contestants of a scenario that is not for all. */
  only?: readonly string[];
  except?: readonly string[];
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'one',
    title: '1 connection, one question at a time',
    load: ['--connections', '1'],
  },
  {
    name: 'four',
    title: '4 connections, one question at a time',
    load: ['--connections', '4'],
    only: ['c-epoll', 'c-threads', 'node-net', 'mondo-threaded'],
  },
  {
    name: 'many',
    title: '64 connections, one question at a time',
    load: ['--connections', '64'],
    except: ['mondo-threaded'],
  },
  {
    name: 'crowd',
    title: '1,000 connections, one question at a time',
    load: ['--connections', '1000'],
    // select ends at descriptor 1,023, and Node has some of its own
    except: ['mondo-threaded', 'mondo-select'],
  },
  {
    name: 'deep',
    title: '64 connections, 16 questions in flight on each',
    load: ['--connections', '64', '--depth', '16'],
    except: ['mondo-threaded'],
  },
  {
    name: 'churn',
    title: 'connect, ask three questions, close: 64 at a time',
    load: ['--connections', '64', '--reconnect', '3'],
    except: ['mondo-threaded'],
  },
  {
    name: 'idle',
    title: '10,000 idle connections while 64 others talk',
    load: ['--connections', '64'],
    idle: 10_000,
    except: ['mondo-threaded', 'mondo-select'],
  },
];

/** The line that the load generator prints. Latencies are in microseconds. */
interface LoadReport {
  answers: number;
  wrong: number;
  errors: number;
  seconds: number;
  rate: number;
  p50: number;
  p99: number;
  p999: number;
  busy: number;
}

/** One contestant in one scenario in one round. */
export interface Measurement {
  contestant: string;
  scenario: string;
  round: number;
  /** Seconds from launch to the first answer. */
  startup: number;
  answers: number;
  /** Questions per second. */
  rate: number;
  /** Microseconds. */
  p50: number;
  p99: number;
  p999: number;
  /** Processor time per question, in µs, of the server and all its children. */
  cpu: number;
  /** Processor time in s, by clock ticks: summed over the rounds they separate user from system time. */
  user: number;
  system: number;
  switches: number | undefined;
  /** Use of the two cores, from 0 to 1. The one near 1 limits the rate. */
  serverBusy: number;
  loadBusy: number;
  /** KiB per idle connection. */
  memory?: number;
  /** Questions per second among the idle connections, relative to the same server without them. */
  kept?: number;
}

export interface Setting {
  /** Where the compiled programs are. */
  built: string;
  seconds: number;
  warmup: number;
  /** The command that pins another one to the server's core, and the one for the load's core. */
  onServerCore: readonly string[];
  onLoadCore: readonly string[];
}

export function takesPart(contestant: string, scenario: Scenario): boolean {
  if (scenario.except?.includes(contestant)) return false;
  return scenario.only?.includes(contestant) ?? true;
}

export async function measure(
  contestant: Contestant,
  scenario: Scenario,
  round: number,
  setting: Setting,
): Promise<Measurement> {
  const server = await start(contestant.command(setting.built), setting.onServerCore);
  try {
    // Without idle connections first: for the comparison, and so that the memory measured next includes no more
    // start-up costs.
    const alone =
      scenario.idle === undefined ? undefined : await load(server, scenario.load, setting);
    const emptyMemory = scenario.idle === undefined ? 0 : memory(server.pid);
    const idle = scenario.idle === undefined ? [] : ['--idle', String(scenario.idle)];
    const result = await load(server, [...scenario.load, ...idle], setting);

    const { report } = result;
    const difference = spent(result.before, result.after);
    const measurement: Measurement = {
      contestant: contestant.name,
      scenario: scenario.name,
      round,
      startup: server.startup,
      answers: report.answers,
      rate: report.rate,
      p50: report.p50,
      p99: report.p99,
      p999: report.p999,
      cpu: (difference.cpu * 1e6) / report.answers,
      user: difference.user,
      system: difference.system,
      switches:
        difference.switches === undefined ? undefined : difference.switches / report.answers,
      serverBusy: difference.cpu / report.seconds,
      loadBusy: report.busy,
    };
    if (scenario.idle !== undefined && result.idleMemory !== undefined && alone !== undefined) {
      measurement.memory = (result.idleMemory - emptyMemory) / scenario.idle;
      measurement.kept = report.rate / alone.report.rate;
    }
    return measurement;
  } finally {
    await server.stop();
  }
}

interface LoadResult {
  report: LoadReport;
  before: Usage;
  after: Usage;
  /** Memory of the server while all idle connections are open and silent. */
  idleMemory: number | undefined;
}

const loads = new Set<() => void>();

/** Ends a load that is under way. */
export function stopLoads(): void {
  for (const end of loads) end();
}

/**
 * Asks a server. Of its process and all below it, only what they use in the measured time counts.
 *
 * @param started is given the process of the load
 */
export async function load(
  server: Pick<Running, 'pid' | 'port'>,
  options: readonly string[],
  { built, seconds, warmup, onLoadCore }: Omit<Setting, 'onServerCore'>,
  started?: (child: ChildProcess) => void,
): Promise<LoadResult> {
  const times = ['--seconds', String(seconds), '--warmup', String(warmup)];
  const command = [join(built, 'load'), '--port', String(server.port), ...times, ...options];
  const [program = '', ...args] = [...onLoadCore, ...command];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const end = () => void child.kill('SIGKILL');
  loads.add(end);
  started?.(child);
  const deadline = setTimeout(end, (seconds + warmup + 40) * 1000);

  let before: Usage | undefined;
  let after: Usage | undefined;
  let idleMemory: number | undefined;
  let output = '';
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', async (text: string) => {
    for (const line of text.split('\n')) {
      if (line === 'measuring') before = usage(server.pid);
      else if (line !== '' && line !== 'idle') complaint ||= line;
      if (line !== 'idle') continue;
      await sleep(300); // the load waits for longer than that
      idleMemory = memory(server.pid);
    }
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    after ??= usage(server.pid);
    output += text;
  });
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (code !== 0 || before === undefined || after === undefined) {
      throw new ContestantError(complaint || output.trim() || `The load ended: ${code ?? signal}`);
    }
    return { report: JSON.parse(output) as LoadReport, before, after, idleMemory };
  } finally {
    clearTimeout(deadline);
    loads.delete(end);
  }
}
