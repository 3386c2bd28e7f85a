/** The commands and configurations of docs/deploy.md, as an engineer would copy them. Each block is in one of the tests. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ServeOptions, type Server, serve } from '../../src/index.ts';
import { agentSays, ask as askAdmin } from '../support/admin.ts';
import { ask, NetClient } from '../support/clients.ts';
import { commands } from '../support/commands.ts';
import {
  blocks,
  documented,
  hasMore,
  notRun,
  placed,
  runIn,
  startIn,
} from '../support/deploy-page.ts';
import { freePort } from '../support/free-port.ts';
import { Process } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { listeningAt } from '../support/serve-command.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-page-'));
afterAll(() => rmSync(folder, { recursive: true }));

const mondo = commands();
const FREE_PORT = { MONDO_PORT: '0' };
const QUESTION = 'Simple is better than?';
const header = (address: string) => `PROXY TCP4 ${address} 127.0.0.1 4711 1060\r\n`;

/** What a client gets for a question that follows this text. */
async function answerAt(port: number, before = '', localAddress?: string): Promise<string> {
  const address = { family: 'IPv4', host: '127.0.0.1', port } as const;
  const client = await NetClient.connect(address, localAddress);
  try {
    return await ask(client, `${before}${QUESTION}`, 8);
  } finally {
    await client.close();
  }
}

const untilAnswered = (port: number, localAddress: string) =>
  until('an answer', () => answerAt(port, '', localAddress).catch(() => undefined));

describe('docs/deploy.md', () => {
  it('has no block that no test takes, and no test takes a block that is gone', () => {
    const tests = ['deploy', 'long', 'cli'].flatMap((name) => {
      const where = join(import.meta.dirname, '..', name);
      return readdirSync(where).map((file) => readFileSync(join(where, file), 'utf8'));
    });
    const taken = tests.flatMap((text) =>
      [...text.matchAll(/\bdocumented\(\s*'([^']+)'/g)].map(([, beginning]) => beginning!),
    );
    const isTaken = (text: string) => taken.some((beginning) => text.startsWith(beginning));
    expect(blocks.length).toBeGreaterThan(20);
    expect(blocks.filter((text) => hasMore(text) && !isTaken(text))).toEqual([]);
    for (const beginning of taken) expect(documented(beginning)).not.toBe('');
  });

  it('says which commands were not run', () => {
    expect(notRun).toEqual([
      'kubectl apply -k deploy/kubernetes/base',
      'kubectl logs -l job-name=mondo-load --tail=-1 | npx mondo load merge -',
      'systemctl daemon-reload',
      'systemctl enable --now mondo.socket',
    ]);
  });

  it('lets a test replace places, and nothing else', () => {
    const text =
      'mondo serve epoll 10.0.0.5 -p 1060 --trusted 10.0.0.0/24 --drain 10s\n10.0.0.55 /opt/mondo\n';
    const places = {
      '10.0.0.5': '127.0.0.1',
      '1060': 0,
      '10.0.0.0/24': '127.0.0.0/8',
      '/opt/mondo': '/tmp/x',
    };
    expect(placed(text, places)).toBe(
      'mondo serve epoll 127.0.0.1 -p 0 --trusted 127.0.0.0/8 --drain 10s\n10.0.0.55 /tmp/x\n',
    );
    for (const name of ['epoll', '--drain', '10s']) {
      expect(() => placed(text, { [name]: 'x' })).toThrow(`"${name}" is no address`);
    }
    expect(() => placed(text, { '10.0.0.6': 'x' })).toThrow('There is no "10.0.0.6"');
  });
});

it.runIf(hasProgram('curl', 'curl'))(
  'the laptop: a server, a client, health and metrics',
  async () => {
    const command = placed(documented('npx mondo serve epoll -p 1060'), { '1060': 0, '9106': 0 });
    await using server = startIn(folder, command);
    const { port } = await listeningAt(server);
    const [, admin] = await server.printed(/Admin listener at 127\.0\.0\.1:(\d+)/);
    const text = placed(documented('npx mondo client'), { '1060': port, '9106': admin! });
    const printed = await runIn(folder, text);
    expect(printed).toContain('Complex.');
    expect(printed).toMatch(/^ready$/m);
    expect(printed).toMatch(/^mondo_answers_total 3$/m);
  },
);

describe('behind a balancer', () => {
  const trusted = { '10.0.0.5': '127.0.0.1', '10.0.0.0/24': '127.0.0.0/8' };

  /** The server of the page, which every test of a balancer may use, and its log. */
  const startServer = async () => {
    const server = startIn(
      folder,
      placed(documented('npx mondo serve epoll 10.0.0.5'), trusted),
      FREE_PORT,
    );
    const { port } = await listeningAt(server);
    return { server, port };
  };
  /** The servers of a configuration; all are this one. */
  const hosts = (port: number) => ({
    '10.0.0.5': '127.0.0.1',
    '10.0.0.6': '127.0.0.1',
    '1060': port,
  });

  it.runIf(hasProgram('haproxy', 'haproxy') && hasProgram('nginx', 'nginx libnginx-mod-stream'))(
    'HAProxy and nginx announce their clients to the server, and the checks of HAProxy are answered',
    async () => {
      const { server, port } = await startServer();
      await using _ = server;
      expect(await answerAt(port, header('203.0.113.7'))).toBe('Complex.');
      const [ours, nginxPort] = [await freePort(), await freePort()];
      const stats = join(folder, 'stats.csv');
      const config = `defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend ours
  bind 127.0.0.1:${ours}
  default_backend mondo
frontend stats
  mode http
  bind unix@${stats}
  stats enable
  stats uri /
${placed(documented('backend mondo'), hosts(port))}`;
      const file = join(folder, 'haproxy.cfg');
      writeFileSync(file, config);
      await using _haproxy = new Process('haproxy', ['-db', '-f', file]);
      expect(await untilAnswered(ours, '127.0.0.7')).toBe('Complex.');
      await server.printed(/Accepted connection from 127\.0\.0\.7:\d+ through/);
      await until('both servers to be checked', async () => {
        const { body } = await askAdmin(`unix:${stats}`, '/;csv');
        const rows = body.split('\n').filter((line) => /^mondo,(?:one|two),/.test(line));
        return rows.length === 2 && rows.every((line) => /,UP,.*,L7OK,/.test(line));
      });

      // The document has its port for the clients and for the servers. The first is the one of `listen`.
      const stream = placed(documented('stream {'), hosts(port)).replace(
        `listen ${port};`,
        `listen 127.0.0.1:${nginxPort};`,
      );
      const nginx = join(folder, 'nginx.conf');
      writeFileSync(
        nginx,
        `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
${stream}`,
      );
      await using _nginx = new Process('nginx', ['-e', 'stderr', '-c', nginx]);
      expect(await untilAnswered(nginxPort, '127.0.0.8')).toBe('Complex.');
      await server.printed(/Accepted connection from 127\.0\.0\.8:\d+ through/);
      expect(server.stdout).not.toContain('ECONNRESET');
    },
  );

  it('a program serves with the same options', async () => {
    const code = placed(documented('await serve({ architecture'), trusted);
    await using server = await servedBy(code);
    expect(await answerAt(server.port, header('203.0.113.7'))).toBe('Complex.');
  });
});

/** Runs a program of the page, with a free port. */
async function servedBy(code: string): Promise<Server & AsyncDisposable> {
  let server: Server | undefined;
  const onFreePort = async (options: ServeOptions) => {
    server = await serve({ ...options, port: 0 });
    return server;
  };
  const AsyncFunction = (async () => {}).constructor as new (
    ...words: string[]
  ) => (call: typeof onFreePort) => Promise<void>;
  await new AsyncFunction('serve', code)(onFreePort);
  return Object.assign(server!, { [Symbol.asyncDispose]: () => server!.close({ deadline: 0 }) });
}

it('a program under systemd', async () => {
  const service = join(folder, 'my-service.mjs');
  writeFileSync(service, "export default { delimiter: '?', answer: () => 'Complex.' };\n");
  const code = placed(documented('import { serve } from'), { './my-service.ts': service });
  await using server = await servedBy(code.replace("import { serve } from 'mondo';", ''));
  expect(await answerAt(server.port)).toBe('Complex.');
});

describe('the configuration', () => {
  const places = { '10.0.0.5': '127.0.0.1', '10.0.0.0/24': '127.0.0.0/8' };
  const text = placed(documented('#:schema'), places);
  const where = join(folder, 'configured');
  mkdirSync(where);

  it('is valid, and a server takes it', async () => {
    writeFileSync(join(where, 'mondo.toml'), text);
    await using server = startIn(where, documented('npx mondo config --check'), FREE_PORT);
    const { port } = await listeningAt(server);
    expect(server.stdout).toMatch(/^mondo\.toml is valid\n/);
    expect(await answerAt(port, header('10.1.2.3'))).toBe('Complex.');
  });

  it.each([
    ['a text without quotation marks', text.replace('threads = 2', 'drain = soon')],
    ['a wrong name', '[limit]\nidel = "30s"\n'],
    ['a wrong time', 'drain = "soon"\n'],
  ])('has the mistakes of the page: %s', async (_, wrong) => {
    const file = join(where, 'wrong.toml');
    writeFileSync(file, wrong);
    const { code, stderr } = await mondo.run('config', '--check', file);
    expect(code).toBe(2);
    const lines = documented('mondo: mondo.toml:5:9:').split('\n');
    expect(lines).toContain(stderr.replace(file, 'mondo.toml').trimEnd());
  });
});

it('admin and health: the server answers to all who ask, and is lame before it stops', async () => {
  const command = placed(documented('npx mondo serve epoll --admin 9106'), {
    '9106': 0,
    '9107': 0,
  });
  await using server = startIn(folder, command, FREE_PORT);
  await listeningAt(server);
  const [, admin] = await server.printed(/Admin listener at (\S+)/);
  const [, agent] = await server.printed(/Agent check at (\S+)/);
  expect((await askAdmin(admin!, '/readyz')).body).toBe('ready\n');
  expect(await agentSays(agent!)).toBe('ready up\n');
  server.child.kill('SIGTERM');
  await server.printed(/Stopping in 10000 ms: not ready any more/);
});

describe('systemd', () => {
  const units = join(folder, 'units');
  mkdirSync(units);
  const places = { '/etc/systemd/system': units };
  const analyze = (...paths: string[]) =>
    spawnSync('systemd-analyze', ['verify', ...paths.map((path) => join(units, path))], {
      encoding: 'utf8',
    });
  const hasAnalyze = hasProgram('systemd-analyze', 'systemd');

  it('the first command prints what the second writes', async () => {
    const [shown = '', written = ''] = placed(documented('npx mondo unit epoll'), places).split(
      '\n',
    );
    const printed = await runIn(folder, shown);
    await runIn(folder, written);
    const files = ['mondo.socket', 'mondo.service'].map((name) =>
      readFileSync(join(units, name), 'utf8'),
    );
    for (const file of files) expect(printed).toContain(file.trim());
    if (!hasAnalyze) return;
    expect(analyze('mondo.socket', 'mondo.service')).toMatchObject({ status: 0, stderr: '' });

    const addition = join(units, 'mondo.service.d');
    mkdirSync(addition);
    writeFileSync(join(addition, 'override.conf'), documented('[Service]'));
    const { stderr } = analyze('mondo.service');
    // Before version 253, systemd ignores the line.
    expect(stderr.replace(/^.*Failed to parse service type, ignoring: notify-reload\n/m, '')).toBe(
      '',
    );
  });

  it('a process for each connection of inetd', async () => {
    const other = join(units, 'each');
    mkdirSync(other);
    const written = await runIn(
      folder,
      placed(documented('npx mondo unit inetd'), { '/etc/systemd/system': other }),
    );
    expect(written).toContain(join(other, 'mondo@.service'));
    if (hasAnalyze) expect(analyze('each/mondo.socket', 'each/mondo@.service').status).toBe(0);
  });
});
