/** Three hosts behind a real HAProxy, each in its own network namespace, under 200 connections that come and go. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LoadResult } from '../../src/instruments/load/result.ts';
import { scrape } from '../support/admin.ts';
import { documented, placed, wordsIn } from '../support/deploy-page.ts';
import { canMakeHosts, Hosts } from '../support/hosts.ts';
import type { Process } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { until, untilSo } from '../support/until.ts';

vi.setConfig({ testTimeout: 600_000 });

const canBalance = canMakeHosts() && hasProgram('haproxy', 'haproxy');
const SERVERS = ['one', 'two', 'three'] as const;
type Name = (typeof SERVERS)[number];

/** The pauses of a client, in ms, and its questions on one connection, which lives for a second. */
const PAUSE_MS = 50;
const QUESTIONS = 20;
/** Several times as long as a connection lives. */
const LAME_DUCK = '5s';
/** Number of questions that the clients ask in a second or more. */
const A_SECOND = (200 * 1000) / PAUSE_MS;
/** Time after a loss in which clients wait for answers that do not come, in s. */
const CONFUSED = 4;
/** Failed checks after which HAProxy leaves a server out: `fall` in the document's configuration. */
const FALL = 2;

/** HAProxy in front of the hosts. */
interface Front {
  readonly folder: string;
  readonly hosts: Hosts;
  readonly servers: Map<Name, Process>;
}
let front: Front;

/** @param hides true if HAProxy tries another server when a connection is refused */
async function startFront(lameDuck: string, hides: boolean): Promise<void> {
  const { folder } = front;
  for (const name of SERVERS) await startServer(name, lameDuck);
  writeFileSync(
    join(folder, 'haproxy.cfg'),
    `global
  stats socket ${join(folder, 'stats')} level admin
defaults
  ${hides ? 'retries 3\n  option redispatch 1' : 'retries 0'}
${configuration()}`,
  );
  startOn('front', documented('haproxy -db'));
  for (const name of SERVERS) await untilStatus(name, 'UP');
}

/** A unix socket: all network namespaces see the same files. */
const adminOf = (name: Name) => `unix:${join(front.folder, `${name}.sock`)}`;

/** Questions that the servers have answered, without those that are gone. */
async function answersNow(): Promise<number> {
  const each = SERVERS.map(async (name) => {
    const found = await scrape(adminOf(name)).catch(() => new Map<string, number>());
    return found.get('mondo_answers_total') ?? 0;
  });
  return (await Promise.all(each)).reduce((sum, one) => sum + one, 0);
}

/** Lets the load go on until the servers have answered that many questions more. */
async function untilAnswered(more: number): Promise<void> {
  const before = await answersNow();
  await until(`${more} more answers`, async () => (await answersNow()) >= before + more);
}

/** The configuration in docs/deploy.md, with the addresses of the hosts. */
function configuration(): string {
  const text = documented('listen mondo');
  expect(Number(/fall (\d)/.exec(text)?.[1])).toBe(FALL);
  const places = SERVERS.map((name, i) => [`10.0.0.${i + 1}`, front.hosts.addressOf(name)]);
  return placed(text, Object.fromEntries(places));
}

/** Starts a command of the page on a host, in the folder of the configuration. */
const startOn = (host: string, command: string): Process =>
  front.hosts.start(host, ...wordsIn(front.folder, command));

async function startServer(name: Name, lameDuck: string): Promise<void> {
  const command = documented('npx mondo serve epoll 10.0.0.1').trim();
  expect(command).toContain(`--lame-duck ${LAME_DUCK}`);
  const placedHere = placed(command, { '10.0.0.1': front.hosts.addressOf(name) });
  const withTimes = placedHere.replace(LAME_DUCK, lameDuck);
  const server = startOn(name, `${withTimes} --admin ${adminOf(name)}`);
  front.servers.set(name, server);
  await server.printed(/Agent check at/);
}

/** What HAProxy says of a server, such as `UP` or `DRAIN (agent)`, and how many of its checks have failed. */
async function healthOf(name: Name): Promise<{ status: string; failed: number }> {
  const socket = connect(join(front.folder, 'stats')).on('error', () => {});
  socket.end('show stat\n');
  const [head = '', ...rows] = (await text(socket).catch(() => '')).split('\n');
  const row = rows.map((one) => one.split(',')).find(([, server]) => server === name) ?? [];
  const value = (column: string) => row[head.split(',').indexOf(column)] ?? '';
  return { status: value('status'), failed: Number(value('chkfail')) };
}

const untilStatus = (name: Name, status: string) =>
  until(`${name} to be ${status}`, async () => (await healthOf(name)).status.startsWith(status));

function startLoad(): Process {
  const command = documented('npx mondo load 10.0.0.9').trim();
  expect(command).toContain(
    ` -c 200 --think ${PAUSE_MS}ms --questions-per-connection ${QUESTIONS} `,
  );
  const placedHere = placed(command, { '10.0.0.9': front.hosts.addressOf('front') });
  return startOn('clients', `${placedHere} --json`);
}

/** Ends the load, and gives its result. Its counts are right also when it does not trust its times. */
async function resultOf(load: Process): Promise<LoadResult> {
  load.child.kill('SIGINT');
  const { stdout, stderr } = await load.ended();
  expect(stdout, stderr).toMatch(/^\{/);
  return JSON.parse(stdout) as LoadResult;
}

/** One line for a person who watches the test. */
const show = (what: string, result: LoadResult): void =>
  console.log(`${what}: ${result.totals.questions} questions, ${JSON.stringify(faultsOf(result))}`);

/** Everything that a client did not get. */
function faultsOf({ outcomes }: LoadResult): Record<string, number> {
  const { answered: _, late: __, neverServed: ___, ...faults } = outcomes;
  return Object.fromEntries(Object.entries(faults).filter(([, count]) => count > 0));
}

/** Each question that was due has one outcome. */
function expectOneOutcomeEach({ totals, outcomes }: LoadResult): void {
  const {
    refused,
    connectTimeout,
    connectFailed,
    noPorts,
    noDescriptors,
    extraBytes,
    ...ofQuestions
  } = outcomes;
  const sum = Object.values(ofQuestions).reduce((all, one) => all + one, 0);
  expect(sum).toBe(totals.questions);
  expect(extraBytes + noPorts + noDescriptors).toBe(0);
}

/** Replaces all three servers, one after the other. Returns what the load got. */
async function restartAll(lameDuck: string): Promise<{ result: LoadResult; answered: number }> {
  const load = startLoad();
  await untilAnswered(A_SECOND);
  let answered = 0;
  for (const name of SERVERS) {
    const server = front.servers.get(name)!;
    server.child.kill('SIGTERM');
    if (lameDuck !== '0') await untilStatus(name, 'DRAIN');
    const { stdout } = await server.ended();
    answered += answeredIn(stdout);
    await startServer(name, lameDuck);
    await untilStatus(name, 'UP');
    await untilAnswered(A_SECOND);
  }
  const result = await resultOf(load);
  for (const name of SERVERS) {
    const server = front.servers.get(name)!;
    server.child.kill('SIGTERM');
    answered += answeredIn((await server.ended()).stdout);
  }
  return { result, answered };
}

const answeredIn = (log: string): number =>
  Number(/answered ([\d,]+) questions?/.exec(log)?.[1]?.replaceAll(',', '') ?? Number.NaN);

describe.skipIf(!canBalance)('HAProxy and three hosts', () => {
  beforeEach(() => {
    front = {
      folder: mkdtempSync(join(tmpdir(), 'mondo-balancer-')),
      hosts: new Hosts(['front', 'clients', ...SERVERS]),
      servers: new Map(),
    };
  });
  afterEach(async () => {
    await front.hosts[Symbol.asyncDispose]();
    rmSync(front.folder, { recursive: true });
  });

  it('replaces all servers, and no client notices it', async () => {
    await startFront(LAME_DUCK, false);
    const { result, answered } = await restartAll(LAME_DUCK);
    show('three restarts', result);
    expect(faultsOf(result)).toEqual({});
    expectOneOutcomeEach(result);
    expect(result.connections.opened).toBeGreaterThan(2000);
    // One question more: load asks it before it measures. At its end, some answers come that it does not count.
    const { answers } = result.totals;
    expect(answered).toBeGreaterThan(answers);
    expect(answered).toBeLessThanOrEqual(answers + 1 + result.outcomes.neverServed);
  });

  it('shows refusals without the lame duck', async () => {
    await startFront('0', false);
    const { result } = await restartAll('0');
    show('three restarts without the lame duck', result);
    const lost = Object.values(faultsOf(result)).reduce((sum, one) => sum + one, 0);
    expect(lost).toBeGreaterThan(0);
  });

  it.each([
    ['is killed', (name: Name) => front.servers.get(name)!.child.kill('SIGKILL')],
    ['is cut off', (name: Name) => front.hosts.cutOff(name)],
  ])('leaves out a host that %s, and takes it back', async (how, lose) => {
    const run = async () => {
      const load = startLoad();
      await untilAnswered(6 * A_SECOND);
      const lostAt = Date.now();
      const { failed } = await healthOf('two');
      lose('two');
      await untilStatus('two', 'DOWN');
      const checks = (await healthOf('two')).failed - failed;
      const downAt = Date.now();
      await untilAnswered((CONFUSED + 4) * A_SECOND);
      const backAt = Date.now();
      if (how === 'is killed') await startServer('two', LAME_DUCK);
      else front.hosts.connect('two');
      await untilStatus('two', 'UP');
      await untilAnswered(A_SECOND);
      const result = await resultOf(load);
      // The first second opens all connections.
      const before = p99Between(result, result.startedAt + 1000, lostAt);
      const after = p99Between(result, downAt + CONFUSED * 1000, backAt);
      return { result, before, after, checks };
    };
    await startFront(LAME_DUCK, true);
    const { result, before, after, checks } = await untilSo(
      run,
      (one) => one.after <= 2 * one.before,
    );
    show(`a host that ${how}: p99 ${before} ms before, ${after} ms after`, result);
    // One more may have failed until this test has looked.
    expect([FALL, FALL + 1]).toContain(checks);
    expectOneOutcomeEach(result);
    const { wrong, resetBefore, resetInside, closedBefore, closedInside, timedOut } =
      result.outcomes;
    expect(wrong).toBe(0);
    // Only questions that were in flight on that host: a third of the connections, and some more by chance.
    const inFlight = resetBefore + resetInside + closedBefore + closedInside + timedOut;
    expect(inFlight).toBeLessThanOrEqual(100);
    expect(result.outcomes.refused + result.outcomes.connectFailed).toBe(0);
    expect(after).toBeLessThanOrEqual(2 * before);
  });
});

/** The median of the p99 of all whole seconds between two moments, in ms. */
const p99Between = ({ startedAt, series }: LoadResult, from: number, to: number): number =>
  median(
    series
      .filter(({ at }) => startedAt + at * 1000 >= from && startedAt + (at + 1) * 1000 <= to)
      .flatMap(({ p99 }) => p99 ?? []),
  );

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;
