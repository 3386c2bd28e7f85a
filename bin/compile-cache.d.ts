/** A folder for NODE_COMPILE_CACHE that only this user or root can have written to; undefined if there is none. */
export function compileCacheFolder(): string | undefined;
