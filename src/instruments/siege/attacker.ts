/**
 * The process of the hostile clients. It is separate so that the honest client does not wait for
 * them. apart.ts starts it.
 */
import { attackNamed } from './attacks.ts';
import type { Running } from './hostile.ts';
import type { Intensity } from './intensity.ts';

/** Interval between intensity reports, in ms. */
const REPORT_INTERVAL = 100;

export type Order =
  | {
      readonly order: 'start';
      readonly name: string;
      readonly port: number;
      readonly crowd: number;
      readonly rate: number;
    }
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
    const { name, port, crowd, rate } = order;
    running = await attackNamed(name)!.start({ port, crowd, rate, pids: () => [] });
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
