/** A folder for NODE_COMPILE_CACHE that only this user or root can write to; undefined if there is none. */
export function compileCacheFolder(): string | undefined;
