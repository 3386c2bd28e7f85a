// In a checkout the source runs directly; an installed package has only the built JavaScript.
const { existsSync, writeSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const source = join(__dirname, '..', 'src', 'cli', 'main.ts');
const bundled = join(__dirname, '..', 'dist', 'bundled', 'main.js');

/** The rest of the command, and the streams of `console`, would take too long to load for this. */
function printedVersion() {
  if (process.argv.length !== 3 || process.argv[2] !== '--version') return false;
  try {
    writeSync(1, `${require('../package.json').version}\n`);
    return true;
  } catch {
    // The command reports it.
    return false;
  }
}

function start() {
  if (process.platform !== 'win32' && __dirname.includes('\\')) {
    console.error(
      `mondo: Cannot start from "${__dirname}": Node loads no module whose path has a backslash; rename the folder`,
    );
    process.exit(1);
  }
  if (!existsSync(source)) {
    if (existsSync(bundled)) return import(pathToFileURL(bundled).href);
    console.error(
      `mondo: Cannot start: ${bundled} is not there, as this package was made without building it; run npm ci where it comes from, and install it again`,
    );
    process.exit(1);
  }
  // Node removes types and compiles once, and not at every start: that is two thirds of the start.
  const folder = require('./compile-cache.js').compileCacheFolder();
  if (folder !== undefined) require('node:module').enableCompileCache(folder);
  return import(pathToFileURL(source).href);
}

if (!printedVersion()) {
  // Before anything is loaded: without a handler, SIGUSR1 opens Node's debugger, and the others end a starting server.
  process.on('SIGUSR1', () => {}).on('SIGUSR2', () => {});
  if (process.argv[2] === 'serve') process.on('SIGHUP', () => {});
  start();
}
