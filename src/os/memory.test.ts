import { expect, it } from 'vitest';
import { createSharedMemory, mapSharedMemory } from './memory.ts';
import { close } from './socket.ts';

it('mapSharedMemory shows what another mapping has written', () => {
  const fd = createSharedMemory('mondo-test', 4096);
  const [one, other] = [mapSharedMemory(fd, 4096), mapSharedMemory(fd, 4096)];
  // A mapping keeps its memory without the descriptor.
  close(fd);
  expect(one.words).toHaveLength(1024);
  expect(one.words.every((word) => word === 0)).toBe(true);
  one.words[1023] = 7;
  expect(other.words[1023]).toBe(7);
  expect(Atomics.add(other.words, 1023, 1)).toBe(7);
  expect(Atomics.load(one.words, 1023)).toBe(8);
  one.unmap();
  expect(other.words[1023]).toBe(8);
  other.unmap();
});
