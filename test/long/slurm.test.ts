/** A load in shards that a real Slurm starts on three hosts, each in its own network namespace. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decode, encode, newHistogram } from '../../src/instruments/load/histograms.ts';
import type { LoadResult } from '../../src/instruments/load/result.ts';
import { canMakeHosts, Hosts } from '../support/hosts.ts';
import { type Ended, mondo, Process, runMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { until } from '../support/until.ts';

const canSlurm =
  canMakeHosts() && hasProgram('slurmctld', 'slurm-wlm') && hasProgram('munged', 'munge');

const NODES = ['n1', 'n2', 'n3'] as const;
const QUESTIONS = 600;

let folder: string;
let hosts: Hosts;
let port: string;
const running: Process[] = [];
const at = (name: string) => join(folder, name);

const configuration = () => `ClusterName=mondo
SlurmctldHost=control(${hosts.addressOf('control')})
AuthType=auth/munge
AuthInfo=socket=${at('munge.sock')}
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=${at('state')}
SlurmdSpoolDir=${at('spool-%n')}
SlurmctldPidFile=${at('slurmctld.pid')}
SlurmdPidFile=${at('slurmd-%n.pid')}
SlurmctldLogFile=${at('slurmctld.log')}
SlurmdLogFile=${at('slurmd-%n.log')}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
ReturnToService=2
MpiDefault=none
SlurmdParameters=config_overrides
SlurmdTimeout=4
${NODES.map((name) => `NodeName=${name} NodeAddr=${hosts.addressOf(name)} CPUs=2`).join('\n')}
PartitionName=all Nodes=${NODES.join(',')} Default=YES State=UP
`;

/** Starts a program on a host until the end of the test. */
function stay(host: string, file: string, ...args: string[]): Process {
  const started = hosts.start(host, 'env', `SLURM_CONF=${at('slurm.conf')}`, file, ...args);
  running.push(started);
  return started;
}

async function run(host: string, file: string, ...args: string[]): Promise<Ended> {
  await using started = hosts.start(host, 'env', `SLURM_CONF=${at('slurm.conf')}`, file, ...args);
  return await started.ended();
}

beforeAll(async () => {
  if (!canSlurm) return;
  folder = mkdtempSync(join(tmpdir(), 'mondo-slurm-'));
  hosts = new Hosts(['control', ...NODES]);
  for (const name of ['state', ...NODES.map((node) => `spool-${node}`)]) mkdirSync(at(name));
  writeFileSync(at('munge.key'), randomBytes(1024), { mode: 0o400 });
  writeFileSync(at('slurm.conf'), configuration());
  const munge = ['socket', 'key-file', 'pid-file', 'log-file', 'seed-file'].map(
    (what) => `--${what}=${at(what === 'socket' ? 'munge.sock' : `munge.${what.split('-')[0]}`)}`,
  );
  running.push(new Process('munged', ['--force', '--foreground', ...munge]));
  await until('munge', () => {
    try {
      return execFileSync('munge', ['-n', '-S', at('munge.sock')], { stdio: 'pipe' }).length > 0;
    } catch {
      return false;
    }
  });
  stay('control', 'slurmctld', '-D');
  for (const node of NODES) stay(node, 'slurmd', '-D', '-N', node);
  await until('three idle nodes', async () => {
    const { stdout } = await run('control', 'sinfo', '-h', '-t', 'idle', '-o', '%D');
    return stdout.trim() === String(NODES.length);
  });
  const server = stay('control', process.execPath, mondo, 'serve', 'epoll', '0.0.0.0', '-p', '0');
  const [, found = ''] = await server.printed(/Listening at 0\.0\.0\.0:(\d+)/);
  port = found;
}, 120_000);

afterAll(async () => {
  if (!canSlurm) return;
  await Promise.all(running.toReversed().map((one) => one[Symbol.asyncDispose]()));
  await hosts[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** A load of three tasks, one on each node. */
const sharded = (logs: string, seconds: number, ...more: string[]) => [
  // Without --error, both outputs of a task go into one file.
  ...['-N3', '-n3', `--output=${at(`${logs}-%t.out`)}`, `--error=${at(`${logs}-%t.err`)}`],
  ...[process.execPath, mondo, 'load', hosts.addressOf('control'), '-p', port],
  ...['--rate', String(QUESTIONS / 2), '--duration', `${seconds}s`, '--warm-up', '0'],
  ...['--connections', '12', '--seed', '7', '--max-lag', '1m', '--shard', 'auto', ...more],
];

const logsOf = (name: string) => NODES.map((_, task) => at(`${name}-${task}.out`));

test.skipIf(!canSlurm)('a plan in three shards asks what the plan says', async () => {
  const { code, stderr } = await run(
    'control',
    'srun',
    ...[...sharded('whole', 2, '--start-in', '5s'), '--hlog', '-', '--quiet'],
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const parts = await Promise.all(
    logsOf('whole').map(async (log) => (await runMondo('load', 'merge', log, '--json')).stdout),
  );
  const results = parts.map((part) => JSON.parse(part) as LoadResult);
  expect(results.map(({ environment }) => environment.host).toSorted()).toEqual(NODES);

  const all = logsOf('whole')
    .map((log) => readFileSync(log, 'utf8'))
    .join('');
  const merged = execFileSync(process.execPath, [mondo, 'load', 'merge', '-', '--json'], {
    input: all,
    encoding: 'utf8',
  });
  const whole = JSON.parse(merged) as LoadResult;
  expect(whole.validity).toMatchObject({ trusted: true, reasons: [] });
  expect(whole.totals.questions).toBe(QUESTIONS);
  expect(whole.connections.count).toBe(12);
  const sum = newHistogram();
  for (const { response } of results) sum.add(decode(response.hdr));
  expect(whole.response.hdr).toBe(encode(sum));
  expect(whole.response.count).toBe(QUESTIONS);
});

test.skipIf(!canSlurm)('a node that is lost is named, and the run is not trusted', async () => {
  await using step = hosts.start(
    ...(['control', 'env', `SLURM_CONF=${at('slurm.conf')}`, 'srun'] as const),
    ...[...sharded('lost', 6, '--start-in', '4s'), '--hlog', '-', '--quiet'],
  );
  await until('the load on the third node', () => hosts.runs('n3', 'load'));
  hosts.endAll('n3');
  const { stderr } = await step.ended();
  // srun itself ends with exit code 0 after it.
  expect(stderr).toMatch(/Node failure on n3/);

  await using merge = new Process('sh', [
    ...['-c', 'node=$1; mondo=$2; shift 2; cat "$@" | "$node" "$mondo" load merge -', 'sh'],
    ...[process.execPath, mondo, ...logsOf('lost')],
  ]);
  const { code: merged, stdout } = await merge.ended();
  expect(stdout).toMatch(/- Shard 3 of 3 is missing, .* No log came from n3\.$/m);
  expect(merged).toBe(4);
});
