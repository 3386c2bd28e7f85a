// The bench: every contestant runs every scenario, one after the other and round after round. The server has
// one core and the load another, and every answer is checked. Run it with `node bench/run.ts --help`.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Contestant,
  ContestantError,
  compile,
  contestants,
  have,
  node,
  reference,
  stopAll,
} from './contestants.ts';
import { goals } from './goals.ts';
import { allowedCores, pins } from './pins.ts';
import { goalTable, scenarioTable, startupTable } from './report.ts';
import {
  type Measurement,
  measure,
  type Setting,
  scenarios,
  stopLoads,
  takesPart,
} from './scenarios.ts';

const help = `Usage: node bench/run.ts [options]

  --quick            short rounds, to see whether everything works; not for conclusions
  --rounds N         rounds over all contestants (5, quick: 2)
  --seconds S        measured time of each scenario (2, quick: 0.5), at most 60
  --warmup S         time before it that is not counted (1, quick: 0.3)
  --only A,B         only these contestants, and ${reference} to compare them with
  --scenarios A,B    only these scenarios
  --cores S,L        the cores of the server and of the load
  --json FILE        write every single measurement to a file

Contestants: ${contestants.map(({ name }) => name).join(' ')}
Scenarios:   ${scenarios.map(({ name }) => name).join(' ')}
`;

interface Plan {
  rounds: number;
  seconds: number;
  warmup: number;
  contestants: Contestant[];
  scenarios: typeof scenarios;
  cores: number[];
  json: string | undefined;
}

function readPlan(): Plan {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({
    options: {
      help: flag,
      quick: flag,
      rounds: text,
      seconds: text,
      warmup: text,
      only: text,
      scenarios: text,
      cores: text,
      json: text,
    },
  });
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  const chosen = names(
    'only',
    values.only,
    contestants.map(({ name }) => name),
  );
  const places = names(
    'scenarios',
    values.scenarios,
    scenarios.map(({ name }) => name),
  );
  return {
    rounds: number('rounds', values.rounds ?? (values.quick ? '2' : '5'), 1, 100),
    seconds: number('seconds', values.seconds ?? (values.quick ? '0.5' : '2'), 0.1, 60),
    warmup: number('warmup', values.warmup ?? (values.quick ? '0.3' : '1'), 0, 60),
    contestants: contestants.filter(
      ({ name, isExtra }) =>
        name === reference || (chosen.includes(name) && (values.only !== undefined || !isExtra)),
    ),
    scenarios: scenarios.filter(({ name }) => places.includes(name)),
    cores: values.cores?.split(',').map((core) => number('cores', core, 0, 4095)) ?? allowedCores(),
    json: values.json,
  };
}

function names(
  option: string,
  list: string | undefined,
  all: readonly string[],
): readonly string[] {
  const chosen = list?.split(',') ?? all;
  const unknown = chosen.find((name) => !all.includes(name));
  if (unknown === undefined) return chosen;
  throw new TypeError(`Unknown name in --${option}: "${unknown}", there are ${all.join(', ')}`);
}

function number(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  throw new TypeError(`Wrong --${option} "${text}": must be from ${least} to ${most}`);
}

function machineLine(plan: Plan): string {
  const nodeVersion = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const [server = '–', load = '–'] = plan.cores;
  return [
    `Linux ${release()} ${process.arch}`,
    `${model}, ${cpus().length} cores, server on ${server}, load on ${load}`,
    `Node ${nodeVersion}`,
    `${plan.rounds} rounds of ${plan.seconds} s after ${plan.warmup} s`,
  ].join(' · ');
}

function note(text: string): void {
  console.log(`note: ${text}`);
}

async function run(plan: Plan, built: string): Promise<void> {
  console.log(machineLine(plan));
  if (!have('cc'))
    throw new ContestantError('The load generator needs a C compiler: apt install gcc');
  compile(built);
  const setting: Setting = {
    built,
    seconds: plan.seconds,
    warmup: plan.warmup,
    ...pins(plan.cores, note),
  };
  const absent = new Set<string>();
  for (const { name, needs } of plan.contestants) {
    if (needs === undefined || have(needs)) continue;
    note(`${name} is left out: ${needs} is absent`);
    absent.add(name);
  }
  const measurements: Measurement[] = [];
  const troubles = new Map<string, number>();
  for (let round = 1; round <= plan.rounds; round++) {
    // Forwards and backwards in turn, so that a drift over time favours no contestant.
    const order = round % 2 === 1 ? plan.contestants : plan.contestants.toReversed();
    for (const scenario of plan.scenarios) {
      for (const contestant of order) {
        const { name } = contestant;
        if (stopping) return;
        if (absent.has(name) || !takesPart(name, scenario)) continue;
        const key = `${name} in ${scenario.name}`;
        if ((troubles.get(key) ?? 0) >= 2) continue;
        progress(`round ${round} of ${plan.rounds}: ${key}`);
        try {
          measurements.push(await measure(contestant, scenario, round, setting));
        } catch (error) {
          if (stopping || !(error instanceof ContestantError)) throw error;
          troubles.set(key, (troubles.get(key) ?? 0) + 1);
          progress('');
          note(`${key}, round ${round}: ${error.message}`);
          if (error.cause !== undefined) absent.add(name);
        }
      }
    }
  }
  progress('');
  const wellOrdered = plan.contestants.flatMap(({ name }) =>
    measurements.filter(({ contestant }) => contestant === name),
  );
  for (const scenario of plan.scenarios) console.log(`\n${scenarioTable(scenario, wellOrdered)}`);
  console.log(`\n${startupTable(wellOrdered)}`);
  const reached = goalTable(goals, wellOrdered);
  if (reached !== '') console.log(`\n${reached}`);
  if (plan.json !== undefined) {
    const machine = machineLine(plan);
    writeFileSync(plan.json, `${JSON.stringify({ machine, measurements }, undefined, 2)}\n`);
  }
}

/** Progress on a line that is overwritten; nothing without a terminal. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

let stopping = false;

/** Runs the plan. At any end, it stops its processes and removes its files. */
async function main(): Promise<void> {
  const plan = readPlan();
  const built = mkdtempSync(join(tmpdir(), 'mondo-bench-'));
  const cleanUp = async () => {
    stopLoads();
    await stopAll();
    rmSync(built, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // A second signal must not interrupt the cleaning up, which takes a limited time.
    process.on(signal, () => {
      if (!stopping) cleanUp().finally(() => process.exit(130));
      stopping = true;
    });
  }
  try {
    await run(plan, built);
  } finally {
    if (!stopping) await cleanUp();
  }
}

try {
  await main();
} catch (error) {
  if (stopping) await new Promise(() => undefined); // the signal's handler ends the process
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
