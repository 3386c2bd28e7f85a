/**
 * Binary messages: the length of the payload in four bytes, most significant first, then the payload, of any
 * bytes. The answer is a message with the payload's SHA-256.
 */
import { createHash } from 'node:crypto';
import type { Protocol } from '../src/index.ts';

const HEADER = 4;
/** Longest payload, in bytes. Four bytes can announce 4 GB, and the server would have to keep all of it. */
const LONGEST = 65_536;

const lengthAt = (bytes: Uint8Array, start: number) =>
  new DataView(bytes.buffer, bytes.byteOffset + start, HEADER).getUint32(0);

function message(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + payload.length);
  new DataView(bytes.buffer).setUint32(0, payload.length);
  bytes.set(payload, HEADER);
  return bytes;
}

const lengthPrefixed: Protocol = {
  shared: 'none',
  questionSize: HEADER + LONGEST,
  dialogue() {
    let isBroken = false;
    return {
      frame(bytes, start, end) {
        if (end - start < HEADER) return -1;
        const length = lengthAt(bytes, start);
        // Then the header alone is the question, and the answer is a refusal.
        if (length > LONGEST) return start + HEADER;
        const next = start + HEADER + length;
        return next <= end ? next : -1;
      },
      answer(question) {
        isBroken = lengthAt(question, 0) > LONGEST;
        // An empty message, and then the end: the start of the next message is unknown.
        if (isBroken) return message(new Uint8Array());
        return message(createHash('sha256').update(question.subarray(HEADER)).digest());
      },
      get finished() {
        return isBroken;
      },
    };
  },
};

export default lengthPrefixed;
