/*
 * A service manager such as systemd: it speaks by the environment (sd_listen_fds(3), sd_watchdog_enabled(3)) and listens
 * on a datagram socket (sd_notify(3)). Node has no such sockets, so systemd-notify, which comes with systemd, is asked;
 * as it is a process of its own, the unit has to say NotifyAccess=all.
 */
import { execFile } from 'node:child_process';
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';

/** What the service manager that started this process asks for and gives; nothing where there is none. */
export interface ServiceManager {
  /** Whether it waits to be told when the service is ready. */
  readonly isToBeTold: boolean;
  /** After how long without a sign of life it ends the service. */
  readonly watchdogMs: number | undefined;
  /** How many listening sockets it has passed. */
  readonly passedSockets: number;
}

/** Reads what stands in the environment for the process with this pid, the first one of the service. */
export function findServiceManager(env: NodeJS.ProcessEnv, pid: number): ServiceManager {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID = pid, LISTEN_FDS, LISTEN_PID } = env;
  const watchdogMs = Number(WATCHDOG_PID) === pid ? Number(WATCHDOG_USEC) / 1000 : 0;
  return {
    isToBeTold: NOTIFY_SOCKET !== undefined,
    watchdogMs: watchdogMs > 0 ? watchdogMs : undefined,
    passedSockets: Number(LISTEN_PID) === pid ? Number(LISTEN_FDS) : 0,
  };
}

/** Tells a service manager; each line is a variable of sd_notify(3) with its value. */
export type Notify = (...variables: readonly string[]) => void;

/** How to tell the service manager, in vain where there is none; failures are logged. */
export function notifier({ isToBeTold }: ServiceManager, logger: Logger): Notify {
  if (!isToBeTold) return () => undefined;
  return (...variables) => {
    execFile('systemd-notify', variables, (error) => {
      // The end of the service is signalled to all of its processes, this one too.
      if (error !== null && error.signal !== 'SIGTERM')
        logger.error(`systemd-notify ${variables[0]} failed: ${messageOf(error)}`);
    });
  };
}
