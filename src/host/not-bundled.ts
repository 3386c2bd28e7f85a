/**
 * Loaded first: a CommonJS bundle has no `import.meta.url`, and without this check it would fail with an unclear
 * error.
 */
if (Object.keys(import.meta).length === 0) {
  throw new Error(
    'Cannot load mondo from a bundle in CommonJS; leave it out of your bundle (esbuild: --external:mondo), since it starts processes and threads with files of its own',
  );
}
