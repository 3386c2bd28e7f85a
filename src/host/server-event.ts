/** The events of a server for its listener: the account of its conversations, and of itself. */

import { grouped, printable, quoted } from '../protocol/shown.ts';
import type { WorkerEvent } from '../worker/contract.ts';

/**
 * What a server reports to the listener of its events: each conversation, and what happens to the server itself.
 *
 * @example
 * ```ts
 * import { eventText, type ServerEvent, serve } from 'mondo';
 *
 * const onEvent = (event: ServerEvent): void => {
 *   if (event.type === 'limited') console.log(`${event.peer} exceeded ${event.limit}`);
 *   else console.log(new Date(event.at).toISOString(), eventText(event));
 * };
 * const server = await serve({ architecture: 'epoll', port: 0 }, onEvent);
 * await server.close();
 * ```
 */
export type ServerEvent =
  | (WorkerEvent & {
      /** ms since 1970. */
      readonly at: number;
      readonly pid: number;
      readonly tid: number;
      /** Index of the worker process, from 0. */
      readonly worker: number;
    })
  /** The user named no architecture: the chosen one, and the reason. */
  | {
      readonly type: 'chose';
      readonly architecture: string;
      readonly why: string;
      readonly at: number;
    }
  | {
      readonly type: 'listening';
      readonly address: string;
      readonly architecture: string;
      readonly at: number;
    }
  /** The admin listener or the agent check listens. */
  | {
      readonly type: 'opened';
      readonly what: 'admin' | 'agent-check';
      readonly address: string;
      readonly at: number;
    }
  /** The server will stop in `ms`. It is not ready any more, and still accepts clients. */
  | { readonly type: 'lame'; readonly ms: number; readonly at: number }
  /**
   * A worker process has ended without an order, with `lost` connections; another takes its place after `delay` ms.
   * Or it was leaving and did not end by itself. Then it is already replaced, and there is no delay.
   */
  | {
      readonly type: 'died';
      readonly worker: number;
      readonly pid: number;
      readonly how: string;
      readonly lost: number;
      readonly delay: number | undefined;
      readonly at: number;
    }
  /** Why it has ended, if it could still report it. */
  | { readonly type: 'crashed'; readonly pid: number; readonly error: string; readonly at: number }
  /** New workers serve instead of the old ones. */
  | { readonly type: 'restarted'; readonly generation: number; readonly at: number }
  /** A worker has work and has made no turn for a while. */
  | {
      readonly type: 'stuck';
      readonly pid: number;
      readonly tid: number;
      /** Time without a turn, in ms. */
      readonly since: number;
      /** What it was doing, by its own account and the kernel's. */
      readonly doing: string;
      readonly at: number;
    }
  | {
      readonly type: 'stopped';
      /** Questions that the server has answered since it started, and connections that it has accepted. */
      readonly questions: number;
      readonly connections: number;
      /** Connections that the stop ended: after the answer that they waited for … */
      readonly drained: number;
      /** … and inside a question or an answer. */
      readonly cut: number;
      /**
       * Connections accepted by each worker, if there are several. A worker that took the place of another, after a
       * restart or a death, counts with it.
       */
      readonly accepted: readonly number[];
      readonly at: number;
    };

/** Why a client was refused, after "Refused …:". */
const refusals: Readonly<Record<string, string>> = {
  deny: 'its network is denied',
  allow: 'its network is not allowed',
  'accepts-per-second': 'its address connects too often',
  'connections-per-address': 'its address has reached its limit of connections',
  connections: 'the server is full',
  early: 'the server is nearly full',
  descriptor: 'its descriptor is past 1023, the last that select has room for',
  'proxy-untrusted': 'it is none of the trusted proxies',
  'proxy-missing': 'it began without a PROXY header',
  'proxy-malformed': 'its PROXY header is malformed',
  'proxy-too-long': 'its PROXY header is too long',
  'proxy-partial': 'it closed inside its PROXY header',
};

const isProxyFault = (reason: string): boolean => reason.startsWith('proxy-');

const whyRefused = (reason: string): string =>
  Object.hasOwn(refusals, reason) ? refusals[reason]! : reason;

const whyCut = (why: 'stop' | 'restart'): string =>
  why === 'stop' ? 'the server is stopping' : 'its worker is replaced';

/** One kind for all faults of headers: one wrong setting of a balancer causes several of them at once. */
export const NO_HEADER = 'without a good PROXY header of a trusted proxy';

/** The text of a repeated event, for events that a storm repeats without new facts. It contains no text from a peer. */
export function repeated(event: ServerEvent): string | undefined {
  switch (event.type) {
    case 'hungUp':
      return 'closed inside a question';
    case 'unsent':
      return 'closed before we sent an answer';
    case 'failed':
      return `failed: ${printable(event.error)}`;
    case 'threw':
      return 'with a failure of the service';
    case 'limited':
      return isProxyFault(event.limit) ? NO_HEADER : `ended: limit ${event.limit}`;
    case 'refused':
      if (isProxyFault(event.reason)) return NO_HEADER;
      return `refused: ${whyRefused(event.reason)}`;
    case 'cut':
      return `ended: ${whyCut(event.why)}`;
    default:
      return undefined;
  }
}

const several = (count: number, what: string): string =>
  `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;

/**
 * An event as one line of text, without characters that a terminal obeys, even if peers have sent some.
 *
 * @example
 * ```ts
 * import { eventText, serve } from 'mondo';
 *
 * const server = await serve({ port: 0 }, (event) => console.log(eventText(event)));
 * await server.close();
 * ```
 */
export const eventText = (event: ServerEvent): string => printable(textOf(event));

/** The one place for the wording of all events. */
function textOf(event: ServerEvent): string {
  switch (event.type) {
    case 'chose':
      return `Serving with ${event.architecture}: ${event.why}`;
    case 'listening':
      return `Listening at ${event.address}`;
    case 'opened':
      return event.what === 'admin'
        ? `Admin listener at ${event.address}`
        : `Agent check at ${event.address}`;
    case 'lame':
      return `Stopping in ${event.ms} ms: not ready any more, and still accepting clients`;
    case 'accepted':
      return `Accepted connection from ${event.peer}${
        event.queued === undefined ? '' : `, number ${event.queued} in the queue`
      }${event.via === undefined ? '' : ` through ${event.via}`}`;
    case 'closed':
      return `Client ${event.peer} closed normally`;
    case 'hungUp':
      return `Client ${event.peer} sent ${quoted(event.received)} but then closed`;
    case 'unsent':
      return `Client ${event.peer} closed before we sent ${event.unsent === '' ? 'its answer' : quoted(event.unsent)}`;
    case 'failed':
      return `Client ${event.peer} failed: ${event.error}`;
    case 'threw':
      return `Service failed for ${event.peer}: ${event.error}`;
    case 'limited':
      return `Ended ${event.peer}: limit ${event.limit}`;
    case 'refused':
      return `Refused ${event.peer}: ${whyRefused(event.reason)}`;
    case 'cut': {
      const why = whyCut(event.why);
      return event.inside === undefined
        ? `Closed ${event.peer}: ${why}`
        : `Cut off ${event.peer} inside its ${event.inside}: ${why}`;
    }
    case 'warning':
      return event.text;
    case 'died': {
      const { how, lost, delay } = event;
      const when = delay === undefined ? ' while it was leaving' : '';
      const next =
        delay === undefined ? '' : `; starting another${delay > 0 ? ` in ${delay} ms` : ''}`;
      return `Worker ${event.worker} (pid ${event.pid}) died${when}: ${how}, with ${several(lost, 'connection')}${next}`;
    }
    case 'crashed':
      return `Worker process ${event.pid} failed: ${event.error}`;
    case 'restarted':
      return `Restarted: workers of generation ${event.generation} serve`;
    case 'stuck':
      return `Worker thread ${event.tid} (pid ${event.pid}) is stuck: no turn for ${event.since} ms; ${event.doing}`;
    case 'stopped': {
      const spread =
        event.accepted.length < 2
          ? ''
          : `; connections per worker: ${event.accepted.map(grouped).join(' / ')}`;
      const { questions, connections, drained, cut } = event;
      return `Stopped: answered ${several(questions, 'question')} on ${several(connections, 'connection')}; drained ${grouped(drained)}, cut ${grouped(cut)}${spread}`;
    }
  }
}
