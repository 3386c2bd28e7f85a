/**
 * The process of the hostile clients. It is separate so that the honest client does not wait for
 * them. apart.ts starts it.
 */
import { attackNamed } from './attacks.ts';
import type { Running, Target } from './hostile.ts';
import type { Intensity } from './intensity.ts';

/** Interval between intensity reports, in ms. */
const REPORT_INTERVAL = 100;

export type Order =
  | ({ readonly order: 'start'; readonly name: string } & Omit<Target, 'pids'>)
  | { readonly order: 'stop' };

export type Reply =
  | { readonly reply: 'ready' | 'started' | 'stopped' }
  | { readonly reply: 'intensity'; readonly intensity: Intensity }
  | { readonly reply: 'failed'; readonly error: string };

let running: Running | undefined;
let telling: NodeJS.Timeout | undefined;

const reply = (message: Reply) => void process.send?.(message);
const tell = () => {
  if (running !== undefined) reply({ reply: 'intensity', intensity: running.intensity() });
};

async function obey(order: Order): Promise<void> {
  if (order.order === 'start') {
    running = await attackNamed(order.name)!.start({ ...order, pids: () => [] });
    telling = setInterval(tell, REPORT_INTERVAL);
    tell();
    reply({ reply: 'started' });
    return;
  }
  clearInterval(telling);
  tell();
  await running?.stop();
  running = undefined;
  reply({ reply: 'stopped' });
}

process.on('message', (order: Order) => {
  obey(order).catch((error) => reply({ reply: 'failed', error: String(error) }));
});
// The parent process has ended.
process.on('disconnect', () => process.exit());
reply({ reply: 'ready' });
