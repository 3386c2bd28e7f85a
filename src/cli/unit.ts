/** `mondo unit`: unit files for systemd that serve with the options given, with as few rights as Mondo needs. */
import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { loadArchitecture } from '../architectures/catalogue.ts';
import { ServeError } from '../host/errors.ts';
import { fastestArchitecture } from '../host/fastest.ts';
import { resolveAddress } from '../host/listen.ts';
import { architectureNamed, type Plan, planOf, type ServeOptions } from '../host/plan.ts';
import { addressText } from '../os/address.ts';
import { effectiveOptions } from './effective.ts';
import { checkOutputs, writeOutput } from './output.ts';
import { optionsOf } from './serve-configuration.ts';

interface Options {
  readonly config?: string;
  readonly name: string;
  readonly write?: string;
  readonly perConnection?: boolean;
}

interface UnitFile {
  readonly name: string;
  readonly text: string;
}

/** Time for the end of the workers after the drain, in seconds. */
const SLACK = 5;

/** Options that become lines of the units, and options of this command. */
const NOT_PASSED: ReadonlySet<string> = new Set([
  ...['port', 'backlog', 'user', 'group'],
  ...['name', 'write', 'perConnection'],
]);

/** Keys whose values are lines of the units. A file that has them would contradict the units. */
const OF_UNITS = ['host', 'port', 'backlog', 'user', 'group'] as const;

const usage = (text: string) => new ServeError('usage', text);

export async function unitCommand(command: Command): Promise<void> {
  const { name, write, perConnection = false, config } = command.opts<Options>();
  if (!/^[\w:.-]{1,200}$/.test(name)) {
    throw usage(
      `Cannot use "${name}" as the name of a unit: give letters, digits, and any of _ : . -`,
    );
  }
  // Variables of this process are not those of the service.
  const effective = await effectiveOptions(command, config, {});
  for (const key of OF_UNITS) {
    if (effective.origins.get(key) !== config) continue;
    throw usage(
      `Cannot use "${key}" of ${config} in a unit: systemd needs it; give it on the command line, and not in the file`,
    );
  }
  const { architecture } = effective;
  const chosen =
    architecture === undefined || architecture === 'fastest'
      ? (await fastestArchitecture()).name
      : architectureNamed(architecture);
  const options = optionsOf(effective);
  const plan = planOf(await loadArchitecture(chosen), options);
  if (perConnection && chosen !== 'inetd') {
    throw usage(
      `Cannot use --per-connection with ${chosen}: only inetd serves a connection that systemd has accepted`,
    );
  }
  const words = ['serve', ...command.args.slice(0, 1), ...passedOf(command)];
  const files = [
    { name: `${name}.socket`, text: await socketText(plan, perConnection) },
    perConnection
      ? { name: `${name}@.service`, text: instanceText(plan, words) }
      : { name: `${name}.service`, text: serviceText(plan, name, words) },
  ];
  for (const path of [...programOf(), serviceOf(options), config && resolve(config)])
    warnOfHidden(path);
  if (write === undefined) console.log(files.map(headed).join('\n'));
  else writeAll(write, name, files);
}

/** The options of the command line that `mondo serve` gets. */
function passedOf(command: Command): string[] {
  return command.options.flatMap((option) => {
    const name = option.attributeName();
    if (NOT_PASSED.has(name) || command.getOptionValueSource(name) !== 'cli') return [];
    const value: unknown = command.getOptionValue(name);
    const word = option.long!;
    if (value === true) return [word];
    if (Array.isArray(value)) return value.flatMap((one) => [word, String(one)]);
    if (name === 'config') return [word, resolve(String(value))];
    return [word, name === 'service' ? absolute(String(value)) : String(value)];
  });
}

const absolute = (service: string) => (/^[a-z]+:/.test(service) ? service : resolve(service));

const serviceOf = ({ service }: ServeOptions) =>
  typeof service === 'string' ? absolute(service) : undefined;

/** Node, and the command. Not npx or npm: systemd's variables are for the process that it starts. */
const programOf = (): readonly [string, string] => [
  realpathSync(process.execPath),
  realpathSync(join(import.meta.dirname, '..', '..', 'bin', 'mondo')),
];

/** What the unit hides from the service. */
const HIDDEN = /^\/(home|root|run\/user|tmp|var\/tmp)\//;

function warnOfHidden(path: string | undefined): void {
  if (path === undefined || !HIDDEN.test(path)) return;
  console.error(
    `mondo: The service cannot read ${path}, because ProtectHome= and PrivateTmp= hide it; install Node and Mondo in another folder, such as /opt, and run this command from there`,
  );
}

const headed = ({ name, text }: UnitFile) => `# /etc/systemd/system/${name}\n${text}`;

function writeAll(folder: string, name: string, files: readonly UnitFile[]): void {
  const paths = files.map((file) => join(folder, file.name));
  checkOutputs(paths);
  for (const [i, { text }] of files.entries()) writeOutput(paths[i]!, text);
  for (const path of paths) console.log(path);
  console.log(`\nsystemctl daemon-reload && systemctl enable --now ${name}.socket`);
}

/** One word of a command in a unit file. systemd.service(5), "Command lines" */
function unitWord(word: string): string {
  const escaped = word
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t');
  return /^[\w@%+=:,./[\]-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

async function socketText(plan: Plan, perConnection: boolean): Promise<string> {
  const { traits, reuseport, threads, processes, backlog } = plan;
  const count = reuseport ? threads * processes : 1;
  return lines(
    ['Unit', `Description=Listener of Mondo (${traits.name})`],
    [
      'Socket',
      ...new Array<string>(count).fill(`ListenStream=${await streamOf(plan)}`),
      `Backlog=${backlog}`,
      ...(plan.host.startsWith('unix:') ? [] : ['NoDelay=yes']),
      // The address may come after the boot has begun.
      ...(isSpecific(plan.host) ? ['FreeBind=yes'] : []),
      ...(reuseport ? ['ReusePort=yes'] : []),
      ...(perConnection
        ? ['Accept=yes', 'MaxConnections=64', 'MaxConnectionsPerSource=16']
        : ['Accept=no', 'FileDescriptorName=mondo']),
    ],
    ['Install', 'WantedBy=sockets.target'],
  );
}

async function streamOf({ host, port }: Plan): Promise<string> {
  if (host.startsWith('unix:')) return resolve(host.slice('unix:'.length)).replaceAll('%', '%%');
  if (port === 0) {
    throw usage('Cannot use port 0 in a unit: clients need to know the port; give one with -p');
  }
  return addressText(await resolveAddress(host, port));
}

/** True for an address that belongs to an interface other than lo. */
const isSpecific = (host: string): boolean =>
  !host.startsWith('unix:') &&
  !['', '::', '0.0.0.0', '::1', 'localhost'].includes(host) &&
  !host.startsWith('127.');

const serviceText = (plan: Plan, name: string, words: readonly string[]): string =>
  lines(
    [
      'Unit',
      `Description=Mondo (${plan.traits.name})`,
      `Requires=${name}.socket`,
      `After=network.target ${name}.socket`,
    ],
    [
      'Service',
      // A drop-in with Type=notify-reload does the same from systemd 253 on, without ExecReload=.
      'Type=notify',
      'NotifyAccess=main',
      `ExecStart=${[...programOf(), ...words].map(unitWord).join(' ')}`,
      'ExecReload=/bin/kill -HUP $MAINPID',
      'KillMode=mixed',
      `TimeoutStopSec=${Math.ceil((plan.lameDuck + plan.drain) / 1000) + SLACK}`,
      'Restart=on-failure',
      'RestartPreventExitStatus=2',
      '# systemd can restart a server with a worker that is stuck for this long:',
      '# WatchdogSec=60',
      ...hardening(plan),
    ],
    ['Install', `Also=${name}.socket`, 'WantedBy=multi-user.target'],
  );

const instanceText = (plan: Plan, words: readonly string[]): string =>
  lines(
    ['Unit', 'Description=Mondo (inetd), one connection', 'CollectMode=inactive-or-failed'],
    [
      'Service',
      `ExecStart=${[...programOf(), ...words].map(unitWord).join(' ')}`,
      ...hardening(plan),
    ],
  );

/** No MemoryDenyWriteExecute=: V8 compiles at run time. No ProcSubset=pid: Mondo reads /proc/sys/net. */
const hardening = ({ user, group, traits }: Plan): readonly string[] => [
  '',
  ...(user === undefined ? ['DynamicUser=yes'] : [`User=${user}`]),
  ...(group === undefined ? [] : [`Group=${group}`]),
  'CacheDirectory=mondo',
  'Environment=NODE_COMPILE_CACHE=%C/mondo',
  'UMask=0077',
  'LimitNOFILE=1048576',
  '# io_uring needs this before Linux 5.12.',
  'LimitMEMLOCK=64M',
  ...(traits.capacity === 'unbounded' && traits.arrangement === 'crew'
    ? ['# Each client costs a thread or a process.', 'TasksMax=16384']
    : []),
  '',
  'NoNewPrivileges=yes',
  'CapabilityBoundingSet=',
  'AmbientCapabilities=',
  'ProtectSystem=strict',
  'ProtectHome=yes',
  'ProtectClock=yes',
  'ProtectHostname=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'ProtectControlGroups=yes',
  'ProtectProc=invisible',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'PrivateUsers=yes',
  'RemoveIPC=yes',
  'LockPersonality=yes',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX',
  'SystemCallArchitectures=native',
  'SystemCallFilter=@system-service',
  'SystemCallFilter=~@privileged',
  'SystemCallErrorNumber=EPERM',
];

const lines = (...sections: readonly (readonly [string, ...string[]])[]): string =>
  sections.map(([name, ...body]) => [`[${name}]`, ...body, ''].join('\n')).join('\n');
