// The folder of Node's compile cache: compiled code and, in a checkout, source without its types, for the next start.
// Node executes these files. So only this user, or root, may be able to write to the folder; otherwise there is none.
// No `require` here: it would bring the whole of node:module into the bundle of the command.
const { lstatSync, mkdirSync, realpathSync } = process.getBuiltinModule('node:fs');
const { homedir } = process.getBuiltinModule('node:os');
const { basename, dirname, isAbsolute, join } = process.getBuiltinModule('node:path');

const OTHERS_MAY_WRITE = 0o022;
/** In such a folder other users may make files, but not remove or rename the files of another user. */
const STICKY = 0o1000;

/** All folders on the path: a user that can rename one of them can put another in its place. */
function isOurs(folder, euid) {
  for (let at = folder; ; at = dirname(at)) {
    const { uid, mode } = lstatSync(at);
    if (uid !== euid && uid !== 0) return false;
    if ((mode & OTHERS_MAY_WRITE) !== 0 && ((mode & STICKY) === 0 || at === folder)) return false;
    if (at === dirname(at)) return true;
  }
}

/** The folder, by its path without links; made if necessary, in a folder of this user. */
function ownFolder(folder, euid, mostToMake) {
  let real;
  try {
    real = realpathSync(folder);
  } catch (error) {
    if (error.code !== 'ENOENT' || mostToMake === 0) return undefined;
    const above = ownFolder(dirname(folder), euid, mostToMake - 1);
    if (above === undefined) return undefined;
    real = join(above, basename(folder));
    mkdirSync(real, { mode: 0o700 });
  }
  return isOurs(real, euid) ? real : undefined;
}

exports.compileCacheFolder = function compileCacheFolder() {
  const euid = process.geteuid?.();
  if (euid === undefined) return undefined;
  const { XDG_CACHE_HOME } = process.env;
  try {
    const caches =
      XDG_CACHE_HOME !== undefined && isAbsolute(XDG_CACHE_HOME)
        ? XDG_CACHE_HOME
        : join(homedir(), '.cache');
    const folder = ownFolder(join(caches, 'mondo'), euid, 2);
    return folder !== undefined && lstatSync(folder).uid === euid ? folder : undefined;
  } catch {
    // It has gone again, or cannot be made: the start only takes longer.
    return undefined;
  }
};
