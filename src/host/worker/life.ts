/** The life of a service in one thread or process: `open` before its first question, `close` after its last. */
import {
  type Protocol,
  type Service,
  type ServiceContext,
  ServiceError,
} from '../../protocol/service.ts';

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;

/** @param name the user's name for the module @throws ServiceError if the service cannot open */
export async function openService(
  service: Service | Protocol,
  context: ServiceContext,
  name: string,
): Promise<void> {
  try {
    await service.open?.(context);
  } catch (error) {
    throw new ServiceError(`Cannot open service "${name}": ${firstLine(error)}`, { cause: error });
  }
}

/** Never throws: the worker ends anyway. */
export async function closeService(
  service: Service | Protocol,
  warn: (text: string) => void,
): Promise<void> {
  try {
    await service.close?.();
  } catch (error) {
    warn(`Service failed to close: ${firstLine(error)}`);
  }
}

/** Opens what else the service needs to answer. If that fails, it closes the service, which is open already. */
export async function openAnswers(
  service: Service | Protocol,
  open: () => Promise<void>,
): Promise<void> {
  try {
    await open();
  } catch (error) {
    await closeService(service, () => {});
    throw error;
  }
}
