/** Plans from files, and complete plans. Checks each field, and whether the fields fit together. */
import { ServeError } from '../../host/errors.ts';
import { fields } from './check.ts';
import type { LoadPlan } from './plan.ts';
import { parseJson } from './plan-words.ts';
import { checks, planOf } from './schema.ts';

/** Checks a plan read from JSON. Every field is optional. */
export const planFields = fields<LoadPlan>(checks, []);

/**
 * Parses a plan file: a JSON object with any of the fields of `LoadPlan`.
 *
 * @throws ServeError if a field is unknown or its value is not allowed
 */
export const parsePlan = (content: string, name: string): Partial<LoadPlan> =>
  planFields(parseJson(content, name), `Plan "${name}"`);

/** Writes a plan in the form that `parsePlan` reads. */
export const planFile = (plan: LoadPlan): string => `${JSON.stringify(plan, null, 2)}\n`;

/**
 * Completes a plan with the defaults, and checks that its fields fit together.
 *
 * @param doing the action that fails if they do not fit, for the error
 * @throws ServeError
 */
export function wholePlan(given: Partial<LoadPlan>, doing = 'load'): LoadPlan {
  const plan = planOf(given);
  const fault = faultOf(plan);
  if (fault !== undefined) throw new ServeError('usage', `Cannot ${doing}: ${fault}`);
  return plan;
}

function faultOf(plan: LoadPlan): string | undefined {
  const { loop, stages, connections, shard, think, pipeline } = plan;
  if (stages.every(({ kind }) => kind === 'warm-up')) {
    return 'all of it is warm-up; give a stage that counts, such as steady:10s';
  }
  const paced = stages.filter(({ from }) => from !== undefined).length;
  if (loop === 'open' && paced < stages.length) {
    return 'an open loop needs a rate in every stage; give --rate, or stages such as steady:10s:1000';
  }
  if (loop === 'closed' && paced > 0) {
    return 'a closed loop has no rate; leave the rates out, or make its loop "open"';
  }
  if (loop === 'open' && think > 0) {
    return 'think time is for the closed loop; in the open loop questions follow the clock';
  }
  if (think > 0 && pipeline > 1) {
    return 'think time is between an answer and the next question; leave out the pipeline, or the think time';
  }
  if (loop === 'open' && stages.every(({ from = 0, to = from }) => from + to === 0)) {
    return 'nothing is ever asked; give a rate above 0';
  }
  if (shard.of > connections) {
    return `${shard.of} shards share ${connections} connections, so some have none; give --connections ${shard.of} or more`;
  }
  return exchangeFault(plan);
}

function exchangeFault({ framing: frame, exchanges: all }: LoadPlan): string | undefined {
  for (const [i, { question, answer, base64 }] of all.entries()) {
    for (const one of answer === undefined ? [question] : [question, answer]) {
      const which = `${one === question ? 'question' : 'answer'} ${i + 1}`;
      if (base64 === true && !/^(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?$/.test(one)) {
        return `${which} is not valid base64`;
      }
      const bytes = Buffer.from(one, base64 === true ? 'base64' : 'utf8');
      if (bytes.length === 0 && frame.kind === 'delimiter') return `${which} is empty`;
      if (frame.kind === 'line' && bytes.includes('\n')) {
        return `${which} has a line end inside, which would end the line`;
      }
      if (frame.kind === 'length' && bytes.length >= 256 ** frame.bytes) {
        return `${which} has ${bytes.length} bytes, more than a length of ${frame.bytes} bytes can say`;
      }
    }
  }
  return undefined;
}
