// Where Node keeps what it has compiled, and of a checkout the types it has blanked out, from one start to the next. What
// lies there is executed: so it is a folder that only this user, or root, can have written to, or there is none.
// Not by `require`: that would bring the whole of node:module into the bundle of the command.
const { lstatSync, mkdirSync, realpathSync } = process.getBuiltinModule('node:fs');
const { homedir } = process.getBuiltinModule('node:os');
const { basename, dirname, isAbsolute, join } = process.getBuiltinModule('node:path');

const OTHERS_MAY_WRITE = 0o022;
/** In such a folder others may make files, but neither remove nor rename those of somebody else. */
const STICKY = 0o1000;

/** Every folder on the way: whoever can rename one of them can put another in its place. */
function isOurs(folder, euid) {
  for (let at = folder; ; at = dirname(at)) {
    const { uid, mode } = lstatSync(at);
    if (uid !== euid && uid !== 0) return false;
    if ((mode & OTHERS_MAY_WRITE) !== 0 && ((mode & STICKY) === 0 || at === folder)) return false;
    if (at === dirname(at)) return true;
  }
}

/** The folder without links on its way, made if need be in one that is ours. */
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
    // It is gone again, or cannot be made: a start takes longer, and that is all.
    return undefined;
  }
};
