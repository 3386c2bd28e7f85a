/** A real Prometheus scrapes a server, and finds what `mondo load` has counted. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ask as askHttp } from '../support/admin.ts';
import { documented, placed } from '../support/deploy-page.ts';
import { freePort } from '../support/free-port.ts';
import { Process, runMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-prometheus-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface LoadResult {
  readonly outcomes: { readonly answered: number; readonly late: number; readonly wrong: number };
  readonly connections: { readonly opened: number };
}

async function startPrometheus(target: string): Promise<{ process: Process; where: string }> {
  const where = `127.0.0.1:${await freePort()}`;
  const data = join(folder, 'data');
  mkdirSync(data);
  const often = 'global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n';
  const place = { '9106': target.slice('127.0.0.1:'.length) };
  const file = join(folder, 'prometheus.yml');
  writeFileSync(file, `${often}${placed(documented('scrape_configs:'), place)}`);
  const process = new Process('prometheus', [
    ...[`--config.file=${file}`, `--storage.tsdb.path=${data}`, `--web.listen-address=${where}`],
  ]);
  return { process, where };
}

/** The values of an instant query; undefined while Prometheus does not answer. */
async function query(where: string, expr: string): Promise<number[] | undefined> {
  const path = `/api/v1/query?query=${encodeURIComponent(expr)}`;
  const reply = await askHttp(where, path).catch(() => undefined);
  if (reply?.status !== 200) return undefined;
  const { data } = JSON.parse(reply.body) as {
    data: { result: { value: [number, string] }[] };
  };
  return data.result.map(({ value }) => Number(value[1]));
}

it.skipIf(!hasProgram('prometheus', 'prometheus'))(
  'Prometheus has as many answers and connections as mondo load',
  async () => {
    const serving = await Serving.start({ architecture: 'epoll', processes: 2, admin: '0' });
    const { process: prometheus, where } = await startPrometheus(serving.server.admin!);
    await using _ = prometheus;
    await until('the first scrape', async () => (await query(where, 'up'))?.[0] === 1);
    const load = await runMondo(
      ...['load', '127.0.0.1', '-p', String(serving.server.port), '--json', '--quiet'],
      ...['--connections', '16', '--rate', '500', '--duration', '2s', '--warm-up', '0'],
    );
    // A busy machine may make the run untrusted. Its counts are right even then.
    const { outcomes, connections } = JSON.parse(load.stdout) as LoadResult;
    const answers = outcomes.answered + outcomes.late + outcomes.wrong;
    expect(answers).toBe(1000);
    // Before it measures, load asks one question on a connection of its own.
    const expected = { answers: answers + 1, accepted: connections.opened + 1 };
    const ask = async (expr: string) => (await query(where, expr))?.[0];
    await until('the last scrape', async () => (await ask('mondo_connections')) === 0);
    await until('all answers', async () => (await ask('mondo_answers_total')) === expected.answers);
    expect(await ask('mondo_connections_accepted_total')).toBe(expected.accepted);
    expect(await ask('sum(mondo_connections_closed_total)')).toBe(expected.accepted);
    expect(await ask('mondo_state{state="ready"}')).toBe(1);
    await prometheus[Symbol.asyncDispose]();
    await serving.stop();
  },
);
