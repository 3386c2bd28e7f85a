/**
 * Properties that must hold for any input, for fuzz.test.ts (a short time, and every seed that ever failed) and
 * tools/fuzz.ts (any time). Each is compared with an independent implementation: plain string operations, Node's
 * own list of networks, JSON.
 */
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { eventReader } from '../../src/host/worker/journal.ts';
import { LimitError } from '../../src/limits/errors.ts';
import { checkLimits, parseLimits } from '../../src/limits/limits.ts';
import { Networks, parseAddress, parseNetwork } from '../../src/limits/networks.ts';
import { dropChance, parseWhenFull } from '../../src/limits/when-full.ts';
import { addressText, decodeAddress, encodeAddress } from '../../src/os/address.ts';
import { Conversation, type Next } from '../../src/protocol/conversation.ts';
import { Outbox } from '../../src/protocol/outbox.ts';
import type { Answer } from '../../src/protocol/service.ts';
import { speakersOf } from '../../src/protocol/speaker.ts';
import { TimeSlice } from '../../src/protocol/time-slice.ts';

const bytesOf = (text: string) => Buffer.from(text, 'latin1');

/** Text of few different characters, so that delimiters and beginnings of them are frequent. */
const text = (maxLength: number) =>
  fc.string({ unit: fc.constantFrom('a', 'b', '?', '!', '\n', '\xff'), maxLength });
const delimiter = fc.string({
  unit: fc.constantFrom('?', '!', 'b', '\n'),
  minLength: 1,
  maxLength: 3,
});

interface Talk {
  readonly delimiter: string;
  readonly answers: Readonly<Record<string, Answer>>;
  readonly stream: string;
  /** The stream as lengths of pieces; the last length is used again and again. */
  readonly pieces: readonly number[];
  readonly unsent: number;
  readonly questionSize: number;
  readonly questions: number;
  readonly defer: number;
  /** Number of questions after which others have their turn. */
  readonly sliceQuestions: number;
  /** Size of the bytes before and after each piece in a larger buffer: the code must not read them. */
  readonly margin: number;
}

const talks: fc.Arbitrary<Talk> = delimiter.chain((end) =>
  fc.record({
    delimiter: fc.constant(end),
    answers: fc.dictionary(
      text(6).map((question) => `${question.replaceAll(end, '')}${end}`),
      fc.oneof(
        fc.string({ unit: 'binary-ascii', maxLength: 20 }),
        fc.uint8Array({ maxLength: 20 }),
      ),
      { maxKeys: 4 },
    ),
    stream: fc
      .array(fc.oneof(text(12), fc.constant(end)), { maxLength: 12 })
      .map((parts) => parts.join('')),
    pieces: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
    unsent: fc.integer({ min: 1, max: 200 }),
    questionSize: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 30 })),
    questions: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 6 })),
    defer: fc.constantFrom(0, 0, 0, 7),
    sliceQuestions: fc.integer({ min: 1, max: 8 }),
    margin: fc.integer({ min: 0, max: 9 }),
  }),
);

const answerOf = ({ answers }: Talk, question: string): string => {
  const answer = Object.hasOwn(answers, question) ? answers[question]! : `${question.length}.`;
  return Buffer.from(answer as string).toString('latin1');
};

/** The expected answers to the whole stream, by plain string operations; and whether the server closes. */
function expectedOf(talk: Talk): { answers: string; closes: boolean } {
  let answers = '';
  let rest = talk.stream;
  for (let asked = 1; ; asked++) {
    const at = rest.indexOf(talk.delimiter);
    const length = at < 0 ? rest.length : at + talk.delimiter.length;
    if (talk.questionSize > 0 && length > talk.questionSize) return { answers, closes: true };
    if (at < 0) return { answers, closes: false };
    answers += answerOf(talk, rest.slice(0, length));
    rest = rest.slice(length);
    if (asked === talk.questions) return { answers, closes: true };
  }
}

/** The answers of a conversation that gets the stream in pieces, and is driven as its turns want. */
function saidOf(talk: Talk): { answers: string; closes: boolean } {
  const service = {
    delimiter: talk.delimiter,
    encoding: 'latin1',
    answers: talk.answers,
    answer: (question: string) => `${question.length}.`,
  } as const;
  const slice = new TimeSlice(() => 0, talk.sliceQuestions);
  const bounds = { ...talk, slice, exceeded: () => true };
  const conversation = new Conversation(
    speakersOf(service, false)(),
    { defer: talk.defer },
    bounds,
  );
  const out = new Outbox();
  let said = '';
  const take = () => {
    said += out.copy().toString('latin1');
    out.clear();
  };
  let turn: Next = conversation.open(out);
  const settle = (): boolean => {
    for (;;) {
      take();
      if (turn === 'close') return true;
      if (turn === undefined) return false;
      turn = conversation.resume(out);
    }
  };
  const stream = bytesOf(talk.stream);
  for (let at = 0, piece = 0; at < stream.length; piece++) {
    const length = talk.pieces[Math.min(piece, talk.pieces.length - 1)]!;
    const bytes = stream.subarray(at, at + length);
    // The bytes around a piece are questions, too.
    const around = bytesOf(talk.delimiter.repeat(talk.margin));
    const buffer = Buffer.concat([around, bytes, around]);
    turn = conversation.receive(buffer, around.length, around.length + bytes.length, out);
    if (settle()) return { answers: said, closes: true };
    at += length;
  }
  return { answers: said, closes: false };
}

const same = (actual: unknown, expected: unknown) => {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) throw new Error(`got ${a}, expected ${e}`);
};

/** Accepts the text, or throws LimitError that quotes the text. Anything else is a bug. */
function takesOrComplains<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof LimitError && !error.message.includes('\n')) return undefined;
    throw error;
  }
}

const octet = fc.integer({ min: 0, max: 255 });
const ipv4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
const ipv6 = fc.oneof(
  fc.ipV6(),
  fc
    .array(fc.constantFrom('0', '0', '0', '1', 'ff', 'fe80', 'ffff', '2001'), {
      minLength: 8,
      maxLength: 8,
    })
    .map((groups) => groups.join(':')),
);
const garbled = (good: fc.Arbitrary<string>) =>
  fc.oneof(
    good,
    fc.string(),
    fc
      .tuple(good, fc.nat({ max: 30 }), fc.string({ maxLength: 2 }))
      .map(([from, at, put]) => `${from.slice(0, at)}${put}${from.slice(at + 1)}`),
  );

const limitText = garbled(
  fc.oneof(
    fc.constantFrom(
      'idle=30s',
      'question-time=1.5m',
      'question-size=64KiB',
      'connections=off',
      'deny=10.0.0.0/8,fd00::/8',
      'accepts-per-second=10',
      'unsent-total=1GiB',
    ),
    fc
      .tuple(
        fc.constantFrom('idle', 'age', 'unsent', 'questions'),
        fc.double(),
        fc.constantFrom('', 's', 'ms', 'KiB'),
      )
      .map(([name, value, unit]) => `${name}=${value}${unit}`),
  ),
);

/** The properties by name, for tools/fuzz.ts. */
export const properties: Readonly<Record<string, fc.IProperty<unknown>>> = {
  conversation: fc.property(talks, (talk) => {
    same(saidOf(talk), expectedOf(talk));
  }) as fc.IProperty<unknown>,

  limits: fc.property(fc.array(limitText, { maxLength: 4 }), (list) => {
    const limits = takesOrComplains(() => parseLimits(list));
    // The library accepts everything that the command accepts.
    if (limits !== undefined) checkLimits(limits);
  }) as fc.IProperty<unknown>,

  networks: fc.property(
    fc.oneof(ipv4, ipv6),
    fc.nat({ max: 128 }),
    fc.oneof(ipv4, ipv6),
    (base, length, address) => {
      const family = base.includes(':') ? 'ipv6' : 'ipv4';
      const bits = family === 'ipv4' ? Math.min(length, 32) : length;
      const network = takesOrComplains(() => parseNetwork(`${base}/${bits}`));
      if (network === undefined) return;
      const other = address.includes(':') ? 'ipv6' : 'ipv4';
      // Node's list treats an IPv4 address in the form of IPv6 differently; the docs say how.
      if (family !== other || /ffff/i.test(address)) return;
      const list = new BlockList();
      list.addSubnet(base, bits, family);
      const isIn = list.check(address, other);
      const refused = new Networks([], [`${base}/${bits}`]).refuses(parseAddress(address)!);
      same(refused === 'deny', isIn);
    },
  ) as fc.IProperty<unknown>,

  'network text': fc.property(garbled(fc.oneof(ipv4, ipv6, fc.constant('10.0.0.0/8'))), (given) => {
    takesOrComplains(() => parseNetwork(given));
    parseAddress(given);
  }) as fc.IProperty<unknown>,

  'when full': fc.property(
    garbled(
      fc.oneof(
        fc.constantFrom('wait', 'busy', 'reset', 'random', 'random:10:30:100'),
        fc
          .tuple(fc.nat(), fc.nat({ max: 120 }), fc.nat())
          .map((parts) => `random:${parts.join(':')}`),
      ),
    ),
    fc.nat({ max: 1_000_000 }),
    (given, open) => {
      const whenFull = takesOrComplains(() => parseWhenFull(given));
      if (whenFull?.policy !== 'random' || whenFull.full === 0) return;
      const chance = dropChance(open, whenFull);
      if (!(chance >= 0 && chance <= 1)) throw new Error(`a chance of ${chance}`);
    },
  ) as fc.IProperty<unknown>,

  addresses: fc.property(
    fc.oneof(ipv4, ipv6),
    fc.integer({ min: 0, max: 65_535 }),
    (host, port) => {
      const family = host.includes(':') ? 'IPv6' : 'IPv4';
      const bytes = encodeAddress({ family, host, port });
      const again = decodeAddress(bytes, bytes.length);
      same(encodeAddress(again).toString('hex'), bytes.toString('hex'));
      addressText(again);
    },
  ) as fc.IProperty<unknown>,

  journal: fc.property(
    fc.array(
      fc.record({
        ...{ type: fc.string(), peer: fc.string({ unit: 'binary' }) },
        ...{ at: fc.nat(), pid: fc.nat(), tid: fc.nat() },
      }),
    ),
    fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
    (events, cuts) => {
      const read: unknown[] = [];
      const reader = eventReader(
        (event) => read.push(event),
        (text) => read.push(text),
      );
      const all = events.map((event) => `${JSON.stringify(event)}\n`).join('');
      for (let at = 0, i = 0; at < all.length; i++) {
        const length = cuts[i % cuts.length]!;
        reader(all.slice(at, at + length));
        at += length;
      }
      same(read, events);
    },
  ) as fc.IProperty<unknown>,
};
