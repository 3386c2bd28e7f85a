import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labHeaderOf, labStage } from '../../../../test/support/lab-recording.ts';
import { nothing } from './model.ts';
import {
  lineOf,
  MOST_BYTES,
  pack,
  RecordingError,
  recordOf,
  recordsOf,
  unpack,
} from './recording.ts';
import type { LabRecord, StageSetup } from './records.ts';
import { apply } from './reducer.ts';

const header = labHeaderOf([labStage('single', { limits: [['idle', 3]] })]);
const records: readonly LabRecord[] = [
  header,
  { k: 'f', s: 0, t: 50.125, q: [5, 1025, 0], c: [6, 1, 0, 0, 0], e: [12, 1, 3, 0, 0] },
  { k: 'f', s: 0, t: 100, l: [0, 31, 30, 3, 94, 1, 1, 3], w: [2, 22], h: [0, 3], p: [2, 900, -1] },
  { k: 'c', t: 120, s: 0, text: 'one silent client more' },
  { k: 'gap', t: 130, s: -1, lost: 2 },
  {
    k: 'f',
    s: 0,
    t: 140,
    every: 4,
    r: [1, 3, 0, 500, -1, 2],
    v: [1, 900],
    u: [1, 2, 3, 0, 0, 0, 0],
    m: [70, 3, 1, 1],
  },
  { k: 'o', t: 150, servers: 90, clients: 30, lab: 10.5 },
  { k: 'z', t: 155, s: 0, z: [31, 4, 0, 32, 0, -1], channels: ['wait_woken'] },
  { k: 's', t: 160, s: -1, setup: header.setup },
  { k: 'end', t: 170 },
];
const text = records.map(lineOf).join('');
const bytesOf = (value: string) => new TextEncoder().encode(value);
const headed = (...lines: string[]) => `${lineOf(header)}${lines.join('\n')}\n`;

test('a recording gives back its records, gzipped or as text', async () => {
  expect(await unpack((await pack(records)) as Uint8Array<ArrayBuffer>)).toEqual(records);
  expect(await unpack(bytesOf(text))).toEqual(records);
});

test('a file that was cut anywhere plays up to its last whole line', async () => {
  for (let length = lineOf(header).length; length <= text.length; length += 17) {
    const part = recordsOf(text.slice(0, length));
    expect(part).toEqual(records.slice(0, part.length));
  }
  const long = [header, ...Array.from({ length: 20_000 }, (_, t) => ({ ...records[1], t }))];
  const packed = new Uint8Array(gzipSync((long as LabRecord[]).map(lineOf).join('')));
  const part = await unpack(packed.slice(0, packed.length >> 1));
  expect(part.length).toBeGreaterThan(1);
  expect(part).toEqual(long.slice(0, part.length));
});

test('records of a later Mondo are left out, and so are fields that the format does not name', () => {
  const later = headed('{"k":"mission","t":1}', '{"k":"end","t":2,"mood":"good"}');
  expect(recordsOf(later)).toEqual([header, { k: 'end', t: 2 }]);
});

test('a recording without plans is of an earlier version: the sizes of its servers are their plans', () => {
  const { plan: _plan, dryRun: _dryRun, ...old } = labStage('queued', { threads: 4, queue: 64 });
  const text = JSON.stringify(labHeaderOf([old as StageSetup]));
  expect(recordsOf(`${text}\n`)[0]).toMatchObject({
    setup: {
      stages: [{ plan: { architecture: 'queued', threads: 4, queue: 64 }, dryRun: false }],
    },
  });
});

const hostile: readonly (readonly [what: string, text: string, message: RegExp])[] = [
  ['nothing', '', /no whole line/],
  ['another program’s file', '{"a":1}\n', /first line is no header/],
  ['no JSON', headed('{"k":'), /line 2 is no JSON/],
  ['an array as record', headed('[1]'), /must be an object/],
  ['another version', text.replace('"version":1', '"version":2'), /version 2 .* reads version 1/],
  ['a second header', headed(lineOf(header).trim()), /line 2 is a second header/],
  ['a time that is no number', headed('{"k":"end","t":null}'), /null as t;/],
  ['a time without end', headed('{"k":"end","t":1e999}'), /as t; it must be a number/],
  ['a negative time', headed('{"k":"end","t":-1}'), /-1 as t;/],
  ['a negative lane', headed('{"k":"f","s":0,"t":1,"l":[-1,1,1,3,1,1,1,1]}'), /-1 as l\[0\]/],
  ['a stage too many', headed('{"k":"f","s":4,"t":1}'), /4 as s;/],
  ['half a row', headed('{"k":"f","s":0,"t":1,"l":[1,2]}'), /rows of 8/],
  ['an empty row', headed('{"k":"f","s":0,"t":1,"q":[]}'), /a row of 3/],
  ['a row that is text', headed('{"k":"f","s":0,"t":1,"q":"abc"}'), /at most 1 rows/],
  ['a fraction of a client', headed('{"k":"f","s":0,"t":1,"w":[1.5,2]}'), /1\.5 as w\[0\]/],
  [
    'a million lanes',
    headed(`{"k":"f","s":0,"t":1,"l":[${'1,1,1,1,1,1,1,1,'.repeat(1e6).slice(0, -1)}]}`),
    /at most 4096 rows/,
  ],
  ['five stages', lineOf(labHeaderOf(new Array(5).fill(labStage()))), /at most 4/],
  [
    'a long title',
    text.replace('One silent', 'x'.repeat(5000)),
    /setup\.title; .* 4096 characters/,
  ],
];
test.each(hostile)('a recording with %s is refused with one line', (_, given, message) => {
  let thrown: unknown;
  try {
    recordsOf(given);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(RecordingError);
  const text = (thrown as Error).message;
  expect(text).toMatch(message);
  expect(text).not.toContain('\n');
  expect(text.length).toBeLessThan(250);
});

test('__proto__ in a recording reaches no object', () => {
  const record = recordOf(JSON.parse('{"k":"end","t":1,"__proto__":{"polluted":1}}'));
  expect(record).toEqual({ k: 'end', t: 1 });
  expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
  // What is inherited is no field: a header cannot take its version from a prototype.
  expect(() => recordOf(JSON.parse('{"k":"end","__proto__":{"t":1}}'))).toThrow(RecordingError);
});

test('a bomb is refused while it is unpacked', async () => {
  // Bytes count, and not characters, of which it has fewer: so the check while unpacking refuses it.
  const bomb = new Uint8Array(gzipSync(Buffer.alloc(MOST_BYTES + 3, '€')));
  await expect(unpack(bomb)).rejects.toThrow(/more than 20 MiB/);
});

test('any bytes are a recording or refused, and the reducer takes whatever is read', () => {
  const value = fc.jsonValue({ maxDepth: 2 });
  const frame = fc.record(
    { k: fc.constant('f'), s: fc.constantFrom(0, 1, -1), t: value, l: value, e: value, r: value },
    { requiredKeys: ['k', 's'] },
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(value, frame), { maxLength: 5 }), (lines) => {
      try {
        recordsOf(headed(...lines.map((line) => JSON.stringify(line)))).reduce(apply, nothing);
      } catch (error) {
        expect(error).toBeInstanceOf(RecordingError);
      }
    }),
  );
});
