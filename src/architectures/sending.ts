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
