/** One client on Node's own loop, as both pages have it: it sends the conversation's answers, and accounts for the end. */
import type { Socket } from 'node:net';
import { GONE, IDLE, phaseOf } from '../../lifecycle/phase.ts';
import { STAY } from '../../lifecycle/terms.ts';
import type { Ending } from '../../protocol/account.ts';
import type { Conversation } from '../../protocol/conversation.ts';
import { Outbox } from '../../protocol/outbox.ts';
import type { NodeClients } from './clients.ts';

/** Written behind other bytes, to hear when those have left: a callback for each write costs every question. */
const NOTHING = Buffer.alloc(0);

/** The answers of whichever client is served: `write` leaves it empty. */
const answers = new Outbox();

/** True if the kernel has all that was written: not if some is buffered, and not if a write failed. */
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
  /** What was last written, if the kernel did not take it at once, until it has. */
  #unsent: Uint8Array | undefined;
  readonly #sent = (error?: Error | null): void => {
    if (error || this.socket.destroyed) return;
    this.#countUnsent();
    if (this.socket.writableLength === 0) this.#unsent = undefined;
  };

  /** @param ticket what it holds of the limits on connections */
  constructor(socket: Socket, peer: string, ticket: number, clients: NodeClients) {
    this.socket = socket;
    this.#clients = clients;
    this.conversation = clients.host.conversation();
    this.#slot = clients.add(this);
    clients.host.clients.come(this.#slot, ticket, peer);
    clients.watch();
    socket.on('error', (error) => (this.#cause ??= error));
    socket.on('close', () => this.#gone());
  }

  /**
   * Sends the answers. Never waits: what the kernel has no room for is sent later.
   *
   * @returns false if so much is unsent that no more should be written
   * @throws LimitReached if too many bytes are unsent in the whole server
   */
  write(): boolean {
    const { clients } = this.#clients.host;
    if (answers.length === 0) {
      if (this.conversation.heldLength === 0) clients.rested(this.#slot);
      return true;
    }
    const bytes = answers.buffer.subarray(0, answers.length);
    clients.answered(this.#slot);
    const hasRoom = this.socket.write(bytes);
    if (isSent(this.socket)) answers.clear();
    else {
      // They will be sent from this very buffer. The callback of what is written behind them says when they have left.
      this.#unsent = bytes;
      answers.renew();
      this.socket.write(NOTHING, this.#sent);
      this.#countUnsent();
    }
    return hasRoom;
  }

  /** Its time is up. */
  endFor(cause: Ending['cause']): void {
    this.#cause = cause;
    this.#gone();
    this.socket.destroy();
  }

  /** Notes why it ends, if that is not known already. */
  protected note(cause: Ending['cause']): void {
    this.#cause ??= cause;
  }

  get phase(): number {
    // Where an answer is awaited, no other code notices that the client has left.
    return this.socket.destroyed ? GONE : this.#lastPhase;
  }

  /** What it is doing or, once the socket is destroyed, what it was doing then. */
  get #lastPhase(): number {
    const { isThinking, heldLength } = this.conversation;
    return phaseOf(this.#unsent !== undefined, isThinking, heldLength);
  }

  /** Why it must end now that it has its answer: the worker leaves. Undefined: it stays. */
  protected get causeToEnd(): Ending['cause'] | undefined {
    const { clients } = this.#clients.host;
    if (!clients.isLeaving || this.phase !== IDLE) return undefined;
    const decision = clients.lookAt(this.#slot, IDLE, performance.now());
    return decision === STAY ? undefined : clients.reason;
  }

  #countUnsent(): void {
    if (!this.#isGone) this.#clients.host.clients.unsent(this.#slot, this.socket.writableLength);
  }

  /** Its one account, as the socket closes or before. */
  #gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const ending = { cause: this.#cause ?? 'end of stream', unsent: this.#unsent };
    this.#clients.host.clients.gone(this.#slot, this.#lastPhase, this.conversation, ending);
    this.#clients.remove(this.#slot);
  }
}
