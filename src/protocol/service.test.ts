import { describe, expect, expectTypeOf, it } from 'vitest';
import { checkService, defineService, type Peer, type Service, ServiceError } from './service.ts';
import zen from './zen.ts';

describe('checkService', () => {
  it('returns a service and a protocol unchanged', () => {
    const protocol = { dialogue: () => ({ frame: () => -1 }) };
    expect(checkService(zen, 'zen')).toBe(zen);
    expect(checkService(protocol, 'mine')).toBe(protocol);
    const later = { delimiter: '?', answerAsync: async () => '' };
    expect(checkService(later, 'mine')).toBe(later);
  });

  it.each([
    [undefined, 'its default export is missing'],
    [null, 'its default export is'],
    ['?', 'its default export is a string'],
    [{}, '"delimiter" is undefined'],
    [{ delimiter: '', answer: String }, '"delimiter" is ""'],
    [{ delimiter: 10, answer: String }, '"delimiter" is 10'],
    [{ delimiter: '?' }, 'neither answer(question) nor answerAsync(question)'],
    [{ delimiter: '?', answer: 'Ugly.' }, 'neither answer(question) nor answerAsync(question)'],
    [{ dialogue: {} }, '"dialogue" is not a function'],
    [{ delimiter: '?', answer: String, open: true }, '"open" is not a function'],
    [{ delimiter: '?', answer: String, connected: {} }, '"connected" is not a function'],
    [{ delimiter: '?', answer: String, shared: 'all' }, '"shared" is "all"; give "external"'],
  ])('refuses %j, naming the module and the mistake', (value, slip) => {
    expect(() => checkService(value, 'mine.ts')).toThrow(ServiceError);
    expect(() => checkService(value, 'mine.ts')).toThrow('Cannot use service "mine.ts"');
    expect(() => checkService(value, 'mine.ts')).toThrow(slip);
  });
});

describe('defineService', () => {
  it('infers the state of a connection from `connected`', () => {
    const service = defineService({
      delimiter: '?',
      connected(peer) {
        expectTypeOf(peer).toEqualTypeOf<Peer>();
        return { from: peer.address, asked: 0 };
      },
      answer(question, state) {
        expectTypeOf(question).toEqualTypeOf<string>();
        expectTypeOf(state).toEqualTypeOf<{ from: string; asked: number }>();
        return '';
      },
      disconnected: (state) => expectTypeOf(state.asked).toEqualTypeOf<number>(),
    });
    expectTypeOf(service).toEqualTypeOf<Service<{ from: string; asked: number }>>();
    expectTypeOf(service).toExtend<Service>();
    expect(checkService(service, 'mine')).toBe(service);
  });
});
