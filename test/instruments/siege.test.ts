/** A short siege: whole cells, and verdicts that hold with wide margins on a slow machine. `npm run siege` makes a long one. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { attackNamed, attacks } from '../../src/instruments/siege/attacks.ts';
import type { Cell } from '../../src/instruments/siege/cell.ts';
import { isEnough } from '../../src/instruments/siege/intensity.ts';
import type { Report } from '../../src/instruments/siege/siege.ts';
import { builtModule } from '../support/built-module.ts';
import { commands } from '../support/commands.ts';
import {
  descendantsOf,
  isAlive,
  mondo,
  Process,
  runMondo,
  spawnMondo,
  untilAnotherSignal,
} from '../support/processes.ts';
import { until, untilSo } from '../support/until.ts';

const { run } = commands();
const { siege } =
  builtModule<typeof import('../../src/instruments/siege/siege.ts')>('instruments/siege/siege');

const folder = mkdtempSync(join(tmpdir(), 'mondo-siege-'));
afterAll(() => rmSync(folder, { recursive: true }));

const seconds = 1;
const lay = async (
  architecture: 'single' | 'epoll' | 'prefork',
  attack: string,
  mode: 'off' | 'on',
): Promise<Cell> => {
  const attacks = [attackNamed(attack)!];
  const report = await siege(
    { architectures: [architecture], attacks, modes: [mode], duration: seconds * 1000 },
    () => {},
  );
  expect(report.missing).toEqual([]);
  return report.cells[0]!;
};

// A machine that is busy with other work may not reach the intensity, or be late: then `untilSo` tries again.
const wasAttacked = ({ intensity }: Cell) => isEnough(intensity);
/** A slow machine answers some honest clients late; a server that failed answers none. */
const stood = (cell: Cell) => cell.availability >= 0.5 && cell.recovery !== undefined;
/** An answer that a busy machine gives too late is a fault of the drain for a siege. */
const drains = ({ drain }: Cell) => drain?.grade === 'A';
const isWhole = (cell: Cell) => cell.isAlive && cell.deaths === 0 && cell.wrong === 0;

test.concurrent('a pool fails under an idle crowd without limits, and survives with them', async () => {
  const html = join(folder, 'siege.html');
  const words = ['siege', 'threaded', '--attack', 'idle-crowd', '--seconds', String(seconds)];
  const { stdout, stderr } = await untilSo(
    () => runMondo(...words, '--json', '--html', html),
    (ended) =>
      (JSON.parse(ended.stdout) as Report).cells.every((cell) => wasAttacked(cell) && drains(cell)),
  );
  const report = JSON.parse(stdout) as Report;
  const [off, on] = report.cells;
  expect([off!.limits, on!.limits]).toEqual(['off', 'on']);
  expect([off, on].map((cell) => wasAttacked(cell!))).toEqual([true, true]);
  expect([off, on].map((cell) => stood(cell!))).toEqual([false, true]);
  expect([off, on].map((cell) => isWhole(cell!))).toEqual([true, true]);
  expect(off!.ended).toEqual({});
  expect(on!.ended).toMatchObject({ 'connections-per-address': expect.any(Number) });
  expect([off, on].map((cell) => cell!.drain?.grade)).toEqual(['A', 'A']);
  expect(on!.byDesign).toBeUndefined();
  // One line for each cell as it ends.
  expect(stderr).toMatch(/^\[1\/2\] threaded, idle crowd, limits off: /m);
  expect(stderr).toMatch(/^\[2\/2\] threaded, idle crowd, limits on: /m);
  expect(readFileSync(html, 'utf8')).toContain('id="threaded-idle-crowd-on"');
});

test.concurrent('one thread fails under silent clients whatever the limits, and the report says so beside the grade', async () => {
  const cell = await untilSo(
    () => lay('single', 'idle-crowd', 'on'),
    (seen) => wasAttacked(seen) && drains(seen),
  );
  expect(wasAttacked(cell)).toBe(true);
  expect(stood(cell)).toBe(false);
  expect(isWhole(cell)).toBe(true);
  expect(cell.byDesign).toMatch(/^one conversation at a time/);
  expect(cell.drain?.grade).toBe('A');
});

test.concurrent('a loop survives clients that ask and reset', async () => {
  const cell = await untilSo(
    () => lay('epoll', 'ask-and-reset', 'off'),
    (seen) => stood(seen) && drains(seen),
  );
  expect(stood(cell)).toBe(true);
  expect(isWhole(cell)).toBe(true);
  expect(cell.drain?.grade).toBe('A');
});

test.concurrent('a loop that runs out of descriptors neither dies nor spins nor fills the log, and recovers', async () => {
  const cell = await untilSo(() => lay('epoll', 'descriptors', 'off'), wasAttacked);
  expect(wasAttacked(cell)).toBe(true);
  expect(cell.availability).toBeLessThan(0.5);
  expect(cell.recovery).toBeDefined();
  expect(isWhole(cell)).toBe(true);
  expect(cell.cores).toBeLessThan(0.5);
  expect(cell.lines).toBeLessThan(3 * cell.accepted + 50);
});

test.concurrent('workers that are killed are replaced', async () => {
  const cell = await untilSo(() => lay('prefork', 'kill', 'on'), stood);
  expect(cell.intensity.reached).toBeGreaterThan(0);
  expect(stood(cell)).toBe(true);
  expect(isWhole(cell)).toBe(true);
});

// In the second case the server slows down only after the honest clients before the attack.
for (const quick of [0, 24]) {
  test.concurrent(`a server that is too slow without an attack, after ${quick} answers, is void and not failed`, async () => {
    const service = new URL(`../support/services/tired.ts?quick=${quick}`, import.meta.url);
    const attack = { ...attackNamed('idle-crowd')!, server: { service } };
    const report = await siege(
      { architectures: ['callback'], attacks: [attack], modes: ['on'], duration: seconds * 1000 },
      () => {},
    );
    expect(report.missing).toEqual([]);
    const [cell] = report.cells;
    expect(cell!.grade).toBeUndefined();
    expect(cell!.reasons[0]).toMatch(
      /^this machine is too slow for the honest clients alone: without an attack, \d+ of \d+ were answered in time/,
    );
    expect(cell!.reasons[1]).toMatch(/^it was [C-F], /);
    expect(cell!.drain?.grade).toBeUndefined();
    expect(isWhole(cell!)).toBe(true);
    // Only the second server was attacked.
    if (quick === 0) expect(cell!.intensity.wanted).toBe(0);
  });
}

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};

/** Ctrl-C while the attackers start: the siege, and which of its processes are still there. */
async function interruptedAtStart() {
  const gate = join(folder, 'gate');
  // The attacker waits for the gate. The siege waits for the attacker, so no server starts before the signal.
  const wait = `import { existsSync } from 'node:fs';
    const word = new Int32Array(new SharedArrayBuffer(4));
    const isAttacker = process.argv[1]?.includes('siege/attacker');
    while (isAttacker && !existsSync(${JSON.stringify(gate)})) Atomics.wait(word, 0, 0, 20);`;
  const options = `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(wait)}`;
  await using command = new Process('env', [options, process.execPath, mondo, 'siege', 'epoll']);
  const attacker = await until('the attacker process to start', () =>
    descendantsOf(command.pid).find((pid) => commandOf(pid).includes('siege/attacker')),
  );
  command.signalGroup('SIGINT');
  await until('Ctrl-C to be handled', () => !command.isRunning || command.stderr !== '');
  writeFileSync(gate, '');
  const ended = await command.ended();
  await until('its process to end', () => !isAlive(attacker));
  return ended;
}

test.concurrent('Ctrl-C works before the first server has started', async () => {
  const { code, stdout, stderr } = await interruptedAtStart();
  // Between them a busy server may have logged a warning.
  expect(stderr).toMatch(/^Stopping .*\n(?:.*\n)*mondo: Stopped by Ctrl-C after 0 of 34 cells\n$/m);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
});

test.concurrent('Ctrl-C twice ends the siege at once, with all its processes', async () => {
  // A cell that lasts longer than this test, or the first Ctrl-C would end the siege.
  await using process = spawnMondo('siege', 'epoll', '--limits', 'on', '--seconds', '60');
  const started = await until('the server to start', () => {
    const all = descendantsOf(process.pid);
    return all.length >= 3 && all;
  });
  process.signalGroup('SIGINT');
  await until('the first Ctrl-C to be handled', () => process.stderr.includes('Ctrl-C again'));
  await untilAnotherSignal();
  process.signalGroup('SIGINT');
  await process.ended();
  expect(process.child.signalCode).toBe('SIGINT');
  await until('its processes to end', () => !started.some(isAlive));
});

test.concurrent('wrong arguments are reported before anything starts', async () => {
  const ended = await Promise.all([
    run('siege', 'apache'),
    run('siege', '--attack', 'nuke'),
    run('siege', '--seconds', '0'),
    run('siege', '--html', join(folder, 'no', 'such.html')),
  ]);
  expect(ended.map(({ code }) => code)).toEqual([2, 2, 2, 1]);
  expect(ended.map(({ stdout }) => stdout)).toEqual(['', '', '', '']);
  expect(ended[1]!.stderr).toMatch(/^mondo: There is no attack "nuke"; there are idle-crowd, /);
  expect(ended[3]!.stderr).toMatch(/^mondo: Cannot write ".*such\.html": ENOENT; /);
});

test.concurrent('the list of attacks says what stops each', async () => {
  const { code, stdout } = await run('siege', '--list');
  expect(code).toBe(0);
  for (const { name } of attacks) expect(stdout).toMatch(new RegExp(`^${name} .+$`, 'm'));
});
