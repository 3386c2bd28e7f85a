/** The container image: built without a registry, and run as Kubernetes would run it, on a host of its own. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { copyCheckout } from '../support/checkout.ts';
import { documented, wordsIn } from '../support/deploy-page.ts';
import { canMakeHosts, Hosts } from '../support/hosts.ts';
import { type Manifest, manifestsIn } from '../support/manifests.ts';
import { mondo, type Process } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { until } from '../support/until.ts';

const canContain =
  canMakeHosts() &&
  hasProgram('podman', 'podman') &&
  hasProgram('buildah', 'buildah') &&
  hasProgram('runc', 'runc') &&
  hasProgram('catatonit', 'catatonit');

const IMAGE = 'localhost/mondo';
/** The base of the Containerfile, which a registry has. */
const BASE = 'docker.io/library/node:26-bookworm-slim';

let folder: string;
let hosts: Hosts;
const at = (...names: string[]) => join(folder, ...names);

const run = (file: string, ...args: string[]): string =>
  execFileSync(file, args, {
    encoding: 'utf8',
    env: { ...process.env, ...settingsOf() },
    stdio: 'pipe',
  }).trim();

/** An image with Node and the libraries that it needs, and nothing else: no shell. */
function makeBase(): void {
  const container = run('buildah', 'from', 'scratch');
  const inside = run('buildah', 'mount', container);
  const node = realpathSync(process.execPath);
  const libraries = run('ldd', node).matchAll(/\/\S+/g);
  for (const [file] of [[node], ...libraries] as [string][]) {
    const to = file === node ? '/usr/local/bin/node' : file;
    mkdirSync(join(inside, dirname(to)), { recursive: true });
    cpSync(realpathSync(file), join(inside, to));
  }
  mkdirSync(join(inside, 'tmp'));
  run('buildah', 'config', '--env', 'PATH=/usr/local/bin', container);
  run('buildah', 'umount', container);
  run('buildah', 'commit', container, 'localhost/base');
}

/** Where the page's commands find the files of deploy/container: they make others beside them. */
const context = () => at('checkout', 'deploy', 'container');

/** The commands of the page that make the image, and the one that runs it. */
function imageCommands(): { readonly making: string; readonly running: string } {
  const lines = documented('npm pack').trim().split('\n');
  return { making: lines.slice(0, -1).join('\n'), running: lines.at(-1)! };
}

/** Makes the image as the page does, on this test's base. */
function makeImage(): void {
  const checkout = copyCheckout(at('checkout'));
  const file = join(context(), 'Containerfile');
  const text = readFileSync(file, 'utf8');
  expect(text).toContain(`\nARG BASE=${BASE}\n`);
  writeFileSync(file, text.replace(BASE, 'localhost/base'));
  const [program, ...args] = wordsIn(checkout, imageCommands().making, settingsOf());
  run(program, ...args);
}

/** The variables that name podman's settings. */
const settingsOf = () => ({
  CONTAINERS_STORAGE_CONF: at('storage.conf'),
  CONTAINERS_CONF: at('containers.conf'),
  BUILDAH_ISOLATION: 'chroot',
});

/** Podman's settings: its storage in this test's folder, its network that of the host, and limits that any machine allows. */
function writeSettings(): void {
  writeFileSync(
    at('storage.conf'),
    `[storage]\ndriver = "vfs"\ngraphroot = "${at('storage')}"\nrunroot = "${at('run')}"\n`,
  );
  writeFileSync(
    at('containers.conf'),
    [
      '[containers]',
      'netns = "host"',
      'default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]',
      '[engine]',
      'runtime = "runc"',
      'cgroup_manager = "cgroupfs"',
      'events_logger = "none"',
      `tmp_dir = "${at('libpod')}"`,
    ].join('\n'),
  );
}

/** Starts podman on the test's host, where all ports are free. */
const podman = (...args: string[]): Process => {
  const variables = Object.entries(settingsOf()).map((pair) => pair.join('='));
  return hosts.start('one', 'env', ...variables, 'podman', ...args);
};

/** Starts a command of the page there, in the folder of the image. */
const startHere = (command: string): Process =>
  hosts.start('one', ...wordsIn(context(), command, settingsOf()));

/** Ends the containers of the page's commands, which give them no name. */
const stopAll = () => run('podman', 'kill', '--signal', 'TERM', '--all');

/** Why a container has no io_uring, in the log and in an error. */
const HIDDEN = /sandbox hides it/;

/** The options with which the manifests start a pod's container. */
const confined = ['--read-only', '--cap-drop=all', '--security-opt=no-new-privileges'];

const start = (name: string, options: string[], ...words: string[]): Process =>
  podman(
    ...['run', '--rm', '--name', name, '--network=host', ...confined, ...options, IMAGE],
    ...words,
  );

async function answerOf(question: string): Promise<string> {
  await using client = hosts.start(
    ...(['one', process.execPath, mondo, 'client', '127.0.0.1', '--ask', question] as const),
  );
  return (await client.ended()).stdout;
}

beforeAll(() => {
  if (!canContain) return;
  folder = mkdtempSync(join(tmpdir(), 'mondo-container-'));
  hosts = new Hosts(['one']);
  writeSettings();
  makeBase();
  makeImage();
}, 240_000);

afterAll(async () => {
  if (!canContain) return;
  await hosts[Symbol.asyncDispose]();
  run('buildah', 'rm', '--all');
  run('podman', 'system', 'reset', '--force');
  rmSync(folder, { recursive: true });
}, 120_000);

test.skipIf(!canContain)(
  'serves as a user without rights, and drains when it is stopped',
  async () => {
    await using server = start('plain', [], 'serve', 'fastest', '--log=json');
    await server.printed(/Listening/);
    // The runtime's own seccomp profile has no io_uring.
    expect(server.stdout).toMatch(/"architecture":"epoll"/);
    expect(server.stdout).toMatch(HIDDEN);
    expect(await answerOf('Simple is better than?')).toContain('Complex.');
    const inside = run('podman', 'top', 'plain', 'huser', 'capeff').split('\n').slice(1);
    for (const line of inside) expect(line).toMatch(/^65532 +none$/);
    run('podman', 'kill', '--signal', 'TERM', 'plain');
    const { code, stdout } = await server.ended();
    expect(stdout).toMatch(/Stopped: answered 1 question on 1 connection; drained 0, cut 0/);
    expect(code).toBe(0);
  },
);

test.skipIf(!canContain)('has io_uring with the profile that adds it, and only then', async () => {
  await using refused = start('refused', [], 'serve', 'uring');
  const { code, stderr } = await refused.ended();
  expect({ code, stderr }).toMatchObject({ code: 1 });
  expect(stderr).toMatch(/Cannot serve with io_uring: /);
  expect(stderr).toMatch(HIDDEN);
  const [making = '', running = ''] = documented('node seccomp-uring.mjs').split('\n');
  await using made = startHere(making);
  expect((await made.ended()).code).toBe(0);
  // The page has one of both.
  for (const name of ['uring', 'epoll']) {
    await using server = startHere(running.replace('serve uring', `serve ${name}`));
    await server.printed(/Listening/);
    expect(await answerOf('Explicit is better than?')).toContain('Implicit.');
    // Mode 2: a filter decides about each system call.
    for (const pid of run('podman', 'top', '--latest', 'hpid').split('\n').slice(1)) {
      expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Seccomp:\t2$/m);
    }
    stopAll();
    expect((await server.ended()).code).toBe(0);
  }
});

test.skipIf(!canContain)('runs with the command of the page', async () => {
  await using server = startHere(imageCommands().running);
  await server.printed(/Listening/);
  expect(await answerOf('Simple is better than?')).toContain('Complex.');
  stopAll();
  expect((await server.ended()).code).toBe(0);
});

test.skipIf(!canContain)('as process 1, leaves no zombies of workers that die', async () => {
  await using server = start('parent', ['--stop-timeout=2'], 'serve', 'prefork', '--log=json');
  await server.printed(/Listening/);
  const statesOf = () =>
    run('podman', 'top', 'parent', 'pid', 'state', 'hpid').split('\n').slice(1);
  const [, worker] = statesOf();
  process.kill(Number(worker!.trim().split(/ +/)[2]), 'SIGKILL');
  await server.printed(/replace|again|died|killed/i);
  expect(await answerOf('Simple is better than?')).toContain('Complex.');
  await until('no zombie', () => statesOf().every((line) => !/ Z /.test(line)));
  run('podman', 'kill', '--signal', 'TERM', 'parent');
  expect((await server.ended()).code).toBe(0);
});

test.skipIf(!canContain)('serves as the pod of the manifest', async () => {
  const deployment: Manifest = manifestsIn('base').find(({ kind }) => kind === 'Deployment');
  const [container] = deployment.spec.template.spec.containers;
  container.image = `${IMAGE}:latest`;
  container.imagePullPolicy = 'Never';
  // podman probes a container from outside, with a program in it: this image has none.
  for (const probe of ['readinessProbe', 'livenessProbe', 'startupProbe']) delete container[probe];
  // podman takes "ports" for a mapping, which a host's own network does not have.
  delete container.ports;
  deployment.spec.replicas = 1;
  writeFileSync(at('deployment.yaml'), stringify(deployment));
  await using play = podman('play', 'kube', '--network=host', at('deployment.yaml'));
  const { code, stderr } = await play.ended();
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const [name = ''] = run(
    'podman',
    'ps',
    '--filter=ancestor=localhost/mondo',
    '--format={{.Names}}',
  ).split('\n');
  await until('the pod to listen', () => /Listening/.test(run('podman', 'logs', name)));
  expect(await answerOf('Beautiful is better than?')).toContain('Ugly.');
  for (const path of ['/readyz', '/livez', '/metrics']) {
    await using fetched = hosts.start(
      ...(['one', process.execPath, '-e'] as const),
      `fetch('http://127.0.0.1:9106${path}').then(({ status }) => console.log(status))`,
    );
    expect((await fetched.ended()).stdout.trim()).toBe('200');
  }
  await using down = podman('play', 'kube', '--down', at('deployment.yaml'));
  expect((await down.ended()).code).toBe(0);
});
