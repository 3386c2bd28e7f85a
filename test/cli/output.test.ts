/** The destination of `mondo serve`'s log: a full disk, a closed terminal, a slow reader. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect } from '../../src/index.ts';
import { descendantsOf, isAlive, mondo, Process } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { steady, until } from '../support/until.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mondo-output-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** `mondo serve` with these arguments, with a file as standard output. */
const serveInto = (file: string, words: string) =>
  new Process('sh', ['-c', `exec '${process.execPath}' '${mondo}' serve ${words} > '${file}'`]);

/** The address of the server of this name. */
const unix = (name: string) => `unix:${join(folder, name)}`;

const connected = (where: string) =>
  until('the server to listen', () => connect(where).catch(() => undefined));

it('continues to serve if the disk of its log is full, and ends as usual', async () => {
  const where = unix('full');
  await using server = serveInto('/dev/full', `epoll '${where}'`);
  await using client = await connected(where);
  for (let i = 0; i < 2; i++) expect(await client.ask('Simple is better than?')).toBe('Complex.');
  server.child.kill('SIGTERM');
  expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
});

it.skipIf(!hasProgram('prlimit', 'util-linux'))(
  'reports how many lines it has dropped, once there is room again',
  async () => {
    const file = join(folder, 'log');
    const where = unix('limited');
    await using server = serveInto(file, `epoll '${where}'`);
    const logged = (pattern: RegExp) =>
      until(`${pattern} in the log`, () => pattern.exec(readFileSync(file, 'utf8')));
    await (await connected(where)).close();
    await logged(/Accepted/);
    await steady('the log', () => readFileSync(file).length);
    const fileSize = (most: number | 'unlimited') =>
      execFileSync('prlimit', ['--pid', `${server.pid}`, `--fsize=${most}:unlimited`]);
    const before = readFileSync(file, 'utf8');
    fileSize(before.length + 20);
    let come = 0;
    const comeAndGo = async () => {
      await (await connect(where)).close();
      come++;
    };
    for (let i = 0; i < 3; i++) await comeAndGo();
    await until('the file to be full', () => readFileSync(file).length === before.length + 20);
    // Each write after this fails: lines are dropped before there is room again.
    const writes = () =>
      Number(/syscw: (\d+)/.exec(readFileSync(`/proc/${server.pid}/io`, 'utf8'))![1]);
    const written = writes();
    await until('lines to be dropped', async () => {
      await comeAndGo();
      return writes() > written + 2;
    });
    fileSize('unlimited');
    await until('a line again', async () => {
      await comeAndGo();
      return /dropped/.test(readFileSync(file, 'utf8'));
    });
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
    const since = readFileSync(file, 'utf8').slice(before.length);
    // The beginning of a line that was dropped.
    expect(since.indexOf('\n')).toBe(20);
    const whole = since.match(/^\[[\d:.]+\] \(\d+\): (Accepted .*|Client .* closed normally)$/gm);
    const dropped = [...since.matchAll(/: (\d+) log lines dropped: EFBIG: file too large$/gm)]
      .map(([, count]) => Number(count))
      .reduce((sum, count) => sum + count, 0);
    expect(whole!.length + dropped).toBe(2 * come);
  },
);

it.skipIf(!hasProgram('script', 'bsdutils'))('ends when its terminal is closed', async () => {
  const command = `exec '${process.execPath}' '${mondo}' serve epoll -p 0`;
  await using terminal = new Process('script', ['-qefc', command, '/dev/null']);
  await terminal.printed(/Ctrl-C stops/);
  const processes = descendantsOf(terminal.pid);
  expect(processes.length).toBeGreaterThan(1);
  terminal.child.kill('SIGKILL');
  try {
    await until('the server to end', () => !processes.some(isAlive));
  } finally {
    for (const pid of processes.filter(isAlive)) process.kill(pid, 'SIGKILL');
  }
});

/** A pipe whose reader takes bytes only by `take`, and a function that fills the pipe. */
function pipe(name: string) {
  const file = join(folder, name);
  execFileSync('mkfifo', [file]);
  const reading = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const bytes = Buffer.alloc(4096);
  /** The result of `transfer`, or 0 if the pipe is full, or empty. */
  const some = (transfer: () => number) => {
    try {
      return transfer();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  };
  return {
    file,
    take: () =>
      bytes.toString(
        'utf8',
        0,
        some(() => readSync(reading, bytes)),
      ),
    fill() {
      const writing = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
      while (some(() => writeSync(writing, bytes)) > 0);
      closeSync(writing);
    },
    [Symbol.dispose]: () => closeSync(reading),
  };
}

const signalUntilEnded = (server: Process) =>
  until('the end', () => {
    server.child.kill('SIGTERM');
    return !server.isRunning;
  });

it('ends with a second signal during the start, even without a reader of its output', async () => {
  using stuck = pipe('stuck');
  stuck.fill();
  const [service, loading] = [join(folder, 'endless.mjs'), join(folder, 'loading')];
  writeFileSync(
    service,
    `import { writeFileSync } from 'node:fs';
    writeFileSync(${JSON.stringify(loading)}, '');
    await new Promise((resolve) => setTimeout(resolve, 3_600_000));`,
  );
  // Without the name of an architecture, its first line names the chosen one.
  await using server = serveInto(stuck.file, `-p 0 --service '${service}'`);
  await until('the service to be loading', () => existsSync(loading));
  await signalUntilEnded(server);
});

it('ends with a second signal during a stop, even if a slow reader has not read all', async () => {
  using slow = pipe('slow');
  slow.fill();
  const where = unix('slow-server');
  await using server = serveInto(slow.file, `epoll '${where}' --log json`);
  for (let i = 0; i < 600; i++) await (await connected(where)).close();
  const workers = descendantsOf(server.pid);
  server.child.kill('SIGTERM');
  await until('the workers to leave', () => !workers.some(isAlive));
  let text = '';
  const reading = setInterval(() => {
    text += slow.take();
  }, 500);
  try {
    await until('the reader to have a line of a client', () => text.includes('Accepted'));
    await signalUntilEnded(server);
  } finally {
    clearInterval(reading);
  }
  for (let more = slow.take(); more !== ''; more = slow.take()) text += more;
  expect(text).toContain('Accepted');
  expect(text).not.toContain('Stopped');
});

it('ends with a fault of its own, and reports it, even without a reader of its output', async () => {
  using stuck = pipe('fault');
  stuck.fill();
  const program = join(folder, 'fault.mjs');
  writeFileSync(
    program,
    `import { StandardOutput } from ${JSON.stringify(join(import.meta.dirname, '../../src/cli/standard-output.ts'))};
    const output = new StandardOutput();
    output.leaveAtExit();
    output.write('A line.\\n');
    setTimeout(() => { throw new Error('a slip'); });`,
  );
  const command = `exec '${process.execPath}' '${program}' > '${stuck.file}'`;
  for (const [where, says] of [
    ['', /Error: a slip/],
    ['2>&1', /^$/],
  ] as const) {
    await using faulty = new Process('sh', ['-c', `${command} ${where}`]);
    const { code, stderr } = await faulty.ended();
    expect(code).toBe(1);
    expect(stderr).toMatch(says);
  }
});
