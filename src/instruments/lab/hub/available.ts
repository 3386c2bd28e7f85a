/** Which architectures run on this machine. */
import { architectureNames, loadArchitecture } from '../../../architectures/catalogue.ts';
import { whyNoUring } from '../../../os/uring.ts';
import type { WelcomeRecord } from '../shared/wire.ts';

/** All architectures, and why one cannot run here. */
export async function architecturesHere(): Promise<WelcomeRecord['architectures']> {
  const why = whyNoUring();
  const missing = why === undefined ? '' : `as to io_uring, ${why}`;
  return await Promise.all(
    architectureNames.map(async (name) => {
      const { processModel, ioModel, threads, processes } = await loadArchitecture(name);
      return {
        name,
        title: `${processModel}, ${ioModel}`,
        missing: name === 'uring' ? missing : '',
        takes: [
          ...(threads.adjustable ? (['threads'] as const) : []),
          ...(processes.adjustable ? (['processes'] as const) : []),
          ...(name === 'queued' ? (['queue'] as const) : []),
        ],
      };
    }),
  );
}
