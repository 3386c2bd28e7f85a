/** The first to be loaded: a bundle in CommonJS has no `import.meta.url`, and all else would fail with a riddle. */
if (Object.keys(import.meta).length === 0) {
  throw new Error(
    'Cannot load mondo from a bundle in CommonJS; leave it out of your bundle (esbuild: --external:mondo), since it starts processes and threads with files of its own',
  );
}
