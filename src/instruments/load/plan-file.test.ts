import { describe, expect, it } from 'vitest';
import { parsePlan, planFile, wholePlan } from './plan-file.ts';
import {
  parseFraming,
  parseQuestions,
  parseRate,
  parseShard,
  parseStage,
  parseStartAt,
  parseTime,
  type ScheduleWords,
  stagesOf,
} from './plan-words.ts';
import { planOf } from './schema.ts';

describe('a plan file', () => {
  it('is the same after writing and reading', () => {
    const plan = planOf({
      stages: [{ kind: 'ramp', seconds: 3, from: 1, to: 2.5 }],
      loop: 'open',
      shard: { index: 2, of: 3 },
      startAt: 1_800_000_000_000,
      framing: { kind: 'length', bytes: 4 },
      exchanges: [{ question: 'aGk=', base64: true }],
    });
    expect(wholePlan(parsePlan(planFile(plan), 'x'))).toEqual(plan);
    expect(wholePlan(parsePlan('{}', 'x'))).toEqual(planOf({}));
    expect(wholePlan(parsePlan('{"connections": 7}', 'x')).connections).toBe(7);
  });

  it.each([
    ['{', /^"p.json" is not JSON: /],
    ['[]', /^Plan "p.json" is "\[\]"; give an object with host, port, /],
    [
      '{"conections": 1}',
      /^Plan "p.json" has no "conections"; there are host, port, connections, loop/,
    ],
    ['{"connections": "7"}', /^Plan "p.json": "connections" is "7"; give a whole number from 1 to/],
    ['{"connections": 0}', /give a whole number from 1/],
    ['{"connections": 1.5}', /give a whole number/],
    ['{"loop": "half"}', /"loop" is "half"; give closed or open/],
    ['{"engine": "select"}', /give auto, uring or epoll/],
    ['{"host": 7}', /give some text/],
    ['{"host": ""}', /give some text/],
    ['{"stages": []}', /give a list of stages/],
    ['{"stages": [{"kind": "steady"}]}', /"stages", number 1, needs "seconds"/],
    [
      '{"stages": [{"kind": "slow", "seconds": 1}]}',
      /"stages", number 1,: "kind" is "slow"; give warm-up, steady, ramp/,
    ],
    ['{"stages": [{"kind": "steady", "seconds": 0}]}', /number from 0.001/],
    ['{"framing": {"kind": "regex"}}', /give an object whose kind is delimiter, line or length/],
    ['{"framing": {"kind": "length", "bytes": 3}}', /give 1, 2 or 4/],
    ['{"framing": {"kind": "line", "end": 1}}', /has no "end"; there are kind/],
    ['{"framing": null}', /give an object whose kind/],
    ['{"exchanges": [{"answer": "x"}]}', /needs "question"/],
    ['{"exchanges": [{"question": "x", "base64": 1}]}', /give true or false/],
    ['{"shard": {"index": 3, "of": 2}}', /"shard" is "3\/2"; give one from 1\/2 to 2\/2/],
    ['{"seed": -1}', /"seed" is "-1"/],
    ['{"port": 70000}', /from 0 to 65535/],
  ])('%s is refused in one line', (content, message) => {
    expect(() => parsePlan(content, 'p.json')).toThrow(message);
    expect(() => parsePlan(content, 'p.json')).toThrow(/^[^\n]+$/);
  });

  it.each([
    [{ stages: [{ kind: 'warm-up', seconds: 1 }] }, /all of it is warm-up/],
    [{ loop: 'open' }, /an open loop needs a rate in every stage/],
    [{ stages: [{ kind: 'steady', seconds: 1, from: 5 }] }, /a closed loop has no rate/],
    [
      { loop: 'open', think: 5, stages: [{ kind: 'steady', seconds: 1, from: 5 }] },
      /think time is for the closed loop/,
    ],
    [{ pipeline: 4, think: 5 }, /think time is between/],
    [{ loop: 'open', stages: [{ kind: 'steady', seconds: 1, from: 0 }] }, /nothing is ever asked/],
    [{ connections: 2, shard: { index: 1, of: 4 } }, /give --connections 4 or more/],
    [
      { framing: { kind: 'line' }, exchanges: [{ question: 'a\nb' }] },
      /question 1 has a line end inside/,
    ],
    [
      { framing: { kind: 'line' }, exchanges: [{ question: 'a', answer: 'b\n' }] },
      /answer 1 has a line end/,
    ],
    [
      { framing: { kind: 'length', bytes: 1 }, exchanges: [{ question: 'x'.repeat(256) }] },
      /has 256 bytes, more than a length of 1 bytes can say/,
    ],
    [{ exchanges: [{ question: 'not base64!', base64: true }] }, /is not valid base64/],
    [{ exchanges: [{ question: 'a', answer: '' }] }, /answer 1 is empty/],
  ] as const)('%j is refused, because its fields contradict each other', (given, message) => {
    expect(() => wholePlan(given as object)).toThrow(message);
    expect(() => wholePlan(given as object)).toThrow(/^Cannot load: [^\n]+$/);
  });
});

describe('questions', () => {
  it('are lines with a tab before the answer', () => {
    expect(parseQuestions('How?\tSo.\n\nAny?\r\nTwo\\nlines\\x00?\t\\\\\\t.\n', 'q.txt')).toEqual([
      { question: 'How?', answer: 'So.' },
      { question: 'Any?' },
      { question: 'Two\nlines\0?', answer: '\\\t.' },
    ]);
  });

  it('are JSON if the file name says so', () => {
    expect(parseQuestions('[{"question": "a?", "answer": "b."}]', 'q.json')).toEqual([
      { question: 'a?', answer: 'b.' },
    ]);
  });

  it.each([
    ['', 'q.txt', /^Questions "q.txt" has none/],
    ['\tx', 'q.txt', /line 1, has no question/],
    ['a\tb\tc', 'q.txt', /line 1, has more than one tab/],
    ['a\\q', 'q.txt', /line 1, is "\\q"; give one of/],
    ['a\\', 'q.txt', /is "\\"; give one of/],
    ['[]', 'q.json', /give a list of objects with question and answer/],
    ['[{"question": 1}]', 'q.json', /number 1,: "question" is "1"; give some text/],
  ])('%j in %s are refused', (content, name, message) => {
    expect(() => parseQuestions(content, name)).toThrow(message);
  });
});

describe('words of the command line', () => {
  it('are times, rates, framings, stages, shards', () => {
    expect(['500ms', '10s', '2m', '1.5', '250us'].map((words) => parseTime(words, 'x'))).toEqual([
      500, 10_000, 120_000, 1500, 0.25,
    ]);
    expect(parseTime('5', 'x', 'ms')).toBe(5);
    expect(['500', '2.5k', '1M'].map((words) => parseRate(words, 'x'))).toEqual([500, 2500, 1e6]);
    expect(
      ['line', 'delimiter', 'delimiter:\\r\\n', 'delimiter::', 'length:4'].map(parseFraming),
    ).toEqual([
      { kind: 'line' },
      { kind: 'delimiter', answerEnd: '.' },
      { kind: 'delimiter', answerEnd: '\r\n' },
      { kind: 'delimiter', answerEnd: ':' },
      { kind: 'length', bytes: 4 },
    ]);
    expect(['steady:10s', 'spike:500ms:2k', 'ramp:1m:100..1000'].map(parseStage)).toEqual([
      { kind: 'steady', seconds: 10 },
      { kind: 'spike', seconds: 0.5, from: 2000, to: 2000 },
      { kind: 'ramp', seconds: 60, from: 100, to: 1000 },
    ]);
    expect(parseShard('2/4')).toEqual({ index: 2, of: 4 });
  });

  it('set the start time', () => {
    const now = Date.UTC(2030, 0, 31, 12);
    expect(parseStartAt('2030-01-31T12:00:30Z', now)).toBe(now + 30_000);
    expect(parseStartAt('2030-01-31T14:00:30+02:00', now)).toBe(now + 30_000);
    expect(parseStartAt('+10s', now)).toBe(now + 10_000);
    expect(parseStartAt(String(now / 1000 + 5), now)).toBe(now + 5000);
    expect(parseStartAt(String(now + 5), now)).toBe(now + 5);
    for (const words of ['noon', '2030-01-31T12:00:30', '2030-13-31T12:00:30Z', '12:00']) {
      expect(() => parseStartAt(words, now)).toThrow(
        `--start-at is "${words}"; give a time such as`,
      );
    }
    expect(() => parseStartAt('2030-01-31T11:59:00Z', now)).toThrow('still to come');
    expect(() => parseStartAt('2031-01-31T11:59:00Z', now)).toThrow('within the next day');
  });

  it.each([
    [
      () => parseTime('soon', 'Duration'),
      'Duration is "soon"; give a time such as 500ms, 10s or 2m',
    ],
    [() => parseTime('25h', 'Duration'), 'of a day at most'],
    [
      () => parseRate('fast', 'Rate'),
      'Rate is "fast"; give a number per second such as 500 or 2.5k',
    ],
    [() => parseRate('11M', 'Rate'), 'of 10000000 at most'],
    [() => parseFraming('length:3'), '--framing is "length:3"; give delimiter'],
    [() => parseFraming('line:x'), '--framing is "line:x"'],
    [() => parseStage('steady'), '--stage "steady": give KIND:TIME'],
    [() => parseStage('slow:1s'), '--stage "slow:1s": its kind is "slow"; give warm-up'],
    [
      () => parseStage('steady:0s'),
      'its time is "0s"; give a time such as 500ms, 10s or 2m, of 1ms to a day at most',
    ],
    [() => parseStage('steady:500us'), '--stage "steady:500us": its time is "500us"; give a time'],
    [() => stagesOf({ duration: '500us' }, {}), '--duration is "500us"; give a time such as 500ms'],
    [() => stagesOf({ duration: '0' }, {}), '--duration is "0"; give a time such as 500ms'],
    [() => stagesOf({ warmUp: '10us' }, {}), '--warm-up is "10us"; give a time such as 500ms'],
    [() => stagesOf({ rate: 'x' }, {}), '--rate is "x"; give a number per second'],
    [() => parseStage('ramp:1s:5..'), 'its rate at the end is ""'],
    [() => parseStage('ramp:1s:5:6'), 'give KIND:TIME'],
    [() => parseShard('0/4'), '--shard is "0/4"'],
    [() => parseShard('5/4'), '--shard is "5/4"; give one from 1/4 to 4/4'],
  ])('are refused if they are wrong (%#)', (parse, message) => {
    expect(parse).toThrow(message);
    expect(parse).toThrow(/^[^\n]+$/);
  });
});

describe('the schedule', () => {
  const stages = (words: ScheduleWords, file: Parameters<typeof stagesOf>[1] = {}) =>
    stagesOf(words, file);

  it('is the default, or that of the plan file', () => {
    expect(stages({})).toEqual({});
    const file = [{ kind: 'spike', seconds: 1, from: 5 }] as const;
    expect(stages({}, { stages: file })).toEqual({ loop: 'open', stages: file });
  });

  it('is made of a rate, a duration and a warm-up', () => {
    expect(stages({ rate: '1k' })).toEqual({
      loop: 'open',
      stages: [
        { kind: 'warm-up', seconds: 2, from: 1000, to: 1000 },
        { kind: 'steady', seconds: 10, from: 1000, to: 1000 },
      ],
    });
    expect(stages({ duration: '3s', warmUp: '0' })).toEqual({
      loop: 'closed',
      stages: [{ kind: 'steady', seconds: 3 }],
    });
  });

  it('changes single parts of the schedule in the plan file', () => {
    const file = {
      stages: [
        { kind: 'warm-up', seconds: 1, from: 9 },
        { kind: 'steady', seconds: 60, from: 9 },
      ],
    } as const;
    expect(stages({ duration: '5s' }, file).stages).toEqual([
      { kind: 'warm-up', seconds: 1, from: 9, to: 9 },
      { kind: 'steady', seconds: 5, from: 9, to: 9 },
    ]);
    expect(stages({ rate: '20' }, file).stages!.map(({ from }) => from)).toEqual([20, 20]);
  });

  it('is made of stages, with a warm-up before them at their first rate', () => {
    expect(stages({ stage: ['ramp:2s:10..20', 'steady:5s:20'], warmUp: '1s' })).toEqual({
      loop: 'open',
      stages: [
        { kind: 'warm-up', seconds: 1, from: 10, to: 10 },
        { kind: 'ramp', seconds: 2, from: 10, to: 20 },
        { kind: 'steady', seconds: 5, from: 20, to: 20 },
      ],
    });
  });

  it('is refused if two options contradict each other', () => {
    expect(() => stages({ stage: ['steady:1s'], rate: '5' })).toThrow('--rate and --stage');
    const file = { stages: [{ kind: 'ramp', seconds: 1, from: 1, to: 2 }] } as const;
    expect(() => stages({ rate: '5' }, file)).toThrow('give all stages with --stage');
    expect(stages({ warmUp: '1s' }, file).stages).toHaveLength(2);
  });
});
