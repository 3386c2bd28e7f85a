/** One client on Node's own loop, for both pages: it sends the conversation's answers, and accounts for the end. */
import type { Socket } from 'node:net';
import { GONE, IDLE, phaseOf } from '../../lifecycle/phase.ts';
import { LOOK, STAY } from '../../lifecycle/terms.ts';
import { type Ending, LimitReached } from '../../protocol/account.ts';
import type { Conversation } from '../../protocol/conversation.ts';
import { Outbox } from '../../protocol/outbox.ts';
import type { NodeClients } from './clients.ts';
import { hasUnread, peerOf } from './kernel.ts';

/** Written after other bytes, to learn when those are sent. A callback for each write would cost every question. */
const NOTHING = Buffer.alloc(0);

/** The answers of the client that is being served: `write` leaves it empty. */
const answers = new Outbox();

/** True if the kernel has all written bytes. False if some are buffered, or a write failed. */
const isSent = (socket: Socket): boolean =>
  socket.writableLength === 0 && !socket.destroyed && socket.errored === null;

export class NodeConnection {
  readonly conversation: Conversation;
  /** Where the conversation writes its answers. */
  readonly answers = answers;
  protected readonly socket: Socket;
  readonly #clients: NodeClients;
  readonly #slot: number;
  #cause: Ending['cause'] | undefined;
  #isGone = false;
  /** The last written bytes, until the kernel has taken all of them. */
  #unsent: Uint8Array | undefined;
  readonly #sent = (error?: Error | null): void => {
    if (error || this.socket.destroyed) return;
    this.#countUnsent();
    if (this.socket.writableLength === 0) this.#unsent = undefined;
  };

  /** @param ticket its share of the limits on connections */
  constructor(socket: Socket, peer: string, ticket: number, clients: NodeClients) {
    this.socket = socket;
    this.#clients = clients;
    this.#slot = clients.add(this);
    this.conversation = clients.host.conversation(() => peerOf(socket), this.#slot);
    clients.host.clients.come(this.#slot, ticket, peer);
    clients.watch();
    if (clients.host.clients.isProxied) socket.on('end', () => this.#endInPreamble());
    socket.on('error', (error) => (this.#cause ??= error));
    socket.on('close', () => this.#gone());
  }

  /**
   * Sends the answers. Never waits: Node sends the rest when the kernel has room.
   *
   * @returns false if there are too many unsent bytes to write more
   * @throws LimitReached if too many bytes are unsent in the whole server
   */
  write(): boolean {
    const { clients } = this.#clients.host;
    if (answers.length === 0) {
      if (this.conversation.preamble?.dismissal?.isReset) this.#reset();
      if (this.conversation.heldLength === 0) clients.rested(this.#slot);
      return true;
    }
    const bytes = answers.buffer.subarray(0, answers.length);
    clients.answered(this.#slot);
    const hasRoom = this.socket.write(bytes);
    if (isSent(this.socket)) answers.clear();
    else {
      // Node sends from this very buffer. The callback of the empty write behind it reports when the bytes are sent.
      this.#unsent = bytes;
      answers.renew();
      this.socket.write(NOTHING, this.#sent);
      this.#countUnsent();
    }
    return hasRoom;
  }

  /** Closes the connection because its time is up. */
  endFor(cause: Ending['cause']): void {
    this.#cause = cause;
    const isReset = this.conversation.preamble !== undefined && cause instanceof LimitReached;
    this.#gone();
    if (isReset) this.#reset();
    else this.socket.destroy();
  }

  /** Notes why it ends, unless the cause is known already. */
  protected note(cause: Ending['cause']): void {
    this.#cause ??= cause;
  }

  get phase(): number {
    // While an answer is pending, no other code notices that the client has left.
    return this.socket.destroyed ? GONE : this.#lastPhase;
  }

  /** What the connection is doing or, once the socket is destroyed, what it did last. */
  get #lastPhase(): number {
    return phaseOf(this.#unsent !== undefined, this.conversation.isThinking, this.conversation);
  }

  /** Why the connection must end now that it has its answer: the worker leaves. Undefined: it stays. */
  protected get causeToEnd(): Ending['cause'] | undefined {
    const { clients } = this.#clients.host;
    if (!clients.isLeaving || this.phase !== IDLE) return undefined;
    const decision = clients.lookAt(this.#slot, IDLE, performance.now());
    const stays = decision === STAY || (decision === LOOK && this.hasUnread);
    return stays ? undefined : clients.reason;
  }

  /** At the last look: true if the client has sent something that the conversation has not seen. */
  get hasUnread(): boolean {
    return hasUnread(this.socket);
  }

  /** The peer sends no more, and its header is not complete. */
  #endInPreamble(): void {
    if (!this.conversation.preamble?.hasBegun) return;
    this.#gone();
    this.#reset();
  }

  /** Closes with RST. Node refuses that for a unix socket, which has none. */
  #reset(): void {
    if (this.socket.remoteAddress === undefined) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  #countUnsent(): void {
    if (!this.#isGone) this.#clients.host.clients.unsent(this.#slot, this.socket.writableLength);
  }

  /** Gives its one account, when the socket closes or before. */
  #gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const ending = { cause: this.#cause ?? 'end of stream', unsent: this.#unsent };
    this.#clients.host.clients.gone(this.#slot, this.#lastPhase, this.conversation, ending);
    this.#clients.remove(this.#slot);
  }
}
