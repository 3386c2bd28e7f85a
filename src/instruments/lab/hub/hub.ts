/** The lab's server: gives the page to browsers of this machine, and the records to its viewers. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { ServeError } from '../../../host/errors.ts';
import { CLOSED, type Command, PROTOCOL, type WelcomeRecord } from '../shared/wire.ts';
import { commandOf, MOST_COMMAND_BYTES, RefusedError } from './commands.ts';
import {
  cameByCode,
  HEADERS,
  Passes,
  pageRefusalOf,
  type Refusal,
  viewerRefusalOf,
} from './guard.ts';
import type { PageFiles } from './page-files.ts';
import { recordedScenes } from './recorded-scenes.ts';
import type { Listener, Source } from './source.ts';
import { Viewer } from './viewer.ts';

/** The lab listens here only. From another machine, `ssh -L` reaches it. */
const HOST = '127.0.0.1';
const MOST_VIEWERS = 8;
/** A viewer that has not answered a ping when the next one is due has gone. In ms. */
const PING_INTERVAL = 10_000;
/** A request must be complete within this time, in ms. */
const REQUEST_TIME = 5000;
const MOST_HEADER_BYTES = 8192;
const MOST_CONNECTIONS = 64;

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="none" stroke="#c60" stroke-width="3"/></svg>`;

export class Hub implements Listener {
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MOST_COMMAND_BYTES,
    handleProtocols: () => PROTOCOL,
  });
  readonly #passes = new Passes();
  readonly #architectures: WelcomeRecord['architectures'];
  readonly #files = new Map<string, readonly [type: string, body: Buffer]>();
  /** In the order in which they came. */
  readonly #viewers = new Set<Viewer>();
  #steering: Viewer | undefined;
  #source: Source | undefined;
  #pinging: NodeJS.Timeout | undefined;

  /**
   * @param port 0: any
   * @throws ServeError if the port is taken
   */
  static async listen(port: number, architectures: WelcomeRecord['architectures']): Promise<Hub> {
    const hub = new Hub(architectures);
    await hub.#listen(port);
    return hub;
  }

  private constructor(architectures: WelcomeRecord['architectures']) {
    this.#architectures = architectures;
    this.#server = createServer(
      {
        maxHeaderSize: MOST_HEADER_BYTES,
        headersTimeout: REQUEST_TIME,
        requestTimeout: REQUEST_TIME,
        keepAliveTimeout: REQUEST_TIME,
        connectionsCheckingInterval: 1000,
      },
      (request, response) => this.#give(request, response),
    );
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('clientError', (error, socket) => refuse(socket, faultOf(error)));
  }

  /** From now on browsers get the page. Until then there is nothing to get. */
  offer({ html, script, missions, style }: PageFiles): void {
    const add = (path: string, type: string, body: string | Buffer) =>
      this.#files.set(path, [type, Buffer.from(body)]);
    add('/', 'text/html; charset=utf-8', html);
    add('/page.js', 'text/javascript; charset=utf-8', script);
    add('/missions.js', 'text/javascript; charset=utf-8', missions);
    add('/page.css', 'text/css; charset=utf-8', style);
    add('/favicon.svg', 'image/svg+xml', ICON);
    for (const [path, bytes] of recordedScenes()) add(path, 'application/octet-stream', bytes);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The address to open, with the token in its fragment: browsers send no fragment, and no log has it. */
  get url(): string {
    return `http://${HOST}:${this.port}/#t=${this.#passes.token}`;
  }

  /** An address that works once, within a minute. */
  oneTimeUrl(): string {
    return `http://${HOST}:${this.port}/#o=${this.#passes.newCode()}`;
  }

  /** Viewers may come before; they see this source from now on. */
  show(source: Source): void {
    // Before it is the source, as it may give out lines that are part of its history.
    const history = source.history();
    this.#source = source;
    for (const viewer of this.#viewers) viewer.begin(history);
    this.#welcomeAll();
    source.watched(this.#viewers.size);
  }

  lines(lines: readonly string[]): void {
    const source = this.#source;
    if (source === undefined) return;
    const text = lines.join('');
    for (const viewer of this.#viewers) {
      viewer.lines(text, lines.length, (lost) => source.resumption(lost));
    }
  }

  fault(text: string): void {
    for (const viewer of this.#viewers) viewer.note(text, true);
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    clearInterval(this.#pinging);
    this.#source = undefined;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const viewer of this.#viewers) viewer.close(1001, 'the lab has ended');
    this.#server.closeAllConnections();
    // A viewer that does not answer the close must not keep the process.
    await new Promise((resolve) => setTimeout(resolve, this.#viewers.size > 0 ? CLOSE_TIME : 0));
    for (const viewer of this.#viewers) viewer.end();
    await closed;
  }

  #listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = ({ code, message }: NodeJS.ErrnoException) => {
        const why = code === 'EADDRINUSE' ? 'the port is in use' : (code ?? message);
        reject(
          new ServeError(
            'failed',
            `Cannot listen at ${HOST}:${port}: ${why}; give another --port, or 0 for any`,
          ),
        );
      };
      this.#server.once('error', fail);
      this.#server.listen(port, HOST, () => {
        this.#server.off('error', fail);
        this.#pinging = setInterval(() => {
          for (const viewer of this.#viewers) viewer.ping();
        }, PING_INTERVAL).unref();
        resolve();
      });
    });
  }

  #give(request: IncomingMessage, response: ServerResponse): void {
    const refusal = pageRefusalOf(request, this.#files);
    if (refusal !== undefined) {
      const allow = refusal.status === 405 ? { Allow: 'GET, HEAD' } : {};
      // Bytes of a body that follow must not be taken for the next request.
      const headers = { ...HEADERS, ...allow, 'Content-Type': 'text/plain', Connection: 'close' };
      response.writeHead(refusal.status, headers).end(`${refusal.why}\n`);
      return;
    }
    const [type, body] = this.#files.get(request.url!)!;
    const headers = { ...HEADERS, 'Content-Type': type, 'Content-Length': body.length };
    response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : body);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A reset while the connection is upgraded has no other listener.
    socket.on('error', () => socket.destroy());
    const refusal = viewerRefusalOf(request, this.#passes);
    if (refusal !== undefined) {
      refuse(socket, refusal);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (viewer) => {
      this.#enter(viewer, cameByCode(request) ? this.#passes.token : undefined);
    });
  }

  #enter(socket: WebSocket, token: string | undefined): void {
    const viewer = new Viewer(socket, token);
    if (this.#viewers.size >= MOST_VIEWERS) {
      viewer.close(CLOSED.full, `${MOST_VIEWERS} viewers watch already`);
      return;
    }
    socket.on('message', (data, isBinary) => {
      if (isBinary) viewer.close(CLOSED.wrong, 'commands are text');
      else this.#command(viewer, String(data));
    });
    socket.on('close', () => this.#leave(viewer));
    // Before the viewer gets lines, as the source may give out some that are part of its history.
    const history = this.#source?.history();
    this.#viewers.add(viewer);
    this.#steering ??= viewer;
    if (history !== undefined) viewer.begin(history);
    this.#welcomeAll();
    this.#source?.watched(this.#viewers.size);
  }

  #leave(viewer: Viewer): void {
    if (!this.#viewers.delete(viewer)) return;
    if (this.#steering === viewer) [this.#steering] = this.#viewers;
    this.#welcomeAll();
    this.#source?.watched(this.#viewers.size);
  }

  #welcomeAll(): void {
    const source = this.#source;
    if (source === undefined) return;
    for (const viewer of this.#viewers) {
      viewer.welcome({
        k: 'y',
        steers: viewer === this.#steering,
        viewers: this.#viewers.size,
        architectures: this.#architectures,
        attacks: source.attacks,
        isReplay: source.isReplay,
      });
    }
  }

  #command(viewer: Viewer, text: string): void {
    const source = this.#source;
    if (source === undefined || !viewer.mayCommand()) return;
    let command: Command;
    try {
      command = commandOf(text, source.known);
    } catch (error) {
      viewer.note((error as Error).message);
      return;
    }
    if (command.do === 'take-over') {
      this.#steering = viewer;
      this.#welcomeAll();
    } else if (viewer !== this.#steering) {
      viewer.note('Another viewer steers; take over first');
      return;
    }
    source.obey(command).catch((error: Error) => {
      const isExpected = error instanceof RefusedError || error instanceof ServeError;
      viewer.note(error.message.split('\n')[0]!, !isExpected);
    });
  }
}

/** Time for viewers to answer a close, in ms. */
const CLOSE_TIME = 100;

const REASONS: Readonly<Record<Refusal['status'], string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  421: 'Misdirected Request',
};

/**
 * A browser may send a request just as its connection, unused so far, is too old: after 408 it sends the request again
 * on another connection, and after 400 it does not.
 */
const faultOf = ({ code }: NodeJS.ErrnoException): Refusal =>
  code === 'ERR_HTTP_REQUEST_TIMEOUT'
    ? { status: 408, why: 'no request has come' }
    : { status: 400, why: 'no HTTP' };

/** Refuses on a connection that has no response object. */
function refuse(socket: Duplex, { status, why }: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    ...Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}`),
    'Content-Type: text/plain',
    'Connection: close',
    `Content-Length: ${why.length + 1}`,
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${why}\n`, () => socket.destroy());
}
