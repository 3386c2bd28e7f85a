/** Runs a load plan and returns its result. */
import { Worker } from 'node:worker_threads';
import { ServeError } from '../../host/errors.ts';
import { unknownOption } from '../../host/known-options.ts';
import { ownFile } from '../../host/own-file.ts';
import { explained, scarcityOf } from '../../host/scarcity.ts';
import { requireSystemCalls } from '../../host/system-calls.ts';
import { whyNoUring } from '../../os/uring.ts';
import type { AskerData } from './asker-thread.ts';
import type { AskerMessage, Began, Ended } from './batch.ts';
import { environmentOf } from './environment.ts';
import { type LoadPlan, measuredSeconds, warmUpSeconds } from './plan.ts';
import { planFields } from './plan-file.ts';
import type { RunOptions } from './result.ts';
import { planOf } from './schema.ts';
import { ServerSampler } from './server-side.ts';
import { type Run, resultOf } from './state.ts';
import { Tally } from './tally.ts';
import { targetAddress } from './target-address.ts';
import { judge } from './validity.ts';

const extension = import.meta.filename.slice(-3);
/** Interval between progress reports, in ms. */
const PROGRESS = 250;

/**
 * Drives the load of `plan` from a separate thread, and resolves with the result. It also resolves
 * if the server was not there or the run cannot be trusted; the result says so.
 *
 * @throws ServeError if the plan or the options have an unknown field or a wrong value, or if the
 *   plan cannot run at all: the host name does not resolve, or there is no io_uring
 *
 * @example
 * ```ts
 * import { planOf, runLoad } from 'mondo';
 *
 * const { result } = await runLoad(planOf({ connections: 50 }));
 * console.log(`${result.totals.rate} answers per second, p99 ${result.response.p99} ms`);
 * if (!result.validity.trusted) console.error(result.validity.reasons.join('\n'));
 * ```
 */
export async function runLoad(given: LoadPlan, options: RunOptions = {}): Promise<Run> {
  const fault = unknownOption('runLoad', options, ['signal', 'onProgress']);
  if (fault !== undefined) throw new ServeError('usage', fault);
  // For a client, '' is this machine. A plan file has no reason to contain it.
  const plan = planOf(planFields({ ...given, host: given.host || 'localhost' }, 'The plan'));
  checkMachine(plan);
  const to = await targetAddress(plan.host, plan.port);
  const { signal, onProgress } = options;
  const tally = new Tally(plan);
  const sampler =
    plan.pid > 0 ? new ServerSampler(plan.pid, to.family === 'unix' ? 0 : to.port) : undefined;
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const halt = () => void Atomics.store(stop, 0, 1);
  const total = warmUpSeconds(plan) + measuredSeconds(plan);
  const progress = setInterval(() => onProgress?.({ ...tally.progress(), total }), PROGRESS);
  const timers: NodeJS.Timeout[] = [];
  if (signal?.aborted) halt();
  signal?.addEventListener('abort', halt);
  try {
    const workerData: AskerData = { plan, to, stop };
    const { began, ended } = await drive(workerData, tally, ({ at }) => {
      if (sampler === undefined) return;
      const measureIn =
        at + 1000 * warmUpSeconds(plan) - performance.timeOrigin - performance.now();
      timers.push(
        setTimeout(() => sampler.begin(), measureIn),
        setTimeout(() => sampler.end(), measureIn + 1000 * measuredSeconds(plan)),
      );
    });
    sampler?.end();
    const state = tally.state(ended, began.at + 1000 * warmUpSeconds(plan));
    const result = resultOf(state, (counted) => ({
      validity: judge(plan, counted, tally.conduct(ended), ended),
      server: sampler?.result(state.inTime) ?? null,
      environment: environmentOf(began.engine),
    }));
    return { result, state };
  } finally {
    clearInterval(progress);
    for (const timer of timers) clearTimeout(timer);
    sampler?.end();
    signal?.removeEventListener('abort', halt);
  }
}

function checkMachine({ engine }: LoadPlan): void {
  requireSystemCalls('drive load');
  const why = engine === 'uring' ? whyNoUring() : undefined;
  if (why !== undefined) throw cannotUseUring(why);
}

const cannotUseUring = (why: string) =>
  new ServeError('failed', `Cannot drive load with io_uring: ${why}; use the engine epoll`);

/** A lack of resources is a one-line error; any other failure is a bug of ours. */
function startFault(error: Error): Error {
  if (error.name === 'UringUnavailable') return cannotUseUring(error.message);
  if (scarcityOf(error) === undefined) return error;
  return new ServeError('failed', explained('Cannot drive load', error), { cause: error });
}

/** Starts the asker thread, and resolves when it is done. */
function drive(
  workerData: AskerData,
  tally: Tally,
  onBegan: (began: Began) => void,
): Promise<{ readonly began: Began; readonly ended: Ended }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ began: Began; ended: Ended }>();
  const file = ownFile(`./asker-thread${extension}`, import.meta.url, 'drive load');
  let thread: Worker;
  try {
    thread = new Worker(file, { workerData, name: 'asker' });
  } catch (error) {
    // If the system allows no more threads, Node throws here and emits no event.
    throw startFault(error as Error);
  }
  let began: Began | undefined;
  let ended: Ended | undefined;
  thread.on('message', (message: AskerMessage) => {
    if (message.kind === 'batch') tally.add(message);
    else if (message.kind === 'ended') ended = message;
    else {
      began = message;
      onBegan(message);
    }
  });
  thread.on('error', (error: Error) => reject(startFault(error)));
  thread.on('exit', () => {
    if (began !== undefined && ended !== undefined) resolve({ began, ended });
    else reject(new Error('The thread that asks has ended before it was done'));
  });
  return promise;
}
