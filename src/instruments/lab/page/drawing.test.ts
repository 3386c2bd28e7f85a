import { expect, test } from 'vitest';
import { labHeaderOf, labStage } from '../../../../test/support/lab-recording.ts';
import { architectureNames } from '../../../architectures/catalogue.ts';
import { cast } from '../shared/cast.ts';
import { nothing, type Stage } from '../shared/model.ts';
import { KERNEL, LANE, type LabRecord, PLACE } from '../shared/records.ts';
import { apply } from '../shared/reducer.ts';
import { scenes } from '../shared/scenes.ts';
import { FIRST_NC, FIRST_PROBE, FIRST_STRANGER } from '../shared/wire.ts';
import { loops } from './captions.ts';
import { drawn } from './drawing.ts';
import type { Drawing, Mark, View } from './marks.ts';
import { svgOf } from './svg.ts';

const [scene] = scenes;
const roster = [
  [1, PLACE.served, 0, 6_200_000, -1, 0],
  [2, PLACE.kernel, -1, 500_000, -1, 0],
  [3, PLACE.kernel, -1, 2_000_000, 2_000_000, 0],
  [4, PLACE.kernel, -1, 5_000_000, 5_000_000, 0],
  [5, PLACE.connecting, -1, 1000, -1, 0],
  [FIRST_STRANGER, PLACE.kernel, -1, 1000, -1, 0],
];
const lane = (row: number, pid: number, client = -1, state: number = LANE.receiving) => [
  row,
  100 + row,
  pid,
  state,
  50,
  1,
  client,
  KERNEL.asleep,
];
const T = 6200;

function stageWith(
  architecture: string,
  {
    queue = 0,
    lanes = [lane(0, 99, 1)],
    clients = roster,
  }: { queue?: number; lanes?: number[][]; clients?: number[][] } = {},
): Stage {
  const records: LabRecord[] = [
    labHeaderOf([labStage(architecture, { queue })], { mix: scene!.mix }),
    { k: 'f', s: 0, t: 0, l: lanes.flat() },
    { k: 'f', s: 0, t: T, q: [4, 9, 0], r: clients.flat(), w: [3, 22] },
  ];
  return records.reduce(apply, nothing).stages[0]!;
}
const people = new Map(cast(7, scene!.mix).map((person) => [person.id, person]));
const view: View = { t: T, width: 640, height: 400, people, culprits: [1], victims: [3], seed: 7 };
const draw = (stage: Stage, change: Partial<View> = {}): Drawing =>
  drawn(stage, { ...view, ...change });
const clientsOf = ({ marks }: Drawing) => marks.filter((mark) => mark.is === 'client');
const textsOf = ({ marks }: Drawing) =>
  marks.flatMap((mark) => (mark.is === 'text' ? [mark.text] : []));
const kindsOf = ({ marks }: Drawing) => new Set(marks.map(({ is }) => is));

/** Of a mark with a size, the distance by which it is outside of the picture. */
function outside({ width, height }: Drawing, mark: Mark): number {
  const [x, y, right, bottom] =
    mark.is === 'client' || mark.is === 'runner'
      ? [
          mark.x - mark.size / 2,
          mark.y - mark.size / 2,
          mark.x + mark.size / 2,
          mark.y + mark.size / 2,
        ]
      : mark.is === 'ring'
        ? [mark.x - mark.radius, mark.y - mark.radius, mark.x + mark.radius, mark.y + mark.radius]
        : mark.is === 'line' || mark.is === 'text'
          ? [mark.x, mark.y, mark.x, mark.y]
          : [mark.x, mark.y, mark.x + mark.width, mark.y + mark.height];
  return Math.max(-x, -y, right - width, bottom - height);
}

const sizes = [
  [1200, 460],
  [640, 400],
  [540, 240],
  [427, 310],
  [366, 420],
  [280, 400],
] as const;

test.each(
  architectureNames,
)('%s: each client is drawn once, and all within the picture', (architecture) => {
  for (const [width, height] of sizes) {
    for (const clients of [1, 12, 60]) {
      const many = Array.from({ length: clients }, (_, index) => [
        10 + index,
        PLACE.served,
        0,
        10,
        -1,
        0,
      ]);
      const stage = stageWith(architecture, { clients: [...roster, ...many] });
      const drawing = draw(stage, { width, height });
      const ids = clientsOf(drawing).map(({ client }) => client);
      expect(new Set(ids).size).toBe(ids.length);
      // A blocking thread has one client at a time.
      if (loops.has(architecture)) expect(ids).toHaveLength(stage.clients.size);
      const lost = drawing.marks.filter((mark) => outside(drawing, mark) > 0.01);
      expect(lost, `${width} × ${height}, ${clients} clients`).toEqual([]);
    }
  }
});

test.each(
  architectureNames,
)('%s: every title has room, also in a fourth of a projector', (architecture) => {
  for (const [width, height] of [...sizes, [190, 320] as const]) {
    const { marks } = draw(stageWith(architecture, { queue: 4 }), { width, height });
    const titles = marks.filter((mark) => mark.is === 'text' && mark.look === 'title');
    const texts = titles.flatMap((mark) => (mark.is === 'text' ? [mark] : []));
    expect(texts.map(({ text }) => text).join(' ')).toMatch(/queue.*(server|thread)/);
    for (const { text, x, y } of texts) {
      const others = texts.filter((other) => other.x > x && other.y === y);
      const end = x + text.length * 8.6;
      expect(end, `"${text}" at ${width} px`).toBeLessThanOrEqual(
        Math.min(width, ...others.map((other) => other.x)),
      );
    }
  }
});

test.each(architectureNames)('%s: the state of a thread is there in words', (architecture) => {
  const texts = textsOf(draw(stageWith(architecture))).join('\n');
  expect(texts).toContain('asleep for client 1');
  expect(texts).toContain('6.2 s');
});

test('a thread is a strip and a loop a ring with a runner; a process is a box', () => {
  expect(kindsOf(draw(stageWith('single')))).toContain('lane');
  expect(kindsOf(draw(stageWith('single')))).not.toContain('ring');
  for (const name of loops) {
    const kinds = kindsOf(draw(stageWith(name)));
    expect([name, kinds.has('ring'), kinds.has('runner'), kinds.has('lane')]).toEqual([
      name,
      true,
      true,
      false,
    ]);
  }
  const four = [0, 1, 2, 3].map((row) => lane(row, 200 + row));
  const { marks } = draw(stageWith('prefork', { lanes: four }));
  expect(marks.filter(({ is }) => is === 'box')).toHaveLength(4);
  expect(textsOf({ ...draw(stageWith('prefork', { lanes: four })), marks })).toContain(
    'process 203',
  );
});

test('each process of several says its memory', () => {
  const lanes = [0, 1].map((row) => lane(row, 200 + row));
  const stage = {
    ...stageWith('prefork', { lanes }),
    memory: new Map([
      [200, 31],
      [201, 44],
    ]),
  };
  expect(textsOf(draw(stage))).toEqual(
    expect.arrayContaining(['process 200 · 31 MiB', 'process 201 · 44 MiB']),
  );
  expect(textsOf(draw({ ...stage, memory: new Map() }))).toContain('process 201');
});

test('a strip is filled as far as its state was seen', () => {
  const strip = draw(stageWith('single')).marks.find(({ is }) => is === 'lane');
  expect(strip).toMatchObject({ doing: 'asleep for one client', share: 0.5 });
});

test('Node’s loop has four phases, uring two rings, and select a register', () => {
  const rings = (name: string, width = 900) =>
    draw(stageWith(name), { width }).marks.filter((mark) => mark.is === 'ring');
  expect(rings('callback').map(({ parts }) => parts)).toEqual([4]);
  expect(rings('epoll').map(({ parts }) => parts)).toEqual([1]);
  expect(rings('uring')).toHaveLength(2);
  expect(textsOf(draw(stageWith('select')))).toContain('1 of 1,024');
});

test('uring: a client is at the second ring once its question has come', () => {
  const clients = [
    [1, PLACE.served, 0, 10, -1, 0],
    [2, PLACE.served, 0, 10, 1000, 0],
  ];
  const drawing = draw(stageWith('uring', { clients }), { width: 900 });
  const rings = drawing.marks.filter((mark) => mark.is === 'ring');
  const at = (id: number) => clientsOf(drawing).find(({ client }) => client === id)!.x;
  expect(Math.abs(at(1) - rings[0]!.x)).toBeLessThan(rings[0]!.radius + 1);
  expect(Math.abs(at(2) - rings[1]!.x)).toBeLessThan(rings[1]!.radius + 1);
});

test('the runner stands beside the client that it works for', () => {
  const clients = [1, 2, 3, 4].map((id) => [id, PLACE.served, 0, 10, id === 2 ? 10 : -1, 0]);
  const distance = (lanes: number[][]) => {
    const drawing = draw(stageWith('poll', { clients, lanes }));
    const runner = drawing.marks.find((mark) => mark.is === 'runner')!;
    const two = clientsOf(drawing).find(({ client }) => client === 2)!;
    return Math.hypot(runner.x - two.x, runner.y - two.y);
  };
  expect(distance([lane(0, 99, 2, LANE.answering)])).toBeLessThan(40);
  expect(distance([lane(0, 99, -1, LANE.waiting)])).toBeGreaterThan(40);
});

test('the form says who a client is; tone, ring and number say how long it has waited', () => {
  const clients = clientsOf(draw(stageWith('single')));
  const look = (id: number) => {
    const { form, tone, label, role } = clients.find(({ client }) => client === id)!;
    return [form, tone, label, role];
  };
  expect(look(1)).toEqual(['square', 'quiet', '1', 'culprit']);
  expect(look(2)).toEqual(['dot', 'plain', '2', '']);
  expect(look(3)).toEqual(['dot', 'amber', '3', 'victim']);
  expect(look(4)).toEqual(['dot', 'red', '4', '']);
  expect(look(FIRST_STRANGER)[0]).toBe('triangle');
  const wait = (id: number) => clients.find(({ client }) => client === id)!.wait;
  expect(wait(2)).toBeCloseTo(1 / 6);
  expect(wait(4)).toBe(1);
  const others = [
    [FIRST_NC, PLACE.kernel, -1, 10, -1, 0],
    [FIRST_PROBE, PLACE.kernel, -1, 10, -1, 0],
  ];
  const forms = clientsOf(draw(stageWith('single', { clients: others }))).map(({ form, label }) => [
    form,
    label,
  ]);
  expect(forms).toEqual(
    expect.arrayContaining([
      ['square', 'nc'],
      ['diamond', ''],
    ]),
  );
});

test('the kernel queue has a seat for each up to its limit, and a line after the last', () => {
  const drawing = draw(stageWith('single'));
  expect(drawing.marks.filter(({ is }) => is === 'seat')).toHaveLength(9);
  expect(drawing.marks.filter((mark) => mark.is === 'line' && mark.look === 'limit')).toHaveLength(
    1,
  );
  expect(textsOf(drawing)).toEqual(expect.arrayContaining(['4 of 9', '22 B unread']));
});

test('a queue with more room than the picture says how much of it is taken', () => {
  const stage = stageWith('single');
  const texts = (waiting: number) =>
    textsOf(draw({ ...stage, queue: { waiting, limit: 1025, own: 0 } })).join('\n');
  expect(texts(4)).toContain('4 of 1,025');
  expect(texts(1025)).toContain('1,025 of 1,025: full');
  expect(texts(1025)).toContain('and 1,021 more');
});

test('a server with its own queue shows it inside the server', () => {
  const clients = [[2, PLACE.queue, -1, 10, -1, 0]];
  const drawing = draw(stageWith('queued', { queue: 4, clients }));
  expect(textsOf(drawing)).toContain('its own queue: 0 of 4');
  const kernel = drawing.marks.find(
    (mark) => mark.is === 'text' && mark.text.startsWith('server'),
  )!;
  expect(clientsOf(drawing)[0]!.x).toBeGreaterThan(kernel.x);
});

test('threads without room are counted', () => {
  const lanes = Array.from({ length: 400 }, (_, row) => lane(row, 99));
  const drawing = draw(stageWith('socketserver', { lanes }), { height: 260 });
  const strips = drawing.marks.filter(({ is }) => is === 'lane').length;
  expect(strips).toBeGreaterThan(12);
  expect(textsOf(drawing)).toContain(`and ${400 - strips} more threads`);
});

test('no worker is there', () => {
  expect(textsOf(draw(stageWith('single', { lanes: [] })))).toContain('no worker is there');
});

test('a crowd: each client is a dot, or a dot stands for a known number of them', () => {
  const clients = Array.from({ length: 2000 }, (_, id) => [id + 1, PLACE.served, 0, 10, -1, 0]);
  const queue = { waiting: 0, limit: 9, own: 0 };
  const stage = { ...stageWith('epoll', { clients }), queue };
  const all = draw(stage, { width: 800, height: 500 });
  expect(all.every).toBe(1);
  expect(clientsOf(all).length + moreOf(all)).toBe(2000);
  const sampled = draw(stage, { width: 800, height: 500, every: 4 });
  expect(sampled.every).toBe(4);
  expect(clientsOf(sampled).length).toBeGreaterThan(400);
  expect(clientsOf(sampled).length).toBeLessThan(600);
  expect(draw({ ...stage, every: 32 }).every).toBe(32);
  // A slow machine draws few clients all: that costs it little.
  const few = stageWith('epoll', { clients: clients.slice(0, 6) });
  const drawing = draw(few, { width: 800, height: 500, every: 16 });
  expect([drawing.every, clientsOf(drawing).length]).toEqual([1, 6]);
});

const moreOf = (drawing: Drawing) =>
  Number(/and ([\d,]+) more/.exec(textsOf(drawing).join('\n'))?.[1]?.replace(',', '') ?? 0);

test('the SVG has every mark, and escapes what it shows', () => {
  const { marks } = draw(stageWith('single'));
  const text: Mark = {
    is: 'text',
    look: 'plain',
    anchor: 'start',
    text: '</text><script>',
    x: 0,
    y: 0,
  };
  const svg = svgOf([...marks, text], 640, 400).text;
  expect(svg.match(/<g class="client/g)).toHaveLength(6);
  expect(svg.match(/class="seat/g)).toHaveLength(9);
  expect(svg).toContain('&lt;/text&gt;&lt;script&gt;');
  expect(svg).not.toContain('<script>');
});

test('each thread has the part of the picture that shows it, with the client that it serves', () => {
  for (const architecture of architectureNames) {
    const isLoop = loops.has(architecture);
    const lanes = isLoop ? [lane(0, 99)] : [lane(0, 99, 1), lane(3, 99, 2)];
    const clients = [
      [1, PLACE.served, 0, 6_200_000, -1, 0],
      [2, PLACE.served, isLoop ? 0 : 3, 500_000, -1, 0],
    ];
    const drawing = draw(stageWith(architecture, { lanes, clients }));
    expect(drawing.lanes.map(({ row }) => row)).toEqual(isLoop ? [0] : [0, 3]);
    for (const { client, x, y } of clientsOf(drawing)) {
      const areas = drawing.lanes.filter(
        (area) => x > area.x && x < area.x + area.width && y > area.y && y < area.y + area.height,
      );
      expect(areas.map(({ row }) => row)).toEqual([isLoop || client === 1 ? 0 : 3]);
    }
  }
});
