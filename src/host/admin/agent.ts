/** The agent check of HAProxy: each connection gets one line, and is closed. */
import { createServer, type Socket } from 'node:net';
import { type Opened, openListener, PATIENCE_MS } from './listener.ts';

/**
 * @param text `[HOST:]PORT` or `unix:PATH`. A balancer is usually another machine, so any address is allowed
 * @param line what the check answers now, without the line's end
 * @param patience time in which a client must have closed its connection, in ms
 * @throws ServeError
 */
export function openAgent(
  text: string,
  line: () => string,
  patience = PATIENCE_MS,
): Promise<Opened> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // Not the socket's own timeout: each byte of a slow client would begin that anew.
    const timer = setTimeout(() => socket.destroy(), patience);
    // A checker that resets its connection is no fault of the server.
    socket
      .on('error', () => {})
      .on('close', () => {
        clearTimeout(timer);
        sockets.delete(socket);
      });
    // HAProxy may send a line (agent-send). Unread bytes would turn the close into a reset.
    socket.resume();
    socket.end(`${line()}\n`);
  });
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return openListener(server, { option: '--agent-check', text, anywhere: true, drop });
}
