/**
 * A command's results reach their reader and their files: for any state of standard error, any number of deliveries
 * of one Ctrl-C, and any failure before there is a result.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Server } from '../../src/host/server.ts';
import { serve } from '../../src/index.ts';
import { commands } from '../support/commands.ts';
import { descendantsOf, isAlive, mondo, Process, spawnMondo } from '../support/processes.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-results-'));
const fileOf = (name: string) => join(folder, name);
const textOf = (name: string) => readFileSync(fileOf(name), 'utf8');

const { run, runWith } = commands();

let server: Server;
let load: string[];
let brief: string[];
let knee: string[];
beforeAll(async () => {
  server = await serve({ architecture: 'epoll', port: 0 });
  load = [
    ...['load', '127.0.0.1', '-p', String(server.port), '-c', '4', '--max-lag', '1m'],
    ...['--grace', '100ms'],
  ];
  brief = [...load, '--rate', '100', '--duration', '1100ms', '--json'];
  knee = [...load, '--find-knee', 'p99<1us', '--rate', '2', '--duration', '1s', '--json'];
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const compare = [
  ...['compare', 'epoll', '--connections', '2', '--silent', '0', '--seconds', '0.2'],
  // With a pause, the load leaves the processors to other tests.
  ...['--warm-up', '0.1', '--unpinned', '--think', '5'],
];
const siege = ['siege', 'epoll', '--attack', 'vanish', '--limits', 'on', '--seconds', '1'];

const noRoom = (words: string[]) => shell('2>/dev/full', words);
const noReader = (words: string[]) => withoutReader(words);

describe('where standard error', () => {
  // All commands have one handler for its faults. So each has one fault, and `load` has both.
  test.concurrent.each([
    ['has no room', 'load', noRoom, () => brief],
    ['has lost its reader', 'load', noReader, () => brief],
    ['has lost its reader', 'load --find-knee', noReader, () => knee],
    ['has no room', 'compare', noRoom, () => [...compare, '--rounds', '2', '--json', '-']],
    ['has lost its reader', 'siege', noReader, () => [...siege, '--json']],
  ] as const)(
    '%s: the result of %s is complete',
    async (_, name, start, words) => {
      await using process = start(words());
      const { code, stdout } = await process.ended(60_000);
      expect(JSON.parse(stdout)).toBeTypeOf('object');
      // Exit codes have their usual meaning: this target cannot be reached, and figures of a busy machine may be
      // untrusted.
      expect(code).toBeOneOf(name === 'load --find-knee' ? [3, 4] : [0, 1, 4]);
    },
    60_000,
  );
});

const shell = (redirection: string, words: readonly string[]) =>
  new Process('sh', ['-c', `exec "$@" ${redirection}`, 'sh', process.execPath, mondo, ...words]);

function withoutReader(words: readonly string[]): Process {
  const process = spawnMondo(...words);
  process.child.stderr.destroy();
  return process;
}

describe('one Ctrl-C that is delivered several times', () => {
  /** npx delivers it 20 ms apart; and once more before the command can write. */
  async function interrupt(process: Process): Promise<void> {
    for (const pause of [0, 4, 16]) {
      await sleep(pause);
      process.signalGroup('SIGINT');
    }
  }

  test.concurrent('leaves what load has measured', async () => {
    // The page takes some time, and is written last.
    const [hlog, html] = [fileOf('twice.hlog'), fileOf('load.html')];
    await using process = spawnMondo(
      ...[...load, '--think', '10ms', '--duration', '100s', '--hlog', hlog, '--html', html],
    );
    await until('the second second', () => /measuring.*\n.*measuring/.test(process.stderr), 20_000);
    await interrupt(process);
    const { code, stdout } = await process.ended();
    expect(code).toBe(130);
    expect(stdout).toMatch(/^response +[\d.]+/m);
    expect(textOf('twice.hlog')).toMatch(/^Tag=response,/m);
    expect(textOf('load.html')).toContain('</html>');
  });

  test.concurrent('leaves what a search for the knee has tried', async () => {
    const html = fileOf('twice.html');
    await using process = spawnMondo(
      ...[...load, '--find-knee', 'p99<100s', '--rate', '10', '--duration', '1s', '--html', html],
    );
    await until('the first step', () => /per second: /.test(process.stderr), 20_000);
    await interrupt(process);
    const { code, stdout } = await process.ended();
    expect(code).toBe(130);
    expect(stdout).toMatch(/per second: kept/);
    expect(textOf('twice.html')).toContain('</html>');
  });

  test.concurrent('leaves the cells of a siege', async () => {
    mkdirSync(fileOf('siege'));
    const html = fileOf('siege/siege.html');
    writeFileSync(html, 'old');
    await using process = spawnMondo(
      ...['siege', 'epoll', '--limits', 'on', '--seconds', '1', '--html', html],
    );
    await until('the first cell', () => /^\[1\/\d+\]/m.test(process.stderr), 30_000);
    const started = descendantsOf(process.pid);
    // What a siege that is killed here would leave.
    expect(textOf('siege/siege.html')).toBe('old');
    expect(readdirSync(fileOf('siege'))).toEqual(['siege.html']);
    await interrupt(process);
    const { code, stdout, stderr } = await process.ended();
    expect(stderr).toMatch(/mondo: Stopped by Ctrl-C after [12] of 17 cells\n$/);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^idle crowd +[A-F-]/m);
    expect(textOf('siege/siege.html')).toContain('</html>');
    await until('its processes to end', () => !started.some(isAlive));
  });

  test.concurrent('leaves the rounds of a comparison', async () => {
    const json = fileOf('compare.json');
    await using process = spawnMondo(...compare, '--rounds', '100', '--json', json);
    await until('a measurement', () => /^\[1\/100\]/m.test(process.stderr), 30_000);
    await interrupt(process);
    expect(await process.ended()).toMatchObject({ code: 130 });
    expect(JSON.parse(textOf('compare.json')).end).toBe('interrupted');
  });

  test.concurrent('keeps the architectures that were traced', async () => {
    const svg = fileOf('compare.svg');
    await using process = spawnMondo(
      ...['trace', '--compare', 'epoll', 'poll', 'select', '--svg', svg],
    );
    await until('the second to begin', () => /Tracing poll/.test(process.stderr), 30_000);
    await interrupt(process);
    const { code, stdout, stderr } = await process.ended();
    expect(stderr).toMatch(/mondo: Interrupted after [12] of 3 architectures\n$/);
    expect(code).toBe(130);
    expect(stdout).toMatch(/^epoll +client 1 /m);
    expect(textOf('compare.svg')).toContain('</svg>');
  });
});

describe('a file stays what it was', () => {
  test.concurrent.each([
    ['load', ['load', 'nosuchhost.invalid', '--hlog']],
    ['load', ['load', 'nosuchhost.invalid', '--csv']],
    ['load', ['load', 'nosuchhost.invalid', '--html']],
    ['load', ['load', '127.0.0.1', '--save-plan', 'FILE', '--connections', '0']],
    ['load merge', ['load', 'merge', 'none/1.hlog', '--hlog']],
    ['siege', ['siege', 'epoll', '--attack', 'none', '--html']],
    ['compare', ['compare', 'epoll', '--connections', '0', '--json']],
    ['trace', ['trace', 'single', 'nosuchhost.invalid', '--out']],
  ] as const)('where %s fails: %j', async (_, words) => {
    const file = fileOf(words.join('-').replaceAll('/', ''));
    writeFileSync(file, 'old');
    const named = words.includes('FILE' as never);
    const { code } = await run(
      ...(named ? words.map((word) => (word === 'FILE' ? file : word)) : [...words, file]),
    );
    expect(code).toBeOneOf([1, 2]);
    expect(readFileSync(file, 'utf8')).toBe('old');
  });
});

describe('one line says what is missing', () => {
  test.concurrent('if trace has no place for its pipe', async () => {
    // A folder would be created for the compile cache.
    writeFileSync(fileOf('full'), '');
    const temporary = fileOf('full/tmp');
    const { code, stderr } = await runWith({ TMPDIR: temporary }, 'trace', 'single', '-p', '0');
    expect(stderr).toBe(
      `mondo: Cannot trace: cannot make a named pipe in "${temporary}": ENOTDIR; set TMPDIR to a folder that you may write to\n`,
    );
    expect(code).toBe(1);
  });

  test.concurrent('and trace needs no program', async () => {
    await using trace = new Process('env', [
      ...[`PATH=${fileOf('none')}`, process.execPath, mondo, 'trace', 'single', '-p', '0'],
    ]);
    await trace.printed(/Listening at/);
    trace.signalGroup('SIGINT');
    expect(await trace.ended()).toMatchObject({ code: 0, stderr: '' });
  });
});
