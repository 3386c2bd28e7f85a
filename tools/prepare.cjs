/**
 * Builds `dist/` whenever npm makes a package of this folder: for `npm pack`, and for an installation from git
 * or with --install-links. npm also runs it after `npm ci` in a checkout. There the build tools may be missing
 * (--omit=dev), and that is not a fault: the source runs without a build.
 */
const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const canBuild = ['typescript', 'rolldown'].every((name) =>
  existsSync(join(root, 'node_modules', name)),
);
/** The folder in which npm was called. It is another one if this folder becomes a package of another project. */
const isOwnInstall = process.env.INIT_CWD === undefined || process.env.INIT_CWD === root;

if (canBuild) {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} else if (!isOwnInstall) {
  console.error(
    `mondo: Cannot build the package in ${root}: what builds it is not installed; run npm ci there, and install again`,
  );
  process.exitCode = 1;
}
