/** `mondo load` as users run it: its output, files and exit codes, Ctrl-C, and the addition of shards. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Server } from '../../src/host/server.ts';
import { serve } from '../../src/index.ts';
import { decode, encode, newHistogram } from '../../src/instruments/load/histograms.ts';
import type { LoadResult } from '../../src/instruments/load/result.ts';
import { commands } from '../support/commands.ts';
import { mondo, Process, runMondo, spawnMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { MS, until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-load-'));
const fileOf = (name: string) => join(folder, name);
const textOf = (name: string) => readFileSync(fileOf(name), 'utf8');

let server: Server;
/** Options of a short run. The large --max-lag keeps the run trusted on a busy machine. */
let short: string[];
beforeAll(async () => {
  server = await serve({ architecture: 'epoll', port: 0 });
  short = [
    ...['127.0.0.1', '-p', String(server.port), '--duration', '1s', '--warm-up', '200ms'],
    ...['--connections', '4', '--max-lag', '1m'],
  ];
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

/** Peak memory of a process, in bytes; 0 after its end. */
function mostMemoryOf(pid: number): number {
  try {
    const [, kilobytes] =
      /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return 1024 * Number(kilobytes ?? 0);
  } catch {
    return 0;
  }
}

const { run, runWith } = commands();
const load = (...words: string[]) => run('load', ...words);
const rated = () => [...short, '--rate', '200'];
/** 60 questions. */
const brief = () => [...rated(), '--duration', '300ms', '--warm-up', '0'];

test('a run without free descriptors says so and is not trusted', async () => {
  const quick = ['--connections', '100', '--duration', '300ms', '--json'];
  const words = [mondo, 'load', ...short, ...quick];
  await using run = new Process('sh', [
    '-c',
    'ulimit -n 60; exec "$@"',
    'sh',
    process.execPath,
    ...words,
  ]);
  const { code, stdout } = await run.ended();
  const { outcomes, validity } = JSON.parse(stdout) as LoadResult;
  expect(code).toBe(4);
  expect(outcomes.noDescriptors).toBeGreaterThan(0);
  expect(validity.reasons.join(' ')).toMatch(
    /no descriptor left \d+ times\. Raise the limit with ulimit -n/,
  );
});

describe.concurrent('a run', () => {
  test('prints a summary, and its progress on standard error, in plain lines', async () => {
    const since = performance.now();
    const { code, stdout, stderr } = await load(...rated(), '--duration', '1500ms');
    const seconds = (performance.now() - since) / 1000;
    expect(code).toBe(0);
    expect(stdout).toContain(
      `127.0.0.1:${server.port} for 1.5 s after 0.2 s of warm-up: open loop`,
    );
    expect(stdout).toMatch(/^response .*\nservice /m);
    expect(stdout).toMatch(
      /^answers +[12]\d\d per second, of 200 wanted.*; 300 answers to 300 questions$/m,
    );
    expect(stdout).toMatch(/^errors +none$/m);
    expect(stdout).toContain('This run can be trusted');
    const lines = stderr.trimEnd().split('\n');
    // One in a second.
    expect(lines.length).toBeLessThanOrEqual(1 + seconds);
    for (const line of lines)
      expect(line).toMatch(/^(warm-up|measuring|finishing) {2}\d+\/s.* s left/);
    for (const control of ['\r', '\x1b']) expect(stdout + stderr).not.toContain(control);
  });

  test.skipIf(!hasProgram('script', 'bsdutils'))(
    'draws how it goes over and over in a terminal, as wide as that is',
    async () => {
      const words = [...rated(), '--csv', fileOf('tty.csv')];
      const command = `stty cols 60; "${process.execPath}" "${mondo}" load ${words.join(' ')}`;
      await using terminal = new Process('script', ['-qec', command, '/dev/null']);
      const { code, stdout } = await terminal.ended();
      expect(code).toBe(0);
      const drawn = stdout.split('\r').filter((text) => text.endsWith('\x1b[K'));
      expect(drawn.length).toBeGreaterThan(3);
      for (const text of drawn) expect(text.length).toBeLessThan(60 + '\x1b[K'.length);
      expect(drawn.some((text) => /^measuring {2}\d+\/s of 200 {2}p50 /.test(text))).toBe(true);
      // The progress line is erased before the summary.
      expect(stdout).toContain(`\r\x1b[K127.0.0.1:${server.port} for 1 s`);
    },
  );

  test('writes JSON, a line per second, a histogram log and a page', async () => {
    const files = ['csv', 'hlog', 'html'].flatMap((kind) => [`--${kind}`, fileOf(`run.${kind}`)]);
    const { code, stdout, stderr } = await load(
      ...[...rated(), '--json', '--quiet', '--pid', String(server.pids[0]), ...files],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const result = JSON.parse(stdout) as LoadResult;
    expect(result.totals).toMatchObject({ questions: 200, answers: 200, errors: 0 });
    expect(result.plan).toMatchObject({ loop: 'open', connections: 4, port: server.port });
    const [head, first] = textOf('run.csv')
      .split('\r\n')
      .map((row) => row.split(','));
    expect(head!.length).toBe(first!.length);
    expect(Number(first![head!.indexOf('server_threads')])).toBeGreaterThan(0);
    expect(textOf('run.html')).toContain('server: processors in use');
    const again = await run('load', 'merge', fileOf('run.hlog'), '--json');
    expect(again.code).toBe(0);
    expect(JSON.parse(again.stdout)).toEqual(result);
  });

  test('counts a question that is due just before the end, while the loop may still sleep', async () => {
    const { stdout } = await load(
      ...[
        ...short,
        '--rate',
        '2.00004',
        '--duration',
        '500ms',
        '--warm-up',
        '0',
        '--json',
        '--quiet',
      ],
    );
    // At 0 and at 499.99 ms.
    expect((JSON.parse(stdout) as LoadResult).totals).toMatchObject({ questions: 2, answers: 2 });
  });

  test('asks the questions of a file, and checks answers byte for byte', async () => {
    writeFileSync(
      fileOf('q.txt'),
      'Simple is better than?\tComplex.\nExplicit is better than?\tWrong.\n',
    );
    const { code, stdout } = await load(
      ...[
        ...[...brief(), '--rate', '400'],
        '--questions',
        fileOf('q.txt'),
        '--json',
        '--quiet',
        '--fail-if',
        'wrong>40%',
      ],
    );
    const { outcomes } = JSON.parse(stdout) as LoadResult;
    expect(outcomes.answered).toBeGreaterThan(0);
    // A wrong answer closes its connection, and the next connection continues with the next question.
    expect(outcomes.wrong).toBeGreaterThan(25);
    expect(code).toBe(3);
  });
});

describe.concurrent('a plan', () => {
  test('is saved without a run, and gives the same plan again, with options over it', async () => {
    const plan = fileOf('plan.json');
    const words = [
      '--stage',
      'ramp:500ms:50..100',
      '--poisson',
      '--seed',
      '7',
      '--framing',
      'delimiter:.',
    ];
    const saved = await load('127.0.0.1', '-p', '1', ...words, '--save-plan', plan);
    expect(saved).toEqual({ code: 0, stdout: '', stderr: '' });
    const { code, stdout } = await load(
      ...['--plan', plan, '-p', String(server.port), '--max-lag', '1m', '--json', '--quiet'],
    );
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as LoadResult;
    expect(result.plan).toEqual({
      ...JSON.parse(readFileSync(plan, 'utf8')),
      port: server.port,
      maxLag: 60_000,
    });
    expect(result.plan).toMatchObject({
      arrivals: 'poisson',
      seed: 7,
      stages: [{ kind: 'ramp', seconds: 0.5, from: 50, to: 100 }],
    });
  });

  test.concurrent.each([
    [['--duration', '500us'], /^mondo: --duration is "500us"; give a time such as 500ms/],
    [['--rate', 'fast'], /^mondo: --rate is "fast"; give a number per second/],
    [['--stage', 'slow:1s'], /^mondo: --stage "slow:1s": its kind is "slow"; give warm-up/],
    [['--stage', 'steady:1s:5', '--rate', '5'], /^mondo: --rate and --stage: /],
    [['--fail-if', 'speed>1'], /^mondo: Condition "speed>1": there is no "speed"; there are p50/],
    [['--fail-if', 'rate-ratio<0.9'], /a closed loop has no wanted rate/],
    [['--find-knee', 'p99<1s', '--shard', '1/2'], /^mondo: --shard and --find-knee: /],
    [['--connections', '0'], /^mondo: --connections is "0"; give a whole number from 1 to/],
    [['--shard', '3/2'], /^mondo: --shard is "3\/2"/],
    [['--start-at', 'noon'], /^mondo: --start-at is "noon"; give a time such as/],
    [['--engine', 'select'], /Allowed choices are auto, uring, epoll/],
    [['--framing', 'regex'], /^mondo: --framing is "regex"; give delimiter/],
  ])('%j is refused in one line, with exit code 2', async (words, message) => {
    const { code, stdout, stderr } = await load('127.0.0.1', ...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  test('without a host is refused', async () => {
    const { code, stderr } = await load('--rate', '5');
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'mondo: Cannot load: name the host, or a --plan that has one\n',
    });
  });

  test.each([
    [['--html', '/nowhere/x.html'], /^mondo: Cannot write "\/nowhere\/x.html": ENOENT/],
    [['--plan', '/nowhere/x.json'], /^mondo: Cannot read "\/nowhere\/x.json": ENOENT/],
    [['--questions', '/nowhere/x.txt'], /^mondo: Cannot read "\/nowhere\/x.txt": ENOENT/],
  ])('%j fails with exit code 1, before the first question', async (words, message) => {
    const { code, stdout, stderr } = await load(...short, '--duration', '1h', ...words);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
  });
});

describe.concurrent('the exit code', () => {
  test('is 3 if a condition of --fail-if is true, and each is printed with its measured value', async () => {
    const conditions = ['p99>1us', 'errors>0', 'rate<100000', 'fairness<0.1'];
    const { code, stderr, stdout } = await load(
      ...brief(),
      ...conditions.flatMap((condition) => ['--fail-if', condition]),
    );
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^mondo: Failed by --fail-if p99>1us: p99 is [\d.]+ .?s; rate<100000: rate is [\d.]+$/m,
    );
    expect(stdout).toContain('This run can be trusted');
  });

  test('is 1 at once if no server listens', async () => {
    const absent = createServer();
    await new Promise<void>((resolve) => absent.listen(0, '127.0.0.1', resolve));
    const { port } = absent.address() as { port: number };
    await new Promise((resolve) => absent.close(resolve));
    const missing = `unix:${fileOf('none')}`;
    const forever = ['--duration', '20h', '--fail-if', 'errors>0'];
    // A run would take 20 hours.
    expect(await load('127.0.0.1', '-p', String(port), ...forever)).toEqual({
      ...{ code: 1, stdout: '' },
      stderr: `mondo: Cannot connect to "127.0.0.1:${port}": connection refused; start a server there, or choose another port\n`,
    });
    expect(await load(missing, '--find-knee', 'p99<1s', ...forever)).toEqual({
      ...{ code: 1, stdout: '' },
      stderr: `mondo: Cannot connect to "${missing}": there is no such socket file; start a server there, or choose another path\n`,
    });
  });

  test('is 1 at once if the answers of the service differ from the plan', async ({
    onTestFinished,
  }) => {
    const service = new URL('../../examples/lines.ts', import.meta.url);
    const lines = await serve({ architecture: 'epoll', port: 0, service });
    onTestFinished(() => lines.close());
    const words = ['127.0.0.1', '-p', String(lines.port), '--duration', '20h'];
    const sums = fileOf('sums.txt');
    writeFileSync(sums, '3 4 +\\n\n');
    const unended = await load(...words, '--questions', sums);
    expect(unended.stderr).toBe(
      `mondo: Cannot measure 127.0.0.1:${lines.port}: to "3 4 +\\n" the server answered "7\\n", and no "." came that ends an answer; say how its answers end, as in --framing line\n`,
    );
    writeFileSync(sums, '3 4 +\t8\n');
    const other = await load(...words, '--questions', sums, '--framing', 'line');
    expect(other.stderr).toBe(
      `mondo: Cannot measure 127.0.0.1:${lines.port}: to "3 4 +" the server answered "7\\n", and not "8" (--framing line); give its questions and answers with --questions, and with --framing how its answers end\n`,
    );
    expect([unended.code, other.code]).toEqual([1, 1]);
  });

  test('is 4 for a silent server: it may be busy, and that is a finding', async () => {
    const { promise: listening, resolve } = Promise.withResolvers<void>();
    await using silent = createServer((socket) => socket.on('error', () => {}).resume()).listen(
      0,
      '127.0.0.1',
      resolve,
    );
    await listening;
    const { port } = silent.address() as { port: number };
    const { code, stdout } = await load(
      ...short,
      '-p',
      String(port),
      '--duration',
      '300ms',
      '--grace',
      '100ms',
    );
    expect(code).toBe(4);
    expect(stdout).toMatch(/^never-served +4 /m);
    expect(stdout).toMatch(/^- There was not one right answer: see the outcomes/m);
  });

  test('is 4 if our own side was too slow for its plan', async () => {
    const { code, stdout, stderr } = await load(
      ...[...brief(), '--rate', '2k', '--max-lag', '0.001ms', '--json', '--quiet'],
    );
    expect(code).toBe(4);
    expect((JSON.parse(stdout) as LoadResult).validity.trusted).toBe(false);
    expect(stderr).toMatch(/^mondo: This run is not to be trusted: .*schedule lagged/);
  });

  test('is 4 if a closed loop was stopped for some time: the server did not cause the pause', async () => {
    await using process = spawnMondo(
      ...['load', ...short, '--warm-up', '0', '--duration', '3s', '--max-lag', '500ms'],
      ...['--think', '10ms'],
    );
    await until('the measured time', () => /^measuring/m.test(process.stderr));
    const { stderr } = process;
    process.child.kill('SIGSTOP');
    await sleep(2000);
    process.child.kill('SIGCONT');
    const { code, stdout } = await process.ended();
    expect(stdout).toMatch(/^- The load was kept from asking for \d+ % of the time, \d+ ms/m);
    expect(code).toBe(4);
    expect(stderr).not.toContain('mondo:');
  });

  test('is 4 if the rate is out of reach: it asks as much as possible, in bounded memory', async () => {
    await using process = spawnMondo(
      ...['load', ...short, '-c', '1000', '--rate', '10M', '--grace', '100ms', '--json', '--quiet'],
    );
    let most = 0;
    await until('its end', () => {
      most = Math.max(most, mostMemoryOf(process.pid));
      return !process.isRunning;
    });
    const { code, stdout } = await process.ended();
    const { totals, outcomes, seconds, validity, connections } = JSON.parse(stdout) as LoadResult;
    expect(code).toBe(4);
    expect(seconds).toBeCloseTo(1);
    expect(totals.questions).toBe(10_000_000);
    expect(totals.answers + totals.errors).toBe(10_000_000);
    // If the machine gave the load no time, there are no answers.
    const wasStarved = /kept from asking/.test(validity.reasons.join());
    expect(totals.answers > 0 || wasStarved).toBe(true);
    expect(outcomes.neverServed).toBeGreaterThan(5_000_000);
    expect(connections.count).toBe(1000);
    expect(validity.reasons[0]).toMatch(
      /^The rate is out of reach: [\d,]+ of 10,000,000 questions/,
    );
    expect(validity.reasons.join()).not.toContain('host, port');
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(2 ** 29);
  });

  test('is 130 after Ctrl-C, with the measurements so far, whatever --fail-if says', async () => {
    await using process = spawnMondo(
      ...['load', ...rated(), '--duration', '100s', '--fail-if', 'errors>0'],
    );
    await until('the second second', () => /measuring.*\n.*measuring/.test(process.stderr));
    process.signalGroup('SIGINT');
    const { code, stdout, stderr } = await process.ended();
    expect(code).toBe(130);
    expect(stdout).toMatch(/^response +[\d.]+/m);
    expect(stdout).toContain('This run is not to be trusted:');
    expect(stdout).toMatch(/^- .*interrupted/im);
    expect(stderr).toMatch(/^mondo: Interrupted: an interrupted run never passes$/m);
  });
});

describe('the knee', () => {
  test('is searched with a report of each step, and is null if the server keeps no rate', async () => {
    const html = fileOf('knee.html');
    const { code, stdout, stderr } = await load(
      ...[...short.slice(0, 3), '--duration', '1s', '--max-lag', '1m', '--grace', '100ms'],
      ...['--find-knee', 'p99<1us', '--rate', '3', '--connections', '2', '--json', '--html', html],
    );
    expect(code).toBe(3);
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({
      schema: 'mondo-knee-1',
      target: ['p99<1us'],
      rate: null,
      limit: 'server',
    });
    expect(found.steps.map(({ rate }: { rate: number }) => rate)).toEqual([3, 3, 1.5, 1.5]);
    expect(stderr).toMatch(/^ +3 per second: not kept {2}p50 .*\(p99 was .*\)$/m);
    expect(stderr).toMatch(/^mondo: No rate met the target$/m);
    expect(readFileSync(html, 'utf8')).toContain('p99&lt;1us was kept at no rate');
  });
});

describe('two processes with one shard each of a plan', () => {
  const loadApart = (...words: string[]) => runMondo('load', ...words);
  const parts = [1, 2];
  const logs = parts.map((part) => fileOf(`${part}.hlog`));
  const results: LoadResult[] = [];

  beforeAll(async () => {
    const startAt = new Date(Date.now() + 4000 * MS).toISOString();
    const runs = parts.map((part, i) =>
      loadApart(
        ...[...rated(), '--connections', '5', '--seed', '3', '--shard', `${part}/2`],
        ...['--start-at', startAt, '--hlog', logs[i]!, '--json', '--quiet'],
      ),
    );
    for (const { stdout } of await Promise.all(runs)) results.push(JSON.parse(stdout));
  });

  test('ask the same questions as a single process, at the same time', () => {
    expect(results.map(({ connections }) => connections.count)).toEqual([3, 2]);
    const questions = results.reduce((sum, { totals }) => sum + totals.questions, 0);
    expect(questions).toBe(200);
  });

  test('add up to the sum of their histograms, exactly', async () => {
    const hlog = fileOf('all.hlog');
    const { stdout, code } = await run('load', 'merge', ...logs, '--json', '--hlog', hlog);
    const whole = JSON.parse(stdout) as LoadResult;
    expect(code).toBe(whole.validity.trusted ? 0 : 4);
    for (const which of ['service', 'response'] as const) {
      const sum = newHistogram();
      for (const result of results) sum.add(decode(result[which].hdr));
      expect(whole[which].hdr).toBe(encode(sum));
      expect(whole[which].count).toBe(sum.totalCount);
    }
    expect(whole.totals.questions).toBe(200);
    expect(whole.connections.count).toBe(5);
    expect(whole.connections.each.map(({ connection }) => connection)).toEqual([0, 1, 2, 3, 4]);
    expect(whole.plan.shard).toEqual({ index: 1, of: 1 });
    expect(whole.validity.notes.join()).toContain('Added from 2 shards');

    // The sum can be written as a log again.
    const again = await run('load', 'merge', hlog, '--json');
    expect(JSON.parse(again.stdout).response).toEqual(whole.response);
    const text = await run('load', 'merge', ...logs);
    expect(text.stdout).toMatch(/^answers .*; 200 answers to 200 questions$/m);
  });

  test('are added from standard input, one after the other', async () => {
    // Lines of other outputs may be between them.
    const join =
      'mondo=$1; shift; for log; do cat "$log"; echo; echo "This run"; done | "$0" "$mondo" load merge - --json';
    await using merge = new Process('sh', ['-c', join, process.execPath, mondo, ...logs]);
    const { code, stdout } = await merge.ended();
    const whole = JSON.parse(stdout) as LoadResult;
    expect(code).toBe(whole.validity.trusted ? 0 : 4);
    expect(whole.totals.questions).toBe(200);
    // Its standard input is empty.
    expect((await run('load', 'merge', '-')).stderr).toMatch(
      /^mondo: Cannot add "standard input": it is no log of mondo load; .*\n$/,
    );
  });

  test('are not a pass if one is missing, and are refused if one appears twice', async () => {
    const missing = await run('load', 'merge', ...logs.slice(1));
    expect(missing.code).toBe(4);
    expect(missing.stdout).toContain('- Shard 1 of 2 is missing');
    const twice = await run('load', 'merge', logs[0]!, logs[0]!);
    expect(twice.code).toBe(2);
    expect(twice.stderr).toMatch(
      /^mondo: Cannot add .*: both are shard 1\/2; give each shard once\n$/,
    );
    const other = await run('load', 'merge', join(import.meta.dirname, '../..', 'package.json'));
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(/is no log of mondo load; give files that --hlog has written\n$/);
  });
});

describe('a shard that a scheduler started', () => {
  const started = (variables: string[], ...more: string[]) =>
    new Process('env', [
      ...[...variables, process.execPath, mondo, 'load', ...rated(), '--duration', '200ms'],
      ...more,
    ]);

  test('finds its number, begins after the start of its process, and prints its log', async () => {
    await using shard = started(
      ['SLURM_PROCID=1', 'SLURM_NTASKS=3', 'SLURM_JOB_NODELIST=n[1-3]'],
      ...['--shard', 'auto', '--start-in', '3s', '--hlog', '-'],
    );
    const { code, stdout, stderr } = await shard.ended();
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toMatch(/^This is shard 2 of 3, by SLURM_PROCID and SLURM_NTASKS$/m);
    expect(stderr).toMatch(/^This run can be trusted$/m);
    writeFileSync(fileOf('auto.hlog'), stdout);
    const merged = await run('load', 'merge', fileOf('auto.hlog'));
    expect(merged.stdout).toMatch(
      /- Shard 1, 3 of 3 is missing, .* No log came from n1, n2, n3\.$/m,
    );
    expect(merged.code).toBe(4);
  });

  test.skipIf(!hasProgram('parallel', 'parallel'))('by GNU parallel, too', async () => {
    const script = '"$0" "$@" --shard auto --start-in 4s --hlog "$PARALLEL_SEQ"-parallel.hlog';
    const command = [process.execPath, mondo, 'load', ...rated(), '--quiet'];
    await using all = new Process('env', [
      ...[`--chdir=${folder}`, 'MONDO_SHARDS=2', 'parallel', '-j2', '-N0', '--quote', 'sh', '-c'],
      ...[script, ...command, ':::', 'one', 'two'],
    ]);
    expect(await all.ended()).toMatchObject({ code: 0 });
    const logs = [1, 2].map((shard) => fileOf(`${shard}-parallel.hlog`));
    const merged = await run('load', 'merge', ...logs, '--json');
    expect((JSON.parse(merged.stdout) as LoadResult).totals.questions).toBe(200);
  });

  test.each([
    [{}, ['--shard', 'auto'], /Cannot take --shard auto: no scheduler says which/],
    [{ PMI_RANK: '2', PMI_SIZE: '2' }, ['--shard', 'auto'], /there is no such shard/],
    [{}, ['--start-in', '1us'], /^mondo: --start-in is "1us"; give more than \d+ms, which this/],
    [{}, ['--start-in', '1s', '--start-at', '+1s'], /--start-at and --start-in: give one/],
    [{}, ['--start-in', '1s', '--find-knee', 'p99<1s'], /^mondo: --start-in and --find-knee/],
    [{}, ['--hlog', '-', '--json'], /Cannot print both --json and --hlog -/],
  ])('is refused in one line: %j %j', async (variables, options, message) => {
    const { code, stdout, stderr } = await runWith(variables, 'load', ...rated(), ...options);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
