/**
 * Builds `dist/` whenever npm makes a package of this folder: for `npm pack`, and where it is installed from git or
 * with --install-links. npm runs it after `npm ci` in a checkout too. What builds may be absent there (--omit=dev), and
 * that is no fault: the source runs as it is.
 */
const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const canBuild = ['typescript', 'rolldown'].every((name) =>
  existsSync(join(root, 'node_modules', name)),
);
/** Where npm was called: elsewhere if this folder is to become a package of another project. */
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
