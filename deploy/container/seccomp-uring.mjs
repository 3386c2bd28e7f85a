// Adds io_uring to the seccomp profile of a container runtime. Runtimes leave it out: it had many faults.
// Usage: node seccomp-uring.mjs [/usr/share/containers/seccomp.json] > seccomp-uring.json
import { readFileSync } from 'node:fs';

const [, , file = '/usr/share/containers/seccomp.json'] = process.argv;
let profile;
try {
  profile = JSON.parse(readFileSync(file, 'utf8'));
} catch (error) {
  console.error(
    `Cannot read "${file}": ${error.message}; name the seccomp profile of your runtime`,
  );
  process.exit(1);
}
if (!Array.isArray(profile?.syscalls)) {
  console.error(`"${file}" is no seccomp profile: it has no list "syscalls"`);
  process.exit(1);
}
profile.syscalls.push({
  names: ['io_uring_setup', 'io_uring_enter', 'io_uring_register'],
  action: 'SCMP_ACT_ALLOW',
});
console.log(JSON.stringify(profile, null, 2));
