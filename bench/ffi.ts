/**
 * What a call into C costs from TypeScript, without and with a system call behind it: the part of a
 * server's user time that is neither the kernel's nor the service's. Medians of rounds, in ns per call.
 */
import koffi from 'koffi';

const ROUNDS = 9;
const CALLS = 500_000;

const libc = koffi.load('libc.so.6');
const buffer = Buffer.allocUnsafeSlow(4096);
const address = Number(koffi.address(buffer));
const abs = libc.func('int abs(int)');
const getppid = libc.func('int getppid()');
const send = libc.func('intptr_t send(int, uintptr_t, size_t, int)');

const candidates: Readonly<Record<string, () => unknown>> = {
  'a call of JavaScript (Math.abs)': () => Math.abs(-1),
  'a call through koffi that does nothing (abs)': () => abs(-1),
  'the cheapest system call through koffi (getppid)': () => getppid(),
  'send through koffi, on no socket (EBADF)': () => send(-1, address, 8, 0),
  'reading errno': () => koffi.errno(),
};

function nsPerCall(call: () => unknown): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < CALLS; i++) call();
  return Number(process.hrtime.bigint() - start) / CALLS;
}

for (const [title, call] of Object.entries(candidates)) {
  nsPerCall(call);
  const rounds = Array.from({ length: ROUNDS }, () => nsPerCall(call)).sort((a, b) => a - b);
  console.log(`${title.padEnd(50)} ${rounds[ROUNDS >> 1]!.toFixed(0).padStart(5)} ns`);
}
