import { expect, test } from 'vitest';
import { trusted } from '../../report/markup.ts';
import { cast } from '../cast.ts';
import { apply, KERNEL, LANE, type LabRecord, nothing, PLACE } from '../model.ts';
import { scenes } from '../scenes.ts';
import { drawn, type Mark } from './drawing.ts';
import { svgOf } from './svg.ts';

const [scene] = scenes;
const stageOf = (architecture: string, queue = 0) => ({
  architecture,
  threads: 1,
  processes: 1,
  queue,
  limit: 9,
  think: 200,
  thinking: 'block' as const,
  pid: 1,
  port: 1060,
  command: '',
  limits: [],
});
const roster = [
  [1, PLACE.served, 0, 6_200_000, -1, 0],
  [2, PLACE.kernel, -1, 500_000, -1, 0],
  [3, PLACE.kernel, -1, 2_000_000, 2_000_000, 0],
  [4, PLACE.kernel, -1, 5_000_000, 5_000_000, 0],
  [5, PLACE.connecting, -1, 1000, -1, 0],
  [99, PLACE.kernel, -1, 1000, -1, 0],
];
const modelOf = (architecture: string, queue = 0) =>
  (
    [
      {
        k: 'h',
        format: 'mondolab',
        version: 1,
        mondo: '',
        at: 0,
        machine: { kernel: '', cpus: 2, node: '' },
        setup: {
          scene: 'silent',
          title: '',
          seed: 7,
          mix: scene!.mix,
          stages: [stageOf(architecture, queue)],
        },
      },
      { k: 'f', s: 0, t: 0, l: [0, 100, 99, LANE.receiving, 100, 1, 1, KERNEL.asleep] },
      { k: 'f', s: 0, t: 6200, q: [4, 9, 0], r: roster.flat() },
    ] satisfies LabRecord[]
  ).reduce<typeof nothing>(apply, nothing);
const people = new Map(cast(7, scene!.mix).map((person) => [person.id, person]));
const marksOf = (architecture: string, width = 640): readonly Mark[] =>
  drawn(modelOf(architecture).stages[0]!, people, 6200, width);
const textsOf = (marks: readonly Mark[]) =>
  marks.flatMap((mark) => ('text' in mark ? [mark.text] : []));

test.each(['single', 'poll'])('%s: each client is drawn once, within the stage', (architecture) => {
  const clients = marksOf(architecture).filter((mark) => mark.is === 'client');
  expect(clients.map(({ client }) => client).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 99]);
  for (const { x, y } of clients) {
    expect(x).toBeGreaterThan(0);
    expect(x).toBeLessThan(640);
    expect(y).toBeGreaterThan(0);
  }
});

test('the form says who a client is, and tone and mark how long it has waited', () => {
  const clients = marksOf('single').filter((mark) => mark.is === 'client');
  const look = (id: number) => {
    const { form, tone, label } = clients.find(({ client }) => client === id)!;
    return [form, tone, label];
  };
  expect(look(1)).toEqual(['square', 'quiet', '1']);
  expect(look(2)).toEqual(['dot', 'plain', '2']);
  expect(look(3)).toEqual(['dot', 'amber', '3']);
  expect(look(4)).toEqual(['dot', 'red', '4!']);
  expect(look(99)[0]).toBe('triangle');
});

test('the kernel queue has a seat for each up to its limit', () => {
  const marks = marksOf('single');
  expect(marks.filter(({ is }) => is === 'seat')).toHaveLength(9);
  expect(textsOf(marks)).toContain('kernel queue 4 of 9');
});

test('a queue with more room than the picture says how much', () => {
  const stage = modelOf('single').stages[0]!;
  const queue = (waiting: number) => ({ ...stage, queue: { waiting, limit: 1025, own: 0 } });
  const texts = (waiting: number) => textsOf(drawn(queue(waiting), people, 6200, 640)).join('\n');
  expect(texts(4)).toContain('kernel queue 4 of 1,025');
  expect(texts(4)).toContain('and room for 977 more');
  expect(texts(1025)).toContain('and 977 more');
});

test('a thread is a strip and a loop a ring, each with its state in words', () => {
  expect(marksOf('single').map(({ is }) => is)).toContain('lane');
  expect(marksOf('poll').map(({ is }) => is)).toContain('ring');
  expect(textsOf(marksOf('single'))).toContain('▨ asleep for one client, 6.2 s');
});

test('a server with its own queue shows it', () => {
  const marks = drawn(modelOf('queued', 4).stages[0]!, people, 6200, 640);
  expect(textsOf(marks)).toContain('own queue 0 of 4');
});

test('the SVG has every mark, and escapes what it shows', () => {
  const marks = marksOf('single');
  const text: Mark = { is: 'text', text: '</text><script>', x: 0, y: 0 };
  const svg = svgOf([...marks, text], 640, 280, trusted('')).text;
  expect(svg.match(/<g class="client/g)).toHaveLength(6);
  expect(svg.match(/class="seat/g)).toHaveLength(9);
  expect(svg).toContain('&lt;/text&gt;&lt;script&gt;');
  expect(svg).not.toContain('<script>');
});
