/** Memory that several processes share: memfd_create(2), mapped in each process with mmap(2). */
import { check, libc, viewOf } from './libc.ts';

const MFD_CLOEXEC = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x1;
const MAP_PRIVATE = 0x2;
const MAP_ANONYMOUS = 0x20;
const MAP_POPULATE = 0x8000;

/** Creates `size` bytes of zeroes. Returns a descriptor to pass to other processes. */
export function createSharedMemory(name: string, size: number): number {
  const fd = check('memfd_create', libc.memfd_create(name, MFD_CLOEXEC));
  check('ftruncate', libc.ftruncate(fd, size));
  return fd;
}

/** Maps a part of a ring's memory, as io_uring_setup(2) describes it. Returns its address. */
export const mapRing = (fd: number, size: number, offset: number): number =>
  check('mmap', libc.mmap(0, size, PROT_READ_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset));

/** Ends a mapping. After that, no view of it may be used: an access ends the process. */
export const unmap = (address: number, size: number): void => void libc.munmap(address, size);

/** Page-aligned memory of zeroes in this process that never moves. Returns its address. */
export function mapAnonymous(size: number): number {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS;
  return check('mmap', libc.mmap(0, size, PROT_READ_WRITE, flags, -1, 0));
}

export interface Mapping {
  /** Atomics on it work across processes. Unusable after `unmap`. */
  readonly words: Int32Array;
  unmap(): void;
}

/** Maps shared memory into this process. Each thread may map it again. */
export function mapSharedMemory(fd: number, size: number): Mapping {
  const address = check('mmap', libc.mmap(0, size, PROT_READ_WRITE, MAP_SHARED, fd, 0));
  return {
    words: new Int32Array(viewOf(address, size)),
    unmap: () => void libc.munmap(address, size),
  };
}
