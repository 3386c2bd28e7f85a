/** The admin listener: a small server of HTTP that reads the state of the server beside it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { factsOf, liveness, readiness } from './health.ts';
import { type Opened, openListener, PATIENCE_MS } from './listener.ts';
import { statusOf } from './status.ts';
import type { ServerState, View } from './view.ts';

/** The longest request with its headers, in bytes. Node answers a longer one with 431. */
const MOST_HEADER = 4096;
/** Number of times that Node looks for late requests, in the time that a request may take. */
const CHECKS = 10;

/** What the admin listener shows. */
export interface Subject {
  readonly state: ServerState;
  /** Undefined before the server serves. */
  readonly view: View | undefined;
}

/** Makes the text of /metrics, and gives its content type. */
export interface MetricsWriter {
  readonly contentType: string;
  write(): Promise<string>;
}

interface Reply {
  readonly status: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text: string;
}

const PLAIN = 'text/plain; charset=utf-8';

/** A full server is ready, so balancers learn from a header that it is full. */
const fullness = ({ view }: Subject): Record<string, string> =>
  view === undefined
    ? {}
    : { 'mondo-full': view.connections.open >= view.connections.limit ? 'yes' : 'no' };

const healthReply = ({ isGood, text }: { isGood: boolean; text: string }): Reply => ({
  status: isGood ? 200 : 503,
  text: `${text}\n`,
});

async function replyTo(path: string, subject: Subject, metrics: MetricsWriter): Promise<Reply> {
  const facts = factsOf(subject.view);
  switch (path) {
    case '/livez':
      return healthReply(liveness(facts));
    case '/readyz':
      return { ...healthReply(readiness(subject.state, facts)), headers: fullness(subject) };
    case '/status':
      return {
        status: 200,
        type: 'application/json',
        text: `${JSON.stringify(statusOf(subject.state, subject.view), null, 2)}\n`,
      };
    case '/metrics':
      return { status: 200, type: metrics.contentType, text: await metrics.write() };
    default:
      return { status: 404, text: 'Here are /livez, /readyz, /status and /metrics.\n' };
  }
}

/**
 * @param text `[HOST:]PORT` or `unix:PATH`
 * @param anywhere true if other machines may reach it
 * @param patience time for a request, and for a client that is silent or takes no answer, in ms
 * @throws ServeError
 */
export function openAdmin(
  text: string,
  anywhere: boolean,
  subject: Subject,
  metrics: MetricsWriter,
  patience = PATIENCE_MS,
): Promise<Opened> {
  const server = createServer(
    {
      maxHeaderSize: MOST_HEADER,
      headersTimeout: patience,
      requestTimeout: patience,
      keepAliveTimeout: patience,
      connectionsCheckingInterval: patience / CHECKS,
    },
    (request, response) => {
      if (anywhere || namesThisMachine(request.headers.host)) {
        void answer(request, response, subject, metrics);
      } else {
        send(response, {
          status: 421,
          text: 'Name this host by its address, or as localhost; --admin-anywhere allows any name.\n',
        });
      }
    },
  );
  server.setTimeout(patience);
  const drop = () => server.closeAllConnections();
  return openListener(server, { option: '--admin', text, anywhere, drop });
}

/**
 * False for a host that has another name than localhost. A web page can make its own name point to this machine, and
 * would then read what is shown here (DNS rebinding). An address cannot be pointed elsewhere.
 */
function namesThisMachine(host = 'localhost'): boolean {
  const name = host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  subject: Subject,
  metrics: MetricsWriter,
): Promise<void> {
  const { method = '', url = '', headers } = request;
  const isRead = method === 'GET' || method === 'HEAD';
  const hasBody =
    headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  // The body stays unread, so no further request can follow on this connection.
  if (!isRead || hasBody) response.shouldKeepAlive = false;
  const reply: Reply = isRead
    ? await replyTo(url.split('?')[0]!, subject, metrics).catch((error: Error) => ({
        status: 500,
        text: `${error.message}\n`,
      }))
    : { status: 405, headers: { allow: 'GET, HEAD' }, text: 'Only GET and HEAD are possible.\n' };
  send(response, reply);
}

function send(response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, {
    'content-type': reply.type ?? PLAIN,
    'content-length': Buffer.byteLength(reply.text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...reply.headers,
  });
  response.end(reply.text);
}
