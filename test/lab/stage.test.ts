/** A stage shows its server as the server, its clients and the kernel know it. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Lane } from '../../src/instruments/lab/shared/model.ts';
import { EVENT, KERNEL, LANE, PLACE } from '../../src/instruments/lab/shared/records.ts';
import { clientAt, FIRST_STRANGER } from '../../src/instruments/lab/shared/wire.ts';
import { doingOf } from '../../src/instruments/lab/shared/words.ts';
import { peerOfSleeper } from '../../src/instruments/lab/stage/kernel.ts';
import { isRunning } from '../../src/os/processes.ts';
import { sleepsIn } from '../../src/os/task-state.ts';
import { ask, type Client } from '../support/clients.ts';
import { Process } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { distinct } from '../support/serving.ts';
import { FOREVER, until, untilSo } from '../support/until.ts';
import { Watched } from './watched.ts';

const SIMPLE = 'Simple is better than?';
const COMPLEX = 'Complex.';
const answered = (client: Client) => ask(client, SIMPLE, COMPLEX.length);
/** Three looks of a stage at its threads, in ms. */
const LOOKS = 750;
/** Whether a thread sleeps, and how often it has gone to sleep: the same twice means that it did nothing else. */
const sleepOf = ({ pid, tid }: Lane) => {
  const status = readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1');
  const isBusy = /^State:\s+R/m.test(status);
  return { isBusy, text: `${isBusy} ${/^voluntary_ctxt_switches:.*/m.exec(status)}` };
};

/**
 * The share of samples in which a stage says of a thread what the kernel says. A sample counts after a time without a
 * change: the stage has looked in that time, and not at another moment.
 */
async function shareOfSame(stages: readonly Watched[]): Promise<number> {
  const lanes = stages.flatMap((stage) => stage.lanes);
  const since = new Map<number, { readonly text: string; readonly at: number }>();
  const counted = new Map(lanes.map(({ tid }) => [tid, 0]));
  let [same, all] = [0, 0];
  await until('enough samples of each thread', () => {
    const now = performance.now();
    for (const lane of stages.flatMap((stage) => stage.lanes)) {
      const { isBusy, text } = sleepOf(lane);
      const before = since.get(lane.tid);
      if (before?.text !== text) since.set(lane.tid, { text, at: now });
      else if (now - before.at >= LOOKS) {
        const says = lane.kernel === KERNEL.running || lane.kernel === KERNEL.runnable;
        counted.set(lane.tid, counted.get(lane.tid)! + 1);
        all++;
        if (says === isBusy) same++;
      }
    }
    return [...counted.values()].every((count) => count >= 50);
  });
  return same / all;
}

const isThread = ({ pid, tid }: Lane) => existsSync(`/proc/${pid}/task/${tid}`);
const expectGone = async (processes: readonly number[]) => {
  await until('all processes to end', () => !processes.some(isRunning)).catch(() => {});
  expect(processes.filter(isRunning)).toEqual([]);
};

/** Two threads where the default is four. */
const few: Readonly<Record<string, object>> = {
  threaded: { threads: 2 },
  queued: { threads: 2 },
};

describe.concurrent('a stage of each code that serves clients', () => {
  it.each(
    distinct.map(({ traits }) => traits.name),
  )('of %s names who is with which lane', async (architecture) => {
    await using watched = await Watched.start({ architecture, ...few[architecture] });
    const { stage } = watched;
    expect(stage.setup).toMatchObject({ architecture, pid: stage.pid, limit: 1025 });
    const client = await watched.visit(3);
    expect(await answered(client)).toBe(COMPLEX);
    const accepted = await until('the accepted event', () =>
      watched.events.find(({ kind }) => kind === EVENT.accepted),
    );
    expect(accepted).toMatchObject({ client: 3 });
    await until('its lane', () => watched.model.lanes.has(accepted.lane));
    const { lanes, processes } = watched;
    expect(lanes.filter((lane) => !isThread(lane))).toEqual([]);
    expect(lanes.filter(({ pid }) => !processes.includes(pid))).toEqual([]);
    expect(lanes.filter(({ pid }) => !stage.pids.includes(pid))).toEqual([]);
    await until('the count of answers', () => watched.model.server.answered === 1);
    expect(watched.model.server).toMatchObject({ open: 1, accepted: 1, limited: 0, refused: 0 });
    await client.close();
    await until('the client to have left', () => watched.model.server.open === 0);

    const stranger = await watched.stranger();
    await stranger.send('Simple is');
    const id = FIRST_STRANGER;
    await until('the stranger to be served', () => watched.storyOf(id).includes('accepted'));
    await stranger.close();
    await until('the stranger to leave', () => watched.storyOf(id).includes('hungUp'));
    expect(watched.storyOf(id).filter((kind) => kind !== 'queued')).toEqual([
      'connected',
      'accepted',
      'hungUp',
    ]);

    await stage.stop();
    expect(await stage.exited).toBe('exit code 0');
    await expectGone(processes);
    expect(watched.lanes).toEqual([]);
    expect(watched.malformed).toEqual([]);
    const times = watched.frames.map(({ t }) => t);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });
});

describe.concurrent('a stage', () => {
  it('shows which clients wait in the kernel, and with how many bytes', async () => {
    await using watched = await Watched.start({ architecture: 'single', backlog: 8 });
    const clients = [await watched.visit(1)];
    const asleep = await until('the one thread to sleep', () => {
      const lane = watched.laneOf(1);
      return lane && doingOf(lane) === 'asleep for one client' && lane;
    });
    expect(asleep).toMatchObject({ state: LANE.receiving, client: 1, open: 1 });
    const channel = sleepsIn(asleep.pid, asleep.tid);
    await until('what the kernel and the scoreboard say of this thread', () => {
      const thread = watched.model.threads.get(asleep.tid);
      return thread?.accepted === 1 && thread.channel === channel;
    });
    clients.push(await watched.visit(2), await watched.visit(3), await watched.stranger());
    await clients[2]!.send(SIMPLE);
    const { w } = await until('the bytes', () =>
      watched.frames.find(({ w = [] }) => w.length === 6 && w.includes(SIMPLE.length)),
    );
    expect(new Map([0, 2, 4].map((at) => [w![at], w![at + 1]]))).toEqual(
      new Map([
        [2, 0],
        [3, SIMPLE.length],
        [FIRST_STRANGER, 0],
      ]),
    );
    // The process of the cast would report its clients, and is not here.
    expect(watched.storyOf(FIRST_STRANGER)).toEqual(['connected']);
    expect([...watched.model.clients.keys()]).toEqual([1, FIRST_STRANGER]);
    expect(watched.model.clients.get(FIRST_STRANGER)).toMatchObject({ place: PLACE.kernel });
    const { queue } = await until(
      'the depth',
      () => watched.model.queue.waiting === 3 && watched.model,
    );
    expect(queue).toEqual({ waiting: 3, limit: 9, own: 0 });
    if (hasProgram('ss', 'iproute2')) {
      const line = execFileSync('ss', ['-Hltn', `sport = :${watched.stage.port}`]).toString();
      expect(line.trim().split(/\s+/).slice(1, 3)).toEqual(['3', '8']);
    }

    // Other limits, on the same listener: the waiting clients are served, and the silent one stays.
    const before = watched.lanes;
    await watched.stage.restart({ limits: { idle: 0.3 }, dryRun: false });
    expect(watched.stage.setup.limits).toEqual([['idle', 0.3]]);
    expect(watched.stage.setup.command).toContain('--limit idle=300ms');
    expect(await clients[2]!.receive(COMPLEX.length)).toBe(COMPLEX);
    await until('the limit', () => watched.storyOf(FIRST_STRANGER).includes('limited'));
    expect(watched.storyOf(2)).toEqual(['accepted', 'limited']);
    expect(watched.model.queue).toMatchObject({ waiting: 0, limit: 9 });
    expect(watched.model.server).toMatchObject({ accepted: 4, refused: 0, limited: 3 });
    expect(await answered(clients[0]!)).toBe(COMPLEX);
    expect(watched.laneOf(1)).toMatchObject({ tid: before[0]!.tid });
    expect(watched.lanes).toHaveLength(2);
    for (const client of clients) await client.close();
  });

  it('shows the own queue of `queued`, and which thread has which client', async () => {
    await using watched = await Watched.start({ architecture: 'queued', threads: 3, queue: 4 });
    // All at once: only the kernel knows which thread has which.
    const clients = await Promise.all([1, 2, 3, 4].map((id) => watched.visit(id)));
    await until('three to be served', () => watched.lanes.filter((l) => l.client > 0).length === 3);
    await until('one to be in its queue', () => watched.model.queue.own === 1);
    const sleeperOf = (lane: Lane) => {
      const peer = peerOfSleeper(lane, watched.stage.port);
      return peer === undefined ? 0 : clientAt(1, peer.split(':')[0]!);
    };
    // The kernel knows it once the thread sleeps, and the stage with its next look.
    const { served, sleepers } = await until('each thread to have the client that it has', () => {
      const served = watched.lanes.filter(({ client }) => client > 0);
      const sleepers = served.map(sleeperOf);
      return served.map(({ client }) => client).join() === sleepers.join() && { served, sleepers };
    });
    expect(new Set(sleepers).size).toBe(3);
    const left = [1, 2, 3, 4].find((id) => !sleepers.includes(id))!;
    expect(watched.model.clients.get(left)).toMatchObject({ place: PLACE.queue });
    expect(watched.storyOf(left).at(-1)).toBe('queued');
    await clients[sleepers[0]! - 1]!.close();
    await until('the last one to be taken', () => watched.laneOf(left));
    expect(watched.storyOf(left).slice(-2)).toEqual(['queued', 'accepted']);
    expect(watched.laneOf(left)!.row).toBe(served[0]!.row);
    for (const client of clients) await client.close();
  });

  it('shows what a lane does as the kernel sees it', async () => {
    await using thinking = await Watched.start(
      { architecture: 'threaded', threads: 2 },
      { think: FOREVER / 2 },
    );
    await using burning = await Watched.start({ architecture: 'poll' }, { burning: true });
    const silent = await thinking.visit(1);
    const asking = await thinking.visit(2);
    await asking.send(SIMPLE);
    const computing = await burning.visit(1);
    // All at once: a server that waits for the next question is asleep for as long as this process wants a processor.
    await computing.send('Burn?'.repeat(1000));
    await until('the first answers', () => burning.model.server.answered > 2);
    const share = await untilSo(
      () => shareOfSame([thinking, burning]),
      (found) => found >= 0.95,
    );
    expect(share).toBeGreaterThanOrEqual(0.95);
    expect(doingOf(thinking.laneOf(1)!)).toBe('asleep for one client');
    expect(doingOf(thinking.laneOf(2)!)).toBe('asleep in an answer');
    expect(burning.lanes).toMatchObject([{ state: LANE.answering, client: -1 }]);
    const { cost } = await until(
      'the cost',
      () => burning.model.cost.processor > 0 && burning.model,
    );
    expect(cost).toMatchObject({ processes: 1 });
    expect(cost.memory).toBeGreaterThan(10);
    for (const client of [silent, asking, computing]) await client.close();
  });

  it('shows that a worker is stopped, killed, and replaced, and which clients that costs', async () => {
    await using watched = await Watched.start({ architecture: 'prefork', processes: 2 });
    const { stage } = watched;
    const clients = [await watched.visit(1), await watched.visit(2)];
    await until('both to be served', () => watched.laneOf(1) && watched.laneOf(2));
    const [victim, other] = [watched.laneOf(1)!, watched.laneOf(2)!];
    await stage.signal(victim.pid, 'SIGSTOP');
    await until('it to be stopped', () => doingOf(watched.laneOf(1)!) === 'stopped');
    await expect(stage.signal(process.pid, 'SIGTERM')).rejects.toThrow('no process of this server');
    await stage.signal(victim.pid, 'SIGKILL');
    await until('another in its place', () => {
      const { lanes } = watched;
      return lanes.length === 2 && lanes.every(({ pid }) => pid !== victim.pid);
    });
    await until('its client to be cut', () => watched.storyOf(1).includes('cut'));
    expect(watched.laneOf(2)).toMatchObject({ pid: other.pid });
    expect(watched.storyOf(2)).toEqual(['accepted']);
    expect(await answered(clients[1]!)).toBe(COMPLEX);
    await until('the processes to be known', () => !stage.pids.includes(victim.pid));
    for (const client of clients) await client.close();
  });

  it('loses no client at a restart with another limit, and only reports in a dry run', async () => {
    await using watched = await Watched.start({ architecture: 'epoll' });
    const clients = await Promise.all([1, 2, 3, 4].map((id) => watched.visit(id)));
    for (const client of clients) expect(await answered(client)).toBe(COMPLEX);
    await watched.stage.restart({ limits: { idle: 0.05 }, dryRun: true });
    for (const client of clients) expect(await answered(client)).toBe(COMPLEX);
    // An old worker may still take a client before it knows that it must leave: it has no limit.
    await until('the limit to count a client of the new worker', async () => {
      clients.push(await watched.visit(clients.length + 1));
      expect(await answered(clients.at(-1)!)).toBe(COMPLEX);
      return watched.model.server.limited > 0;
    });
    for (const client of clients) expect(await answered(client)).toBe(COMPLEX);
    const all = clients.length;
    await until('the counts', () => watched.model.server.answered === 4 + 2 * all);
    // Events come through the journal, and may be behind the counts of the scoreboard.
    await until('the events', () => watched.events.length >= all);
    expect(watched.model.server).toMatchObject({ open: all, accepted: all, refused: 0 });
    expect(watched.events.map(({ kind }) => kind)).toEqual(Array(all).fill(EVENT.accepted));
    for (const client of clients) await client.close();
  });

  it('that is killed leaves no process, and says how it ended', async () => {
    await using watched = await Watched.start({ architecture: 'inetd' });
    const client = await watched.visit(1);
    expect(await answered(client)).toBe(COMPLEX);
    const { processes, stage } = watched;
    expect(processes.length).toBeGreaterThan(2);
    const restart = stage.restart({ limits: {}, dryRun: false });
    process.kill(stage.pid, 'SIGKILL');
    await expect(restart).rejects.toThrow('it has ended: SIGKILL');
    expect(await stage.exited).toBe('SIGKILL');
    await expectGone(processes);
    await expect(stage.signal(processes[1]!, 'SIGTERM')).rejects.toThrow('it has ended');
    await client.close();
  });

  it('ends by itself if the lab is killed', async () => {
    const module = join(import.meta.dirname, '../../src/instruments/lab/stage/stage.ts');
    const code = `
      import { StageProcess } from ${JSON.stringify(module)};
      const plan = { architecture: 'prefork', processes: 2 };
      const order = { s: 0, plan, think: 0, thinking: 'block', limits: {}, dryRun: false, epoch: '0' };
      const stage = await StageProcess.start(order, () => {});
      console.log('pids', stage.pid, ...stage.pids);`;
    await using lab = new Process(process.execPath, ['--input-type=module', '-e', code]);
    const [, list] = await lab.printed(/pids ([\d ]+)\n/);
    const processes = list!.split(' ').map(Number);
    expect(processes).toHaveLength(3);
    expect(processes.filter(isRunning)).toEqual(processes);
    lab.child.kill('SIGKILL');
    await expectGone(processes);
  });

  it.each([
    [{ architecture: 'cgi' }, 'There is no architecture "cgi"'],
    [{ architecture: 'single', threads: 3 }, 'Cannot serve single with 3 threads'],
  ])('of %o does not start, and says why', async (plan, why) => {
    await expect(Watched.start(plan)).rejects.toThrow(why);
  });
});
