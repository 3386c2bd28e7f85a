// In a checkout the source runs as it is; what npm installs has only the built JavaScript.
const { existsSync } = require('node:fs');
const { enableCompileCache } = require('node:module');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

// Types stripped and code compiled once and not at every start: that is two thirds of the start.
enableCompileCache();

const source = join(__dirname, '..', 'src', 'cli', 'main.ts');
const built = join(__dirname, '..', 'dist', 'cli', 'main.js');
import(pathToFileURL(existsSync(source) ? source : built).href);
