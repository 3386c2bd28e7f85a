/**
 * io_uring(7): two rings in memory that this process and the kernel share. The process writes requests into one and
 * reads results from the other. One call of `io_uring_enter` submits all requests of a turn and waits for results.
 * Accepts and receives stay armed ("multishot"). Received bytes arrive in buffers that the kernel takes from a
 * third ring.
 */
import {
  addressOf,
  check,
  errno,
  errnoName,
  INTERRUPTED,
  libc,
  SystemError,
  viewOf,
} from './libc.ts';
import { mapAnonymous, mapRing, unmap } from './memory.ts';
import { READABLE, WRITABLE } from './readiness.ts';

const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;
const SYS_IO_URING_REGISTER = 427;

const IORING_SETUP_CQSIZE = 1 << 3;
const IORING_SETUP_SUBMIT_ALL = 1 << 7;
const IORING_SETUP_SINGLE_ISSUER = 1 << 12;
const IORING_SETUP_DEFER_TASKRUN = 1 << 13;
const IORING_FEAT_EXT_ARG = 1 << 8;
const IORING_ENTER_GETEVENTS = 1;
const IORING_ENTER_EXT_ARG = 1 << 3;
const IORING_SQ_CQ_OVERFLOW = 1 << 1;
const IORING_ENTER_REGISTERED_RING = 1 << 4;
const IORING_REGISTER_RING_FDS = 20;
const IORING_REGISTER_PBUF_RING = 22;
const IORING_OFF_SQES = 0x10000000;

const IORING_OP_POLL_ADD = 6;
const IORING_OP_ACCEPT = 13;
const IORING_OP_ASYNC_CANCEL = 14;
const IORING_OP_CLOSE = 19;
const IORING_OP_SEND = 26;
const IORING_OP_RECV = 27;

const IOSQE_BUFFER_SELECT = 1 << 5;
const IOSQE_CQE_SKIP_SUCCESS = 1 << 6;
const IORING_ACCEPT_MULTISHOT = 1;
const IORING_RECV_MULTISHOT = 2;
const IORING_ASYNC_CANCEL_ALL = 1;
const IORING_CQE_F_BUFFER = 1;
const IORING_CQE_F_MORE = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_WAITALL = 0x100;
const MSG_NOSIGNAL = 0x4000;

/** 64-byte entries as 16 words; the completion entries have 4. */
const SQE_WORDS = 16;

/** The purposes of completions. */
export const ACCEPTED = 1;
export const RECEIVED = 2;
/** An immediate send was incomplete. A complete one makes no completion. */
export const SENT_SHORT = 3;
/** A send that waited for room is done. */
export const SENT = 4;
export const CANCELLED = 5;
/** A close failed. A successful one makes no completion. */
export const CLOSED = 6;

/** A socket is connected, or its connect has failed. */
export const CONNECTED = 7;
/** A client waits at a listener. */
export const READY = 8;

/** An entry's user data: one word holds the purpose above the descriptor, the other the generation. */
const PURPOSE_SHIFT = 24;
const FD_MASK = (1 << PURPOSE_SHIFT) - 1;

export interface UringSizes {
  /** Requests that one turn can submit without an extra call. A power of 2. */
  readonly entries: number;
  /** Completions that the ring holds. The kernel keeps more until there is room. A power of 2. */
  readonly completions: number;
  /** Number of buffers that the kernel may fill before they are given back. A power of 2. */
  readonly buffers: number;
  /** Size of a buffer, in bytes. */
  readonly bufferSize: number;
}

const SIZES: UringSizes = { entries: 4096, completions: 8192, buffers: 2048, bufferSize: 2048 };

/**
 * Number of buffers in use at first. The kernel fills them in turn, so all of them pass through the processor's
 * cache: few are faster. When they run out, their number doubles.
 */
const FIRST_BUFFERS = 128;
const NO_BUFFER = 0xffff;

/** The kernel has no io_uring, or too little of it, or it is switched off here. The message is the reason. */
export class UringUnavailable extends Error {
  override name = 'UringUnavailable';
}

const reasons: Record<string, string> = {
  ENOSYS: 'this kernel has none, or a sandbox hides it',
  EPERM: 'it is switched off (sysctl kernel.io_uring_disabled, or a sandbox)',
  EACCES: 'it is switched off (sysctl kernel.io_uring_disabled, or a sandbox)',
  EINVAL: 'this kernel is too old for it: Linux 6.1 has what is needed',
  ENOMEM: 'there is no memory for its rings (ulimit -l)',
};

const unavailable = (code: string) => new UringUnavailable(reasons[code] ?? code);

/** Why io_uring cannot be used here; undefined if it can. */
export function whyNoUring(): string | undefined {
  try {
    new Uring({ entries: 8, completions: 16, buffers: 8, bufferSize: 512 }).release();
    return undefined;
  } catch (error) {
    if (error instanceof UringUnavailable) return error.message;
    throw error;
  }
}

export class Uring {
  readonly #ring: number;
  /** First argument of `io_uring_enter`: the ring's descriptor, or its registered index together with a flag. */
  #enterFd: number;
  #enterFlags = 0;
  readonly #sizes: UringSizes;
  readonly #mapped: { readonly address: number; readonly size: number }[] = [];
  readonly #rings: Int32Array;
  readonly #sqes: Int32Array;
  readonly #sqTail: number;
  readonly #sqFlags: number;
  readonly #sqMask: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqMask: number;
  readonly #cqes: number;
  #tail = 0;
  #unsubmitted = 0;
  #head = 0;
  #seen = 0;

  /** All buffers in one piece: received bytes are in `buffers[offset, offset + result)`. */
  readonly buffers: Buffer;
  readonly #bufferAddress: number;
  readonly #bufferRing: Int32Array;
  /** The same memory as 16-bit words: the id of an entry is the seventh of its eight. */
  readonly #bufferIds: Uint16Array;
  #recycled: number;
  /** Number of buffers in circulation. */
  #given: number;

  /** The current completion, after `next`. */
  purpose = 0;
  fd = 0;
  generation = 0;
  result = 0;
  /** True if a multishot operation continues. Otherwise it must be requested again. */
  more = false;
  /** Where in `buffers` a receive put its bytes; -1: no buffer. */
  offset = -1;

  /** Two 64-bit numbers whose upper halves stay 0: a BigInt would cost an object for each turn. */
  readonly #timespec = new Int32Array(4);
  readonly #waitArgument = new BigInt64Array(3);
  readonly #waitArgumentAddress = addressOf(new Uint8Array(this.#waitArgument.buffer));

  /** @throws UringUnavailable */
  constructor(sizes: UringSizes = SIZES) {
    this.#sizes = sizes;
    // struct io_uring_getevents_arg: no signal mask, then the address of the timespec.
    this.#waitArgument[2] = BigInt(addressOf(new Uint8Array(this.#timespec.buffer)));
    const params = new Uint32Array(30);
    params[1] = sizes.completions;
    params[2] =
      IORING_SETUP_CQSIZE |
      IORING_SETUP_SUBMIT_ALL |
      IORING_SETUP_SINGLE_ISSUER |
      IORING_SETUP_DEFER_TASKRUN;
    const ring = libc.io_uring_setup(
      SYS_IO_URING_SETUP,
      sizes.entries,
      new Uint8Array(params.buffer),
    );
    if (ring < 0) throw unavailable(errnoName(errno()));
    this.#ring = ring;
    this.#enterFd = ring;
    if ((params[5]! & IORING_FEAT_EXT_ARG) === 0) throw unavailable('EINVAL');

    // Offsets of io_sqring_offsets and io_cqring_offsets, in words of io_uring_params.
    const [sq, cq] = [10, 20];
    const ringSize = Math.max(
      params[sq + 6]! + sizes.entries * 4,
      params[cq + 5]! + sizes.completions * 16,
    );
    const map = (size: number, offset: number) => {
      const address = mapRing(ring, size, offset);
      this.#mapped.push({ address, size });
      return new Int32Array(viewOf(address, size));
    };
    this.#rings = map(Math.ceil(ringSize / 4096) * 4096, 0);
    this.#sqes = map(sizes.entries * SQE_WORDS * 4, IORING_OFF_SQES);
    this.#sqTail = params[sq + 1]! / 4;
    this.#sqFlags = params[sq + 4]! / 4;
    this.#sqMask = this.#rings[params[sq + 2]! / 4]!;
    this.#cqHead = params[cq]! / 4;
    this.#cqTail = params[cq + 1]! / 4;
    this.#cqMask = this.#rings[params[cq + 2]! / 4]!;
    this.#cqes = params[cq + 5]! / 4;
    // Each place of the ring always holds the entry of the same number: written once, here.
    for (let i = 0; i < sizes.entries; i++) this.#rings[params[sq + 6]! / 4 + i] = i;

    const bytes = sizes.buffers * sizes.bufferSize;
    const reserve = (size: number) => {
      const address = mapAnonymous(size);
      this.#mapped.push({ address, size });
      return address;
    };
    const buffers = reserve(bytes);
    const bufferRing = reserve(Math.max(4096, sizes.buffers * 16));
    this.buffers = Buffer.from(viewOf(buffers, bytes));
    this.#bufferAddress = buffers;
    const ringView = viewOf(bufferRing, sizes.buffers * 16);
    this.#bufferRing = new Int32Array(ringView);
    this.#bufferIds = new Uint16Array(ringView);
    // No place holds a buffer yet; 0 would be the id of the first.
    for (let place = 0; place < sizes.buffers; place++) this.#bufferIds[place * 8 + 6] = NO_BUFFER;
    this.#given = Math.min(FIRST_BUFFERS, sizes.buffers);
    for (let id = 0; id < this.#given; id++) this.#placeBuffer(id, id);
    this.#recycled = this.#given;
    this.#giveBuffers();
    this.#registerRing();
    const registration = new BigUint64Array(5);
    registration[0] = BigInt(bufferRing);
    registration[1] = BigInt(sizes.buffers);
    const registered = libc.io_uring_register(
      SYS_IO_URING_REGISTER,
      ring,
      IORING_REGISTER_PBUF_RING,
      new Uint8Array(registration.buffer),
      1,
    );
    if (registered < 0) {
      const code = errnoName(errno());
      this.close();
      throw unavailable(code);
    }
  }

  /** Accepts on `listener` until cancelled: one `ACCEPTED` for each peer; `result` is its socket. */
  accept(listener: number): void {
    const entry = this.#operation(ACCEPTED, listener, 0);
    this.#sqes[entry] = IORING_OP_ACCEPT | (IORING_ACCEPT_MULTISHOT << 16);
    this.#sqes[entry + 7] = SOCK_CLOEXEC;
  }

  /**
   * Accepts clients that wait at `listener` now. Makes `most` completions `ACCEPTED`; those without a client have
   * failed with `ECANCELED`.
   */
  acceptReady(listener: number, most: number): void {
    for (let i = 0; i < most; i++) {
      const entry = this.#operation(ACCEPTED, listener, 0);
      this.#sqes[entry] = IORING_OP_ACCEPT;
      this.#sqes[entry + 7] = SOCK_CLOEXEC;
    }
    // The kernel has tried each accept when it was submitted. This cancels those that would wait now.
    this.#sqes[this.#cancel(ACCEPTED, listener, 0) + 7] = IORING_ASYNC_CANCEL_ALL;
  }

  /** Makes one `READY` when a client waits at `listener`. */
  watch(listener: number): void {
    const entry = this.#operation(READY, listener, 0);
    this.#sqes[entry] = IORING_OP_POLL_ADD;
    this.#sqes[entry + 7] = READABLE;
  }

  /** Receives on `fd` until the end of the stream, or until cancelled: one `RECEIVED` for each piece. */
  recv(fd: number, generation: number): void {
    const entry = this.#operation(RECEIVED, fd, generation);
    this.#sqes[entry] = IORING_OP_RECV | (IOSQE_BUFFER_SELECT << 8) | (IORING_RECV_MULTISHOT << 16);
  }

  /**
   * Sends immediately when the turn is submitted, and reports only a failure: `SENT_SHORT` with the number of bytes
   * it could send, or a negative errno. The bytes must stay only until `enter` has returned.
   */
  sendNow(fd: number, generation: number, address: number, length: number): void {
    const entry = this.#operation(SENT_SHORT, fd, generation);
    this.#sqes[entry] = IORING_OP_SEND | (IOSQE_CQE_SKIP_SUCCESS << 8);
    this.#setBytes(entry, address, length);
    // WAITALL makes a short send a failure. Without it, skipping successful completions would hide the short send.
    this.#sqes[entry + 7] = MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL;
  }

  /** Sends while the peer makes room: one `SENT` when all is sent. The bytes must stay until then. */
  send(fd: number, generation: number, address: number, length: number): void {
    const entry = this.#operation(SENT, fd, generation);
    this.#sqes[entry] = IORING_OP_SEND;
    this.#setBytes(entry, address, length);
    this.#sqes[entry + 7] = MSG_WAITALL | MSG_NOSIGNAL;
  }

  /** Makes one `CONNECTED` when a connecting socket has become writable, or has failed. */
  connecting(fd: number, generation: number): void {
    const entry = this.#operation(CONNECTED, fd, generation);
    this.#sqes[entry] = IORING_OP_POLL_ADD;
    this.#sqes[entry + 7] = WRITABLE;
  }

  /** Closes a descriptor after the earlier requests. Its operations must have ended. */
  closeSocket(fd: number): void {
    const entry = this.#operation(CLOSED, fd, 0);
    this.#sqes[entry] = IORING_OP_CLOSE | (IOSQE_CQE_SKIP_SUCCESS << 8);
  }

  /** Cancels the operation with that purpose. It completes with `ECANCELED`, or has already completed. */
  cancel(
    purpose: typeof ACCEPTED | typeof READY | typeof RECEIVED | typeof SENT | typeof CONNECTED,
    fd: number,
    generation: number,
  ): void {
    this.#cancel(purpose, fd, generation);
  }

  #cancel(purpose: number, fd: number, generation: number): number {
    const entry = this.#operation(CANCELLED, fd, generation);
    this.#sqes[entry] = IORING_OP_ASYNC_CANCEL | (IOSQE_CQE_SKIP_SUCCESS << 8);
    this.#sqes[entry + 1] = -1;
    // The address field is the user data of the operation to cancel.
    this.#sqes[entry + 4] = fd | (purpose << PURPOSE_SHIFT);
    this.#sqes[entry + 5] = generation;
    return entry;
  }

  /**
   * Submits the turn and sleeps until something is complete, or for `timeout` ms (-1: no limit, 0: no sleep).
   * `INTERRUPTED` if a signal woke the thread. Gives back the buffers received before.
   */
  enter(timeout: number): number {
    Atomics.store(this.#rings, this.#cqHead, this.#head);
    Atomics.store(this.#rings, this.#sqTail, this.#tail);
    this.#giveBuffers();
    const wait = timeout === 0 ? 0 : 1;
    let taken: number;
    if (timeout <= 0) {
      taken = this.#call(this.#unsubmitted, wait, IORING_ENTER_GETEVENTS);
    } else {
      this.#timespec[0] = Math.floor(timeout / 1000);
      this.#timespec[2] = Math.floor((timeout % 1000) * 1e6);
      taken = libc.io_uring_enter(
        SYS_IO_URING_ENTER,
        this.#enterFd,
        this.#unsubmitted,
        wait,
        IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | this.#enterFlags,
        this.#waitArgumentAddress,
        24,
      );
    }
    this.#seen = Atomics.load(this.#rings, this.#cqTail);
    if (taken >= 0) {
      this.#unsubmitted -= taken;
      return taken;
    }
    const code = errnoName(errno());
    if (code === 'EINTR') return INTERRUPTED;
    // The time is over. Or the kernel keeps completions that the ring had no room for, and wants them taken.
    if (code === 'ETIME' || code === 'EBUSY' || code === 'EAGAIN') return 0;
    throw new SystemError('io_uring_enter', errno());
  }

  /** True if the last `enter` has brought completions that `next` has not reported yet. */
  get hasCompletions(): boolean {
    return this.#head !== this.#seen;
  }

  /** True while completions wait in the kernel because the ring was full. None is lost. */
  get overflowed(): boolean {
    return (Atomics.load(this.#rings, this.#sqFlags) & IORING_SQ_CQ_OVERFLOW) !== 0;
  }

  /**
   * Moves to the next completion; false if this turn has no more. Requests of the last `enter` that did not have to
   * wait are reported within the turn.
   */
  next(): boolean {
    if (this.#head === this.#seen && !this.#fetchOverflow()) return false;
    const entry = this.#cqes + (this.#head & this.#cqMask) * 4;
    this.#head = (this.#head + 1) | 0;
    const word = this.#rings[entry]!;
    const flags = this.#rings[entry + 3]!;
    this.purpose = word >>> PURPOSE_SHIFT;
    this.fd = word & FD_MASK;
    this.generation = this.#rings[entry + 1]!;
    this.result = this.#rings[entry + 2]!;
    this.more = (flags & IORING_CQE_F_MORE) !== 0;
    this.offset = flags & IORING_CQE_F_BUFFER ? (flags >>> 16) * this.#sizes.bufferSize : -1;
    return true;
  }

  /** Makes the kernel move kept completions into the ring; false if there were none. */
  #fetchOverflow(): boolean {
    if (!this.overflowed) return false;
    Atomics.store(this.#rings, this.#cqHead, this.#head);
    this.#call(0, 0, IORING_ENTER_GETEVENTS);
    this.#seen = Atomics.load(this.#rings, this.#cqTail);
    return this.#head !== this.#seen;
  }

  /** `io_uring_enter` without a time limit. */
  #call(submit: number, wait: number, flags: number): number {
    const all = flags | this.#enterFlags;
    return libc.io_uring_enter(SYS_IO_URING_ENTER, this.#enterFd, submit, wait, all, 0, 0);
  }

  /** Gives the buffer of this completion back to the kernel, with the next `enter`. */
  recycle(): void {
    const id = this.offset / this.#sizes.bufferSize;
    const place = this.#recycled & (this.#sizes.buffers - 1);
    // If buffers are given back in the order they were taken, each is already in its place: nothing to write.
    if (this.#bufferIds[place * 8 + 6] !== id) this.#placeBuffer(place, id);
    this.#recycled++;
  }

  /** The kernel ran out of buffers (`ENOBUFS`): adds more to the circulation, while there are any. */
  addBuffers(): void {
    const more = Math.min(this.#given, this.#sizes.buffers - this.#given);
    for (let i = 0; i < more; i++) {
      this.#placeBuffer(this.#recycled & (this.#sizes.buffers - 1), this.#given + i);
      this.#recycled++;
    }
    this.#given += more;
  }

  /** Ends all operations. The memory stays mapped until the process ends, because views point into it. */
  close(): void {
    libc.close(this.#ring);
  }

  /** Like `close`, and unmaps the memory. Neither this object nor `buffers` may be used after it. */
  release(): void {
    this.close();
    for (const { address, size } of this.#mapped) unmap(address, size);
  }

  /** Registers the ring, so that the kernel need not look up the descriptor on every call. Optional. */
  #registerRing(): void {
    // struct io_uring_rsrc_update: offset -1 requests any index, and the kernel replaces it; the data is the
    // descriptor.
    const update = new Uint32Array([0xffff_ffff, 0, this.#ring, 0]);
    const count = libc.io_uring_register(
      SYS_IO_URING_REGISTER,
      this.#ring,
      IORING_REGISTER_RING_FDS,
      new Uint8Array(update.buffer),
      1,
    );
    if (count !== 1) return;
    this.#enterFd = update[0]!;
    this.#enterFlags = IORING_ENTER_REGISTERED_RING;
  }

  #operation(purpose: number, fd: number, generation: number): number {
    if (this.#unsubmitted === this.#sizes.entries) this.#makeRoom();
    const entry = (this.#tail & this.#sqMask) * SQE_WORDS;
    this.#tail = (this.#tail + 1) | 0;
    this.#unsubmitted++;
    const sqes = this.#sqes;
    sqes[entry + 1] = fd;
    sqes[entry + 4] = 0;
    sqes[entry + 5] = 0;
    sqes[entry + 6] = 0;
    sqes[entry + 7] = 0;
    sqes[entry + 8] = fd | (purpose << PURPOSE_SHIFT);
    sqes[entry + 9] = generation;
    return entry;
  }

  /** The turn has more requests than the ring holds: submits what there is, without waiting. */
  #makeRoom(): void {
    Atomics.store(this.#rings, this.#sqTail, this.#tail);
    this.#unsubmitted -= check('io_uring_enter', this.#call(this.#unsubmitted, 0, 0));
  }

  #setBytes(entry: number, address: number, length: number): void {
    const high = Math.floor(address / 2 ** 32);
    this.#sqes[entry + 4] = address - high * 2 ** 32;
    this.#sqes[entry + 5] = high;
    this.#sqes[entry + 6] = length;
  }

  #placeBuffer(place: number, id: number): void {
    const address = this.#bufferAddress + id * this.#sizes.bufferSize;
    const high = Math.floor(address / 2 ** 32);
    this.#bufferRing[place * 4] = address - high * 2 ** 32;
    this.#bufferRing[place * 4 + 1] = high;
    this.#bufferRing[place * 4 + 2] = this.#sizes.bufferSize;
    this.#bufferIds[place * 8 + 6] = id;
  }

  #giveBuffers(): void {
    // The tail is in the eighth 16-bit word of the first entry.
    Atomics.store(this.#bufferIds, 7, this.#recycled & 0xffff);
  }
}
