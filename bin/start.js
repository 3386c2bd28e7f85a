// In a checkout the source runs as it is; what npm installs has only the built JavaScript.
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const source = join(__dirname, '..', 'src', 'cli', 'main.ts');
const built = join(__dirname, '..', 'dist', 'cli', 'main.js');
import(pathToFileURL(existsSync(source) ? source : built).href);
