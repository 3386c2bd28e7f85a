/** The soak for a minute: five architectures side by side, under each attack in turn. `npm run soak` is the hour. */
import { expect, it } from 'vitest';
import { soak } from '../../tools/soak.ts';

const ARCHITECTURES = ['uring', 'epoll', 'threaded', 'callback', 'prefork'];

it('leaves nothing behind, and every honest client gets its answers', {
  timeout: 240_000,
}, async () => {
  const results = await soak(ARCHITECTURES, 60_000);
  for (const { architecture, faults, served } of results) {
    expect({ architecture, faults }).toEqual({ architecture, faults: [] });
    expect(served).toBeGreaterThan(20);
  }
});
