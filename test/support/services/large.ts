/** A service whose one answer is larger than the kernel's buffers for a client that does not read. */
import type { Service } from '../../../src/protocol/service.ts';

/** In bytes: tcp(7) has room for 4 MiB of a sender's bytes. */
export const LARGE = 16 * 2 ** 20;

const large = Buffer.alloc(LARGE, 'large');

const service: Service = { delimiter: '?', answer: () => large };

export default service;
