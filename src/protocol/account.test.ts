import { describe, expect, it } from 'vitest';
import { accountOf } from './account.ts';
import { Conversation } from './conversation.ts';
import { Outbox } from './outbox.ts';
import { speakersOf } from './speaker.ts';
import zen from './zen.ts';

const peer = '127.0.0.1:5';
const reset = new Error('recv: ECONNRESET');

/** A conversation that has received `text`. */
function conversationAfter(text: string, defer = 0, service = zen): Conversation {
  const conversation = new Conversation(speakersOf(service, false)(), { defer });
  const bytes = Buffer.from(text, 'latin1');
  conversation.receive(bytes, 0, bytes.length, new Outbox());
  return conversation;
}

describe('accountOf', () => {
  it('reports a peer that closed between questions', () => {
    expect(accountOf(peer, conversationAfter('What?'), { cause: 'end of stream' })).toEqual({
      type: 'closed',
      peer,
    });
    expect(accountOf(peer, undefined, { cause: 'end of stream' })).toEqual({
      type: 'closed',
      peer,
    });
  });

  it('reports what a peer had sent when it closed inside a question', () => {
    expect(
      accountOf(peer, conversationAfter('What?Beaut\xff'), { cause: 'end of stream' }),
    ).toEqual({
      type: 'hungUp',
      peer,
      received: 'Beaut\xff',
    });
  });

  it('reports the call that failed, and not the question that it interrupted', () => {
    expect(accountOf(peer, conversationAfter('Beaut'), { cause: reset })).toEqual({
      type: 'failed',
      peer,
      error: 'recv: ECONNRESET',
    });
  });

  it('reports answers that were made and not sent, for any cause', () => {
    const unsent = Buffer.from('Ugly.');
    for (const cause of [reset, 'end of stream'] as const) {
      expect(accountOf(peer, conversationAfter('What?'), { cause, unsent })).toEqual({
        type: 'unsent',
        peer,
        unsent: 'Ugly.',
      });
    }
    expect(
      accountOf(peer, conversationAfter('What?'), { cause: reset, unsent: Buffer.alloc(0) }).type,
    ).toBe('failed');
  });

  it('reports an answer that was not due yet', () => {
    const conversation = conversationAfter('Simple is better than?', 5);
    expect(accountOf(peer, conversation, { cause: reset })).toEqual({
      type: 'unsent',
      peer,
      unsent: 'Complex.',
    });
  });

  it('reports first that the service threw', () => {
    const faulty = {
      delimiter: '?',
      answer: () => {
        throw new TypeError('no such thing');
      },
    };
    expect(accountOf(peer, conversationAfter('What?', 0, faulty), { cause: reset })).toEqual({
      type: 'threw',
      peer,
      error: 'TypeError: no such thing',
    });
  });

  it.each([
    ['a long text', 'x'.repeat(2_000_000), /^x{1000} … and 1,999,000 more$/],
    ['what cannot be made text', Object.create(null), /^what was thrown cannot be made text$/],
  ])('reports a service that threw %s', (_, thrown, error) => {
    const faulty = {
      delimiter: '?',
      answer: () => {
        throw thrown;
      },
    };
    const account = accountOf(peer, conversationAfter('What?', 0, faulty), { cause: reset });
    expect(account).toEqual({ type: 'threw', peer, error: expect.stringMatching(error) });
  });

  it('reports that the server closed it, why, and during what', () => {
    const told = (text: string, cause: 'stop' | 'restart', think = 0, unsent?: Buffer) =>
      accountOf(peer, conversationAfter(text, think), { cause, unsent });
    const cut = { type: 'cut', peer };
    expect(told('', 'restart')).toEqual({ ...cut, why: 'restart' });
    expect(told('Beaut', 'stop')).toEqual({ ...cut, why: 'stop', inside: 'question' });
    expect(told('What?', 'stop', 5)).toEqual({ ...cut, why: 'stop', inside: 'answer' });
    const rest = Buffer.from('ly.');
    expect(told('', 'stop', 0, rest)).toEqual({ ...cut, why: 'stop', inside: 'answer' });
  });

  it('quotes at most 80 bytes', () => {
    const account = accountOf(peer, conversationAfter('a'.repeat(200)), { cause: 'end of stream' });
    expect(account).toEqual({ type: 'hungUp', peer, received: 'a'.repeat(80) });
  });
});
