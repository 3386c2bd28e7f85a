/** What the admin listener of a server answers. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

export interface AdminReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** @param where HOST:PORT or unix:PATH */
export async function ask(
  where: string,
  path: string,
  options: { readonly method?: string; readonly headers?: Record<string, string> } = {},
): Promise<AdminReply> {
  const place = where.startsWith('unix:')
    ? { socketPath: where.slice('unix:'.length) }
    : { host: new URL(`http://${where}`).hostname.replace(/[[\]]/g, ''), port: portOf(where) };
  const asking = request({ ...place, path, agent: false, ...options });
  asking.end();
  const [response] = await once(asking, 'response');
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

export const portOf = (where: string): number => Number(where.slice(where.lastIndexOf(':') + 1));

/** The values of /metrics, by name and labels as the text has them. */
export async function scrape(where: string): Promise<Map<string, number>> {
  const { body } = await ask(where, '/metrics');
  return samplesOf(body);
}

export const samplesOf = (body: string): Map<string, number> =>
  new Map(
    body
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1).replace('Inf', 'Infinity'))] as const;
      }),
  );

/** What a check of HAProxy's would read: one connection, all of its bytes. */
export async function agentSays(where: string): Promise<string> {
  const socket = connect(portOf(where), '127.0.0.1');
  return text(socket.setEncoding('latin1'));
}
