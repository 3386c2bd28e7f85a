/** Finds the framing of the user's service by loading its module and asking it. */
import type { Protocol, Service } from '../../protocol/service.ts';
import { isProtocol } from '../../protocol/service.ts';
import type { Exchange, Framing } from '../load/plan.ts';

/** What the module of a service shows of its framing. */
export interface Sample {
  /** The end of a question; null for a protocol, which has its own framing. */
  readonly delimiter: string | null;
  /** Its answers to the questions, in order; null for an answer that is not text. */
  readonly answers: readonly (string | null)[];
}

/** Asks the service itself, without a connection. Appends the delimiter to a question without one. */
export async function sampleOf(
  service: Service | Protocol,
  questions: readonly string[],
): Promise<Sample> {
  if (isProtocol(service)) return { delimiter: null, answers: [] };
  const { delimiter } = service;
  const answers: (string | null)[] = [];
  for (const question of questions) {
    const answer = await answerOf(service, ended(question, delimiter));
    answers.push(typeof answer === 'string' ? answer : null);
  }
  return { delimiter, answers };
}

async function answerOf(service: Service, question: string): Promise<unknown> {
  const fixed = service.answers;
  if (fixed !== undefined && Object.hasOwn(fixed, question)) return fixed[question];
  // Without a server it has nothing that it opens, and no connection.
  if (service.open !== undefined || service.connected !== undefined) return null;
  try {
    const { otherwise } = service;
    return (
      otherwise ??
      service.answer?.(question, undefined) ??
      (await service.answerAsync?.(question, undefined))
    );
  } catch {
    // The servers report this error.
    return null;
  }
}

/**
 * The framing of the service, and the questions as it wants them. What the plan has stays, where the service does not
 * say otherwise.
 */
export function framed(
  { delimiter, answers }: Sample,
  { framing, exchanges }: { readonly framing: Framing; readonly exchanges: readonly Exchange[] },
): { readonly framing: Framing; readonly exchanges: readonly Exchange[] } {
  // Binary questions show no framing.
  if (delimiter === null || exchanges.some(({ base64 }) => base64 === true)) {
    return { framing, exchanges };
  }
  const isLine = ({ question, answer = '' }: Exchange) => !/\n/.test(question + answer);
  if (delimiter === '\n' && exchanges.every(isLine) && answers.every(isOneLine)) {
    return { framing: { kind: 'line' }, exchanges };
  }
  const whole = exchanges.map((one) => ({ ...one, question: ended(one.question, delimiter) }));
  return { framing: { kind: 'delimiter', answerEnd: endOf(answers) ?? '.' }, exchanges: whole };
}

const ended = (question: string, delimiter: string) =>
  question.endsWith(delimiter) ? question : question + delimiter;

const isOneLine = (answer: string | null) => answer !== null && /^[^\n]*\n$/.test(answer);

/** The common end of all answers, one character or CR and LF, if no answer contains it inside. */
function endOf(answers: readonly (string | null)[]): string | undefined {
  const [first] = answers;
  if (typeof first !== 'string' || first === '') return undefined;
  const end = first.endsWith('\r\n') ? '\r\n' : [...first].at(-1)!;
  const fits = (answer: string | null) =>
    typeof answer === 'string' && answer.indexOf(end) === answer.length - end.length;
  return answers.every(fits) ? end : undefined;
}
