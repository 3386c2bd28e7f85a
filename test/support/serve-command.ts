/** `mondo serve` in tests: its arguments, its address, and whether it still listens. */
import { connect } from 'node:net';
import type { ServeOptions } from '../../src/host/plan.ts';
import type { Process } from './processes.ts';

/** The command's arguments for these options. */
export const flagsOf = (options: ServeOptions): string[] =>
  Object.entries(options).flatMap(([name, value]) => {
    if (name === 'architecture') return [String(value)];
    return value === true ? [`--${name}`] : [`--${name}`, String(value)];
  });

/** The address that `mondo serve` has reported. */
export async function listeningAt(server: Process) {
  const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  return { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
}

/** True if no server listens at that port of 127.0.0.1. */
export const isRefused = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(false)).on('error', () => resolve(true));
    socket.on('connect', () => socket.destroy());
  });
