/** `mondo compare` with real servers, a real load and tiny rounds: its output, its files, and what remains after it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { Against } from '../../src/instruments/compare/against.ts';
import type { Comparison } from '../../src/instruments/compare/compare.ts';
import { commands } from '../support/commands.ts';
import { descendantsOf, type Ended, isAlive, mondo, spawnMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { until, untilSo } from '../support/until.ts';

vi.setConfig({ testTimeout: 180_000 });

const { run } = commands();

const folder = mkdtempSync(join(tmpdir(), 'mondo-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));
const fileNamed = (name: string) => join(folder, name);
const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Comparison;
const write = (name: string, value: unknown) => {
  writeFileSync(fileNamed(name), typeof value === 'string' ? value : JSON.stringify(value));
  return fileNamed(name);
};

/** Many short measurements; on a busy machine each takes longer. */
async function runCompare(...args: string[]): Promise<Ended> {
  await using process = spawnMondo('compare', ...args);
  return await process.ended(120_000);
}

// Shorter, and a busy machine may give the server no processor time at all.
const tiny = ['--seconds', '0.25', '--warm-up', '0.05'];
/** With a pause, the load leaves the processors to other tests. */
const slow = [...tiny, '--think', '5'];

describe('two architectures, with and without a silent client', async () => {
  const [json, html] = [fileNamed('run.json'), fileNamed('run.html')];
  const { code, stdout, stderr } = await runCompare(
    ...['single', 'epoll', '--connections', '2', '--silent', '0,1', '--rounds', '3'],
    ...[...slow, '--json', json, '--html', html],
  );
  const found = read(json);

  test('are measured in the requested number of rounds, and each measurement is reported', () => {
    expect(code).toBe(0);
    expect(found).toMatchObject({ schema: 'mondo-compare-1', end: 'done', planned: 12 });
    expect(found.cells.map(({ state }) => state)).toEqual(Array(12).fill('good'));
    // On a busy machine other lines come between: that it is busy, and a server's warning that its worker is stuck.
    const isProgress = (line: string) => /^(4 variants|\[\d+\/12\])/.test(line);
    const [first, ...lines] = stderr.trimEnd().split('\n').filter(isProgress);
    expect(first).toMatch(
      /^4 variants in 3 rounds: 12 measurements of about 0\.\d+ s, about \d+ s$/,
    );
    expect(lines).toHaveLength(12);
    expect(lines[0]).toMatch(
      /^\[1\/12\] (single|epoll), 2 connections.*: [\d,]+ answers\/s, p99 .* ms, \d never answered; \d+ s left$/,
    );
  });

  test('differ by architecture: one silent client blocks one of them', () => {
    const rowOf = (architecture: string, silent: number) =>
      found.findings.rows.find(
        ({ variant }) => variant.architecture === architecture && variant.silent === silent,
      )!;
    expect(rowOf('single', 0).neverAnswered).toMatchObject({ median: 1 });
    expect(rowOf('single', 1).neverAnswered).toMatchObject({ least: 2 });
    expect(rowOf('single', 1).levels.rate).toMatchObject({ most: 0 });
    // A busy machine may leave one of the short rounds without an answer.
    expect(rowOf('epoll', 1).neverAnswered).toMatchObject({ median: 0 });
    const epoll = rowOf('epoll', 0).levels;
    for (const figure of ['rate', 'p50', 'p99', 'cpu', 'switches', 'memory'] as const) {
      expect(epoll[figure]!.median).toBeGreaterThan(0);
    }
    expect(found.recommendation.choice).toBe('epoll');
  });

  test('are printed as tables, with the recommendation at the end', () => {
    expect(stdout).toMatch(
      /^2 connections, answers that take 5 ms .*\narchitecture +answers\/s +times epoll +unanswered /m,
    );
    expect(stdout).toMatch(/^2 connections, 1 silent client, answers .*\n/m);
    expect(stdout).toMatch(/^single +0 +(no answers|–) +2 of 2 /m);
    expect(stdout).toMatch(
      /^2 connections, 1 silent client, .*: times the same load without silent clients\n/m,
    );
    expect(stdout).toMatch(
      /\n\nTake epoll: of those that left no connection unanswered it .*\n\nWhy: .*\ncondition +figure +best +value +others, times the best\n2 connections, .* +answers\/s +epoll /,
    );
    expect(stdout).toMatch(
      /^Choose another only if .*\n.*\nsingle +at most 1 client at once, no silent client +1 of 2; 2 of 2 beside 1 silent$/m,
    );
  });

  test('make a self-contained page', () => {
    const page = readFileSync(html, 'utf8');
    expect(page.match(/<svg /g)!.length).toBeGreaterThanOrEqual(5);
    // Compares booleans, because a failure would print the whole page.
    expect(/<script|<link|<img|src=|url\((?!#)/.exec(page)).toBeNull();
    expect(page.includes('at most 1 client at once, no silent client')).toBe(true);
    expect(page.includes('no answers')).toBe(true);
  });

  test('are compared with a stored run: no regression, or one, or nothing to compare', async () => {
    const scaled = (name: string, by: number) => {
      const whole = read(json);
      // One of the four variants is enough.
      const isKept = (one: { silent: number }) => one.silent === 0;
      const stored = {
        ...whole,
        plan: {
          ...whole.plan,
          architectures: ['epoll'],
          conditions: whole.plan.conditions.filter(isKept),
        },
        planned: 3,
        cells: whole.cells.filter(
          ({ variant }) => isKept(variant) && variant.architecture === 'epoll',
        ),
      };
      for (const cell of stored.cells) {
        const figures = cell.figures as object;
        // Other work on this machine may slow a run, but not a million times.
        Object.assign(figures, { rate: 10_000 * by, cpu: 10 / by, p99: 1 / by });
      }
      return write(name, stored);
    };
    const [better, worse] = [scaled('better.json', 1e6), scaled('worse.json', 1e-6)];
    const other = fileNamed('again.json');
    // A busy machine may have a round without an answer, or a run that is not trusted: the run is made again.
    const slower = /^epoll +2 connections.* 0\.00 .* REGRESSION$/m;
    const regressed = await untilSo(
      () => run('compare', '--against', better, '--json', other),
      ({ code, stdout }) => code === 3 && slower.test(stdout),
    );
    expect(regressed.stdout).toMatch(slower);
    expect(regressed.stderr).toMatch(/\nmondo: \d+ regressions? against the stored run\n$/);
    expect(regressed.code).toBe(3);
    // Without options, it uses the plan of the stored run.
    expect(read(other).plan).toEqual(read(better).plan);
    expect((read(other) as Comparison & { against: Against }).against.changes.length).toBe(3);

    const page = fileNamed('against.html');
    const fine = await untilSo(
      () => run('compare', 'epoll', '--silent', '0', '--against', worse, '--html', page),
      ({ code }) => code === 0,
    );
    expect(fine.code).toBe(0);
    expect(readFileSync(page, 'utf8').includes('No regression')).toBe(true);
  });

  test('are not compared with a run of another plan, or with a file that is not a run', async () => {
    const ended = await Promise.all([
      run('compare', '--against', json, '--seconds', '0.3'),
      run('compare', '--against', write('half.json', '{"schema":')),
      run('compare', '--against', write('load.json', { schema: 'mondo-load-1' })),
      run('compare', '--against', fileNamed('none.json')),
    ]);
    expect(ended.map(({ code }) => code)).toEqual([2, 2, 2, 1]);
    expect(ended.map(({ stderr }) => stderr.trimEnd().split('\n').length)).toEqual([1, 1, 1, 1]);
    expect(ended[0]!.stderr).toMatch(/: measured time in s: 0\.3 now, 0\.25 then; /);
    expect(ended[1]!.stderr).toMatch(/^mondo: Cannot compare with ".*half\.json": it is not JSON/);
    expect(ended[2]!.stderr).toContain('it is a "mondo-load-1"');
    expect(ended[3]!.stderr).toMatch(/^mondo: Cannot read ".*none\.json": ENOENT; /);
  });
});

describe("the user's own service", async () => {
  const service = join(import.meta.dirname, '../support/services/echo.ts');
  const questions = write('questions.txt', 'Who?\tWho?!\nWhy not?\tWhy not?!\n');
  const compared = (...more: string[]) =>
    run('compare', 'callback', '--connections', '2', '--silent', '0', ...slow, ...more);
  const own = ['--service', service, '--questions', questions, '--rounds', '1'];

  test('gets its own questions', async () => {
    const { code, stdout } = await compared(...own, '--json', '-');
    const { cells, plan } = JSON.parse(stdout) as Comparison;
    expect(code).toBe(0);
    expect(cells.map(({ state }) => state)).toEqual(['good']);
    expect(cells[0]!.figures!.answers).toBeGreaterThan(0);
    expect(plan.service).toMatch(/^file:.*echo\.ts$/);
  });

  test('that gives unexpected answers is asked once, and not measured', async () => {
    const wrong = write('wrong.txt', 'Who?\tMondo.\n');
    const { code, stdout, stderr } = await compared(...own.with(3, wrong));
    expect(stderr).toMatch(
      /\nmondo: Cannot measure 127\.0\.0\.1:\d+: to "Who\?" the server answered "Who\?!", and not "Mondo\."; give its questions and answers with --questions, and with --framing how its answers end\n$/,
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  test('gives its framing: a service of lines, and one with another delimiter', async () => {
    const lines = join(import.meta.dirname, '../../examples/lines.ts');
    const sums = write('sums.txt', '3 4 +\t7\n2 3 *\t6\n');
    const shout = write(
      'shout.mjs',
      "export default { delimiter: ';', answer: (question) => question.toUpperCase() };",
    );
    const words = write('words.txt', 'one\ntwo;\n');
    for (const [service, questions, framing] of [
      [lines, sums, { kind: 'line' }],
      [shout, words, { kind: 'delimiter', answerEnd: ';' }],
    ] as const) {
      const args = ['--service', service, '--questions', questions, '--rounds', '1'];
      // A busy machine may disturb a run: exit code 4.
      const { code, stdout, stderr } = await untilSo(
        () => compared(...args, '--json', '-'),
        (run) => run.code === 0,
      );
      expect({ code, stderr }).toMatchObject({ code: 0 });
      const { cells, plan } = JSON.parse(stdout) as Comparison;
      expect(plan.framing).toEqual(framing);
      expect(cells.map(({ state }) => state)).toEqual(['good']);
    }
  });

  test('names --framing if the service does not give its own', async () => {
    const odd = write(
      'odd.mjs',
      "export default { delimiter: '?', answer: (question) => question.length > 4 ? 'long!' : 'short#' };",
    );
    const asked = write('odd.txt', 'one?\nfour?\n');
    const { code, stderr } = await compared('--service', odd, '--questions', asked);
    expect(stderr).toMatch(
      /\nmondo: Cannot measure .*: to "one\?" the server answered "short#", and no "\." came that ends an answer; say how its answers end, as in --framing 'delimiter:#'\n$/,
    );
    expect(code).toBe(1);
  });

  test('needs questions', async () => {
    const { code, stderr } = await compared('--service', service);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^mondo: Cannot measure ".*echo\.ts" without questions: add --questions FILE, .*\n$/,
    );
  });
});

test.skipIf(!hasProgram('script', 'bsdutils'))(
  'in a terminal, one line shows the progress and is overwritten',
  () => {
    const words = `${process.execPath} ${mondo} compare epoll --connections 2 --silent 0 --rounds 2 ${tiny.join(' ')}`;
    const output = execFileSync('script', ['-qec', `stty cols 80; ${words}`, '/dev/null'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Each line overwrites the one before it, and the first table overwrites the last line.
    const [, first, second, table] = output.split('\r\x1b[K');
    expect(first).toMatch(/^round 1, 1 of 2, \d+ s left: epoll, 2 connections$/);
    expect(second).toMatch(/^round 2, 2 of 2, \d+ s left: epoll, 2 connections$/);
    // 80 columns are too few for all figures in one row.
    expect(table).toMatch(
      /^2 connections\r\narchitecture +answers\/s +times epoll +unanswered +fairness\r\nepoll /,
    );
    expect(table).toMatch(/\r\n\r\n2 connections\r\narchitecture +p50 ms .*MiB\r\nepoll /);
  },
);

test('Ctrl-C ends it with the measurements so far, and that is never a pass', async () => {
  const json = fileNamed('stopped.json');
  await using process = spawnMondo(
    ...['compare', 'epoll', '--connections', '2', '--silent', '0', '--rounds', '100', ...slow],
    ...['--json', json],
  );
  await until('two measurements', () => /^\[2\/100\]/m.test(process.stderr));
  const started = descendantsOf(process.pid);
  process.signalGroup('SIGINT');
  const { code, stdout, stderr } = await process.ended();
  expect(code).toBe(130);
  expect(stdout).toMatch(/^2 connections, .*\narchitecture/m);
  expect(stderr).toMatch(/mondo: Interrupted after \d+ of 100 measurements: .*\n$/);
  expect(read(json).end).toBe('interrupted');
  await until('its processes to end', () => !started.some(isAlive));
});

test('wrong arguments are reported before anything starts', async () => {
  const ended = await Promise.all([
    run('compare', 'apache'),
    run('compare', '--connections', '0'),
    run('compare', '--connections', '1,20000'),
    run('compare', '--think-how', 'never'),
    run('compare', '--seconds', '100'),
    run('compare', 'epoll', '--reference', 'uring'),
    run('compare', 'inetd', '--connections', '1000'),
    run('compare', 'epoll', '--threads', '5000'),
    run('compare', '--architectures', 'all', '--seconds', '60', '--rounds', '100'),
    run('compare', '--html', join(folder, 'no', 'such.html')),
  ]);
  expect(ended.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2, 1]);
  expect(ended.map(({ stdout }) => stdout).join('')).toBe('');
  for (const { stderr } of ended) expect(stderr).toMatch(/^mondo: [^\n]+\n$/);
  expect(ended[5]!.stderr).toBe(
    'mondo: Cannot compare with "uring": it is not measured; give --reference one of epoll\n',
  );
  expect(ended[6]!.stderr).toMatch(
    /^mondo: Nothing can be measured: inetd: more than the 16 connections /,
  );
  expect(ended[8]!.stderr).toMatch(/^mondo: Cannot make \d+ measurements in \d+ h /);
});
