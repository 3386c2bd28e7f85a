/** An outbox that knows where its bytes lie, which is asked for once per buffer and not once per send. */
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
 * An outbox whose bytes stay where they are until `clear`, however much is written after them: the
 * kernel, or a send that fell short, may still want those that were handed over.
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
