import { expect, test } from 'vitest';
import { labHeaderOf, labMix } from '../../../../test/support/lab-recording.ts';
import type { Command, WelcomeRecord } from '../shared/wire.ts';
import {
  connection,
  follow,
  mode,
  newest,
  notes,
  people,
  send,
  sendBy,
  shown,
  steers,
  take,
  welcome,
} from './state.ts';

const mix = { ...labMix, clients: 3 };
const header = labHeaderOf([], { mix });
const { setup } = header;
const hello: WelcomeRecord = {
  k: 'y',
  steers: true,
  viewers: 1,
  architectures: [],
  attacks: [],
  isReplay: false,
};

test('records become the model, and the others what they are', () => {
  take([header, hello, { k: 'n', isFault: false, text: 'started' }]);
  expect(newest.value.setup).toBe(setup);
  expect(shown.value).toBe(newest.value);
  expect(welcome.value).toBe(hello);
  expect(notes.value.at(-1)?.text).toBe('started');
  expect([...people().values()].map(({ temper }) => temper)).toEqual([
    'silent',
    'honest',
    'honest',
  ]);
});

test('a page that is paused shows what it showed', () => {
  const before = shown.value;
  mode.value = 'paused';
  take([{ k: 'o', t: 9, servers: 1, clients: 1, lab: 1 }]);
  expect(shown.value).toBe(before);
  expect(newest.value.t).toBe(9);
  mode.value = 'live';
});

test('commands go out only from a viewer that steers', () => {
  const sent: Command[] = [];
  const last = () => notes.value.at(-1)?.text;
  sendBy(undefined);
  send({ do: 'again' });
  expect(last()).toContain('No hub');
  sendBy((command) => sent.push(command));
  connection.value = 'open';
  take([{ ...hello, steers: false }]);
  expect(steers.value).toBe(false);
  send({ do: 'again' });
  expect(last()).toContain('Another viewer steers');
  send({ do: 'take-over' });
  take([hello]);
  send({ do: 'again' });
  expect(sent).toEqual([{ do: 'take-over' }, { do: 'again' }]);
  take([{ ...hello, isReplay: true }]);
  expect(steers.value).toBe(false);
});

test('a player gets each record, and decides what is shown', () => {
  const seen: string[] = [];
  follow((record) => seen.push(`${record.k} ${newest.value.t}`));
  const before = shown.value;
  take([{ k: 'o', t: 20, servers: 1, clients: 1, lab: 1 }, hello, { k: 'end', t: 30 }]);
  expect(seen).toEqual(['o 20', 'end 30']);
  expect(shown.value).toBe(before);
});
