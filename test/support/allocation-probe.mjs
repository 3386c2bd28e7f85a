// Loaded into a worker before anything else (`node --import`): counts calls, and samples the heap between two counts.
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

const { file, libc: libcUrl, call, from, to } = JSON.parse(process.env.ALLOCATION_PROBE);

if (/host[\\/]worker[\\/]worker\.ts$/.test(process.argv[1] ?? '')) {
  const { libc } = await import(libcUrl);
  const session = new Session();
  session.connect();
  let calls = 0;
  // The first call of a function declares it, and stores it here; this call fails without an effect.
  if (call === 'recv') libc.recv(-1, 0, 0, 0);
  else libc.io_uring_enter(426, -1, 0, 0, 0, 0, 0);
  const made = libc[call];
  libc[call] = (...args) => {
    const result = made(...args);
    calls += call === 'io_uring_enter' ? args[2] : 1;
    if (calls >= from && !isSampling) begin();
    if (calls >= to && isSampling && !isDone) end();
    return result;
  };
  let isSampling = false;
  let isDone = false;
  function begin() {
    isSampling = true;
    session.post('HeapProfiler.startSampling', {
      samplingInterval: 4096,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
  }
  function end() {
    isDone = true;
    session.post('HeapProfiler.stopSampling', (error, result) => {
      writeFileSync(`${file}.part`, JSON.stringify(error ?? result.profile));
      // Write the file in one step: a reader finds all of it or none.
      renameSync(`${file}.part`, file);
    });
  }
}
