import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Conversation, type Next, type Think } from './conversation.ts';
import { Outbox } from './outbox.ts';
import {
  type Dialogue,
  type DirectDialogue,
  defineService,
  type Protocol,
  type Service,
} from './service.ts';
import { type Speaker, speakersOf } from './speaker.ts';
import { TimeSlice } from './time-slice.ts';
import zen from './zen.ts';

/** Number of unsent bytes at which a conversation stops answering. */
const FULL = 65_536;

const bytesOf = (text: string) => Buffer.from(text, 'latin1');

function start(service: Service | Protocol, think?: Think, asynchronous = false) {
  const conversation = new Conversation(speakersOf(service, asynchronous)(), think);
  return { conversation, out: new Outbox() };
}

/** Gives the conversation the whole text at once. */
function receive({ conversation, out }: ReturnType<typeof start>, text: string): Next {
  const bytes = bytesOf(text);
  return conversation.receive(bytes, 0, bytes.length, out);
}

const taken = (out: Outbox): string => {
  const text = out.copy().toString('latin1');
  out.clear();
  return text;
};

describe('Conversation with the Zen questions', () => {
  it('answers each question and keeps an unfinished one', () => {
    const zenTalk = start(zen);
    expect(receive(zenTalk, 'Beautiful is better than?Simple is')).toBeUndefined();
    expect(taken(zenTalk.out)).toBe('Ugly.');
    expect(zenTalk.conversation.unfinished.toString()).toBe('Simple is');
    expect(receive(zenTalk, ' better than?')).toBeUndefined();
    expect(taken(zenTalk.out)).toBe('Complex.');
    expect(zenTalk.conversation.unfinished).toHaveLength(0);
  });

  it('answers unknown and empty questions with the error', () => {
    const zenTalk = start(zen);
    receive(zenTalk, 'What?????');
    expect(taken(zenTalk.out)).toBe('Error: unknown aphorism.'.repeat(5));
  });

  it('reads only its part of the buffer', () => {
    const { conversation, out } = start(zen);
    const bytes = bytesOf('?????Beautiful is better than??????');
    conversation.receive(bytes, 5, bytes.length - 5, out);
    expect(taken(out)).toBe('Ugly.');
  });

  it('is idle exactly when a new conversation would give the same answers', () => {
    const zenTalk = start(zen);
    expect(zenTalk.conversation.idle).toBe(true);
    receive(zenTalk, 'Beaut');
    expect(zenTalk.conversation.idle).toBe(false);
    receive(zenTalk, 'iful is better than?');
    expect(zenTalk.conversation.idle).toBe(true);
  });
});

describe('Conversation.open', () => {
  const greeter = {
    dialogue: () => ({ greeting: 'Hello.', frame: () => -1, answer: () => '' }),
  } satisfies Protocol;

  it('sends the greeting', () => {
    const { conversation, out } = start(greeter);
    expect(conversation.open(out)).toBeUndefined();
    expect(taken(out)).toBe('Hello.');
  });

  it('closes a dialogue that is finished with its greeting', () => {
    const { conversation, out } = start({
      dialogue: () => ({ ...greeter.dialogue(), finished: true }),
    });
    expect(conversation.open(out)).toBe('close');
    expect(taken(out)).toBe('Hello.');
  });

  it('fails the conversation of a dialogue that cannot be made', () => {
    const { conversation, out } = start({
      dialogue: () => {
        throw new Error('no dialogue today');
      },
    });
    expect(conversation.open(out)).toBe('close');
    expect(String(conversation.failure)).toContain('no dialogue today');
  });
});

describe('Conversation with a faulty service', () => {
  const faults: Record<string, Service | Protocol> = {
    'answer that throws': {
      delimiter: '?',
      answer: () => {
        throw new Error('a fault');
      },
    },
    'answer that throws nothing': {
      delimiter: '?',
      answer: () => {
        throw undefined;
      },
    },
    'answer that is no text and no bytes': {
      delimiter: '?',
      answer: () => 42 as unknown as string,
    },
    'answer that is missing': {
      delimiter: '?',
      answer: () => undefined as unknown as string,
    },
    'answer that is an object': {
      delimiter: '?',
      answer: () => ({ length: 3 }) as unknown as string,
    },
    'frame that throws': {
      dialogue: () => ({
        frame: () => {
          throw new Error('a fault');
        },
        answer: () => '',
      }),
    },
    'frame that makes no progress': {
      dialogue: () => ({ frame: (_bytes, start) => start, answer: () => 'x' }),
    },
    'frame past the end': {
      dialogue: () => ({ frame: (_bytes, _start, end) => end + 1, answer: () => 'x' }),
    },
    'frame that is no number': {
      dialogue: () => ({ frame: () => Number.NaN, answer: () => 'x' }),
    },
  };

  it.each(Object.entries(faults))('ends with a failure and no answer for: %s', (_, service) => {
    const talk = start(service);
    expect(receive(talk, 'a question?')).toBe('close');
    expect(talk.conversation.failure).toBeDefined();
    expect(taken(talk.out)).toBe('');
  });

  it('keeps the answers before the one that failed', () => {
    const talk = start({
      delimiter: '?',
      answer: (question) => {
        if (question === 'bad?') throw new Error('bad');
        return question;
      },
    });
    expect(receive(talk, 'good?bad?good?')).toBe('close');
    expect(taken(talk.out)).toBe('good?');
  });

  it('ignores the later questions of the peer', () => {
    const dialogue = {
      frame: (_: unknown, start: number) => start + 1,
      finished: true,
      answer: String,
    };
    const talk = start({ dialogue: () => dialogue });
    expect(receive(talk, 'abc')).toBe('close');
    expect(talk.conversation.unfinished).toHaveLength(0);
    expect(receive(talk, 'def')).toBe('close');
    expect(talk.conversation.unfinished).toHaveLength(0);
  });

  it('does not call the service after a failure', () => {
    const answer = vi.fn(() => {
      throw new Error('a fault');
    });
    const talk = start({ delimiter: '?', answer });
    expect(receive(talk, 'one?')).toBe('close');
    expect(receive(talk, 'two?')).toBe('close');
    expect(answer).toHaveBeenCalledTimes(1);
    expect(talk.out.length).toBe(0);
  });

  it('fails the conversation if its promise is rejected', async () => {
    const talk = start(
      { delimiter: '?', answerAsync: () => Promise.reject(new Error('later fault')) },
      undefined,
      true,
    );
    const turn = receive(talk, 'one?');
    expect(turn).toBeInstanceOf(Promise);
    await turn;
    expect(talk.conversation.resume(talk.out)).toBe('close');
    expect(String(talk.conversation.failure)).toContain('later fault');
  });

  it('fails the conversation if its promise resolves to no answer', async () => {
    const talk = start(
      { delimiter: '?', answerAsync: () => Promise.resolve(42 as unknown as string) },
      undefined,
      true,
    );
    await receive(talk, 'one?');
    expect(talk.conversation.resume(talk.out)).toBe('close');
    expect(talk.conversation.failure).toBeDefined();
    expect(talk.out.length).toBe(0);
  });
});

describe('Conversation with thinking', () => {
  it('pauses once before each answer', () => {
    const pause = vi.fn();
    const talk = start(zen, { pause, defer: 0 });
    receive(talk, 'one?two?thr');
    expect(pause).toHaveBeenCalledTimes(2);
  });

  it('owes a deferred answer until it is due, and holds the questions that come before', () => {
    const talk = start(zen, { defer: 7 });
    expect(receive(talk, 'Beautiful is better than?Simple')).toBe(7);
    expect(Buffer.from(talk.conversation.owed!).toString()).toBe('Ugly.');
    expect(receive(talk, ' is better than?')).toBe(7);
    expect(talk.out.length).toBe(0);
    expect(talk.conversation.resume(talk.out)).toBe(7);
    expect(taken(talk.out)).toBe('Ugly.');
    expect(talk.conversation.resume(talk.out)).toBeUndefined();
    expect(taken(talk.out)).toBe('Complex.');
    expect(talk.conversation.owed).toBeUndefined();
    expect(talk.conversation.idle).toBe(true);
  });

  it('defers an answer that came as a promise once more', async () => {
    const talk = start(
      { delimiter: '?', answerAsync: async (question) => `<${question}>` },
      { defer: 9 },
      true,
    );
    await receive(talk, 'a?');
    expect(talk.conversation.resume(talk.out)).toBe(9);
    expect(talk.out.length).toBe(0);
    expect(talk.conversation.resume(talk.out)).toBeUndefined();
    expect(taken(talk.out)).toBe('<a?>');
  });
});

describe('Conversation with a peer that does not read', () => {
  it('stops answering when the outbox is full, and continues where it stopped', () => {
    const talk = start(zen);
    const count = 10_000;
    let turn = receive(talk, 'What?'.repeat(count));
    let answered = 0;
    while (turn === 'full') {
      expect(talk.out.length).toBeLessThan(FULL + 100);
      answered += taken(talk.out).length;
      turn = talk.conversation.resume(talk.out);
    }
    expect(turn).toBeUndefined();
    answered += taken(talk.out).length;
    expect(answered).toBe(count * 'Error: unknown aphorism.'.length);
  });
});

/**
 * Drives a conversation like an architecture. Every chunk comes in one receive buffer that is used again for the
 * next. `eager` decides, for each wait, whether another chunk comes before the wait is over.
 */
async function drive(
  service: Service | Protocol,
  stream: Buffer,
  cuts: readonly number[],
  options: { think?: Think; asynchronous?: boolean; eager?: readonly boolean[] } = {},
): Promise<string> {
  const { conversation, out } = start(service, options.think, options.asynchronous);
  const room = Buffer.alloc(stream.length + 8);
  let said = '';
  let at = 0;
  let next = 0;
  let waits = 0;
  const receiveChunk = (): Next => {
    const size = Math.min(
      cuts[next++ % Math.max(cuts.length, 1)] ?? stream.length,
      stream.length - at,
    );
    const offset = next % 8;
    room.fill(0x3f);
    stream.copy(room, offset, at, at + size);
    at += size;
    const turn = conversation.receive(room, offset, offset + size, out);
    room.fill(0x3f);
    return turn;
  };
  let turn = conversation.open(out);
  for (;;) {
    const isWaiting = typeof turn === 'number' || turn instanceof Promise;
    if (isWaiting && options.eager?.[waits++ % options.eager.length] && at < stream.length) {
      // A readiness loop whose peer sends while an answer is not due.
      expect(receiveChunk()).toBe(turn);
      continue;
    }
    said += taken(out);
    if (turn === 'close') return said;
    if (turn === undefined) {
      if (at === stream.length) return said;
      turn = receiveChunk();
    } else {
      if (turn instanceof Promise) await turn;
      turn = conversation.resume(out);
    }
  }
}

const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });
const eager = fc.array(fc.boolean(), { minLength: 1, maxLength: 8 });
const thinks = fc.constantFrom<Think>({ defer: 0 }, { defer: 5 });

describe('Conversation, any stream in any chunks', () => {
  /** Every byte of the question is in the answer: a lost or doubled byte is noticed. */
  const reply = (question: string) => {
    const answer = `<${question}>`;
    // Some answers are long enough that two of them fill the outbox.
    return Buffer.from(question.includes('L') ? answer + 'l'.repeat(FULL / 2) : answer, 'latin1');
  };
  const table = { 'b?': 'from the table', 'ab\r\n': 'from the table too' };

  /** The answers to the whole stream, found in the simplest way. */
  function expected(stream: Buffer, delimiter: string): string {
    const end = Buffer.from(delimiter);
    let said = '';
    for (let at = 0; ; ) {
      const found = stream.indexOf(end, at);
      if (found < 0) return said;
      const question = stream.toString('latin1', at, found + end.length);
      said +=
        question in table
          ? table[question as keyof typeof table]
          : reply(question).toString('latin1');
      at = found + end.length;
    }
  }

  for (const delimiter of ['?', '\r\n', 'aa', 'aab', 'abab', '§', '🙂']) {
    const pieces = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.constant(Buffer.from(delimiter)) },
        {
          weight: 3,
          arbitrary: fc.constantFrom(...Buffer.from(delimiter)).map((b) => Buffer.of(b)),
        },
        { weight: 2, arbitrary: fc.constantFrom('a', 'b', 'L').map((c) => Buffer.from(c)) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((b) => Buffer.from(b)) },
      ),
      { maxLength: 40 },
    );
    it(`gives the answers to the whole stream, delimited by ${JSON.stringify(delimiter)}`, async () => {
      const service: Service = {
        delimiter,
        encoding: 'latin1',
        answers: table,
        answer: reply,
        answerAsync: async (question) => reply(question),
      };
      await fc.assert(
        fc.asyncProperty(
          pieces,
          cuts,
          eager,
          thinks,
          fc.boolean(),
          async (parts, cutting, isEager, think, asynchronous) => {
            const stream = Buffer.concat(parts);
            const said = await drive(service, stream, cutting, {
              think,
              asynchronous,
              eager: isEager,
            });
            expect(said).toBe(expected(stream, delimiter));
          },
        ),
        { numRuns: 150 },
      );
    });
  }

  /** One byte of length, then that many bytes. An answer depends on all earlier questions. */
  function lengthPrefixed(): Dialogue {
    let asked = 0;
    let finished = false;
    const answer = (question: Uint8Array) => {
      asked++;
      if (question[1] === 0) return undefined;
      if (question[1] === 255) finished = true;
      return Buffer.from(`${asked}:${Buffer.from(question).toString('hex')};`);
    };
    return {
      greeting: 'Hello;',
      frame(bytes, start, end) {
        if (end === start) return -1;
        const next = start + 1 + bytes[start]!;
        return next <= end ? next : -1;
      },
      answer,
      answerAsync: async (question) => answer(question),
      get finished() {
        return finished;
      },
    };
  }

  it('gives the answers to the whole stream, prefixed by a length', async () => {
    const messages = fc.array(
      fc.uint8Array({ maxLength: 20 }).map((body) => Buffer.from([body.length, ...body])),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(
        messages,
        cuts,
        eager,
        thinks,
        fc.boolean(),
        fc.nat(5),
        async (parts, cutting, isEager, think, asynchronous, missing) => {
          const whole = Buffer.concat(parts);
          const stream = whole.subarray(0, Math.max(0, whole.length - missing));
          let said = 'Hello;';
          const plain = lengthPrefixed();
          for (let at = 0; plain.finished !== true; ) {
            const next = plain.frame(stream, at, stream.length, 0);
            if (next < 0) break;
            said += plain.answer!(stream.subarray(at, next))?.toString() ?? '';
            at = next;
          }
          const options = { think, asynchronous, eager: isEager };
          expect(await drive({ dialogue: lengthPrefixed }, stream, cutting, options)).toBe(said);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('Conversation, the work it does', () => {
  /** Number of bytes that were searched for a delimiter, and number copied from one buffer to another. */
  function workOf(stream: Buffer, size: number, think?: Think): { looked: number; copied: number } {
    let looked = 0;
    const { frame, ...rest } = speakersOf(zen, false)();
    const counting: Speaker = {
      ...rest,
      frame(bytes, from, to, searched) {
        const next = frame(bytes, from, to, searched);
        looked += (next < 0 ? to : next) - from - searched;
        return next;
      },
    };
    const conversation = new Conversation(counting, think);
    const out = new Outbox();
    // Grow it to its largest size first: its growth does not count.
    out.write(Buffer.alloc(FULL * 2));
    out.clear();
    let copied = 0;
    const spy = vi
      .spyOn(Object.getPrototypeOf(Uint8Array.prototype), 'set')
      .mockImplementation(function (this: unknown, source: unknown, at: unknown) {
        copied += (source as Uint8Array).length;
        Reflect.apply(realSet, this, [source, at]);
      });
    try {
      for (let at = 0; at < stream.length; at += size) {
        let turn = conversation.receive(stream, at, Math.min(at + size, stream.length), out);
        while (turn !== undefined) {
          out.clear();
          turn = conversation.resume(out);
        }
        out.clear();
      }
    } finally {
      spy.mockRestore();
    }
    return { looked, copied };
  }
  const realSet = Uint8Array.prototype.set;

  const streams: Record<string, (length: number) => Buffer> = {
    'one question without an end': (length) => Buffer.alloc(length, 'a'),
    'nothing but delimiters': (length) => Buffer.alloc(length, '?'),
    'short questions': (length) => Buffer.alloc(length, 'What?'),
    'questions longer than a segment': (length) => Buffer.alloc(length, `${'a'.repeat(9000)}?`),
  };

  for (const [what, make] of Object.entries(streams)) {
    for (const size of [1, 7, 1460, 65_536]) {
      it(`is linear in the bytes: ${what}, in segments of ${size}`, () => {
        for (const length of [10_000, 200_000]) {
          const { looked, copied } = workOf(make(length), size);
          expect(looked).toBeLessThanOrEqual(length);
          // The bytes are held once, and moved to larger buffers that double.
          expect(copied).toBeLessThanOrEqual(4 * length + 1000);
        }
      });
    }
  }

  it('is linear in the bytes when each answer is deferred while the rest is held', () => {
    const length = 50_000;
    const { looked, copied } = workOf(Buffer.alloc(length, 'What?'), 1460, { defer: 1 });
    expect(looked).toBeLessThanOrEqual(length);
    expect(copied).toBeLessThanOrEqual(4 * length);
  });
});

describe('Conversation that must end after an answer', () => {
  const echo: Service = { delimiter: '?', answer: (question) => question };

  it('gives the answer that is not due yet, and no more', () => {
    const talk = start(echo, { defer: 5 });
    expect(receive(talk, '1?2?')).toBe(5);
    talk.conversation.endAfterAnswer('age');
    expect(talk.conversation.limited).toBeUndefined();
    expect(talk.conversation.resume(talk.out)).toBe('close');
    expect(taken(talk.out)).toBe('1?');
    expect(talk.conversation.limited).toBe('age');
  });

  it('gives the answer of a promise', async () => {
    const talk = start({ delimiter: '?', answerAsync: async (text) => text }, undefined, true);
    const turn = receive(talk, '1?2?');
    talk.conversation.endAfterAnswer('age');
    await turn;
    expect(talk.conversation.resume(talk.out)).toBe('close');
    expect(taken(talk.out)).toBe('1?');
  });
});

describe('Conversation with limits that are only counted', () => {
  it('counts a question that is too long once, for any chunks, and answers it', () => {
    const counted: string[] = [];
    const exceeded = (limit: string) => counted.push(limit) === 0;
    const bounds = { unsent: FULL, questionSize: 4, questions: 0, exceeded };
    const speaker = speakersOf({ delimiter: '?', answer: (text) => `${text.length}.` }, false)();
    const talk = {
      conversation: new Conversation(speaker, { defer: 0 }, bounds),
      out: new Outbox(),
    };
    for (const piece of ['123', '45', '67', '8?', '123456789?12345', '6?']) receive(talk, piece);
    expect(taken(talk.out)).toBe('9.10.7.');
    expect(counted).toEqual(['question-size', 'question-size', 'question-size']);
  });
});

describe('Conversation with a time slice', () => {
  const bounds = (questions: number) => ({
    ...{ unsent: FULL, questionSize: 0, questions: 0, exceeded: () => false },
    slice: new TimeSlice(() => 0, questions),
  });
  const echo: Service = { delimiter: '?', answer: (question) => question };
  const later: Service = { delimiter: '?', answerAsync: async (question) => question };
  const talkOf = (service: Service, questions: number) => ({
    conversation: new Conversation(speakersOf(service, true)(), { defer: 0 }, bounds(questions)),
    out: new Outbox(),
  });

  it('lets others have their turn after N questions, and continues in order', () => {
    const talk = talkOf(echo, 3);
    expect(receive(talk, '1?2?3?4?5?6?7?8')).toBe(0);
    expect(taken(talk.out)).toBe('1?2?3?');
    expect(talk.conversation.isThinking).toBe(true);
    expect(talk.conversation.owed).toBe('');
    // Questions that come now wait behind the others.
    expect(receive(talk, '?9?')).toBe(0);
    expect(taken(talk.out)).toBe('');
    expect(talk.conversation.resume(talk.out)).toBe(0);
    expect(taken(talk.out)).toBe('4?5?6?');
    expect(talk.conversation.resume(talk.out)).toBeUndefined();
    expect(taken(talk.out)).toBe('7?8?9?');
    expect(talk.conversation.idle).toBe(true);
  });

  it('does not give way if no question is left', () => {
    const talk = talkOf(echo, 3);
    expect(receive(talk, '1?2?3?4')).toBeUndefined();
    expect(receive(talk, '?')).toBeUndefined();
    expect(taken(talk.out)).toBe('1?2?3?4?');
  });

  it('gives way between answers that are too large for one outbox', () => {
    const talk = talkOf({ delimiter: '?', answer: () => 'x'.repeat(FULL) }, 3);
    const turns = [receive(talk, '1?2?3?4?')];
    while (turns.at(-1) === 'full') {
      taken(talk.out);
      turns.push(talk.conversation.resume(talk.out));
    }
    expect(turns).toEqual(['full', 'full', 'full', 0]);
  });

  it('gives way between promises that are already settled', async () => {
    const talk = talkOf(later, 3);
    let turn = receive(talk, '1?2?3?4?');
    for (let i = 0; i < 3; i++) {
      await turn;
      turn = talk.conversation.resume(talk.out);
    }
    expect(turn).toBe(0);
    expect(taken(talk.out)).toBe('1?2?3?');
  });
});

describe('a conversation of a service with hooks', () => {
  const counting = () => {
    const ended: number[] = [];
    const service = defineService({
      delimiter: '?',
      answers: { 'Fixed?': 'F' },
      connected: () => ({ asked: 0 }),
      disconnected: (state) => void ended.push(state.asked),
      answer: (_question, state) => String(++state.asked),
    });
    return { service, ended };
  };

  it('has its own state, which each end passes on once', () => {
    const { service, ended } = counting();
    const speakers = speakersOf(service, false);
    const [one, two] = [new Conversation(speakers()), new Conversation(speakers())];
    const out = new Outbox();
    for (const conversation of [one, two]) expect(conversation.open(out)).toBeUndefined();
    receive({ conversation: one, out }, 'a?Fixed?b?');
    receive({ conversation: two, out }, 'a?');
    expect(taken(out)).toBe('1F21');
    expect(one.idle).toBe(false);
    one.closed();
    one.closed();
    expect(ended).toEqual([2]);
    two.closed();
    expect(ended).toEqual([2, 1]);
  });

  it('that was never opened calls no hook', () => {
    const { service, ended } = counting();
    start(service).conversation.closed();
    expect(ended).toEqual([]);
  });

  it('ends if `connected` throws, and then does not call `disconnected`', () => {
    const disconnected = vi.fn();
    const { conversation, out } = start({
      delimiter: '?',
      connected: () => {
        throw new Error('full');
      },
      disconnected,
      answer: () => '',
    });
    expect(conversation.open(out)).toBe('close');
    expect(conversation.failure).toEqual(new Error('full'));
    conversation.closed();
    expect(disconnected).not.toHaveBeenCalled();
  });

  it('keeps what `disconnected` throws', () => {
    const { conversation, out } = start({
      delimiter: '?',
      disconnected: () => {
        throw new Error('late');
      },
      answer: () => '',
    });
    conversation.open(out);
    conversation.closed();
    expect(conversation.failure).toEqual(new Error('late'));
  });

  it('gives a dialogue its peer, and ends it once', () => {
    const disconnected = vi.fn();
    const peer = { family: 'IPv4', address: '10.0.0.1', port: 7, path: '' } as const;
    const dialogue = vi.fn(() => ({ frame: () => -1, answer: () => '', disconnected }));
    const conversation = new Conversation(speakersOf({ dialogue }, false)(() => peer));
    expect(dialogue).not.toHaveBeenCalled();
    conversation.open(new Outbox());
    expect(dialogue.mock.calls).toEqual([[peer]]);
    conversation.closed();
    conversation.closed();
    expect(disconnected).toHaveBeenCalledTimes(1);
  });

  it('without hooks is shared: it keeps nothing', () => {
    expect(start({ delimiter: '?', answer: () => '' }).conversation.idle).toBe(true);
  });
});

describe('a direct dialogue', () => {
  /** One byte of length, then that many bytes. It writes its answer in pieces, the first before it has looked. */
  function counted(): DirectDialogue {
    let asked = 0;
    let finished = false;
    return {
      greeting: 'Hello;',
      respond(bytes, start, end, _searched, out) {
        out.write(`${asked}:`);
        const next = start + 1 + bytes[start]!;
        if (next > end) return -1;
        asked++;
        if (bytes[start + 1] === 255) finished = true;
        out.writeRange(bytes, start, next);
        out.write(Buffer.from(';'));
        return next;
      },
      get finished() {
        return finished;
      },
    };
  }
  const message = (body: Uint8Array) => Buffer.from([body.length, ...body]);

  it('gives the same answers for any stream in any chunks', async () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 20 }).map(message), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        messages,
        cuts,
        eager,
        thinks,
        fc.nat(5),
        async (parts, cutting, isEager, think, missing) => {
          const whole = Buffer.concat(parts);
          const stream = whole.subarray(0, Math.max(0, whole.length - missing));
          let said = 'Hello;';
          let asked = 0;
          for (let at = 0; at + (stream[at] ?? 0) < stream.length; ) {
            const next = at + 1 + stream[at]!;
            said += `${asked++}:${stream.toString('latin1', at, next)};`;
            if (stream[at + 1] === 255 && next > at + 1) break;
            at = next;
          }
          const options = { think, eager: isEager };
          expect(await drive({ dialogue: counted }, stream, cutting, options)).toBe(said);
        },
      ),
      { numRuns: 300 },
    );
  });

  /** Questions end in `?`. `look` gets each call. */
  const echo = (look?: (start: number, end: number, searched: number) => void): Protocol => ({
    dialogue: () => ({
      respond(bytes, start, end, searched, out) {
        look?.(start, end, searched);
        const at = bytes.indexOf('?', start + searched);
        if (at < 0 || at >= end) return -1;
        out.writeRange(bytes, start, at + 1);
        return at + 1;
      },
    }),
  });
  const opened = (protocol: Protocol, bounds?: ConstructorParameters<typeof Conversation>[2]) => {
    const conversation = new Conversation(speakersOf(protocol, false)(), { defer: 0 }, bounds);
    const out = new Outbox();
    conversation.open(out);
    return { conversation, out };
  };
  const bounds = { unsent: FULL, questionSize: 0, questions: 0, exceeded: () => true };

  it('searches no byte twice', () => {
    let searched = 0;
    const talk = opened(echo((start, end, before) => (searched += end - start - before)));
    for (let i = 0; i < 100; i++) receive(talk, 'aaaaaaaaaa');
    receive(talk, '?');
    expect(searched).toBe(1001);
    expect(taken(talk.out)).toHaveLength(1001);
  });

  it.each([
    ['throws', () => Number(JSON.parse('{'))],
    ['makes no progress', (start: number) => start],
    ['goes past the end', (_: number, end: number) => end + 1],
    ['gives no number', () => undefined as unknown as number],
  ])('that %s keeps the answers before, and fails', (_, result) => {
    const talk = opened({
      dialogue: () => ({
        respond(bytes, start, end, _searched, out) {
          out.write('piece;');
          return bytes[start] === 33 ? result(start, end) : start + 1;
        },
      }),
    });
    expect(receive(talk, 'ab!c')).toBe('close');
    expect(talk.conversation.failure).toBeDefined();
    expect(taken(talk.out)).toBe('piece;piece;');
  });

  it('takes no bytes that are not there, and no answer that is neither text nor bytes', () => {
    for (const write of [
      (out: Outbox) => out.writeRange(Buffer.alloc(3), 1, 4),
      (out: Outbox) => out.writeRange(Buffer.alloc(3), -1, 2),
      (out: Outbox) => out.writeRange(Buffer.alloc(3), 2, 1),
      (out: Outbox) => out.write(42 as unknown as string),
      (out: Outbox) => out.write(undefined as unknown as string),
    ]) {
      const talk = opened({
        dialogue: () => ({
          respond(_bytes, _start, end, _searched, out) {
            write(out as Outbox);
            return end;
          },
        }),
      });
      expect(receive(talk, 'a')).toBe('close');
      expect(talk.conversation.failure).toBeDefined();
      expect(talk.out.length).toBe(0);
    }
  });

  it('behind answers of other conversations changes only its own', () => {
    const talk = opened(echo());
    talk.out.write('others');
    talk.out.start = talk.out.length;
    receive(talk, '1?2?unfinished');
    expect(taken(talk.out)).toBe('others1?2?');
  });

  it('ends at a question that is too long, complete or not', () => {
    for (const text of ['12?1234567', '12?12345678?']) {
      const talk = opened(echo(), { ...bounds, questionSize: 6 });
      expect(receive(talk, text)).toBe('close');
      expect(talk.conversation.limited).toBe('question-size');
      expect(taken(talk.out)).toBe('12?');
    }
  });

  it('answers it in a dry run, and counts it once', () => {
    const exceeded: string[] = [];
    const dry = { ...bounds, questionSize: 4, exceeded: (limit: string) => !exceeded.push(limit) };
    const talk = opened(echo(), dry);
    for (const piece of ['123', '45', '67', '8?', '123456789?12345', '6?']) receive(talk, piece);
    expect(taken(talk.out)).toBe('12345678?123456789?123456?');
    expect(exceeded).toEqual(['question-size', 'question-size', 'question-size']);
  });

  it('ends after its number of questions', () => {
    const talk = opened(echo(), { ...bounds, questions: 2 });
    expect(receive(talk, '1?2?3?')).toBe('close');
    expect(talk.conversation.limited).toBe('questions');
    expect(taken(talk.out)).toBe('1?2?');
  });

  it('gives way to others, owes the rest, and continues in order', () => {
    const counter = new Float64Array(3);
    const talk = opened(echo(), { ...bounds, slice: new TimeSlice(() => 0, 3), counter });
    expect(receive(talk, '1?2?3?4?5')).toBe(0);
    expect(talk.conversation.owed).toBe('');
    expect(receive(talk, '?6')).toBe(0);
    expect(taken(talk.out)).toBe('1?2?3?');
    expect(talk.conversation.resume(talk.out)).toBeUndefined();
    expect(taken(talk.out)).toBe('4?5?');
    expect(talk.conversation.owed).toBeUndefined();
    expect(talk.conversation.unfinished.toString()).toBe('6');
    // Questions, bytes received, bytes of answers.
    expect([...counter]).toEqual([5, 11, 10]);
  });

  it('stops when the outbox is full, and continues where it stopped', () => {
    const talk = opened(echo(), { ...bounds, unsent: 10 });
    expect(receive(talk, '12345?12345?1?')).toBe('full');
    expect(taken(talk.out)).toBe('12345?12345?');
    expect(talk.conversation.owed).toBe('');
    expect(talk.conversation.resume(talk.out)).toBeUndefined();
    expect(taken(talk.out)).toBe('1?');
  });

  it('pauses once for each answer', () => {
    const pause = vi.fn();
    const conversation = new Conversation(speakersOf(echo(), false)(), { pause, defer: 0 });
    const out = new Outbox();
    conversation.open(out);
    receive({ conversation, out }, '1?2?3');
    expect(pause).toHaveBeenCalledTimes(2);
  });
});
