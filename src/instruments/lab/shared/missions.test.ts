import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  idleLanes,
  LabRun,
  outside,
  type Picture,
  served,
} from '../../../../test/support/lab-run.ts';
import { architectureNames } from '../../../architectures/catalogue.ts';
import { attacks } from '../../siege/attacks.ts';
import { finish, type Mission, phaseOf, startOf } from './mission.ts';
import { missionOf, missions } from './missions.ts';
import { isAnswer, isChoices } from './question.ts';
import { EVENT, KERNEL, LANE, MOST } from './records.ts';
import { linkOf, planOf, scenes } from './scenes.ts';
import { votes } from './votes.ts';
import { FIRST_NC } from './wire.ts';

const { asleep, running } = KERNEL;
const ncs = (count: number, first = FIRST_NC) =>
  Array.from({ length: count }, (_, index) => first + index);
const ids = (count: number, from = 1) => Array.from({ length: count }, (_, index) => from + index);
const green = { light: 'green' } as const;
const red = { light: 'red' } as const;
/** A lane of a process that sleeps in recv, for a client. */
const held = (client: number, pid = 100) => [pid, LANE.receiving, client, asleep] as const;

/**
 * A run of each mission. `isDecisive`: that happens which it is about; else all the rest does.
 */
type Play = (run: LabRun, isDecisive: boolean) => void;
const plays: Readonly<Record<string, Play>> = {
  '0': (run, isDecisive) => {
    run.event(0, isDecisive ? EVENT.hungUp : EVENT.left, 1);
    run.show(200, { clients: [{ id: 2, answers: 3 }] });
  },

  '1a': (run, isDecisive) => {
    run.show(200, { clients: [...served([1]), ...outside([2])] });
    if (!isDecisive) run.show(100, { clients: [{ id: 2, answers: 1 }], answered: 2 });
    run.show(4000, { clients: outside([2]), answered: 3 });
    run.show(200, { clients: [{ id: 2, answers: 1 }], answered: 4 });
  },

  '1b': (run, isDecisive) => {
    const waits = { clients: [...served(ncs(1)), ...outside([1, 2])], waiting: 2 };
    run.press('Connect a silent nc');
    if (isDecisive) run.show(2500, { ...waits, accepted: 5 });
    else for (const accepted of ids(25)) run.show(100, { ...waits, accepted });
    run.press('Limit: idle 3 s');
    run.show(1000, waits);
    run.event(0, EVENT.limited, FIRST_NC, 'idle');
    run.show(300, { clients: served([1]), answered: 3 });
    for (const next of ids(2)) {
      const one = served(ncs(1, FIRST_NC + next));
      run.show(2600, { clients: [...one, ...(isDecisive ? outside([1]) : [])], answered: 3 });
    }
  },

  '1c': (run, isDecisive) => {
    const sleeps: Picture = { lanes: [held(1)], clients: served([1]) };
    const works: Picture = { ...sleeps, lanes: [[100, LANE.answering, 1, running]] };
    run.show(1200, sleeps);
    for (const _ of ids(10)) {
      run.show(isDecisive ? 1000 : 500, sleeps);
      run.show(isDecisive ? 50 : 500, works);
    }
  },

  '2': (run, isDecisive) => {
    const [threaded, prefork] = [idleLanes(4, 50), ids(4, 60).flatMap((pid) => idleLanes(1, pid))];
    const with3 = { clients: served(ncs(3)), ...green };
    run.show(3500, { ...with3, lanes: threaded }, { ...with3, lanes: prefork });
    const with4 = { clients: served(ncs(4)), light: isDecisive ? 'red' : 'green' } as const;
    run.show(3500, { ...with4, lanes: threaded }, { ...with4, lanes: prefork });
    run.show(1500, { ...green, lanes: threaded }, { ...green, lanes: prefork });
    run.show(500, { ...with3, lanes: threaded }, { ...with3, lanes: prefork });
    const one = {
      ...green,
      clients: served(ncs(2)),
      lanes: [...prefork.slice(1), ...idleLanes(1, 70)],
    };
    run.show(1500, { ...with3, lanes: threaded }, one);
    run.show(300, { lanes: [] }, one);
    run.show(300, { ...green, lanes: idleLanes(4, 51) }, one);
  },

  '2b': (run, isDecisive) => {
    const four = served(ids(4));
    const own = isDecisive ? { own: 2 } : { waiting: 2 };
    run.show(2500, { clients: four, ...own }, { clients: four, waiting: 2 });
    run.show(300, { clients: four, ...(isDecisive ? { own: 4, waiting: 3 } : { waiting: 7 }) });
  },

  '3': (run, isDecisive) => {
    run.show(500, { ...green, lanes: idleLanes(2), memory: 70 });
    const count = isDecisive ? 40 : 20;
    const crowd = {
      clients: served(ncs(count)),
      lanes: idleLanes(count + 2),
      memory: 70 + 10 * count,
    };
    run.show(2500, { ...green, ...crowd });
    run.press('At most 5 threads');
    const five = { clients: [...served(ids(5)), ...outside(ids(5, 6))], waiting: 5 };
    run.show(2500, { ...red, ...five, lanes: idleLanes(6), memory: 120 });
  },

  '4': (run, isDecisive) => {
    const fifty = { clients: served(ids(50)), ...green };
    run.show(3500, isDecisive ? { ...red } : { ...fifty }, fifty);
    run.press('Answers of 1 s');
    const asks = (ms: number) => ({ clients: [{ id: 1, asks: ms }] });
    for (const ms of [1000, 2000, 3200]) run.show(100, {}, asks(ms));
    run.press('Defer');
    run.show(4500, {}, { ...asks(1100), answered: 8 });
  },

  '4b': (run, isDecisive) => {
    const measured = (silent: number, costs: readonly number[]) => {
      for (const beat of ids(30, 0)) {
        const open = silent + 8;
        const answered = beat * 10;
        run.show(100, ...costs.map((processor) => ({ open, answered, processor })));
      }
    };
    measured(100, [10, 10, 10]);
    run.press('900 silent clients');
    measured(900, [40, isDecisive ? 40 : 12, 11]);
    run.press('1,100 silent clients');
    run.event(0, EVENT.refused, 1025, 'descriptor');
  },

  '5': (run, isDecisive) => {
    run.show(3500, { ...green, clients: served(ids(10)), lanes: idleLanes(1) });
    run.press('Answers of 0.5 s');
    const six = ids(isDecisive ? 6 : 1).map((id) => ({ id, asks: 2600 }));
    for (const answered of ids(24, 0)) run.show(500, { clients: six, answered });
    run.press('Two processes');
    for (const answered of ids(24, 0)) run.show(250, { clients: six, answered });
  },

  '6': (run, isDecisive) => {
    const lanes = idleLanes(isDecisive ? 1 : 10);
    const stage = { clients: served(ids(10)), lanes };
    run.show(2500, stage, stage);
    for (const turn of ids(20)) {
      const [now, next] = turn % 2 === 0 ? [11, 12] : [12, 11];
      const answers = (id: number) => Math.floor((turn + (id === 11 ? 1 : 0)) / 2);
      const both = [
        { id: now, asks: 300, answers: answers(now) },
        { id: next, asks: 200, answers: answers(next) },
      ];
      run.show(100, { clients: both, lanes }, { lanes });
    }
  },

  '7': (run, isDecisive) => {
    const stage = { ...green, clients: served(ids(54)) };
    run.show(3500, stage, isDecisive ? stage : { ...stage, ...red });
  },

  '8': (run, isDecisive) => {
    const [one] = ncs(1);
    const nowait = { ...green, clients: served([one!]), lanes: [held(one!, 70)] };
    const wait = { ...nowait, ...(isDecisive ? red : green) };
    run.show(3500, nowait, wait);
    const lanes = ncs(4).map((id, index) => held(id, 70 + index));
    run.show(300, { ...green, clients: served(ncs(4)), lanes }, wait);
  },

  '9': (run, isDecisive) => {
    const stage = { lanes: idleLanes(1), memory: 80 };
    for (const attack of ['idle-crowd', 'slow-drip', 'pipelining']) {
      run.attack(0, attack, 100);
      run.show(10_500, { ...stage, ...(isDecisive ? green : red) });
      run.attack(0, '', 100);
    }
  },
};

/** An answer that is wrong after each of these runs. */
const wrongGuess = ({ question }: Mission) =>
  isChoices(question) ? (question.right + 1) % question.choices.length : question.most;

test('there is a mission for each box of the notes, in their order', () => {
  expect(missions.map(({ key }) => key)).toEqual([
    '0',
    '1a',
    '1b',
    '1c',
    '2',
    '2b',
    '3',
    '4',
    '4b',
    '5',
    '6',
    '7',
    '8',
    '9',
  ]);
  expect(missionOf('1b')?.title).toBe('A silent client');
  expect(missionOf('__proto__')).toBeUndefined();
  expect(Object.keys(plays).toSorted()).toEqual(missions.map(({ key }) => key).toSorted());
});

test.each(missions)('mission $key has architectures, attacks and a link that exist', (mission) => {
  const { plan, steps, question, after } = mission;
  const plans = [plan];
  for (const button of steps.flatMap(({ buttons }) => buttons)) {
    for (const command of button.commands(new LabRun(mission, 0).model)) {
      if (command.do === 'plan') plans.push(command.plan);
      if (command.do === 'attack')
        expect(attacks.map(({ name }) => name)).toContain(command.attack);
    }
  }
  expect(startOf(mission)[0]).toMatchObject({ do: 'plan', plan });
  for (const { stages, mix, title, ...rest } of plans) {
    expect(stages.length).toBeLessThanOrEqual(MOST.stages);
    for (const { architecture } of stages) expect(architectureNames).toContain(architecture);
    expect(mix.silent + mix.slow + mix.leaving + mix.pipelining).toBeLessThanOrEqual(mix.clients);
    expect(planOf(linkOf({ stages, mix, title, ...rest }))).toEqual({
      stages,
      mix,
      title,
      ...rest,
    });
  }
  const goals = steps.flatMap(({ goals }) => goals.map(({ id }) => id));
  expect(new Set(goals).size).toBe(goals.length);
  for (const asked of [question, after]) {
    if (isChoices(asked)) expect(isAnswer(asked, asked.right)).toBe(true);
  }
});

test.each(missions)('a run of mission $key reaches each goal, in order', (mission) => {
  const run = new LabRun(mission, 0);
  plays[mission.key]!(run, true);
  const result = finish(run.progress)!;
  expect(result.goals.map(({ id }) => id).toSorted()).toEqual(
    mission.steps
      .flatMap(({ goals }) => goals.filter((goal) => !goal.isExtra).map(({ id }) => id))
      .toSorted(),
  );
  expect(result.goals.map(({ at }) => at)).toEqual(
    result.goals.map(({ at }) => at).toSorted((a, b) => a - b),
  );
  expect(phaseOf(run.progress)).toBe('after');
  if (isChoices(mission.question)) expect(result.measured).toBe(mission.question.right);
  else expect(result.measured).toBeGreaterThan(0);
});

test.each(missions)('without its decisive event, mission $key does not end', (mission) => {
  const run = new LabRun(mission, 0);
  plays[mission.key]!(run, false);
  const { has, needed } = finish(run.progress)!;
  expect(has).toBeLessThan(needed);
  expect(phaseOf(run.progress)).toBe('run');
});

test.each(missions)('mission $key ends well after a wrong guess', (mission) => {
  const run = new LabRun(mission, wrongGuess(mission));
  plays[mission.key]!(run, true);
  const { isClose, has, needed } = finish(run.progress)!;
  expect(isClose).toBe(false);
  expect(has).toBe(needed);
});

test('a measured number is what the run showed', () => {
  const measured = (key: string) => {
    const run = new LabRun(missionOf(key)!, 0);
    plays[key]!(run, true);
    return run.progress.measured!;
  };
  // From the first model with client 2 to the one with its answer: 4.3 s of the run.
  expect(measured('1a')).toBeCloseTo(4.2, 0);
  expect(measured('2')).toBe(4);
  expect(measured('3')).toBeCloseTo(10);
  expect(measured('5')).toBeCloseTo(3, 0);
  expect(measured('7')).toBe(55);
  expect(measured('9')).toBe(1);
});

test('the kill of mission 2 is for a process that serves a silent client', () => {
  const run = new LabRun(missionOf('2')!, 4);
  const lanes = [...idleLanes(1, 60), held(FIRST_NC, 61)];
  run.show(100, { lanes: idleLanes(4, 50) }, { lanes });
  expect(run.press('Kill a process of prefork')).toEqual([
    { do: 'signal', s: 1, pid: 61, signal: 'SIGKILL' },
  ]);
});

test('each scene has a question for a vote', () => {
  expect([...votes.keys()]).toEqual(scenes.map(({ name }) => name));
  for (const vote of votes.values()) {
    expect(vote.choices.length).toBeGreaterThanOrEqual(2);
    expect(vote.choices.length).toBeLessThanOrEqual(4);
    expect(isAnswer(vote, vote.right)).toBe(true);
  }
});

test.each(missions)('docs/practice.md names mission $key in its section', ({ key, section }) => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/practice.md'), 'utf8');
  const sections = page.split(/^#+ /m).map((text) => {
    const heading = text.split('\n')[0]!.toLowerCase();
    return [heading.replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-'), text] as const;
  });
  const [, text = ''] = sections.find(([anchor]) => anchor === section) ?? [];
  expect(text).toMatch(new RegExp(`\\(./lab\\.md#the-missions\\).*\\b${key}\\b`));
});
