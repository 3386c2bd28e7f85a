/** An outbox that knows the address of its bytes. It looks the address up once per buffer, not once per send. */
import { addressOf } from '../os/libc.ts';
import { Outbox } from '../protocol/outbox.ts';

export class AddressedOutbox extends Outbox {
  #known = this.buffer;
  #address = addressOf(this.buffer);

  get address(): number {
    if (this.#known !== this.buffer) {
      this.#known = this.buffer;
      this.#address = addressOf(this.buffer);
    }
    return this.#address;
  }
}

/**
 * An outbox whose bytes do not move until `clear`, even if more are written after them. The kernel may still read
 * the bytes it was given, and so may a send that was incomplete.
 */
export class Arena extends AddressedOutbox {
  #outgrown: Buffer[] = [];

  constructor(size: number) {
    super();
    this.buffer = Buffer.allocUnsafeSlow(size);
  }

  override clear(): void {
    super.clear();
    this.#outgrown.length = 0;
  }

  protected override grow(size: number): void {
    const unsent = this.buffer.subarray(this.start, this.length);
    this.#outgrown.push(this.buffer);
    const room = Math.max(this.buffer.length, (unsent.length + size) * 2);
    this.buffer = Buffer.allocUnsafeSlow(room);
    this.buffer.set(unsent);
    this.start = 0;
    this.length = unsent.length;
  }
}
