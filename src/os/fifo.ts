/** Named pipes. mkfifo(3) */
import { check, libc } from './libc.ts';

/**
 * Makes a named pipe.
 *
 * @param mode as for open(2); the umask of this process removes its bits
 * @throws SystemError such as EEXIST or EROFS
 */
export function makeFifo(path: string, mode: number): void {
  check('mkfifo', libc.mkfifo(path, mode), path);
}
